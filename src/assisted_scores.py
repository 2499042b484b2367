"""Scores of the A/B scorer that image features had a part in, and what that does to the figures of a model."""

import numpy as np

from src.scorefile import ScoreTable, column_values

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
    return ", ".join(sorted(set(column_values(table, COLUMN)) - {""}))


def caution(extractors: str) -> str:
    """What to keep in mind where a model is measured by scores that these extractors assisted; "" if none did."""
    if not extractors:
        return ""
    return (
        f"Take care: features of {extractors} assisted these scores while you chose. A model of features agrees with "
        "them, and with the choices made so far, more than with your taste: the figures flatter, the more, the fewer "
        "choices there are per image (docs/training.md, Honest numbers)."
    )
