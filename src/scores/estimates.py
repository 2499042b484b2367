"""Scores that a model estimated, and not a person gave: trained on, never measured by."""

import numpy as np

from ..common import UserError, number_of
from .document import listing
from .scorefile import ScoreTable

COLUMN = "estimated"
NO = ("", "0", "0.0", "false", "no", "none", "nan")


def estimated(table: ScoreTable) -> np.ndarray:
    """(N,) bool: whether the column `estimated` says so of an image; False without that column."""
    document = table.document
    column = document.column(COLUMN)
    values = [str(document.rows[row].get(column, "")).strip().lower() for row in table.rows.tolist()]
    return np.array([value not in NO for value in values], dtype=bool)


def estimates_note(table: ScoreTable) -> str:
    """A sentence on the estimates among the scores, "" where there is none; UserError where there is nothing else.

    A model agrees with its own estimates, so figures by them would flatter it.
    """
    guesses, name = estimated(table), table.document.name
    if not guesses.any():
        return ""
    if guesses.all():
        raise UserError(
            f"{name}: all {len(guesses)} scores are a model's own estimates (column {COLUMN}); choose between "
            "images, or score some yourself"
        )
    names = [path for path, guess in zip(table.paths, guesses, strict=True) if guess]
    return (
        f"{name}: {number_of(len(names), 'score')} estimated by a model (column {COLUMN}), trained on, and in "
        f"neither eval nor test: {listing(names)}"
    )
