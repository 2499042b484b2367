"""CLIP image models of `transformers`, with their projection. Only the vision tower is loaded.

Radford et al. (2021), "Learning Transferable Visual Models From Natural Language Supervision".
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePath
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from transformers import AutoImageProcessor, CLIPConfig, CLIPVisionConfig, CLIPVisionModelWithProjection
from transformers.utils import logging

from src.errors import UserError
from src.extractors.base import stable_text, weights_hash
from src.extractors.checkpoint import Checkpoint, hub_file
from src.extractors.on_torch import TorchExtractor

# Checkpoints that were published without their image processor, and where it lives.
PROCESSORS_ELSEWHERE = {
    "ChrisGoringe/vitH16": "laion/CLIP-ViT-H-14-laion2B-s32B-b79K",
    "ChrisGoringe/vit-large-p14-vision-fp16": "openai/clip-vit-large-patch14",
    "ChrisGoringe/bigG-vision-fp16": "laion/CLIP-ViT-bigG-14-laion2B-39B-b160k",
}
PROCESSOR = "preprocessor_config.json"
# What of the configuration changes the features, the weights being the same.
SETTINGS = ("hidden_act", "layer_norm_eps", "num_attention_heads", "num_hidden_layers", "image_size", "patch_size")


class ClipExtractor(TorchExtractor):
    """Hidden state k: the class token of hidden_states[-1-k] through post_layernorm and visual_projection.

    Checkpoints of `CLIPModel` and of `CLIPVisionModelWithProjection`. The weights keep the checkpoint's own number
    format, or are made float16 by `fp16`. A GPU computes with them as they are; on a CPU the same values are
    computed with in float32, because float16 arithmetic is never faster there and up to ten times slower.
    """

    default_hidden_states = (0,)
    default_hidden_states_mode = "join"

    def __init__(self, checkpoint: Checkpoint, device: str = "auto", fp16: bool = False) -> None:
        super().__init__(device)
        self.name = checkpoint.name
        self._checkpoint = checkpoint
        self._dtype: str | torch.dtype = torch.float16 if fp16 else "auto"
        self._config = _vision_config(checkpoint)
        self._processor = _image_processor(checkpoint, self._config)
        self.n_hidden_states = self._config.num_hidden_layers + 1
        self.identity = stable_text(
            family="clip with projection",
            weights=weights_hash(checkpoint.weights()),
            number_format="float16" if fp16 else "as in the checkpoint",
            network={setting: getattr(self._config, setting) for setting in SETTINGS},
            preprocessing={"with": "Pillow", **self._processor.to_dict()},
        )

    def prepare(self, image: Image.Image) -> np.ndarray:
        """(3, H, W) float32, exactly as the checkpoint's image processor gives it with its Pillow backend."""
        pixels = np.asarray(self._processor(image, return_tensors="np")["pixel_values"][0], dtype=np.float32)
        size, expected = pixels.shape[-1], self._config.image_size
        if isinstance(expected, int) and size != expected:
            raise UserError(
                f"{self.name}: its image processor makes {size} pixels of it, its network takes {expected}; "
                f"put the right {PROCESSOR} there"
            )
        return pixels

    def _load(self) -> nn.Module:
        network, report = _read_weights(self._checkpoint, self._config, self._dtype)
        if missing := sorted(report["missing_keys"]):
            raise UserError(
                f"{self.name}: its weights lack {', '.join(missing[:3])}; a CLIP model with projection is needed, "
                "CLIPModel or CLIPVisionModelWithProjection"
            )
        return network.float() if self.device.type == "cpu" else network.to(self.device)

    def _features(self, network: Any, prepared: Tensor, hidden_states: Sequence[int]) -> dict[int, Tensor]:
        tower = network.vision_model
        layers = tower(prepared.to(network.dtype), output_hidden_states=True).hidden_states  # each (B, T, D)
        tokens = {k: layers[-1 - k][:, 0] for k in hidden_states}  # (B, T, D) -> (B, D)
        return {k: network.visual_projection(tower.post_layernorm(token)) for k, token in tokens.items()}


def _vision_config(checkpoint: Checkpoint) -> CLIPVisionConfig:
    if checkpoint.config["model_type"] == "clip_vision_model":
        return CLIPVisionConfig.from_pretrained(checkpoint.folder)
    with _quiet_transformers():
        both = CLIPConfig.from_pretrained(checkpoint.folder)
    vision: Any = both.vision_config
    # CLIPModel goes by the width at the top; in some checkpoints that within vision_config is another.
    vision.projection_dim = both.projection_dim
    return vision


def _image_processor(checkpoint: Checkpoint, config: CLIPVisionConfig) -> Any:
    path = _processor_elsewhere(checkpoint) or checkpoint.file(PROCESSOR)
    # Always Pillow, so that torchvision, where it is installed, changes nothing.
    return AutoImageProcessor.from_pretrained(path.parent, backend="pil", config=config, local_files_only=True)


def _processor_elsewhere(checkpoint: Checkpoint) -> Path | None:
    known = {PurePath(name).name: source for name, source in PROCESSORS_ELSEWHERE.items()}
    source = known.get(PurePath(checkpoint.name).name)  # by the last part, for copies in a folder
    if source is None or (checkpoint.is_local and (checkpoint.folder / PROCESSOR).is_file()):
        return None
    return hub_file(source, PROCESSOR)


def _read_weights(checkpoint: Checkpoint, config: CLIPVisionConfig, dtype: str | torch.dtype) -> Any:
    try:
        with _quiet_transformers():
            return CLIPVisionModelWithProjection.from_pretrained(
                checkpoint.folder, config=config, dtype=dtype, output_loading_info=True, local_files_only=True
            )
    except Exception as error:  # each weights format has errors of its own
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise UserError(f"{checkpoint.name}: its weights can't be loaded ({reason}); fetch the checkpoint again")


@contextmanager
def _quiet_transformers() -> Iterator[None]:
    # It lists the text tower's weights, which are left out on purpose, and shows a bar for a second's work.
    verbosity, bar = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity(logging.CRITICAL)
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if bar:
            logging.enable_progress_bar()
