"""Vision transformers whose class token, normed, is the image: ViT, DINOv2 (with registers too) and DINOv3.

Dosovitskiy et al. (2021), "An Image is Worth 16x16 Words"; Oquab et al. (2024), "DINOv2: Learning Robust Visual
Features without Supervision"; Darcet et al. (2024), "Vision Transformers Need Registers"; Siméoni et al. (2025),
"DINOv3".
"""

from typing import Any, ClassVar

from torch import Tensor

from .on_transformers import TransformersExtractor


class Dinov2Extractor(TransformersExtractor):
    """Hidden state k: the class token of hidden_states[-1-k] through the final norm. Takes images of any size."""

    norm = "layernorm"
    fixed_size = False

    def _pool(self, network: Any, layer: Tensor, k: int) -> Tensor:
        return getattr(network, self.norm)(layer[:, 0])  # (B, T, D) -> (B, D)


class VitExtractor(Dinov2Extractor):
    """The same. ViT's pooler, a tanh layer which many checkpoints lack, is never built."""

    load_options: ClassVar[dict[str, Any]] = {"add_pooling_layer": False}
    fixed_size = True


class Dinov3Extractor(Dinov2Extractor):
    norm = "norm"
