"""Bradley-Terry ratings: the maximum a posteriori over the whole log, with a standard error per image."""

from dataclasses import dataclass

import numpy as np
from scipy.linalg import lapack
from scipy.sparse import csr_array
from scipy.special import expit

from src.ratings.log import Floats, Ints, Pairs

LN10 = np.log(10)
PRIOR_SD = 0.75  # Elo units; docs/ratings.md shows what it was chosen by
EXACT_UP_TO = 1500  # images with choices; the exact inverse of the Hessian takes about 0.1 s there, and grows as N³
PRECISION = 1e-7  # Newton stops when no rating moves further than this, in natural units


@dataclass(frozen=True)
class Edges:
    """The choices summed over each pair of images that met: E edges.

    first, second: (E,) rows, first < second. wins: (E,) the weight of choices for `first`, a tie counting half.
    total: (E,) the weight of all choices of this pair. incidence: (E, N) sparse, +1 at first, −1 at second.
    """

    first: Ints
    second: Ints
    wins: Floats
    total: Floats
    incidence: csr_array
    transposed: csr_array


@dataclass(frozen=True)
class Hessian:
    """Minus the second derivative of the log posterior: diag(prior) + incidenceᵀ diag(weights) incidence.

    prior: (N,) precisions. weights: (E,). diagonal: (N,).
    """

    edges: Edges
    prior: Floats
    weights: Floats
    diagonal: Floats

    def __matmul__(self, x: Floats) -> Floats:
        return self.prior * x + self.edges.transposed @ (self.weights * (self.edges.incidence @ x))


def fit_bradley_terry(
    pairs: Pairs,
    prior_mean: Floats,
    prior_sd: float | Floats = PRIOR_SD,
    weights: Floats | None = None,
    start: Floats | None = None,
) -> tuple[Floats, Floats]:
    """Ratings and their standard errors, (N,) each, in Elo units: P(a preferred to b) = 1 / (1 + 10^-(a - b)).

    Maximises Σ weight × log P(winner preferred to loser) + the log of the Gaussian prior N(prior_mean, prior_sd²). A
    tie is half a win each way; the order of the pairs doesn't matter. prior_mean: (N,), prior_sd: (N,) or one number,
    above 0, both in Elo units. weights: (M,), 0 or more. start: (N,) where to begin, an earlier fit; it changes the
    time, not the answer. The errors are the Laplace approximation: the root of the diagonal of the inverse Hessian at
    the maximum; an image without choices gets its prior back. Sources: Bradley & Terry (1952); docs/ratings.md.
    """
    mean = LN10 * prior_mean
    precision = np.broadcast_to(np.square(LN10 * np.asarray(prior_sd, dtype=np.float64)), mean.shape) ** -1.0
    edges = _sum_edges(pairs, len(mean), np.ones(len(pairs.winners)) if weights is None else weights)
    rating = _maximise(edges, mean, precision, mean if start is None else LN10 * start)
    variance = _inverse_diagonal(_hessian(edges, precision, rating))
    return rating / LN10, np.sqrt(variance) / LN10


def _sum_edges(pairs: Pairs, n: int, weights: Floats) -> Edges:
    low, high = np.minimum(pairs.winners, pairs.losers), np.maximum(pairs.winners, pairs.losers)
    keys, edge = np.unique(low * n + high, return_inverse=True)
    won = np.where(pairs.ties, 0.5, pairs.winners == low)
    e = len(keys)
    first, second = np.divmod(keys, max(n, 1))
    ends = np.stack([first, second], axis=1).ravel()  # (2E,)
    incidence = csr_array((np.tile([1.0, -1.0], e), ends, np.arange(0, 2 * e + 1, 2)), shape=(e, n))
    wins = np.bincount(edge, weights * won, e)
    total = np.bincount(edge, weights, e)
    return Edges(first, second, wins.astype(float), total.astype(float), incidence, incidence.T.tocsr())


def _maximise(edges: Edges, mean: Floats, precision: Floats, start: Floats) -> Floats:
    # Newton with inexact steps, Dembo, Eisenstat & Steihaug (1982); halving keeps it safe far from the maximum.
    rating = start.copy()
    for _ in range(200):
        slope = edges.transposed @ (edges.wins - edges.total * expit(edges.incidence @ rating))
        slope -= precision * (rating - mean)
        step = _conjugate_gradients(_hessian(edges, precision, rating), slope)
        size = _step_size(edges, mean, precision, rating, step, _dot(slope, step))
        rating = rating + size * step
        if np.max(np.abs(step), initial=0.0) < PRECISION:
            return rating
    raise ArithmeticError("the Bradley-Terry fit didn't settle in 200 steps; are all priors and weights finite?")


