"""Images with scores, what models say of them, and which of them each model trained on: for what looks at models."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..common import UserError
from ..features import FeatureCache, find_images
from ..scores import ScoreTable, find_scorefile, match_images, read_scorefile
from .found_split import find_split
from .model_scores import ModelScores, keep_scored, score_with_all
from .settings import LookSettings


class ScoredImages(NamedTuple):
    """N images with scores, what each model says of them, and the split (N,) that each is in."""

    table: ScoreTable
    models: list[ModelScores]
    split: np.ndarray


def read_scored_images(directory: Path, scores: str | None = None, score_column: str = "score") -> ScoreTable:
    """The images of the directory that have a score in the score file; everything else is printed.

    scores: the file, in the directory or absolute; None: scores.json, else scores.csv. Raises UserError where it is
    missing, or has no score of an image of the directory.
    """
    path = find_scorefile(directory, scores)
    table, problems = match_images(read_scorefile(path, score_column, directory), find_images(directory))
    found = f"{len(table.paths)} images of {directory} have a score in {path}."
    print("\n".join([*table.problems, *problems, found]))
    if not table.paths:
        raise UserError(f"{path}: no image of {directory} has a score in it; see --scores and --directory")
    return table


def score_and_split(
    directory: Path, table: ScoreTable, files: Sequence[Path], cache: FeatureCache, settings: LookSettings
) -> ScoredImages:
    """All that looking at models begins with; what was left out, and how the split is known, is printed.

    files: of the models; none where the settings name a file of model scores.
    """
    table, models, notes = keep_scored(table, score_with_all(directory, table.paths, files, cache, settings))
    split, source = find_split(directory, table, models, settings)
    print("\n".join([*notes, f"{source}."]))
    return ScoredImages(table, models, split)
