"""What an analysis says on the terminal: a line for each subset and model, tables of models, the person's choices."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..common import UserError, all_of, number_of
from ..features import FeatureCache
from ..ratings import ChoiceAgreement, choice_agreement, read_log
from ..scores import ScoreTable, caution, errors_counted, estimated
from ..scoring import one_threshold_each
from .analysis import FEWEST_IMAGES, Subset, bootstrap, combinations, gains_of, make_subsets
from .kinds import is_from_choices
from .settings import AnalysisSettings
from .text import (
    aligned,
    choices_lines,
    combinations_table,
    error_lines,
    errors_counted_line,
    interval_line,
    models_table,
    models_verdict,
    score_line,
)

if TYPE_CHECKING:
    from ..scoring import ModelScores, ScoredImages

Table = tuple[str, list[list[str]], str]  # a heading, rows of cells, a header first, and what follows from them


def subsets_of(images: "ScoredImages", settings: AnalysisSettings) -> list[Subset]:
    """The images looked at, all of them first; which these are is printed."""
    guesses = int(estimated(images.table).sum())
    from_choices = [model.name for model in images.models if is_from_choices(model.metadata)]
    allowed = _looked_at(images.split, settings.include_train_split, guesses, from_choices)
    return make_subsets(images.table.paths, allowed, settings.regex, settings.directories)


def _looked_at(split: np.ndarray, include_train: bool, guesses: int, from_choices: Sequence[str] = ()) -> np.ndarray:
    """(N,) bool: the eval split alone, or everything.

    guesses: how many scores are a model's. from_choices: names of the models that the A/B scorer made.
    """
    if include_train:
        more = f" So are {guesses} scores that a model estimated, with which it agrees." if guesses else ""
        print(f"All {len(split)} images, those that were trained on included.{more}")
        return np.ones(len(split), dtype=bool)
    name = "eval" if (split == "eval").any() else "test"  # models of --folds have no eval split
    wanted = split == name
    if not wanted.any() and from_choices:
        raise UserError(
            f"no image is in the eval or test split: the A/B scorer made {all_of(from_choices)} from the choices, "
            "and learnt from every image with a score; --include_train_split looks at those, which flatters"
        )
    if not wanted.any():
        raise UserError(
            "no image is in the eval or test split; look at all with --include_train_split, or give a --split"
        )
    looked_at = number_of(int(wanted.sum()), "image")
    print(f"{looked_at} of the {name} split; --include_train_split looks at all {len(split)}.")
    return wanted


def print_lines(images: "ScoredImages", subsets: Sequence[Subset], settings: AnalysisSettings) -> None:
    """A line per subset and model, and what belongs below it."""
    for model in images.models:
        print(_heading(model, images.models))
        for subset in subsets:
            print("\n".join(_lines(images.table, model, subset, settings)))


def _heading(model: "ModelScores", models: "Sequence[ModelScores]") -> str:
    return f"\nModel {model.name}" if len(models) > 1 else ""


def _lines(table: ScoreTable, model: "ModelScores", subset: Subset, settings: AnalysisSettings) -> list[str]:
    scores, model_scores = table.scores[subset.rows], model.scores[subset.rows]
    lines = [score_line(subset.name, scores, model_scores)]
    if counted := errors_counted(table, model.scores, subset.rows):
        lines.append(errors_counted_line(counted))
    lines += error_lines(scores, model_scores, model.errors[subset.rows])
    if settings.confidence and len(scores) >= FEWEST_IMAGES:
        lines.append(interval_line(bootstrap(scores, model_scores, settings.seed)))
    elif settings.confidence and len(scores) >= 3:
        lines.append(
            f"      95 % intervals: none, {number_of(len(scores), 'image', 'is')} too few "
            f"({FEWEST_IMAGES} are needed)"
        )
    return lines


def print_tables(images: "ScoredImages", subsets: Sequence[Subset], settings: AnalysisSettings) -> list[Table]:
    """Several models beside each other, and who passes which; the same tables with their headings, for the page."""
    tables, table, models = list[Table](), images.table, images.models
    scores = {model.name: model.scores for model in models}
    if len(models) > 1:
        rows_of = {subset.name: subset.rows for subset in subsets}
        gains = gains_of([subset.rows for subset in subsets], table.scores, list(scores.values()), settings.seed)
        verdict = models_verdict(list(scores), gains[0])
        tables.append(("Models", models_table(rows_of, table.scores, scores, gains), verdict))
    if settings.threshold:
        rows = subsets[0].rows
        chosen = {name: values[rows] for name, values in scores.items()}
        found = combinations(table.scores[rows], chosen, one_threshold_each(settings.threshold, len(models)))
        tables.append(("Who passes which model", combinations_table(list(scores), found), ""))
    for _, cells, verdict in tables:
        print("\n".join(["", aligned(cells), *([verdict] if verdict else [])]))
    return tables


def print_choices(
    comparisons: Path, rater: str, directory: Path, images: "ScoredImages", cache: FeatureCache
) -> list[ChoiceAgreement]:
    """Each model against the choices of the comparisons database, printed and returned. rater: who chose."""
    table, models, split = images
    log, ids = read_log(comparisons, rater, directory, table.paths, cache)
    unseen = split != "train"
    found = [choice_agreement(log, ids, table.paths, unseen, table.scores, model.scores) for model in models]
    for model, agreement in zip(models, found, strict=True):
        print(_heading(model, models))
        print("\n".join(choices_lines(agreement)))
    return found


def print_caution(table: ScoreTable) -> None:
    """What to keep in mind of scores that features assisted."""
    if text := caution(table):
        print(f"\n{text}")
