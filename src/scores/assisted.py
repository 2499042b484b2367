"""Scores of the A/B scorer that image features had a part in, and what that does to the figures of a model."""

from dataclasses import dataclass

import numpy as np

from ..common import Expected, all_of, expected_order
from ..features import extractor_in_words
from .scorefile import ScoreTable, column_values, read_numbers
from .weights import COLUMN as ERRORS

COLUMN = "assisted_by"  # the extractor, written by the A/B scorer


def column(table: ScoreTable, extractor: str, scored: np.ndarray) -> dict[str, list[str | None]]:
    """{name: N values} to write beside new scores; no column where nothing assists, and nothing did.

    extractor: "" where nothing assists. scored: (N,) bool, the images whose scores are new.
    """
    if not extractor and COLUMN not in table.document.columns:
        return {}
    return {COLUMN: [extractor if new and extractor else None for new in scored]}


def assisted_by(table: ScoreTable) -> str:
    """The extractors that assisted these scores, with commas between; "" if none did."""
    if COLUMN not in table.document.columns:
        return ""
    return ", ".join(_extractors(table))


def _extractors(table: ScoreTable) -> list[str]:
    return sorted(set(column_values(table, COLUMN)) - {""})


@dataclass(frozen=True)
class Counted:
    """How a model is expected to agree with the true scores of so many images, and how many were asked for."""

    expected: Expected
    images: int
    of: int


def errors_counted(table: ScoreTable, model_scores: np.ndarray, rows: np.ndarray) -> Counted | None:
    """The agreement with the true scores, where features assisted those there are; else None.

    model_scores: (N,) of all images of the table. rows: those that it is measured on; it is over those of them that
    have a score_error, which images that were never compared lack. None too where there are none, and where
    `expected_order` is undefined. In simulations the truth was a little above this, and far below the agreement with
    the scores (docs/training.md, Honest numbers).
    """
    errors = read_numbers(table, ERRORS) if assisted_by(table) else None
    if errors is None:
        return None
    known = rows[np.isfinite(errors[rows]) & (errors[rows] >= 0)]
    found = expected_order(table.scores[known], errors[known], model_scores[known])
    return None if np.isnan(found.spearman) else Counted(found, len(known), len(rows))


def caution(table: ScoreTable) -> str:
    """What to keep in mind where a model is measured by scores that features assisted; "" where none did."""
    if not assisted_by(table):
        return ""
    extractors = all_of([extractor_in_words(name) for name in _extractors(table)])
    better = ""
    if ERRORS in table.document.columns:
        better = " Go by those with the scores' errors counted, which come closer to the truth"
    return (
        f"Take care: features of {extractors} assisted these scores; a model of features agrees with them more than "
        f"with you.\nThe figures flatter.{better}: docs/training.md#honest-numbers"
    )
