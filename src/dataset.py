"""What a search learns from."""

from dataclasses import dataclass, replace

import numpy as np
import torch

from src.balance import Groups
from src.predictor import PredictorConfig


@dataclass(frozen=True)
class Dataset:
    """What a search learns from; rows are images.

    config: of the predictors, but for sizes, dropouts and the score scale, which each trial has of its own.
    inputs: what `predictor.arrange` gives, on the device that trains. scores, weights: (N,) float64.
    split: (N,) of "train", "eval", "test". folds: (N,) from 0, -1 for test images, where trials are compared by
    cross-validation; then there is no eval image in `split`. groups: what `--balance` brings to one size, None for
    none.
    """

    config: PredictorConfig
    inputs: torch.Tensor
    scores: np.ndarray
    weights: np.ndarray
    split: np.ndarray
    folds: np.ndarray | None = None
    groups: Groups | None = None

    def rows(self, subset: str) -> np.ndarray:
        """Row numbers of train, eval, test, or full: all but test, which is looked at once, at the end.

        With folds, each image but those of test is both train and eval.
        """
        everything = subset == "full" or (self.folds is not None and subset != "test")
        return np.flatnonzero(self.split != "test" if everything else self.split == subset)

    def parts(self) -> "list[Dataset]":
        """One for each fold, which is its eval split and all other folds its train split; only this without folds."""
        if self.folds is None:
            return [self]
        splits = [np.where(self.folds == k, "eval", self.split) for k in range(int(self.folds.max()) + 1)]
        return [replace(self, split=split, folds=None) for split in splits]
