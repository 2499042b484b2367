"""Bradley-Terry ratings: the maximum a posteriori over the whole log, with a standard error per image."""

from dataclasses import dataclass

import numpy as np
from scipy.special import expit

from .log import Floats, Pairs
from .precision import Graph, Precision, conjugate_gradients, dot, inverse_diagonal, make_graph

LN10 = np.log(10)
PRIOR_SD = 0.75  # Elo units; docs/how-ratings-work.md shows what it was chosen by
SETTLED = 1e-7  # Newton stops when no rating moves further than this, in natural units


@dataclass(frozen=True)
class Edges:
    """The choices summed over each pair of images that met: E edges.

    wins: (E,) the weight of choices for the graph's `first`, a tie counting half. total: (E,) the weight of all
    choices of this pair.
    """

    graph: Graph
    wins: Floats
    total: Floats


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
    the maximum; an image without choices gets its prior back. Sources: Bradley & Terry (1952);
    docs/how-ratings-work.md.
    """
    mean = LN10 * prior_mean
    precision = np.broadcast_to(np.square(LN10 * np.asarray(prior_sd, dtype=np.float64)), mean.shape) ** -1.0
    edges = _sum_edges(pairs, len(mean), np.ones(len(pairs.winners)) if weights is None else weights)
    rating = _maximise(edges, mean, precision, mean if start is None else LN10 * start)
    variance = inverse_diagonal(_hessian(edges, precision, rating))
    return rating / LN10, np.sqrt(variance) / LN10


def _sum_edges(pairs: Pairs, n: int, weights: Floats) -> Edges:
    low, high = np.minimum(pairs.winners, pairs.losers), np.maximum(pairs.winners, pairs.losers)
    graph, edge = make_graph(low, high, n)
    won = np.where(pairs.ties, 0.5, pairs.winners == low)
    wins = np.bincount(edge, weights * won, len(graph.first))
    total = np.bincount(edge, weights, len(graph.first))
    return Edges(graph, wins.astype(float), total.astype(float))


def _maximise(edges: Edges, mean: Floats, precision: Floats, start: Floats) -> Floats:
    # Newton with inexact steps, Dembo, Eisenstat & Steihaug (1982); halving keeps it safe far from the maximum.
    graph, rating = edges.graph, start.copy()
    for _ in range(200):
        slope = graph.transposed @ (edges.wins - edges.total * expit(graph.incidence @ rating))
        slope -= precision * (rating - mean)
        step = conjugate_gradients(_hessian(edges, precision, rating), slope)
        size = _step_size(edges, mean, precision, rating, step, dot(slope, step))
        rating = rating + size * step
        if np.max(np.abs(step), initial=0.0) < SETTLED:
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
    gap = edges.graph.incidence @ rating
    # −log σ(−g) = log(1 + e^g), written so that nothing overflows
    lost = np.maximum(gap, 0) + np.log1p(np.exp(-np.abs(gap)))
    return dot(edges.total, lost) - dot(edges.wins, gap) + 0.5 * dot(precision, np.square(rating - mean))


def _hessian(edges: Edges, precision: Floats, rating: Floats) -> Precision:
    """Minus the second derivative of the log posterior."""
    p = expit(edges.graph.incidence @ rating)
    return Precision(edges.graph, precision, edges.total * p * (1 - p))
