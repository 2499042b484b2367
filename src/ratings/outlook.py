"""When it is enough: how well the ratings order the images, and what a better order costs."""

import numpy as np
from scipy.optimize import brentq

from ..common import expected_order
from .log import SKIP, Bools, Floats, Log
from .posterior import Curvature
from .statistics import GOOD_ORDER

PROBES = 16
STEPS = 4  # of Lanczos; more change the choices that are left by 1 %


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
    error = float(curvature.variances[0][counted].mean())
    total = error + float(mean[counted].var())
    now, then = _explained(spearman), _explained(spearman + gain)
    return max(1, int(np.ceil((then - now) * total / _fall(curvature, counted) * judged)))


def choices_to_good(
    log: Log, curvature: Curvature, counted: Bools, spearman: float | None, goal: float = GOOD_ORDER
) -> int | None:
    """How many more choices make the expected Spearman `goal`; 0 where it is that. None without any choice.

    counted: (n,) the images that count. Each further choice is taken to tell as much as the mean one so far, and they
    come to all images alike: that adds c to the diagonal of the posterior precision, and an eigenvalue λ of the
    covariance becomes λ / (1 + cλ). c is where their mean, the error variance, is as small as the goal asks for.
    """
    judged = int(np.sum(log.kinds != SKIP))
    if spearman is None or not judged:
        return None
    if spearman >= goal:
        return 0
    values, shares = _spectrum(curvature, counted)
    error = float(shares @ values)
    wanted = error * (1 - _explained(goal)) / (1 - _explained(spearman))
    needed = brentq(lambda c: float(shares @ (values / (1 + c * values))) - wanted, 0, 1 / wanted)
    told = 2 * float(curvature.sparse.weights.sum()) / judged  # on the diagonal, by one choice
    return max(1, int(np.ceil(needed * counted.sum() / told)))


def _explained(spearman: float) -> float:
    """r² = 1 − mean error variance / total variance: with Gaussian utilities Spearman is 6/π asin(r/2)."""
    return float(4 * np.sin(np.pi * spearman / 6) ** 2)


def _spectrum(curvature: Curvature, counted: Bools) -> tuple[Floats, Floats]:
    """A few values for the eigenvalues of the counted images' covariance, with the share of each; shares sum to 1.

    By Lanczos' method from random signs, whose Ritz values are Gauss's nodes: Ubaru, Chen & Saad (2017).
    """
    signs = np.random.default_rng(0).choice([-1.0, 1.0], (len(counted), PROBES))
    now = np.where(counted[:, None], signs, 0.0) / np.sqrt(counted.sum())
    before, beside = np.zeros_like(now), np.zeros(PROBES)
    matrices = np.zeros((PROBES, STEPS, STEPS))
    for step in range(STEPS):
        after = np.where(counted[:, None], curvature.solve(now), 0.0) - beside * before
        matrices[:, step, step] = np.einsum("np,np->p", after, now)
        after -= matrices[:, step, step] * now
        beside = np.linalg.norm(after, axis=0)
        if step + 1 < STEPS:
            matrices[:, step, step + 1] = matrices[:, step + 1, step] = beside
        before, now = now, after / np.maximum(beside, 1e-12)
    values, vectors = np.linalg.eigh(matrices)  # (PROBES, STEPS), (PROBES, STEPS, STEPS)
    return np.maximum(values, 0.0).ravel(), (vectors[:, 0] ** 2 / PROBES).ravel()


def _fall(curvature: Curvature, counted: Bools) -> float:
    """How fast the mean variance falls as all choices are repeated: the mean of the diagonal of H⁻¹WH⁻¹.

    By random signs, whose products with a matrix average to its trace: Hutchinson (1990).
    """
    signs = np.where(counted[:, None], np.random.default_rng(0).choice([-1.0, 1.0], (len(counted), PROBES)), 0.0)
    solved = curvature.solve(signs)
    return float(np.sum(solved * curvature.springs_times(solved)) / PROBES / counted.sum())
