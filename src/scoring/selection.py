"""Which of the scored images a person wants: by name, model score, rank and thresholds."""

import re
from collections.abc import Sequence

import numpy as np

from .models import Scored


def matching(paths: Sequence[str], patterns: Sequence[str] | None) -> list[str]:
    """Paths in which any of the regular expressions is found; all of them without patterns."""
    if not patterns:
        return list(paths)
    compiled = [re.compile(pattern) for pattern in patterns]
    return [path for path in paths if any(pattern.search(path) for pattern in compiled)]


def choose(
    scored: Scored,
    minimum: float | None = None,
    maximum: float | None = None,
    top: int | None = None,
    bottom: int | None = None,
    only_passed: bool = False,
) -> np.ndarray:
    """Positions of the chosen images, rising. Scores and ranks are the first model's.

    top and bottom count among those that the other conditions leave; with both, both ends are chosen. Ties: the
    earlier path is the better one.
    """
    scores = scored.scores[:, 0]
    keep = np.ones(len(scored), dtype=bool)
    if minimum is not None:
        keep &= scores >= minimum
    if maximum is not None:
        keep &= scores <= maximum
    if only_passed:
        keep &= scored.passed().all(axis=1)
    left = np.flatnonzero(keep)
    if top is None and bottom is None:
        return left
    order = left[np.argsort(-scores[left], kind="stable")]
    best, worst = order[: top or 0], order[max(0, len(order) - (bottom or 0)) :]
    return np.union1d(best, worst).astype(np.int64)


def ranks(scores: np.ndarray) -> np.ndarray:
    """(N,) int, 1 for the highest of N scores; ties in their order."""
    result = np.empty(len(scores), dtype=np.int64)
    result[np.argsort(-scores, kind="stable")] = np.arange(1, len(scores) + 1)
    return result
