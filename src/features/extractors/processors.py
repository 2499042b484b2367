"""Image processors of checkpoints: always with Pillow, so that torchvision, where installed, changes nothing."""

from pathlib import Path, PurePath
from typing import Any

import numpy as np
import torch
from PIL import Image
from transformers import AutoImageProcessor
from transformers.image_processing_backends import PilBackend

from ...common import UserError, first_line
from .checkpoint import Checkpoint, hub_file, read_json
from .on_torch import as_tensor
from .resizing import ALWAYS_THE_SAME, pillows_resizing

# Checkpoints that were published without their image processor, and where it lives.
PROCESSORS_ELSEWHERE = {
    "ChrisGoringe/vitH16": "laion/CLIP-ViT-H-14-laion2B-s32B-b79K",
    "ChrisGoringe/vit-large-p14-vision-fp16": "openai/clip-vit-large-patch14",
    "ChrisGoringe/bigG-vision-fp16": "laion/CLIP-ViT-bigG-14-laion2B-39B-b160k",
}
PROCESSOR = "preprocessor_config.json"
WITHIN_ALL = "processor_config.json"  # the image processor beside the tokenizer's settings, since transformers 5
# Pillow's numbers, which the files hold, for those that torch can do.
INTERPOLATIONS = {2: "bilinear", 3: "bicubic"}


def image_processor(checkpoint: Checkpoint, config: Any) -> Any:
    """Called with an image and return_tensors="np", it returns {"pixel_values": [array], …}; `to_dict` describes it.

    Raises UserError where the checkpoint has none, or none that works without torchvision.
    """
    path = _processor_elsewhere(checkpoint) or checkpoint.first_of([PROCESSOR, WITHIN_ALL])
    path = path or checkpoint.file(PROCESSOR)
    settings = read_json(path)
    settings = settings.get("image_processor", settings)
    if str(settings.get("image_processor_type", config.model_type)).lower().startswith("dinov3"):
        return Dinov3Processor(checkpoint.name, settings)
    try:
        processor = AutoImageProcessor.from_pretrained(
            path.parent, backend="pil", config=config, local_files_only=True, trust_remote_code=False
        )
    except Exception as error:  # ValueError, ImportError, OSError: whatever it trips over
        raise UserError(f"{checkpoint.name}: its {path.name} can't be used ({first_line(error)}); fetch it again")
    # Where there is no such class without torchvision, transformers may take another one, of the model's type.
    kind = str(settings.get("image_processor_type") or type(processor).__name__).removesuffix("Pil")
    if not isinstance(processor, PilBackend) or type(processor).__name__ != kind.removesuffix("Fast") + "Pil":
        raise UserError(f"{checkpoint.name}: its {path.name} names {kind}, which needs torchvision or is not known")
    return processor


class Dinov3Processor:
    """DINOv3's, of which transformers has a torchvision form only: values in [0, 1], then antialiased resizing in
    float, then normalisation. torch's own interpolation is what torchvision calls.
    """

    def __init__(self, name: str, settings: dict[str, Any]) -> None:
        size, steps = settings.get("size") or {}, ("do_rescale", "do_resize", "do_normalize")
        self._mode = INTERPOLATIONS.get(settings.get("resample", 2))
        if not {"height", "width"} <= set(size) or settings.get("do_center_crop") or self._mode is None:
            raise UserError(
                f"{name}: its {PROCESSOR} is not understood; for DINOv3 it has a size of height and width, resample "
                "2 or 3 and no crop"
            )
        if not all(settings.get(step, True) for step in steps):
            raise UserError(f"{name}: its {PROCESSOR} leaves out a step; for DINOv3 {', '.join(steps)} are all true")
        self._size = size["height"], size["width"]
        self._factor = settings.get("rescale_factor", 1 / 255)
        self._mean, self._deviation = (
            np.float32(settings[key]).reshape(3, 1, 1) for key in ("image_mean", "image_std")
        )

    def __call__(self, image: Image.Image, return_tensors: str = "np") -> dict[str, list[np.ndarray]]:
        scaled = as_tensor(image).float() * self._factor  # (1, 3, H, W)
        resized = torch.nn.functional.interpolate(scaled, self._size, mode=str(self._mode), antialias=True)
        return {"pixel_values": [(resized[0].numpy() - self._mean) / self._deviation]}

    def to_dict(self) -> dict[str, Any]:
        """All that its results depend on."""
        return {
            "image_processor_type": "DINOv3, torch's interpolation",
            "size": self._size,
            "resample": self._mode,
            "rescale_factor": self._factor,
            "image_mean": self._mean.ravel().tolist(),
            "image_std": self._deviation.ravel().tolist(),
        }


def resized_by(processor: Any) -> str:
    """For identities."""
    return ALWAYS_THE_SAME if isinstance(processor, Dinov3Processor) else pillows_resizing()


def _processor_elsewhere(checkpoint: Checkpoint) -> Path | None:
    known = {PurePath(name).name: source for name, source in PROCESSORS_ELSEWHERE.items()}
    source = known.get(PurePath(checkpoint.name).name)  # by the last part, for copies in a folder
    if source is None or (checkpoint.is_local and (checkpoint.folder / PROCESSOR).is_file()):
        return None
    return hub_file(source, PROCESSOR)
