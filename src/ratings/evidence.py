"""How probable the choices are under a prior, the utilities integrated out: what hyperparameters are chosen by.

Laplace's approximation alone underrates wide priors, by about 0.02 per choice where each image has one or two: the
posterior of a gap is far from Gaussian then (Kuss & Rasmussen, 2005). So every screen's own likelihood is integrated
exactly, with the others' Gaussian approximations: the first term of Opper, Paquet & Winther (2013).
"""

import numpy as np
from scipy.special import logsumexp

from src.ratings.log import Floats
from src.ratings.posterior import Mode, Prior
from src.ratings.precision import dot
from src.ratings.screens import Group, Screens, log_likelihood, softmax

NODES = 24  # of the quadrature over one gap
DRAWS = 128  # over the gaps of a screen of more than two


def log_evidence(screens: Screens, prior: Prior, mode: Mode) -> float:
    """log of the probability of all choices. Takes the cube of the images with choices."""
    if not screens.groups:
        return 0.0
    covariance, met = mode.curvature.covariance_of_met(), screens.graph.met
    corrections = [
        _correction(group, mode.utilities, covariance, np.searchsorted(met, group.rows)) for group in screens.groups
    ]
    return laplace_evidence(screens, prior, mode) + sum(corrections)


def laplace_evidence(screens: Screens, prior: Prior, mode: Mode) -> float:
    """The same by Laplace's approximation alone: Rasmussen & Williams (2006), equation 3.32."""
    off = mode.utilities - prior.mean
    pulled = 0.5 * dot(off, prior.precision_times(off))
    return -screens.loss(mode.utilities) - pulled - 0.5 * mode.curvature.log_determinant()


def _correction(group: Group, utilities: Floats, covariance: Floats, places: np.ndarray) -> float:
    """Σ over screens of log E[likelihood / its Gaussian approximation], over the posterior of their gaps.

    places: (T, k) of the images in `covariance`. Gaps are to the first image of each screen. Integrated over the
    cavity, the posterior without this screen, where the integrand is a probability and so never large.
    """
    shown = utilities[group.rows]  # (T, k)
    gaps = _gap_covariance(covariance, places)  # (T, k − 1, k − 1)
    p = softmax(shown)
    slope = (group.weights[:, None] * (group.target - p))[:, 1:]  # (T, k − 1)
    bend = group.weights[:, None, None] * (
        np.eye(p.shape[1])[1:, 1:] * p[:, 1:, None] - p[:, 1:, None] * p[:, None, 1:]
    )
    cavity = np.linalg.inv(np.linalg.inv(gaps) - bend)
    nodes, log_weights = _nodes(p.shape[1] - 1)
    moved = np.einsum("tij,mj->tmi", np.linalg.cholesky(cavity), nodes)
    moved -= np.einsum("tij,tj->ti", cavity, slope)[:, None]
    drawn = np.repeat(shown[:, None], len(nodes), axis=1)  # (T, M, k)
    drawn[..., 1:] += moved
    ratio = log_likelihood(drawn, group.target[:, None]) - log_likelihood(shown, group.target)[:, None]
    exact = logsumexp(group.weights[:, None] * ratio + log_weights, axis=1)
    gaussian = (np.linalg.slogdet(gaps)[1] - np.linalg.slogdet(cavity)[1]) / 2
    gaussian -= np.einsum("ti,tij,tj->t", slope, cavity, slope) / 2
    return float(np.sum(exact - gaussian))


def _gap_covariance(covariance: Floats, places: np.ndarray) -> Floats:
    screens = covariance[places[:, :, None], places[:, None, :]]  # (T, k, k)
    first, others = screens[:, :1, :1], screens[:, 1:, 1:]
    return others + first - screens[:, 1:, :1] - screens[:, :1, 1:]


def _nodes(dimensions: int) -> tuple[Floats, Floats]:
    """(M, dimensions) points and (M,) log weights: sums over them are means over a standard normal."""
    if dimensions == 1:
        points, weights = np.polynomial.hermite_e.hermegauss(NODES)
        return points[:, None], np.log(weights / weights.sum())
    half = np.random.default_rng(0).normal(size=(DRAWS // 2, dimensions))
    return np.concatenate([half, -half]), np.full(DRAWS, -np.log(DRAWS))
