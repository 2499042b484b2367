"""Two stages: a model that was trained on those images alone which another, its filter, passes. docs/two-stage.md."""

import argparse
import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from src.arguments import existing_model
from src.errors import UserError
from src.feature_cache import FeatureCache
from src.files import relative_to
from src.model_scores import keep_scored, score_images
from src.scorefile import ScoreTable, select
from src.split import draw_split

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


def find_filter(model: Path, metadata: Mapping[str, str]) -> Filter | None:
    """The filter that a model was trained behind, None where it has none.

    Raises UserError where the filter's file is gone or is another than it was.
    """
    if "filter_model" not in metadata:
        return None
    path = model.resolve().parent / metadata["filter_model"]
    behind = f"{model}: was trained on what {metadata['filter_model']} passes"
    if not path.is_file():
        raise UserError(f"{behind}, and there is no {path}; {HOW_TO_GO_ON}")
    if _digest(path) != metadata.get("filter_hash"):
        raise UserError(f"{behind}, and {path} is no longer the same file; {HOW_TO_GO_ON}")
    return Filter(path, _threshold(model, metadata.get("filter_threshold", "")))


def keep_passed(
    arguments: argparse.Namespace, directory: Path, table: ScoreTable, cache: FeatureCache, model: Path
) -> tuple[ScoreTable, dict[str, Any]]:
    """With --filter_model the images which that passes, and what the new model's file says of it; else all.

    The table comes back with its split drawn. model: the file that will be trained. Raises UserError for what can be
    no filter, or passes nothing.
    """
    if not arguments.filter_model:
        return table, {}
    found = Filter(existing_model("filter_model", arguments.filter_model, directory), arguments.filter_threshold)
    if found.path.resolve() == model.resolve():
        raise UserError(f"--filter_model={arguments.filter_model}: training writes that file; give another --model")
    options = cache, arguments.device, arguments.extract_batch_size
    first = score_images(directory, table.paths, found.path, found.path.stem, *options)
    if "filter_model" in first.metadata:
        raise UserError(f"{found.path}: was itself trained behind a filter; give the first of the two models")
    table, (first,), notes = keep_scored(table, [first])
    print("\n".join(notes) + "\n" * bool(notes), end="")
    # Drawn before images are taken away, so that what is eval for the first model is eval for the second.
    given = [""] * len(table.paths) if arguments.ignore_existing_split else table.splits
    table = replace(table, splits=draw_split(arguments, table.paths, given).tolist())
    passed = [row for row, score in enumerate(first.scores.tolist()) if score >= found.threshold]
    print(
        f"{len(passed)} of {len(first.scores)} images pass {found.path}: their score is {found.threshold:g} or more."
    )
    if not passed:
        raise UserError(
            f"--filter_threshold={found.threshold:g}: no image has that; the highest is {first.scores.max():g}"
        )
    return select(table, passed), {**about_filter(found, model), "filter_images": len(first.scores)}


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
