"""Training behind a filter: which images another model passes. docs/two-stage.md."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from ..common import UserError
from ..features import FeatureCache
from ..model import Filter, about_filter
from ..scores import ScoreTable, SplitSettings, draw_split, draw_whole_groups, estimated, select
from ..scoring import Scored, ScoringSettings, load_models, score_images


def keep_passed(
    found: Filter,
    directory: Path,
    table: ScoreTable,
    settings: SplitSettings,
    cache: FeatureCache,
    model: Path,
    device: str,
    batch_size: int,
) -> tuple[ScoreTable, dict[str, Any]]:
    """The images which a filter passes, with their split drawn, and what the new model's file says of it.

    model: the file that will be trained. device, batch_size: of the filter's image model. Raises UserError for what
    can be no filter, or passes nothing.
    """
    scored = _score(found, directory, table, cache, device, batch_size)
    table = select(table, [row for row, image in enumerate(table.paths) if image not in scored.unreadable])
    # Drawn before images are taken away, so that what is eval for the first model is eval for the second.
    table = replace(table, splits=[""] * len(table.paths)) if settings.ignore_existing_split else table
    if settings.folds:
        split = draw_whole_groups(settings, directory, table, cache)
    else:
        split = draw_split(settings, table.paths, table.splits, ~estimated(table))
    table = replace(table, splits=split.tolist())
    scores = scored.scores[:, 0]
    passed = [row for row, score in enumerate(scores.tolist()) if score >= found.threshold]
    print(f"{len(passed)} of {len(scores)} images pass {found.path}: their score is {found.threshold:g} or more.")
    if not passed:
        raise UserError(f"--filter_threshold={found.threshold:g}: no image has that; the highest is {scores.max():g}")
    return select(table, passed), {**about_filter(found, model), "filter_images": len(scores)}


def _score(
    found: Filter, directory: Path, table: ScoreTable, cache: FeatureCache, device: str, batch_size: int
) -> Scored:
    (first,) = load_models([found.path], ScoringSettings(gate=False, device=device))
    if "filter_model" in first.metadata:
        raise UserError(f"{found.path}: was itself trained behind a filter; give the first of the two models")
    scored = score_images(directory, table.paths, [first], cache, batch_size)
    for image, reason in scored.unreadable.items():
        print(f"{image}: left out, {reason}")
    if not len(scored):
        raise UserError(f"{directory}: none of {len(table.paths)} images can be read; see --directory and --scores")
    return scored
