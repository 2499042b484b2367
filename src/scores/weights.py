"""How much an image counts in training when its score is not certain."""

import numpy as np

from ..common import UserError, number_of
from .document import listing
from .scorefile import ScoreTable, read_numbers

COLUMN = "score_error"
LOSSES = ("mse", "wmse")  # ab learns from pairs, and nll learns by itself how far off scores are


def check_loss(loss_model: str) -> None:
    """UserError for a loss that can't be weighted."""
    if loss_model not in LOSSES:
        raise UserError(f"--weight_by_error needs a loss that weighs images, {' or '.join(LOSSES)}, not {loss_model}")


def error_weights(table: ScoreTable, train: np.ndarray) -> tuple[np.ndarray, list[str]]:
    """(N,) weights from the column score_error, see `weights_of`, and sentences on them. train: (N,) bool.

    Raises UserError without that column, or any error above 0 among `train`.
    """
    errors, name = check_column(table), table.document.name
    known = errors > 0  # False for nan
    if not known[train].any():
        raise UserError(f"{name}: no image to train on has a {COLUMN} above 0; leave out --weight_by_error")
    weights = weights_of(np.where(known, errors, np.nan), train)
    return weights, _sentences(table, weights[train], known)


def score_errors(table: ScoreTable) -> np.ndarray | None:
    """(N,) the standard errors of the column "score", nan where one is not above 0; None without any."""
    errors = read_numbers(table, COLUMN)
    if errors is None or not (errors > 0).any():
        return None
    return np.where(errors > 0, errors, np.nan)


def check_column(table: ScoreTable) -> np.ndarray:
    """(N,) the errors, nan where there is none. UserError for a table without the column."""
    errors = read_numbers(table, COLUMN)
    if errors is None:
        raise UserError(
            f"{table.document.name}: --weight_by_error needs a column {COLUMN}, which aesthetic_ab_scorer.py writes; "
            f"it has {', '.join(map(str, table.document.columns))}"
        )
    return errors


def weights_of(errors: np.ndarray, train: np.ndarray) -> np.ndarray:
    """(N,) 1 / (error² + σ²), of mean 1 over the images of `train`, (N,) bool; σ is their median error.

    errors: (N,) above 0, in any unit; nan, where there is none, counts as the median. So no image counts twice as
    much as the typical one. A σ from what features can't explain would be no better: ratings are drawn towards their
    mean the more, the less is known of them, so that errors can't be told from differences
    (docs/how-training-works.md).
    """
    typical = np.nanmedian(errors[train])
    weights = 1 / (np.square(np.where(np.isnan(errors), typical, errors)) + typical**2)
    return weights / weights[train].mean()


def _sentences(table: ScoreTable, weights: np.ndarray, known: np.ndarray) -> list[str]:
    said = [f"Images are weighted by their {COLUMN}: from {weights.min():.2f} to {weights.max():.2f}."]
    if not known.all():
        without = [path for path, has in zip(table.paths, known, strict=True) if not has]
        said.append(
            f"{number_of(len(without), 'image', 'has')} no {COLUMN} above 0, weighed as the typical one: "
            f"{listing(without)}"
        )
    return said
