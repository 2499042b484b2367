"""CLIP image models, with their projection where they have one, and MetaCLIP 2, which is built alike.

Radford et al. (2021), "Learning Transferable Visual Models From Natural Language Supervision"; Chuang et al. (2025),
"Meta CLIP 2: A Worldwide Scaling Recipe".
"""

from typing import Any

import transformers
from torch import Tensor

from .on_transformers import TransformersExtractor

PROJECTION = "visual_projection.weight"


class ClipExtractor(TransformersExtractor):
    """Hidden state k: the class token of hidden_states[-1-k] through post_layernorm and, where the checkpoint has
    one, visual_projection.
    """

    prefix = "CLIP"

    def _adapt(self) -> None:
        self.projects = self._promises_projection() or PROJECTION in self._checkpoint.weight_names()
        with_or_without = "VisionModelWithProjection" if self.projects else "VisionModel"
        self.network_class = getattr(transformers, self.prefix + with_or_without)

    def _promises_projection(self) -> bool:
        # A checkpoint of text and images always has one; then, and where its name says so, a missing one is damage.
        config = self._checkpoint.config
        return "vision_config" in config or "WithProjection" in str(config.get("architectures"))

    def _family(self) -> str:
        return f"{self.prefix.lower()} with projection" if self.projects else self.prefix.lower()

    def _needed(self) -> str:
        return "a CLIP model with projection is needed, CLIPModel or CLIPVisionModelWithProjection"

    def _tower(self, network: Any) -> Any:
        return getattr(network, "vision_model", network)

    def _pool(self, network: Any, layer: Tensor, k: int) -> Tensor:
        normed = self._tower(network).post_layernorm(layer[:, 0])  # (B, T, D) -> (B, D)
        return network.visual_projection(normed) if self.projects else normed


class MetaClip2Extractor(ClipExtractor):
    prefix = "MetaClip2"
