"""ConvNeXt, ConvNeXt V2 and DINOv3's ConvNeXts: convolutions, a hidden state for each stage.

Liu et al. (2022), "A ConvNet for the 2020s"; Woo et al. (2023), "ConvNeXt V2"; Siméoni et al. (2025), "DINOv3".
"""

from typing import Any

from torch import Tensor

from .on_transformers import TransformersExtractor


class ConvNextExtractor(TransformersExtractor):
    """Hidden state k: the mean over all places of hidden_states[-1-k], which is a stage's output; that of the last
    stage, 0, through the final norm. The last state is what enters the first stage.
    """

    norm = "layernorm"
    fixed_size = False

    def _count_hidden_states(self) -> int:
        return len(self._config.hidden_sizes) + 1

    def _pool(self, network: Any, layer: Tensor, k: int) -> Tensor:
        pooled = layer.mean((2, 3))  # (B, C, H, W) -> (B, C)
        return getattr(network, self.norm)(pooled) if k == 0 else pooled


class Dinov3ConvNextExtractor(ConvNextExtractor):
    """The last state, 4, is the mean of the image itself, as no stem stands before the first stage."""

    norm = "layer_norm"
