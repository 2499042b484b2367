"""AIMv2. Fini et al. (2024), "Multimodal Autoregressive Pre-training of Large Vision Encoders"."""

from typing import Any, ClassVar

from torch import Tensor
from transformers import Aimv2VisionModel

from ...common import UserError
from .on_transformers import TransformersExtractor


class Aimv2Extractor(TransformersExtractor):
    """Hidden state k: hidden_states[-1-k] through the final norm and the attention pooling head, or, in a model
    without that head, its mean over the patches.
    """

    network_class = Aimv2VisionModel
    load_options: ClassVar[dict[str, Any]] = {"key_mapping": {r"^vision_model\.": ""}}  # of a model with text

    def _adapt(self) -> None:
        config = self._checkpoint.config
        if config["model_type"] == "aimv2" and "vision_config" not in config:
            raise UserError(
                f"{self.name}: its files are in the layout of Apple's own code, which transformers does not read; "
                "take a revision whose config.json says aimv2_vision_model"
            )
        self.fixed_size = not self._config.is_native

    def _pool(self, network: Any, layer: Tensor, k: int) -> Tensor:
        normed = network.rms_norm(layer)  # (B, T, D)
        return network.head(normed) if self._config.use_head else normed.mean(1)
