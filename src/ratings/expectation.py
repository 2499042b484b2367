"""The utilities' posterior by expectation propagation: its mean, its errors, and the probability of the choices.

Every screen's likelihood is stood in for by a Gaussian of its gaps, its site, such that the likelihood itself in its
place leaves the posterior's mean and covariance as they are: Minka (2001); Rasmussen & Williams (2006), section 3.6.
Where images have a few choices each, Laplace's approximation takes the errors for too small, as the curvature is
greatest near the mode, and wide priors for less probable than they are (Kuss & Rasmussen, 2005); this hardly does.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.special import logsumexp

from .log import Floats
from .posterior import Curvature, Prior, curvature_of
from .precision import dot
from .screens import Group, Screens, log_likelihood, softmax

NODES = 24  # of the quadrature over one gap
DRAWS = 256  # over the gaps of a screen of more than two
ENOUGH = 3  # draws a gap that must carry the weight: fewer make a covariance that is nearly singular
ROUNDS = 15  # at most
SETTLED = 0.1  # natural units: no pull or stiffness of a site changed by more; 0.001 changes s² by 1 %


@dataclass(frozen=True)
class Sites:
    """exp(pullᵀg − gᵀ stiffness g / 2) of the gaps g to the first image, for each of T screens of k images.

    pull: (T, k − 1). stiffness: (T, k − 1, k − 1).
    """

    pull: Floats
    stiffness: Floats


@dataclass(frozen=True)
class Approximation:
    """The Gaussian posterior that the sites of all groups make. mean: (n,), natural units."""

    mean: Floats
    curvature: Curvature
    sites: tuple[Sites, ...]


def laplace_sites(screens: Screens, u: Floats) -> tuple[Sites, ...]:
    """Those with the slope and the curvature of the likelihood at utilities u (n,)."""
    return tuple(_laplace_site(group, u) for group in screens.groups)


def gaussian(
    screens: Screens, prior: Prior, sites: tuple[Sites, ...], guess: Floats, through: Floats | None = None
) -> Approximation:
    """The posterior with these sites. guess: (n,) at the mean, to be quick; through: as of find_mode."""
    pulls, springs = _summed(screens, sites)
    curvature = curvature_of(screens.graph, prior, springs, through)
    left = pulls - curvature.springs_times(guess) - prior.precision_times(guess - prior.mean)
    return Approximation(guess + curvature.solve(left), curvature, sites)


def propagate(screens: Screens, prior: Prior, now: Approximation, rounds: int = ROUNDS) -> Approximation:
    """All sites at once, again and again until they settle. A round costs a curvature and its variances.

    The draws of a screen of many images may make sites that are no Gaussian together: the last ones that are stay.
    ArithmeticError or LinAlgError where `now` is none.
    """
    now.curvature.variances  # noqa: B018 (kept there; what is no Gaussian has none)
    for _ in range(rounds):
        try:
            sites = tuple(_Cavity(group, now, site).matched() for group, site in _each(screens, now.sites))
            after = gaussian(screens, prior, sites, now.mean, now.curvature.through)
            after.curvature.variances  # noqa: B018
        except (ArithmeticError, np.linalg.LinAlgError):
            break
        change = max((_change(a, b) for a, b in zip(sites, now.sites, strict=True)), default=0.0)
        now = after
        if change < SETTLED:
            break
    return now


def log_evidence(screens: Screens, prior: Prior, found: Approximation) -> float:
    """log of the probability of all choices. Takes the cube of the images with choices."""
    pulls, _ = _summed(screens, found.sites)
    off = found.mean - prior.mean
    total = dot(pulls, found.mean) - dot(found.mean, found.curvature.springs_times(found.mean)) / 2
    total -= (dot(off, prior.precision_times(off)) + found.curvature.log_determinant()) / 2
    return total + sum(_Cavity(group, found, site).log_ratio() for group, site in _each(screens, found.sites))


def _each(screens: Screens, sites: tuple[Sites, ...]) -> Iterator[tuple[Group, Sites]]:
    return zip(screens.groups, sites, strict=True)


def _laplace_site(group: Group, u: Floats) -> Sites:
    shown = u[group.rows]
    p = softmax(shown)
    slope = group.weights[:, None] * (group.target - p)[:, 1:]
    stiffness = group.weights[:, None, None] * (
        np.eye(p.shape[1])[1:, 1:] * p[:, 1:, None] - p[:, 1:, None] * p[:, None, 1:]
    )
    return Sites(slope + _times(stiffness, shown[:, 1:] - shown[:, :1]), stiffness)


def _summed(screens: Screens, sites: tuple[Sites, ...]) -> tuple[Floats, Floats]:
    """(n,) the pulls on the images, and (E,) the springs between them."""
    pulls, springs = np.zeros(screens.n), np.zeros(len(screens.graph.first))
    for group, site in _each(screens, sites):
        k = group.rows.shape[1]
        onto, (a, b) = _to_gaps(k), np.triu_indices(k, 1)
        pulls += np.bincount(group.rows.ravel(), (site.pull @ onto).ravel(), len(pulls))
        between = -(onto.T @ site.stiffness @ onto)[:, a, b]
        springs += np.bincount(group.edges.ravel(), between.ravel(), len(springs))
    return pulls, springs


class _Cavity:
    """The gaps of each screen by all the others, N(mean, precision⁻¹), and what the screen's own likelihood adds."""

    def __init__(self, group: Group, now: Approximation, site: Sites) -> None:
        shown = now.mean[group.rows]  # (T, k)
        self.site, self.gaps = site, shown[:, 1:] - shown[:, :1]  # (T, k − 1)
        self.firm = np.linalg.inv(_gap_covariance(now.curvature.variances[1][group.edges], shown.shape[1]))
        self.precision = self.firm - site.stiffness
        # Beyond EXACT_UP_TO images the variances are only near; where they make no Gaussian, the site stays as it is.
        self.sound = np.linalg.eigvalsh(self.precision)[:, 0] > 0
        self.precision[~self.sound] = np.eye(self.precision.shape[1])
        covariance = np.linalg.inv(self.precision)
        self.mean = _times(covariance, _times(self.firm, self.gaps) - site.pull)
        nodes, log_weights = _nodes(self.gaps.shape[1])
        self.points = self.mean[:, None] + nodes @ np.swapaxes(np.linalg.cholesky(covariance), 1, 2)  # (T, M, k − 1)
        drawn = np.zeros((shown.shape[1], *self.points.shape[:2]))  # (k, T, M), in which sums over k are quick
        drawn[1:] = np.moveaxis(self.points, -1, 0)
        likely = log_likelihood(np.moveaxis(drawn, 0, -1), group.target[:, None])
        terms = group.weights[:, None] * likely + log_weights  # (T, M)
        self.log_likelihood = logsumexp(terms, axis=1)  # (T,)
        self.shares = np.exp(terms - self.log_likelihood[:, None])
        if (gaps := nodes.shape[1]) > 1:  # Kish (1965): as many draws as equal ones would be
            self.sound &= 1 / np.square(self.shares).sum(axis=1) > ENOUGH * gaps

    def matched(self) -> Sites:
        """The sites whose Gaussians have the mean and covariance that the likelihoods make."""
        mean = np.einsum("tm,tmi->ti", self.shares, self.points)
        off = self.points - mean[:, None]
        firm = np.linalg.inv(np.swapaxes(self.shares[..., None] * off, 1, 2) @ off)
        pull = _times(firm, mean) - _times(self.precision, self.mean)
        return Sites(
            np.where(self.sound[:, None], pull, self.site.pull),
            np.where(self.sound[:, None, None], firm - self.precision, self.site.stiffness),
        )

    def log_ratio(self) -> float:
        """Σ log E[likelihood] − log E[its site]."""
        of_site = (np.linalg.slogdet(self.precision)[1] - np.linalg.slogdet(self.firm)[1]) / 2
        of_site += (_square(self.firm, self.gaps) - _square(self.precision, self.mean)) / 2
        return float(np.sum(self.log_likelihood - of_site))


