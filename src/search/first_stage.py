"""Training behind a filter: which images another model passes. docs/two-stage.md."""

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..common import UserError
from ..features import FeatureCache
from ..model import Filter, about_filter
from ..options import existing_model
from ..scores import ScoreTable, draw_split, draw_whole_groups, select
from ..scoring import load_models, score_images


def keep_passed(
    arguments: argparse.Namespace, directory: Path, table: ScoreTable, cache: FeatureCache, model: Path
) -> tuple[ScoreTable, dict[str, Any]]:
    """With --filter_model the images which that passes, and what the new model's file says of it; else all.

    The table comes back with its split drawn. model: the file that will be trained. Raises UserError for what can be
    no filter, or passes nothing.
    """
    if not arguments.filter_model:
        return table, {}
    path = existing_model(arguments.filter_model, "filter_model", directory)
    found = Filter(path, arguments.filter_threshold)
    if path.resolve() == model.resolve():
        raise UserError(f"--filter_model={arguments.filter_model}: training writes that file; give another --model")
    (first,) = load_models([path], [], arguments.device)
    if "filter_model" in first.metadata:
        raise UserError(f"{path}: was itself trained behind a filter; give the first of the two models")
    scored = score_images(directory, table.paths, [first], cache, arguments.extract_batch_size)
    for image, reason in scored.unreadable.items():
        print(f"{image}: left out, {reason}")
    if not len(scored):
        raise UserError(f"{directory}: none of {len(table.paths)} images can be read; see --directory and --scores")
    table = select(table, [row for row, image in enumerate(table.paths) if image not in scored.unreadable])
    # Drawn before images are taken away, so that what is eval for the first model is eval for the second.
    table = replace(table, splits=[""] * len(table.paths)) if arguments.ignore_existing_split else table
    if arguments.folds:
        split = draw_whole_groups(arguments, directory, table, cache)
    else:
        split = draw_split(arguments, table.paths, table.splits)
    table = replace(table, splits=split.tolist())
    scores = scored.scores[:, 0]
    passed = [row for row, score in enumerate(scores.tolist()) if score >= found.threshold]
    print(f"{len(passed)} of {len(scores)} images pass {path}: their score is {found.threshold:g} or more.")
    if not passed:
        raise UserError(f"--filter_threshold={found.threshold:g}: no image has that; the highest is {scores.max():g}")
    return select(table, passed), {**about_filter(found, model), "filter_images": len(scores)}
