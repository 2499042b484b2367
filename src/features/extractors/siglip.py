"""SigLIP and SigLIP 2, of fixed size and NaFlex (any aspect ratio): attention pooling, no class token.

Zhai et al. (2023), "Sigmoid Loss for Language Image Pre-Training"; Tschannen et al. (2025), "SigLIP 2".
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from transformers import Siglip2VisionModel, SiglipVisionModel

from ...common import UserError
from .on_transformers import TransformersExtractor


class SiglipExtractor(TransformersExtractor):
    """Hidden state k: hidden_states[-1-k] through post_layernorm and the attention pooling head."""

    network_class: Any = SiglipVisionModel

    def _adapt(self) -> None:
        if not getattr(self._config, "vision_use_head", True):
            raise UserError(
                f"{self.name}: has no pooling head (vision_use_head is false), and features are made by it; take a "
                "checkpoint with the head"
            )

    def _tower(self, network: Any) -> Any:
        return getattr(network, "vision_model", network)

    def _pool(self, network: Any, layer: Tensor, k: int) -> Tensor:
        tower = self._tower(network)
        return tower.head(tower.post_layernorm(layer))  # (B, T, D) -> (B, D)


class NaflexExtractor(SiglipExtractor):
    """The same, of as many patches as an image's shape asks for; padding is masked, also in the head."""

    network_class = Siglip2VisionModel

    def prepare(self, image: Image.Image) -> np.ndarray:
        """(h, w, P·P·3) float32: the image's patches. Padding and mask are made where the batch is put together."""
        made = self._processor(image, return_tensors="np")
        height, width = (int(n) for n in made["spatial_shapes"][0])
        patches = np.asarray(made["pixel_values"][0], dtype=np.float32)
        return patches[: height * width].reshape(height, width, -1)

    def _groups(self, prepared: Sequence[np.ndarray]) -> list[list[int]]:
        return [list(range(len(prepared)))]

    def _batch(self, prepared: Sequence[np.ndarray]) -> dict[str, Tensor]:
        shapes = np.array([patches.shape[:2] for patches in prepared])  # (B, 2)
        counts = shapes.prod(axis=1)
        pixels = np.zeros((len(prepared), counts.max(), prepared[0].shape[2]), np.float32)  # (B, T, P·P·3)
        for row, patches in enumerate(prepared):
            pixels[row, : counts[row]] = patches.reshape(counts[row], -1)
        mask = (np.arange(counts.max()) < counts[:, None]).astype(np.int64)  # (B, T)
        named = {"pixel_values": pixels, "pixel_attention_mask": mask, "spatial_shapes": shapes}
        return {name: torch.from_numpy(array).to(self.device) for name, array in named.items()}

    def _features(self, network: Any, batch: dict[str, Tensor], hidden_states: Sequence[int]) -> dict[int, Tensor]:
        tower, mask = self._tower(network), batch["pixel_attention_mask"]
        pixels = batch["pixel_values"].to(network.dtype)
        layers = tower(**{**batch, "pixel_values": pixels}, output_hidden_states=True).hidden_states
        return {k: tower.head(tower.post_layernorm(layers[-1 - k]), mask) for k in hidden_states}
