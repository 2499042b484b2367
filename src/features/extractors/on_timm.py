"""Image models of timm, `timm:NAME`, where timm is installed. It is no requirement, as it brings torchvision.

Wightman (2019), "PyTorch Image Models", https://github.com/huggingface/pytorch-image-models
"""

import importlib
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from ...common import UserError, first_line
from .base import stable_text, weights_hash
from .checkpoint import WEIGHTS_NAMES, hub_file
from .on_torch import TorchExtractor
from .resizing import suffix

PREFIX = "timm:"
CROPS = ("center", "squash")


class TimmExtractor(TorchExtractor):
    """Hidden state 0: what `forward_head(…, pre_logits=True)` makes of the final features. k ≥ 1: the mean over all
    places of `forward_intermediates`' output -1-k, prefix tokens left out.

    Raises UserError where timm is not installed, knows no such model, or has no weights for it.
    """

    default_hidden_states = (0,)
    default_hidden_states_mode = "join"

    def __init__(self, name: str, device: str = "auto", fp16: bool = False) -> None:
        super().__init__(device)
        self.name = name
        self._timm = _import_timm(name)
        self._model = name.removeprefix(PREFIX)
        self._fp16 = fp16
        with torch.device("meta"):  # what it looks like, without its weights
            outline = self._create()
        layers = len(outline.feature_info) if hasattr(outline, "forward_intermediates") else 1
        self.n_hidden_states = layers
        self._input = _Input(name, self._timm.data.resolve_model_data_config(outline))
        self._weights = _weights_file(name, outline.pretrained_cfg)
        self.identity = stable_text(
            family="timm",
            model=self._model,
            weights=weights_hash([self._weights]),
            number_format="float16" if fp16 else "float32",
            preprocessing=self._input.to_dict(),
        )

    def prepare(self, image: Image.Image) -> np.ndarray:
        """(3, H, W) float32, as timm's own transforms for evaluation give it, with Pillow."""
        return self._input(image)

    def _create(self, **options: Any) -> Any:
        try:
            return self._timm.create_model(self._model, num_classes=0, **options)
        except Exception as error:  # an unknown name, or weights that don't fit
            raise UserError(f"{self.name}: timm {self._timm.__version__} can't make it ({first_line(error)})")

    def _load(self) -> nn.Module:
        network = self._create(pretrained=True, pretrained_cfg_overlay={"file": str(self._weights)})
        if self._fp16:
            network = network.half()
        return network.float() if self.device.type == "cpu" else network.to(self.device)

    def _features(self, network: Any, batch: Tensor, hidden_states: Sequence[int]) -> dict[int, Tensor]:
        batch = batch.to(next(network.parameters()).dtype)
        if set(hidden_states) == {0}:
            return {0: network.forward_head(network.forward_features(batch), pre_logits=True)}
        final, layers = network.forward_intermediates(batch)
        pooled = {k: layers[-1 - k].mean((2, 3)) for k in hidden_states if k}  # (B, C, H, W) -> (B, C)
        return pooled | ({0: network.forward_head(final, pre_logits=True)} if 0 in hidden_states else {})


class _Input:
    """timm's preprocessing for evaluation: resize, crop the centre, normalise."""

    def __init__(self, name: str, settings: dict[str, Any]) -> None:
        self._crop = settings.get("crop_mode") or "center"
        self._filter = getattr(Image.Resampling, str(settings["interpolation"]).upper(), None)
        if self._crop not in CROPS or self._filter is None:
            raise UserError(
                f"{name}: wants images cropped by {self._crop!r}, resized by {settings['interpolation']!r}; known "
                f"here are {' and '.join(CROPS)}, and the filters of Pillow"
            )
        self._settings = {key: settings[key] for key in ("input_size", "interpolation", "crop_pct", "mean", "std")}
        self._height, self._width = settings["input_size"][1:]
        self._mean, self._deviation = (np.float32(settings[key]).reshape(3, 1, 1) for key in ("mean", "std"))

    def __call__(self, image: Image.Image) -> np.ndarray:
        resized = image.resize(self._size(*image.size), self._filter)
        left, top = (round((a - b) / 2) for a, b in zip(resized.size, (self._width, self._height), strict=True))
        cropped = resized.crop((left, top, left + self._width, top + self._height))
        pixels = np.asarray(cropped, dtype=np.float32).transpose(2, 0, 1) / np.float32(255)  # (H, W, 3) -> (3, H, W)
        return (pixels - self._mean) / self._deviation

    def _size(self, width: int, height: int) -> tuple[int, int]:
        """Of the whole image, before the crop: the shorter side as long as asked for, or both."""
        tall, wide = (math.floor(side / self._settings["crop_pct"]) for side in (self._height, self._width))
        if self._crop == "squash":
            return wide, tall
        short = min(tall, wide)
        return (short, int(short * height / width)) if width <= height else (int(short * width / height), short)

    def to_dict(self) -> dict[str, Any]:
        """All that its results depend on."""
        interpolation = self._settings["interpolation"] + suffix()
        return {"crop_mode": self._crop, **self._settings, "interpolation": interpolation}


def _import_timm(name: str) -> Any:
    try:
        return importlib.import_module("timm")
    except Exception as error:  # not there, or its torchvision is not that of this torch
        raise UserError(
            f"extractor {name!r}: timm can't be used ({first_line(error)}); run: pip install timm, with the "
            "torchvision that belongs to your torch"
        )


def _weights_file(name: str, settings: Any) -> Path:
    settings = settings if isinstance(settings, dict) else vars(settings)
    source = settings.get("hf_hub_id")
    single = [file for file in WEIGHTS_NAMES if not file.endswith(".json")]
    found = next((path for file in single if source and (path := hub_file(source, file))), None)
    if found is None:
        raise UserError(f"{name}: timm knows no weights of it on the Hugging Face hub; take another of timm's names")
    return found
