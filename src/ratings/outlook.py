"""When it is enough: how well the ratings order the images, and what a better order costs."""

import numpy as np

from ..common import expected_order
from .log import SKIP, Bools, Floats, Log
from .posterior import Curvature

PROBES = 16


def expected_spearman(rating: Floats, error: Floats) -> float | None:
    """Spearman's correlation of the ratings (n,) with the true ones, expected if each is N(rating, error²).

    None of fewer than two images, or without any rating to order them by.
    """
    found = expected_order(rating, error, rating).spearman
    return None if np.isnan(found) else found


def choices_for_next(
    log: Log, curvature: Curvature, mean: Floats, counted: Bools, spearman: float | None, gain: float = 0.01
) -> int | None:
    """How many more choices raise the expected Spearman by `gain`, if they tell as much as those so far did.

    mean: (n,) of the posterior. counted: (n,) the images that count. None without any choice, and
    where there is no room for it.
    """
    judged = int(np.sum(log.kinds != SKIP))
    if spearman is None or not judged or spearman + gain >= 1:
        return None
    # With Gaussian utilities Spearman is 6/π asin(r/2), r² = 1 − mean error variance / total variance.
    error = float(curvature.variances[0][counted].mean())
    total = error + float(mean[counted].var())
    now, then = (4 * np.sin(np.pi * s / 6) ** 2 for s in (spearman, spearman + gain))
    return max(1, int(np.ceil((then - now) * total / _fall(curvature, counted) * judged)))


def _fall(curvature: Curvature, counted: Bools) -> float:
    """How fast the mean variance falls as all choices are repeated: the mean of the diagonal of H⁻¹WH⁻¹.

    By random signs, whose products with a matrix average to its trace: Hutchinson (1990).
    """
    signs = np.where(counted[:, None], np.random.default_rng(0).choice([-1.0, 1.0], (len(counted), PROBES)), 0.0)
    solved = curvature.solve(signs)
    return float(np.sum(solved * curvature.springs_times(solved)) / PROBES / counted.sum())
