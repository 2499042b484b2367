"""The likelihood of choices on screens of any size: a softmax over the images shown."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from .log import SKIP, TIE, Floats, Ints, Log
from .precision import Graph, make_graph


@dataclass(frozen=True)
class Group:
    """T screens of k images each.

    rows: (T, k). target: (T, k) 1 for the winner, 0 for the others; 1/k each in a tie. weights: (T,). edges: (T,
    k(k − 1)/2) into the graph, one for each two images of a screen.
    """

    rows: Ints
    target: Floats
    weights: Floats
    edges: Ints


@dataclass(frozen=True)
class Screens:
    """Σ weight × log likelihood of all judged screens, of the utilities u (n,), in natural units.

    log P = Σ target (u − log Σ exp u), sums over a screen's images: Luce (1959); for two images log σ(u_i − u_j).
    A tie counts as 1/k of a win for each image, so half each way between two.
    """

    n: int
    groups: tuple[Group, ...]
    graph: Graph

    def loss(self, u: Floats) -> float:
        """Minus the log likelihood."""
        total = 0.0
        for group in self.groups:
            total -= float(np.einsum("t,t", group.weights, log_likelihood(u[group.rows], group.target)))
        return total

    def slope(self, u: Floats) -> Floats:
        """(n,) the derivative of the log likelihood."""
        slope = np.zeros(self.n)
        for group in self.groups:
            missing = group.weights[:, None] * (group.target - softmax(u[group.rows]))
            slope += np.bincount(group.rows.ravel(), missing.ravel(), self.n)
        return slope

    def curvature(self, u: Floats) -> Floats:
        """(E,) springs: minus the second derivative is the graph's Laplacian with these weights.

        On one screen it is diag(p) − ppᵀ = Σ over pairs of p_i p_j (e_i − e_j)(e_i − e_j)ᵀ.
        """
        springs = np.zeros(len(self.graph.first))
        for group in self.groups:
            p = softmax(u[group.rows])
            a, b = np.triu_indices(p.shape[1], 1)
            both = group.weights[:, None] * p[:, a] * p[:, b]
            springs += np.bincount(group.edges.ravel(), both.ravel(), len(springs))
        return springs

    def among(self, rows: Ints) -> "Screens":
        """Only the screens all of whose images are in `rows`, ascending, numbered by their place there."""
        place = np.full(self.n, -1)
        place[rows] = np.arange(len(rows))
        inside = [(group, (place[group.rows] >= 0).all(axis=1)) for group in self.groups]
        parts = [(place[g.rows[kept]], g.target[kept], g.weights[kept]) for g, kept in inside]
        return _screens(parts, len(rows))


def screens_of(log: Log, weights: Floats | None = None) -> Screens:
    """The judged screens of a log of one rater; u in its rows. weights: (C,) of the comparisons, 0 or more."""
    per_screen = np.ones(len(log)) if weights is None else weights
    judged = log.kinds != SKIP
    parts = []
    for k in np.unique(log.sizes[judged]):
        screens = np.flatnonzero(judged & (log.sizes == k))  # (T,)
        rows = log.shown[log.starts[screens][:, None] + np.arange(k)]  # (T, k)
        tied = (log.kinds[screens] == TIE)[:, None]
        target = np.where(tied, 1 / k, rows == log.winners[screens][:, None])
        parts.append((rows, target, per_screen[screens]))
    return _screens(parts, len(log.images))


def _screens(parts: Iterable[tuple[Ints, Floats, Floats]], n: int) -> Screens:
    parts = [part for part in parts if len(part[0])]
    ends = [rows[:, np.triu_indices(rows.shape[1], 1)] for rows, _, _ in parts]  # (T, 2, pairs) each
    flat = [np.concatenate([e[:, side].ravel() for e in ends] or [np.zeros(0, np.int64)]) for side in (0, 1)]
    graph, edge = make_graph(np.minimum(*flat), np.maximum(*flat), n)
    cuts = np.cumsum([e[:, 0].size for e in ends])[:-1]
    groups = [
        Group(rows, target, weights, edges.reshape(len(rows), -1))
        for (rows, target, weights), edges in zip(parts, np.split(edge, cuts), strict=True)
    ] if parts else []  # fmt: skip
    return Screens(n, tuple(groups), graph)


def log_likelihood(shown: Floats, target: Floats) -> Floats:
    """(…) of screens with utilities shown (…, k)."""
    top = shown.max(axis=-1)
    spread = top + np.log(np.exp(shown - top[..., None]).sum(axis=-1))
    return np.einsum("...k,...k->...", target, shown) - spread


def softmax(shown: Floats) -> Floats:
    """(T, k) probability of each image to be chosen."""
    grown = np.exp(shown - shown.max(axis=1, keepdims=True))
    return grown / grown.sum(axis=1, keepdims=True)
