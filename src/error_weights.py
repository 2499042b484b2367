"""How much an image counts in training when its score is not certain."""

import numpy as np

from src.errors import UserError
from src.score_formats import listing
from src.scorefile import ScoreTable, read_numbers

COLUMN = "score_error"
LOSSES = ("mse", "wmse")  # ab learns from pairs, and nll learns by itself how far off scores are


def check_loss(loss_model: str) -> None:
    """UserError for a loss that can't be weighted."""
    if loss_model not in LOSSES:
        raise UserError(f"--weight_by_error needs a loss that weighs images, {' or '.join(LOSSES)}, not {loss_model}")


def error_weights(table: ScoreTable, train: np.ndarray) -> tuple[np.ndarray, list[str]]:
    """(N,) weights 1 / (error² + σ²), of mean 1 over the images of `train`, (N,) bool; and sentences on them.

    error: the column score_error, in units of the score. σ: the median error of `train`, so that no image counts more
    than twice as much as the typical one: what differs besides errors can't be told from them, for ratings are drawn
    towards their mean the more, the less is known (docs/training.md). An image without an error counts as the typical
    one. Raises UserError without that column, or any error above 0 in it.
    """
    errors = read_numbers(table, COLUMN)
    name = table.document.name
    if errors is None:
        raise UserError(
            f"{name}: --weight_by_error needs a column {COLUMN}, which aesthetic_ab_scorer.py writes; it has "
            f"{', '.join(map(str, table.document.columns))}"
        )
    known = np.isfinite(errors) & (errors > 0)
    if not known[train].any():
        raise UserError(f"{name}: no image to train on has a {COLUMN} above 0; leave out --weight_by_error")
    typical = float(np.median(errors[known & train]))
    weights = 1 / (np.square(np.where(known, errors, typical)) + typical**2)
    weights /= weights[train].mean()
    return weights, _sentences(table, weights[train], known, typical)


def _sentences(table: ScoreTable, weights: np.ndarray, known: np.ndarray, typical: float) -> list[str]:
    said = [
        f"Images are weighted by their {COLUMN}: from {weights.min():.2f} to {weights.max():.2f} (the median error "
        f"is {typical:.3g})."
    ]
    if not known.all():
        without = [path for path, has in zip(table.paths, known, strict=True) if not has]
        said.append(
            f"{len(without)} images have no {COLUMN} above 0 and weigh as the typical one: {listing(without)}"
        )
    return said