def _change(new: Sites, old: Sites) -> float:
    pull, stiffness = np.abs(new.pull - old.pull), np.abs(new.stiffness - old.stiffness)
    return float(max(pull.max(initial=0.0), stiffness.max(initial=0.0)))


def _gap_covariance(variances: Floats, k: int) -> Floats:
    """(T, k − 1, k − 1) from the variances (T, k(k − 1)/2) of the gaps between each two images."""
    square, (a, b) = np.zeros((len(variances), k, k)), np.triu_indices(k, 1)
    square[:, a, b] = square[:, b, a] = variances
    return (square[:, :1, 1:] + square[:, 1:, :1] - square[:, 1:, 1:]) / 2


def _to_gaps(k: int) -> Floats:
    """(k − 1, k)"""
    return np.eye(k)[1:] - np.eye(k)[0]


def _times(matrices: np.ndarray, vectors: Floats) -> Floats:
    return np.einsum("tij,tj->ti", matrices, vectors)


def _square(matrices: np.ndarray, vectors: Floats) -> Floats:
    return np.einsum("ti,tij,tj->t", vectors, matrices, vectors)


def _nodes(dimensions: int) -> tuple[Floats, Floats]:
    """(M, dimensions) points and (M,) log weights: sums over them are means over a standard normal."""
    if dimensions == 1:
        points, weights = np.polynomial.hermite_e.hermegauss(NODES)
        return points[:, None], np.log(weights / weights.sum())
    half = np.random.default_rng(0).normal(size=(DRAWS // 2, dimensions))
    half = half @ np.linalg.inv(np.linalg.cholesky(half.T @ half * 2 / DRAWS)).T  # their covariance is 1 exactly
    return np.concatenate([half, -half]), np.full(DRAWS, -np.log(DRAWS))
