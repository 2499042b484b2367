"""Extractors by name. Importing this imports no torch and no transformers, so that `--help` stays fast."""

import difflib
from pathlib import Path

from src.errors import UserError
from src.extractors.base import Extractor

EMBEDDED = ("efficientnet-lite0", "efficientnet-lite1", "efficientnet-lite2")
CLIP_MODEL_TYPES = ("clip", "clip_vision_model")


def load_extractor(name: str, device: str = "auto", fp16: bool = False, aim_batch_norm: str = "eval") -> Extractor:
    """The extractor of this name; its network is loaded when it is first called.

    name: an embedded extractor, or a CLIP or AIM checkpoint by hub name or local folder. device: auto, cpu, cuda,
    mps. fp16: make the weights float16 (the embedded ones stay float32). aim_batch_norm: eval or batch, as
    `AimExtractor` takes it. Raises UserError for an unknown name, a checkpoint that is not there or not understood,
    and a device that is not there.
    """
    if name in EMBEDDED:
        from src.extractors.efficientnet import EfficientNetExtractor

        return EfficientNetExtractor(name, device)
    _refuse_misspelt(name)
    from src.extractors.aim_config import is_aim
    from src.extractors.checkpoint import Checkpoint

    checkpoint = Checkpoint(name)
    if is_aim(checkpoint.config):
        from src.extractors.aim import AimExtractor

        return AimExtractor(checkpoint, device, fp16, aim_batch_norm)
    model_type = checkpoint.config.get("model_type")
    if model_type not in CLIP_MODEL_TYPES:
        known = ", ".join((*EMBEDDED, *CLIP_MODEL_TYPES, "aim (flat, without model_type)"))
        raise UserError(f"extractor {name!r}: its config.json says model_type {model_type!r}; known are {known}")
    from src.extractors.clip import ClipExtractor

    return ClipExtractor(checkpoint, device, fp16)


def _refuse_misspelt(name: str) -> None:
    alike = {known: difflib.SequenceMatcher(None, known, name.lower()).ratio() for known in EMBEDDED}
    near = max(EMBEDDED, key=lambda known: alike[known])  # the first of those that are equally near
    if alike[near] >= 0.8 and "/" not in name and not Path(name).expanduser().is_dir():
        raise UserError(f"extractor {name!r}: not known; did you mean {near}?")
