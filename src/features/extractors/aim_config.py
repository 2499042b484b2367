"""What the config.json of an AIM checkpoint says. No torch here, so that any checkpoint is recognised at once."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ...common import UserError
from .checkpoint import Checkpoint

# A config.json of AIM names no model_type, but has these.
NAMES = ("img_size", "patch_size", "embed_dim", "num_blocks", "num_heads")


@dataclass(frozen=True)
class AimShape:
    """img_size: pixels of the square input. embed_dim: width of the tokens, and of the features."""

    img_size: int
    patch_size: int
    embed_dim: int
    num_blocks: int
    num_heads: int


def is_aim(config: Mapping[str, Any]) -> bool:
    """Whether this is the config.json of an AIM checkpoint."""
    return "model_type" not in config and all(name in config for name in NAMES)


def aim_shape(checkpoint: Checkpoint) -> AimShape:
    """Raises UserError where the numbers can't be those of a network."""
    found = {name: checkpoint.config[name] for name in NAMES}
    says = f"{checkpoint.name}: its config.json says"
    if wrong := [name for name, value in found.items() if not _is_whole(value, 1)]:
        raise UserError(f"{says} {wrong[0]}={found[wrong[0]]!r}; it should be a whole number from 1")
    shape = AimShape(**found)
    if shape.embed_dim % shape.num_heads or shape.embed_dim % 4:
        heads = f"num_heads={shape.num_heads}"
        raise UserError(f"{says} embed_dim={shape.embed_dim}; it should be a multiple of 4 and of {heads}")
    if shape.img_size < shape.patch_size:
        raise UserError(f"{says} img_size={shape.img_size}; it should be patch_size={shape.patch_size} at least")
    if (channels := checkpoint.config.get("num_channels", 3)) != 3:
        raise UserError(f"{says} num_channels={channels!r}; images have 3")
    return shape


def aim_default_states(checkpoint: Checkpoint) -> tuple[int, ...]:
    """The hidden states of the blocks in `probe_layers`, on which the checkpoint's classifier was trained.

    A list holds numbers of blocks, 0 the first; a number n stands for the last n blocks, as in Apple's own code.
    Raises UserError for anything else.
    """
    blocks: int = checkpoint.config["num_blocks"]
    probed: Any = checkpoint.config.get("probe_layers")
    if _is_whole(probed, 1, blocks):
        return tuple(reversed(range(probed)))
    if not (isinstance(probed, list) and probed and all(_is_whole(block, 0, blocks - 1) for block in probed)):
        raise UserError(
            f"{checkpoint.name}: its config.json says probe_layers={probed!r}; it should be a number of blocks or a "
            f"list of blocks, of which there are {blocks}, the first being 0"
        )
    return tuple(blocks - 1 - block for block in dict.fromkeys(probed))


def _is_whole(value: Any, low: int, high: float = math.inf) -> bool:
    return type(value) is int and low <= value <= high
