"""What a search learns from."""

from dataclasses import dataclass, replace

import numpy as np
import torch

from ..model import Comparisons, PredictorConfig, TrainingData
from ..ratings import Choices
from ..scores import Groups, balanced
from .settings import TrainingSettings


@dataclass(frozen=True)
class Dataset:
    """What a search learns from; rows are images.

    config: of the predictors, but for sizes, dropouts and the score scale, which each trial has of its own.
    inputs: what `predictor.arrange` gives, on the device that trains. scores, weights: (N,) float64.
    split: (N,) of "train", "eval", "test". folds: (N,) from 0, -1 of images in none, where trials are compared by
    cross-validation; then there is no eval image in `split`. groups: what `--balance` brings to one size, None for
    none. choices: a person's comparisons of these images, None where neither loss nor metric needs them.
    error_weights: (N,) float64, how much each image counts in training as its score is certain, besides `weights`;
    None: all alike. errors: (N,) standard errors of the scores, on their scale, nan where unknown; None: of none.
    """

    config: PredictorConfig
    inputs: torch.Tensor
    scores: np.ndarray
    weights: np.ndarray
    split: np.ndarray
    folds: np.ndarray | None = None
    groups: Groups | None = None
    choices: Choices | None = None
    error_weights: np.ndarray | None = None
    errors: np.ndarray | None = None

    def rows(self, subset: str) -> np.ndarray:
        """Row numbers of train, eval, test, or full: all but test, which is looked at once, at the end.

        With folds, train is full, and eval each image that is in a fold.
        """
        if self.folds is not None and subset == "eval":
            return np.flatnonzero(self.folds >= 0)
        everything = subset == "full" or (self.folds is not None and subset == "train")
        return np.flatnonzero(self.split != "test" if everything else self.split == subset)

    def parts(self) -> "list[Dataset]":
        """One for each fold, which is its eval split and all other folds its train split; only this without folds."""
        if self.folds is None:
            return [self]
        splits = [np.where(self.folds == k, "eval", self.split) for k in range(int(self.folds.max()) + 1)]
        return [replace(self, split=split, folds=None) for split in splits]


def train_data(settings: TrainingSettings, data: Dataset) -> TrainingData:
    """The train split for `training.train`: balanced, weights normalised, with comparisons for loss choices."""
    numbers = data.rows("train")
    if data.groups is not None:
        numbers = numbers[balanced(data.groups.codes[numbers], settings.balance.balance, settings.seed)]
    comparisons = None
    if settings.loss_model == "choices":
        numbers, times = np.unique(numbers, return_counts=True)
        comparisons = _comparisons(data, numbers, times)
    rows = torch.from_numpy(numbers)
    scores, weights = (torch.tensor(values, dtype=torch.float32)[rows] for values in (data.scores, data.weights))
    if settings.normalise_weights:
        weights = weights / weights.mean()
    if data.error_weights is not None:
        certainty = torch.tensor(data.error_weights, dtype=torch.float32)[rows]
        weights = certainty * weights if settings.loss_model == "wmse" else certainty
    device = data.inputs.device
    return TrainingData(data.inputs[rows.to(device)], scores.to(device), weights.to(device), comparisons)


def _comparisons(data: Dataset, rows: np.ndarray, times: np.ndarray) -> Comparisons:
    """Those among the images of `rows`; each weighs as much as its images are there `times` on average."""
    assert data.choices is not None
    shown, wanted = data.choices.within(rows)
    there = shown >= 0
    weights = np.where(there, times[shown], 0).sum(axis=1) / there.sum(axis=1)
    device = data.inputs.device
    return Comparisons(
        torch.from_numpy(shown).to(device),
        torch.tensor(wanted, dtype=torch.float32, device=device),
        torch.tensor(weights, dtype=torch.float32, device=device),
    )
