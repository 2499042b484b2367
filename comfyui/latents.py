"""ComfyUI's latents as single ones, and back: a dict with `samples` (B, …), and what belongs to each of these."""

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

Latent = Mapping[str, Any]


def each_latent(series: Sequence[Latent]) -> list[Latent]:
    """All latents of a series of batches, as batches of one; masks and numbers of the batch go along."""
    return [_single(latent, i) for latent in series for i in range(len(latent["samples"]))]


def latent_batches(latents: Sequence[Latent]) -> list[Latent]:
    """A series of batches; neighbours of one size are together."""
    return [_joined(list(alike)) for _, alike in groupby(latents, key=_kind)]


def _single(latent: Latent, i: int) -> Latent:
    single = {**latent, "samples": latent["samples"][i : i + 1]}
    if (mask := latent.get("noise_mask")) is not None and len(mask) > 1:  # one mask is for all
        single["noise_mask"] = mask[i % len(mask)][None]
    if (numbers := latent.get("batch_index")) is not None:  # which noise each was given
        single["batch_index"] = [numbers[i]]
    return single


def _kind(latent: Latent) -> tuple:
    mask = latent.get("noise_mask")
    return sorted(latent), latent["samples"].shape, None if mask is None else mask.shape


def _joined(latents: Sequence[Latent]) -> Latent:
    import torch

    joined = {**latents[0], "samples": torch.cat([latent["samples"] for latent in latents])}
    if "noise_mask" in joined and joined["noise_mask"] is not None:
        joined["noise_mask"] = torch.cat([latent["noise_mask"] for latent in latents])
    if "batch_index" in joined:
        joined["batch_index"] = [number for latent in latents for number in latent["batch_index"]]
    return joined
