"""Settings of this package: how images are split, and brought to groups of one size."""

from dataclasses import dataclass

from ..common import SEED


@dataclass(frozen=True)
class SplitSettings:
    """What each image is used for.

    fraction_for_eval, fraction_for_test: shares of all images, 0 to below 1, together below 1. eval_pick_seed: draws
    the split. ignore_existing_split: draw anew whatever the score file's split column says. folds: 2 or more, trials
    are compared by cross-validation in so many parts instead of one eval split; None for one eval split.
    group_column: with folds, the column of the score file whose equal values stay together; None: near-identical
    images alone do.
    """

    fraction_for_eval: float = 0.25
    fraction_for_test: float = 0.0
    eval_pick_seed: int = SEED
    ignore_existing_split: bool = False
    folds: int | None = None
    group_column: str | None = None


@dataclass(frozen=True)
class BalanceSettings:
    """Groups of train images brought to one size.

    balance: none; mean, max, min of the groups' sizes; a fraction of the largest, with a point ("0.5"); or a count
    ("200"). balance_by: score, folder, or a column of the score file. balance_bins: of the score, 2 or more steps of
    one width.
    """

    balance: str = "none"
    balance_by: str = "score"
    balance_bins: int = 10

    def __str__(self) -> str:
        """Such as "balanced to mean by score in 10 steps"."""
        steps = f" in {self.balance_bins} steps" * (self.balance_by == "score")
        return f"balanced to {self.balance} by {self.balance_by}{steps}"
