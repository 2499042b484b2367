"""Apple's AIM, version 1: a transformer trained to predict the next patch of an image, with its attention pooling.

El-Nouby et al. (2024), "Scalable Pre-training of Large Autoregressive Image Models". The tensors are those of the
published checkpoints; the network stands in aim_network.py.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file
from torch import Tensor, nn

from ...common import UserError, first_line
from .aim_config import aim_default_states, aim_shape
from .aim_network import Aim
from .base import stable_text, weights_hash
from .checkpoint import Checkpoint
from .on_torch import TorchExtractor
from .resizing import suffix

# What a checkpoint may hold and features don't need: the classifier behind the pooling.
NOT_NEEDED = ("head.linear.weight", "head.linear.bias", "head.bn.num_batches_tracked")
CROPPED = 0.875  # the side of the centre that is kept, of the short side
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet's pixels, in [0, 1]


class AimExtractor(TorchExtractor):
    """Hidden state k: the tokens after the (k+1)-th last block, through the final norm and the head's pooling.

    batch_norm: eval, the head normalises by its running statistics; batch, each image by its own. By default those
    states which the checkpoint's classifier was trained on (`probe_layers`), averaged. The weights keep the
    checkpoint's own number format, or are made float16 by `fp16`; on a CPU the same values are computed with in
    float32.
    """

    default_hidden_states_mode = "average"
    heedless = ()

    def __init__(
        self, checkpoint: Checkpoint, device: str = "auto", fp16: bool = False, batch_norm: str = "eval"
    ) -> None:
        super().__init__(device)
        self.name = checkpoint.name
        self._checkpoint, self._fp16 = checkpoint, fp16
        self._shape = aim_shape(checkpoint)
        self._batch_norm = batch_norm
        self.n_hidden_states = self._shape.num_blocks
        self.default_hidden_states = aim_default_states(checkpoint)
        self.identity = stable_text(
            family="aim",
            weights=weights_hash(checkpoint.weights()),
            number_format="float16" if fp16 else "as in the checkpoint",
            network=asdict(self._shape),
            batch_norm=batch_norm,
            preprocessing=f"short side {self._short_side} bicubic, centre {self._shape.img_size}, ImageNet's mean"
            + suffix(),
        )

    @property
    def _short_side(self) -> int:
        return math.ceil(self._shape.img_size / CROPPED)

    def prepare(self, image: Image.Image) -> np.ndarray:
        """(S, S, 3) uint8: the centre of the image, its short side made S / 0.875 (256 for 224) pixels, bicubic."""
        short, size = min(image.size), self._shape.img_size
        resized = image.resize(
            (self._short_side * image.width // short, self._short_side * image.height // short),
            Image.Resampling.BICUBIC,
        )
        left, top = round((resized.width - size) / 2), round((resized.height - size) / 2)
        return np.array(resized.crop((left, top, left + size, top + size)))

    def _load(self) -> nn.Module:
        tensors = _needed(self._checkpoint)
        with torch.device("meta"):  # so that a network of 28 GB is not made twice, first with random weights
            network = Aim(self._shape, self._batch_norm)
        _check(self._checkpoint.name, network.state_dict(), tensors)
        if self._fp16:
            tensors = {name: value if ".running_" in name else value.half() for name, value in tensors.items()}
        network.load_state_dict(tensors, assign=True)
        return network.float() if self.device.type == "cpu" else network.to(self.device)

    def _features(self, network: Any, prepared: Tensor, hidden_states: Sequence[int]) -> dict[int, Tensor]:
        mean, deviation = (torch.tensor(values, device=prepared.device) for values in (MEAN, DEVIATION))
        x = (prepared.float() / 255 - mean) / deviation
        return network(x.permute(0, 3, 1, 2), hidden_states)  # (B, S, S, 3) -> (B, 3, S, S)


def _needed(checkpoint: Checkpoint) -> dict[str, Tensor]:
    """All tensors of all weights files, without the classifier's."""
    tensors: dict[str, Tensor] = {}
    for path in checkpoint.weights():
        try:
            tensors |= _read(path)
        except Exception as error:  # each weights format has errors of its own
            said = first_line(error)
            raise UserError(f"{checkpoint.name}: its weights can't be loaded ({said}); fetch the checkpoint again")
    return {name: value for name, value in tensors.items() if name not in NOT_NEEDED}


def _read(path: Path) -> dict[str, Tensor]:
    if path.suffix == ".safetensors":
        return load_file(path)
    tensors = torch.load(path, weights_only=True, map_location="cpu")
    if not (isinstance(tensors, dict) and all(isinstance(value, Tensor) for value in tensors.values())):
        raise ValueError(f"{path.name} holds no tensors by name")
    return tensors


def _check(name: str, expected: Mapping[str, Tensor], tensors: Mapping[str, Tensor]) -> None:
    """Raise UserError unless these are exactly the tensors of the network that config.json describes."""
    if missing := sorted(expected.keys() - tensors.keys()):
        raise UserError(f"{name}: its weights lack {_some(missing)}; by its config.json, AIM needs them")
    if unexpected := sorted(tensors.keys() - expected.keys()):
        raise UserError(f"{name}: its weights hold {_some(unexpected)}, which AIM has not by its config.json")
    for key, value in tensors.items():
        if value.shape != expected[key].shape or not value.is_floating_point():
            found = f"{value.dtype} {tuple(value.shape)}".removeprefix("torch.")
            shape = tuple(expected[key].shape)
            raise UserError(f"{name}: its {key} is {found}; by its config.json it should be a float of {shape}")


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
