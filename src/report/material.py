"""What a report is made of, and what takes long to compute of it: once, when it is first needed."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from ..common import UserError
from ..scores import ScoreTable
from ..scoring import ModelScores
from .analysis import FEWEST_IMAGES, Intervals, Subset, bootstrap
from .learning_curve import Point, learning_curve
from .study_export import StudySummary, summarise


@dataclass(frozen=True)
class Material:
    """What a report is made of.

    directory: of the images. table: N images with scores. models: what each says of the N images; the first is shown
    in pictures. split: (N,) "train", "eval", "test" or "". chosen: the images looked at, by subset, all of them
    first. database: an Optuna storage URL, where the study that made the model may be. seed: draws the images of
    intervals, maps and curves, 0 to 2^32 - 1. tables: headings and cells of tables that compare models, and a
    sentence on each. choices: sentences on the person's choices. consistency: share of hidden repeats in which the
    person chose the same, 0 to 1, nan if unknown.
    """

    directory: Path
    table: ScoreTable
    models: Sequence[ModelScores]
    split: np.ndarray
    chosen: Sequence[Subset]
    database: str
    seed: int
    tables: Sequence[tuple[Any, ...]] = ()
    choices: Sequence[str] = ()
    consistency: float = float("nan")

    @property
    def model(self) -> ModelScores:
        return self.models[0]

    @property
    def rows(self) -> np.ndarray:
        return self.chosen[0].rows

    @property
    def scores(self) -> np.ndarray:
        """(n,) of the images looked at."""
        return self.table.scores[self.rows]

    @property
    def model_scores(self) -> np.ndarray:
        return self.model.scores[self.rows]

    @cached_property
    def intervals(self) -> Intervals:
        return bootstrap(self.scores, self.model_scores, self.seed)

    @cached_property
    def curve(self) -> list[Point]:
        model = self.model
        if model.predictor is None or model.inputs is None:
            return []
        config, weights = model.predictor.config, self.table.weights
        inputs, scores = model.inputs, self.table.scores
        return learning_curve(config, model.metadata, inputs, scores, weights, self.split, self.seed)

    def with_bars(self) -> None:
        """Work out what has a bar of its own, before another is shown."""
        self.curve  # noqa: B018
        if len(self.rows) >= FEWEST_IMAGES:
            self.intervals  # noqa: B018

    @cached_property
    def study(self) -> StudySummary | str:
        """The study that made the model, or why it can't be shown."""
        if "study" not in self.model.metadata:
            return "The model names no study that made it."
        try:
            return summarise(self.database, self.model.metadata["study"], self.seed)
        except UserError as error:
            return f"The study of this model can't be shown: {error}"
