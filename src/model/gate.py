"""Two stages: a model that was trained on those images alone which another, its filter, passes. docs/two-stage.md."""

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..common import UserError, plain, relative_to

HOW_TO_GO_ON = "put it back, or score without the filter: --gate=off"


@dataclass(frozen=True)
class Filter:
    """path: the filter's model file. threshold: its model score from which an image passes."""

    path: Path
    threshold: float


def about_filter(found: Filter, model: Path) -> dict[str, Any]:
    """What the file of a `model` trained behind a filter says of it; its place is relative to the model's folder."""
    return {
        "filter_model": relative_to(found.path.resolve(), model.resolve().parent),
        "filter_threshold": found.threshold,
        "filter_hash": _digest(found.path),
    }


def moved(metadata: Mapping[str, str], model: Path, target: Path) -> dict[str, str]:
    """The metadata of a `model`, for a copy of it at `target`: the filter's place as seen from there."""
    if "filter_model" not in metadata:
        return dict(metadata)
    path = plain(model.resolve().parent / metadata["filter_model"])
    return {**metadata, "filter_model": relative_to(path, target.resolve().parent)}


def find_filter(model: Path, metadata: Mapping[str, str]) -> Filter | None:
    """The filter that a model was trained behind, None where it has none.

    Raises UserError where the filter's file is gone or is another than it was.
    """
    if "filter_model" not in metadata:
        return None
    path = plain(model.resolve().parent / metadata["filter_model"].replace("\0", "?"))
    behind = f"{model}: was trained on what {metadata['filter_model']} passes"
    try:
        there = path.is_file()
    except (OSError, ValueError):  # a name that no file can have
        there = False
    if not there:
        raise UserError(f"{behind}, and there is no {path}; {HOW_TO_GO_ON}"[:2000])
    if _digest(path) != metadata.get("filter_hash"):
        raise UserError(f"{behind}, and {path} is no longer the same file; {HOW_TO_GO_ON}")
    return Filter(path, _threshold(model, metadata.get("filter_threshold", "")))


def _threshold(model: Path, text: str) -> float:
    try:
        threshold = float(text)
    except ValueError:
        threshold = math.nan
    if not math.isfinite(threshold):
        raise UserError(f"{model}: its metadata say filter_threshold={text!r}, no number; train the model again")
    return threshold


def _digest(path: Path) -> str:
    try:
        return hashlib.blake2b(path.read_bytes(), digest_size=16).hexdigest()
    except OSError as error:
        raise UserError(f"{path}: can't be read ({error.strerror}); make it readable")