def _step_size(edges: Edges, mean: Floats, precision: Floats, rating: Floats, step: Floats, slope: float) -> float:
    before = _loss(edges, mean, precision, rating)
    rounding = 1e-12 * (1 + abs(before))
    size = 1.0
    while (
        size > 1e-6 and _loss(edges, mean, precision, rating + size * step) > before - 1e-4 * size * slope + rounding
    ):
        size /= 2
    return size


def _loss(edges: Edges, mean: Floats, precision: Floats, rating: Floats) -> float:
    """Minus the log posterior, up to a constant."""
    gap = edges.incidence @ rating
    # −log σ(−g) = log(1 + e^g), written so that nothing overflows
    lost = np.maximum(gap, 0) + np.log1p(np.exp(-np.abs(gap)))
    return float(_dot(edges.total, lost) - _dot(edges.wins, gap) + 0.5 * _dot(precision, np.square(rating - mean)))


def _dot(a: Floats, b: Floats) -> float:
    # Not a @ b: BLAS would share long vectors out between threads, which takes 20 times as long on a busy computer.
    return float(np.einsum("i,i", a, b))


def _hessian(edges: Edges, precision: Floats, rating: Floats) -> Hessian:
    p = expit(edges.incidence @ rating)
    weights = edges.total * p * (1 - p)
    n = len(rating)
    met = np.bincount(edges.first, weights, n) + np.bincount(edges.second, weights, n)
    return Hessian(edges, precision, weights, precision + met)


def _conjugate_gradients(hessian: Hessian, b: Floats) -> Floats:
    """x with hessian @ x ≈ b; closer, the smaller b is. Hestenes & Stiefel (1952), scaled by the diagonal."""
    x, rest = np.zeros_like(b), b.copy()
    scaled = rest / hessian.diagonal
    direction, size = scaled.copy(), _dot(rest, scaled)
    enough = size * min(0.1, np.sqrt(size)) ** 2
    for _ in range(10 * len(b)):
        if size <= enough:
            break
        turned = hessian @ direction
        length = size / _dot(direction, turned)
        x += length * direction
        rest -= length * turned
        scaled = rest / hessian.diagonal
        size, previous = _dot(rest, scaled), size
        direction = scaled + size / previous * direction
    return x


def _inverse_diagonal(hessian: Hessian) -> Floats:
    """(N,) the diagonal of the inverse: exact up to EXACT_UP_TO images with choices, beyond that nearly."""
    met = np.unique(np.concatenate([hessian.edges.first, hessian.edges.second]))
    if len(met) > EXACT_UP_TO:
        return _inverse_diagonal_by_messages(hessian)
    variance = 1 / hessian.prior
    variance[met] = _exact_inverse_diagonal(hessian, met)
    return variance


def _exact_inverse_diagonal(hessian: Hessian, met: Ints) -> Floats:
    if not len(met):
        return np.zeros(0)
    first, second = np.searchsorted(met, hessian.edges.first), np.searchsorted(met, hessian.edges.second)
    dense = np.diag(hessian.diagonal[met])
    dense[second, first] = -hessian.weights  # the lower half is all that is read
    triangle, failed = lapack.dpotrf(dense, lower=1, overwrite_a=1)
    inverse, also_failed = lapack.dpotri(triangle, lower=1, overwrite_c=1)
    if failed or also_failed:
        raise ArithmeticError("the Bradley-Terry fit isn't finite; are all priors and weights finite?")
    return np.diag(inverse).copy()


def _inverse_diagonal_by_messages(hessian: Hessian) -> Floats:
    """Gaussian belief propagation: each image tells each it met how firmly the rest of its choices hold it.

    Exact on trees; a graph of choices between thousands of images has few short loops. Never too large, for it
    counts only the walks that turn back: Weiss & Freeman (2001); Malioutov, Johnson & Willsky (2006).
    """
    edges, n = hessian.edges, len(hessian.prior)
    source, target = np.concatenate([edges.first, edges.second]), np.concatenate([edges.second, edges.first])
    squared = np.tile(np.square(hessian.weights), 2)  # (2E,): each edge is told about both ways
    told = np.zeros(len(source))  # how much precision `target` loses because `source` isn't known
    firm = hessian.diagonal
    for _ in range(1000):
        before = told
        back = np.roll(before, len(before) // 2)  # what the target told the source must not come back to it
        told = squared / (firm[source] + back)
        firm = hessian.diagonal - np.bincount(target, told, n)
        if np.max(np.abs(told - before)) < 1e-6 * np.max(hessian.diagonal):
            break
    return 1 / firm
