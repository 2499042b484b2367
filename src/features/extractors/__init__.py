"""Extractors by name. Importing this imports no torch and no transformers, so that `--help` stays fast."""

import difflib
import importlib
from pathlib import Path

from ...common import UserError, all_of
from .base import Extractor

EMBEDDED = ("efficientnet-lite0", "efficientnet-lite1", "efficientnet-lite2")
# What "embedded" means: the two that together predict best, see docs/extractors.md.
BEST_EMBEDDED = ("efficientnet-lite0", "efficientnet-lite2")
FAST = "fast:"  # before the name of an embedded one: large JPEGs are decoded at a fraction of their size
MEANT = {"embedded": BEST_EMBEDDED, f"{FAST}embedded": tuple(FAST + name for name in BEST_EMBEDDED)}
# By the model_type of a checkpoint's config.json: the module here, and its class.
FAMILIES = {
    "clip": ("clip", "ClipExtractor"),
    "clip_vision_model": ("clip", "ClipExtractor"),
    "metaclip_2": ("clip", "MetaClip2Extractor"),
    "metaclip_2_vision_model": ("clip", "MetaClip2Extractor"),
    "siglip": ("siglip", "SiglipExtractor"),
    "siglip_vision_model": ("siglip", "SiglipExtractor"),
    "siglip2": ("siglip", "NaflexExtractor"),
    "siglip2_vision_model": ("siglip", "NaflexExtractor"),
    "vit": ("class_token", "VitExtractor"),
    "dinov2": ("class_token", "Dinov2Extractor"),
    "dinov2_with_registers": ("class_token", "Dinov2Extractor"),
    "dinov3_vit": ("class_token", "Dinov3Extractor"),
    "aimv2": ("aimv2", "Aimv2Extractor"),
    "aimv2_vision_model": ("aimv2", "Aimv2Extractor"),
    "convnext": ("convnext", "ConvNextExtractor"),
    "convnextv2": ("convnext", "ConvNextExtractor"),
    "dinov3_convnext": ("convnext", "Dinov3ConvNextExtractor"),
}


def load_extractor(name: str, device: str = "auto", fp16: bool = False, aim_batch_norm: str = "eval") -> Extractor:
    """The extractor of this name, or several as one; their networks are loaded when they are first called.

    name: "embedded", one of EMBEDDED, either with FAST before it, a checkpoint of one of FAMILIES or of AIM by hub
    name or local folder, or timm:NAME; several have commas between them, or __ as in model files. device: auto, cpu,
    cuda, mps. fp16: make the weights float16 (the embedded ones stay float32). aim_batch_norm: eval or batch, as
    `AimExtractor` takes it.
    Raises UserError for an unknown name, a checkpoint that is not there or not understood, and a device that is not
    there.
    """
    if not isinstance(name, str) or not name:
        raise UserError(f"extractor: is {name!r}; give its name, or its folder, as text")
    names = _split(name)
    if len(names) == 1:
        extractor = _load(name, device, fp16, aim_batch_norm)
    else:
        from .several import SeveralExtractors

        extractor = SeveralExtractors([load_extractor(one, device, fp16, aim_batch_norm) for one in names])
    extractor.fp16, extractor.aim_batch_norm = fp16, aim_batch_norm
    return extractor


def extractor_in_words(name: str) -> str:
    """The name of an extractor as a person reads it: of several "a and b", which files know as a__b."""
    try:
        return all_of(_split(name))
    except UserError:  # another program's, which need not follow our rules
        return name


def _load(name: str, device: str, fp16: bool, aim_batch_norm: str) -> Extractor:
    if _is_embedded(name):
        from .efficientnet import EfficientNetExtractor

        return EfficientNetExtractor(name.removeprefix(FAST), device, FAST if name.startswith(FAST) else "")
    if name.startswith(FAST):
        raise UserError(
            f"extractor {name!r}: {FAST} is for the embedded ones: {', '.join(FAST + one for one in EMBEDDED)}"
        )
    if name.startswith("timm:"):
        from .on_timm import TimmExtractor

        return TimmExtractor(name, device, fp16)
    _refuse_misspelt(name)
    from .aim_config import is_aim
    from .checkpoint import Checkpoint

    checkpoint = Checkpoint(name)
    if is_aim(checkpoint.config):
        from .aim import AimExtractor

        return AimExtractor(checkpoint, device, fp16, aim_batch_norm)
    model_type = checkpoint.config.get("model_type")
    if model_type not in FAMILIES:
        known = ", ".join((*EMBEDDED, *FAMILIES, "aim (flat, without model_type)"))
        raise UserError(f"extractor {name!r}: its config.json says model_type {model_type!r}; known are {known}")
    module, family = FAMILIES[model_type]
    return getattr(importlib.import_module(f".{module}", __package__), family)(checkpoint, device, fp16)


def _split(name: str) -> list[str]:
    """The names in a name. Folders and names on the hub may hold a comma or __ themselves."""
    if Path(name).expanduser().is_dir():
        return [name]
    given = [part.strip() for part in name.split("," if "," in name else "__")]
    parts = [meant for part in given for meant in MEANT.get(part, (part,))]
    if "," not in name and not all(_stands_alone(part) for part in parts):
        return [name]
    if len(set(parts)) < len(parts) or "" in parts:
        raise UserError(f"extractor {name!r}: give different names with one comma between, such as a,b")
    unclear = [part for part in parts if "__" in part and len(parts) > 1]
    if unclear:
        raise UserError(f"extractor {unclear[0]!r}: __ stands between names in model files; rename this folder")
    return parts


def _is_embedded(name: str) -> bool:
    return name.removeprefix(FAST) in EMBEDDED


def _stands_alone(name: str) -> bool:
    return _is_embedded(name) or "/" in name or name.startswith("timm:") or Path(name).expanduser().is_dir()


def _refuse_misspelt(name: str) -> None:
    names = (*EMBEDDED, "embedded")
    alike = {known: difflib.SequenceMatcher(None, known, name.lower()).ratio() for known in names}
    near = max(names, key=lambda known: alike[known])  # the first of those that are equally near
    if alike[near] >= 0.8 and "/" not in name and not Path(name).expanduser().is_dir():
        raise UserError(f"extractor {name!r}: not known; did you mean {near}?")
