"""How strong the taste is (s²) and how much of it the features tell (ρ): by the evidence of the choices."""

from dataclasses import dataclass
from itertools import product

import numpy as np
from scipy.sparse.csgraph import breadth_first_order

from src.ratings.evidence import log_evidence
from src.ratings.log import SKIP, Floats, Ints, Log
from src.ratings.posterior import Prior, find_mode
from src.ratings.screens import Screens

VARIANCES = (0.7, 1.4, 2.8, 5.6, 11.0)  # s², squared natural units
SHARES = (0.0, 0.3, 0.6, 0.8, 0.9, 0.97)  # ρ
REFRESHED_AT = (0.25, 0.5, 1.0, 2.0, 3.0, 4.5)  # choices per image
MOST = 1000  # images for the evidence; more hardly change it, and it takes their cube
PRIOR_LOG_SD = 1.0  # of log s², around the default
ROUGHLY = 1e-2  # natural units: how well a mode must be known for its evidence


@dataclass(frozen=True)
class Hyperparameters:
    """Prior covariance s² (ρ K + (1 − ρ) 1). variance: s², squared natural units. share: ρ, 0…1."""

    variance: float
    share: float


DEFAULT = Hyperparameters(2.8, 0.8)


def prior_of(chosen: Hyperparameters, mean: Floats, vectors: Floats, rest: Floats) -> Prior:
    """The prior of images with these eigenvectors (n, r) and what they leave of the diagonal (n,)."""
    own = chosen.variance * (chosen.share * rest + 1 - chosen.share)
    return Prior(mean, np.sqrt(chosen.variance * chosen.share) * vectors, own)


def refresh_level(log: Log) -> int:
    """How many of REFRESHED_AT the log has reached."""
    per_image = np.sum(log.kinds != SKIP) / max(1, len(log.images) - int(log.excluded.sum()))
    return int(np.searchsorted(REFRESHED_AT, per_image, side="right"))


def refresh(screens: Screens, mean: Floats, vectors: Floats, rest: Floats) -> Hyperparameters:
    """The grid point of the highest evidence. Images without choices don't matter to it."""
    rows = _sample(screens)
    few = screens.among(rows)
    grid = [Hyperparameters(variance, share) for share, variance in product(SHARES, VARIANCES)]
    best, start = (-np.inf, DEFAULT), None
    for point in grid:
        prior = prior_of(point, mean[rows], vectors[rows], rest[rows])
        mode = find_mode(few, prior, start, settled=ROUGHLY)
        start = mode.utilities
        evidence = log_evidence(few, prior, mode) + _log_prior(point)
        best = max(best, (evidence, point), key=lambda pair: pair[0])
    return best[1]


def _log_prior(point: Hyperparameters) -> float:
    return -0.5 * (np.log(point.variance / DEFAULT.variance) / PRIOR_LOG_SD) ** 2


def _sample(screens: Screens) -> Ints:
    """Rows of the images with choices, at most MOST: those nearest, by choices, to the most compared image."""
    graph, met = screens.graph, screens.graph.met
    if len(met) <= MOST:
        return met
    links = abs(graph.transposed) @ abs(graph.incidence)
    order = breadth_first_order(links, int(np.argmax(links.diagonal())), return_predecessors=False)
    return np.sort(order[:MOST])
