"""What all image models of `transformers` share: configuration, loading, number format, identity, batches."""

import abc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from transformers import AutoConfig, AutoModel
from transformers.utils import logging

from ...common import UserError, first_line
from .base import stable_text, weights_hash
from .checkpoint import Checkpoint
from .on_torch import TorchExtractor
from .processors import PROCESSOR, image_processor, resized_by

# What of the configuration changes the features, the weights being the same; each where the family has it.
SETTINGS = (
    "hidden_act",
    "layer_norm_eps",
    "num_attention_heads",
    "num_hidden_layers",
    "image_size",
    "patch_size",
    "rms_norm_eps",
    "rope_theta",
    "num_register_tokens",
    "depths",
)
# Parameters that only pretraining used, and that some checkpoints therefore lack.
UNUSED = ("mask_token",)


class TransformersExtractor(TorchExtractor):
    """Hidden state k is made from hidden_states[-1-k] of the image tower, by each family's `_pool`.

    The weights keep the checkpoint's own number format, or are made float16 by `fp16`. A GPU computes with them as
    they are; on a CPU the same values are computed with in float32, because float16 arithmetic is never faster there
    and up to ten times slower. Text towers are not built and not loaded.
    """

    default_hidden_states = (0,)
    default_hidden_states_mode = "join"
    network_class: Any = AutoModel  # or a class of transformers
    load_options: ClassVar[dict[str, Any]] = {}
    fixed_size = True  # the network takes images of config.image_size only

    def __init__(self, checkpoint: Checkpoint, device: str = "auto", fp16: bool = False) -> None:
        super().__init__(device)
        self.name = checkpoint.name
        self._checkpoint = checkpoint
        self._dtype: str | torch.dtype = torch.float16 if fp16 else "auto"
        self._config = _vision_config(checkpoint)
        self._processor = image_processor(checkpoint, self._config)
        self._adapt()
        self.n_hidden_states = self._count_hidden_states()
        self.identity = stable_text(
            family=self._family(),
            weights=weights_hash(checkpoint.weights()),
            number_format="float16" if fp16 else "as in the checkpoint",
            network={name: getattr(self._config, name) for name in SETTINGS if hasattr(self._config, name)},
            preprocessing={"with": resized_by(self._processor), **self._processor.to_dict()},
        )

    def _adapt(self) -> None:
        """Look at the checkpoint, and refuse one that lacks what the family's features are made of."""

    def _family(self) -> str:
        return str(self._config.model_type)

    def _count_hidden_states(self) -> int:
        return int(self._config.num_hidden_layers) + 1

    def prepare(self, image: Image.Image) -> np.ndarray:
        """(3, H, W) float32, exactly as the checkpoint's image processor gives it with its Pillow backend."""
        pixels = np.asarray(self._processor(image, return_tensors="np")["pixel_values"][0], dtype=np.float32)
        expected = getattr(self._config, "image_size", None)
        if self.fixed_size and isinstance(expected, int) and pixels.shape[-2:] != (expected, expected):
            size = next(side for side in pixels.shape[-2:] if side != expected)
            raise UserError(
                f"{self.name}: its image processor makes {size} pixels of it, its network takes {expected}; "
                f"put the right {PROCESSOR} there"
            )
        return pixels

    def _load(self) -> nn.Module:
        network, report = self._read_weights()
        missing = sorted(name for name in report["missing_keys"] if not name.endswith(UNUSED))
        if missing:
            raise UserError(
                f"{self.name}: its weights lack {', '.join(missing[:3])}, so that it would get random ones; "
                f"{self._needed()}"
            )
        return network.float() if self.device.type == "cpu" else network.to(self.device)

    def _needed(self) -> str:
        return "fetch the whole checkpoint again"

    def _read_weights(self) -> Any:
        """The network, and transformers' report of what was missing."""
        try:
            with quiet_transformers():
                return self.network_class.from_pretrained(
                    self._checkpoint.folder,
                    config=self._config,
                    dtype=self._dtype,
                    output_loading_info=True,
                    local_files_only=True,
                    **self.load_options,
                )
        except Exception as error:  # each weights format has errors of its own
            raise UserError(
                f"{self.name}: its weights can't be loaded ({first_line(error)}); fetch the checkpoint again"
            )

    def _features(self, network: Any, batch: Any, hidden_states: Sequence[int]) -> dict[int, Tensor]:
        layers = self._tower(network)(batch.to(network.dtype), output_hidden_states=True).hidden_states
        return {k: self._pool(network, layers[-1 - k], k) for k in hidden_states}

    def _tower(self, network: Any) -> Any:
        return network

    @abc.abstractmethod
    def _pool(self, network: Any, layer: Tensor, k: int) -> Tensor:
        """Features (B, W) of hidden state k, from its layer: (B, T, D), of convolutional networks (B, C, H, W)."""


def _vision_config(checkpoint: Checkpoint) -> Any:
    """The configuration of the image tower, which in models of images and text is a part of the whole."""
    try:
        with quiet_transformers():
            config = AutoConfig.from_pretrained(checkpoint.folder, local_files_only=True, trust_remote_code=False)
    except Exception as error:  # transformers' own, and those of its validation
        raise UserError(f"{checkpoint.name}: its config.json is not understood ({first_line(error)}); fetch it again")
    vision = getattr(config, "vision_config", config)
    if hasattr(config, "projection_dim") and vision is not config:
        # The whole model goes by the width at the top; in some checkpoints that within vision_config is another.
        vision.projection_dim = config.projection_dim
    return vision


@contextmanager
def quiet_transformers() -> Iterator[None]:
    """It lists the text tower's weights, which are left out on purpose, and shows a bar for a second's work."""
    verbosity, bar = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity(logging.CRITICAL)
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if bar:
            logging.enable_progress_bar()
