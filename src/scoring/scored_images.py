"""Images with scores, what models say of them, and which of them each model trained on: for what looks at models."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..features import FeatureCache
from ..scores import ScoreTable
from .found_split import find_split
from .model_scores import ModelScores, keep_scored, score_with_all
from .settings import LookSettings


class ScoredImages(NamedTuple):
    """N images with scores, what each model says of them, and the split (N,) that each is in."""

    table: ScoreTable
    models: list[ModelScores]
    split: np.ndarray


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
