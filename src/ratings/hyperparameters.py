"""How strong the taste is (s²) and how much of it the features tell (ρ): by the evidence of the choices."""

from dataclasses import dataclass

import numpy as np
from scipy.sparse.csgraph import breadth_first_order

from ..common import Steps
from .expectation import gaussian, laplace_sites, log_evidence, propagate
from .log import SKIP, Floats, Ints, Log
from .posterior import Prior
from .screens import Screens

VARIANCES = (0.35, 0.7, 1.4, 2.8, 5.6, 11.0)  # s², squared natural units
SHARES = (0.0, 0.3, 0.6, 0.8, 0.9, 0.97)  # ρ
REFRESHED_AT = (0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 1.75, 2.0, 2.5, 3.0, 3.5, 4.5)  # choices per image
MOST = 1000  # images for the evidence; more hardly change it, and it takes their cube
OWN_AT_LEAST = 1 / 3  # of (1 − ρ) s², what every image keeps of its own
PRIOR_LOG_SD = 0.7  # of log s², around the default: agreement of 75 to 86 % between random images within one
OFFSET = 0.4  # the prior density of ρ is as ρ + this: features that explain most are likelier, and none are possible


@dataclass(frozen=True)
class Hyperparameters:
    """Prior covariance s² (ρ K + (1 − ρ) 1). variance: s², squared natural units. share: ρ, 0…1.

    As K's scale is that of differences, s² is the variance of utilities among the images, and ρ the features' share.
    """

    variance: float
    share: float


DEFAULT = Hyperparameters(2.8, 0.8)


def prior_of(chosen: Hyperparameters, mean: Floats, vectors: Floats, error: Floats | None = None) -> Prior:
    """The prior of images with these means (n,) and eigenvectors (n, r).

    error: (n,) natural units, how far off a mean may be where it says something of the image already, else nan. Such
    an image varies less than others: all of it is scaled down to the error, and it is as alike to others as before.
    """
    # Each image has the variance s²: what the eigenvectors lack of it, for an image like few others, is its own.
    spanned = chosen.share * np.einsum("nr,nr->n", vectors, vectors)
    own = chosen.variance * np.maximum(1 - spanned, OWN_AT_LEAST * (1 - chosen.share))
    prior = Prior(mean, np.sqrt(chosen.variance * chosen.share) * vectors, own)
    if error is None or np.isnan(error).all():
        return prior
    scale = np.minimum(1.0, np.where(np.isnan(error), 1.0, error / prior.deviations))
    return Prior(mean, scale[:, None] * prior.vectors, scale**2 * own)


def refresh_level(log: Log) -> int:
    """How many of REFRESHED_AT the log has reached."""
    per_image = np.sum(log.kinds != SKIP) / max(1, len(log.images) - int(log.excluded.sum()))
    return int(np.searchsorted(REFRESHED_AT, per_image, side="right"))


def refresh(
    screens: Screens, mean: Floats, vectors: Floats, error: Floats | None = None, steps: Steps | None = None
) -> Hyperparameters:
    """Their posterior mean over the grid, of log s² and of ρ. Images without choices don't matter to it.

    steps: counts the grid's points, as this takes seconds.
    """
    rows = _sample(screens)
    few = screens.among(rows)
    found = np.zeros((len(SHARES), len(VARIANCES)))
    guess, sites = mean[rows], laplace_sites(few, mean[rows])
    first = guess, sites
    for i, j in (steps or Steps()).through(list(np.ndindex(found.shape))):
        own = None if error is None else error[rows]
        prior = prior_of(Hyperparameters(VARIANCES[j], SHARES[i]), mean[rows], vectors[rows], own)
        try:
            posterior = propagate(few, prior, gaussian(few, prior, sites, guess))
        except (ArithmeticError, np.linalg.LinAlgError):  # with another prior these sites are no Gaussian together
            posterior = propagate(few, prior, gaussian(few, prior, first[1], first[0]))
        guess, sites = posterior.mean, posterior.sites
        found[i, j] = log_evidence(few, prior, posterior) + _log_prior(VARIANCES[j], SHARES[i])
    return _mean(found)


def _mean(log_posterior: Floats) -> Hyperparameters:
    """log_posterior: densities on the grid, ρ by log s². The mean is steadier than the highest point."""
    edges = np.concatenate([[0], np.add(SHARES[1:], SHARES[:-1]) / 2, [1]])
    weight = np.exp(log_posterior - log_posterior.max()) * np.diff(edges)[:, None]
    weight /= weight.sum()
    return Hyperparameters(float(np.exp(weight.sum(axis=0) @ np.log(VARIANCES))), float(weight.sum(axis=1) @ SHARES))


def _log_prior(variance: float, share: float) -> float:
    return -0.5 * (np.log(variance / DEFAULT.variance) / PRIOR_LOG_SD) ** 2 + np.log(share + OFFSET)


def _sample(screens: Screens) -> Ints:
    """Rows of the images with choices, at most MOST: whole neighbourhoods, beginning at the most compared images."""
    graph, met = screens.graph, screens.graph.met
    if len(met) <= MOST:
        return met
    links = abs(graph.transposed) @ abs(graph.incidence)
    chosen: dict[int, None] = {}
    for first in np.argsort(-links.diagonal(), kind="stable"):
        if len(chosen) >= MOST:
            break
        if int(first) not in chosen:
            reached = breadth_first_order(links, int(first), directed=False, return_predecessors=False)
            chosen |= dict.fromkeys(reached.tolist())
    return np.sort(np.array(list(chosen)[:MOST], dtype=np.int64))
