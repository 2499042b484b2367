"""The precision matrix of ratings: a prior for each image, and a spring between each two images that met."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.linalg import lapack
from scipy.sparse import csr_array

from .log import Floats, Ints

EXACT_UP_TO = 1500  # images with choices; the exact inverse takes about 0.1 s there, and grows as N³
NO_GAUSSIAN = "the ratings' precision is not positive definite; are all priors and weights finite and above 0?"


@dataclass(frozen=True)
class Graph:
    """Which of N images met: E edges.

    first, second: (E,) rows, first < second, each pair once. incidence: (E, N) sparse, +1 at first, −1 at second.
    """

    first: Ints
    second: Ints
    incidence: csr_array
    transposed: csr_array

    @cached_property
    def met(self) -> Ints:
        """Rows of the images that met any other, ascending."""
        return np.unique(np.concatenate([self.first, self.second]))


def make_graph(low: Ints, high: Ints, n: int) -> tuple[Graph, Ints]:
    """The graph of n images, and for each of M meetings of rows low < high its edge, (M,)."""
    keys, edge = np.unique(low * n + high, return_inverse=True)
    first, second = np.divmod(keys, max(n, 1))
    e = len(keys)
    ends = np.stack([first, second], axis=1).ravel()  # (2E,)
    incidence = csr_array((np.tile([1.0, -1.0], e), ends, np.arange(0, 2 * e + 1, 2)), shape=(e, n))
    return Graph(first, second, incidence, incidence.T.tocsr()), edge


@dataclass(frozen=True)
class Precision:
    """diag(prior) + incidenceᵀ diag(weights) incidence. prior: (N,) above 0. weights: (E,) 0 or more."""

    graph: Graph
    prior: Floats
    weights: Floats

    @cached_property
    def diagonal(self) -> Floats:
        n = len(self.prior)
        met = np.bincount(self.graph.first, self.weights, n) + np.bincount(self.graph.second, self.weights, n)
        return self.prior + met

    def __matmul__(self, x: np.ndarray) -> np.ndarray:
        """x: (N,) or (N, m); many columns are quicker in float32."""
        if x.ndim == 2:
            return (self._matrix if x.dtype == np.float64 else self._single) @ x
        return self.prior * x + self.graph.transposed @ (self.weights * (self.graph.incidence @ x))

    @cached_property
    def triangle_of_met(self) -> Floats:
        """(m, m) whose lower half L has LLᵀ = the rows and columns of the m images that met any other."""
        graph, met = self.graph, self.graph.met
        dense = np.diag(self.diagonal[met])
        # the lower half is all that is read
        dense[np.searchsorted(met, graph.second), np.searchsorted(met, graph.first)] = -self.weights
        triangle, failed = lapack.dpotrf(dense, lower=1, overwrite_a=1)
        if failed:
            raise ArithmeticError("the fit of the ratings isn't finite; are all priors and weights finite?")
        return triangle

    @cached_property
    def _single(self) -> csr_array:
        return self._matrix.astype(np.float32)

    @cached_property
    def _matrix(self) -> csr_array:
        first, second, n = self.graph.first, self.graph.second, len(self.prior)
        rows, columns = np.concatenate([first, second, np.arange(n)]), np.concatenate([second, first, np.arange(n)])
        values = np.concatenate([-self.weights, -self.weights, self.diagonal])
        return csr_array((values, (rows, columns)), shape=(n, n))


def dot(a: Floats, b: Floats) -> float:
    # Not a @ b: BLAS would share long vectors out between threads, which takes 20 times as long on a busy computer.
    return float(np.einsum("i,i", a, b))


def conjugate_gradients(
    precision: Precision, b: np.ndarray, tolerance: float | None = None, start: np.ndarray | None = None
) -> np.ndarray:
    """x with precision @ x ≈ b, of the type of b: (N,), or (N, m) for m systems at once. start: a guess at x.

    The rest is at most tolerance × b, measured with the diagonal; None: closer, the smaller b is, as Newton's method
    wants it (Dembo, Eisenstat & Steihaug, 1982). Hestenes & Stiefel (1952), scaled by the diagonal.
    ArithmeticError where the precision is found not to be positive definite.
    """
    if not np.all(precision.diagonal > 0):
        raise ArithmeticError(NO_GAUSSIAN)
    diagonal = precision.diagonal.astype(b.dtype).reshape(-1, *([1] * (b.ndim - 1)))
    whole = _inner(b, b / diagonal)
    enough = whole * (np.minimum(0.1, np.sqrt(whole)) if tolerance is None else tolerance) ** 2
    x = np.zeros_like(b) if start is None else start.copy()
    rest = b.copy() if start is None else b - precision @ x
    scaled = rest / diagonal
    direction, size = scaled.copy(), _inner(rest, scaled)
    for _ in range(10 * len(b)):
        if np.all(size <= enough):
            break
        turned = precision @ direction
        curvature = _inner(direction, turned)
        if np.any((curvature < 0) & (size > enough)):
            raise ArithmeticError(NO_GAUSSIAN)
        length = _ratio(size, curvature)
        x += length * direction
        rest -= length * turned
        np.divide(rest, diagonal, out=scaled)
        size, previous = _inner(rest, scaled), size
        direction *= _ratio(size, previous)
        direction += scaled
    return x


def _inner(a: Floats, b: Floats) -> Floats:
    return np.einsum("n...,n...->...", a, b)


def _ratio(a: Floats, b: Floats) -> Floats:
    """a / b, and 0 for a system that is solved already."""
    return np.divide(a, b, out=np.zeros_like(a), where=b > 0)


def inverse_diagonal(precision: Precision) -> Floats:
    """(N,) the diagonal of the inverse: exact up to EXACT_UP_TO images with choices, beyond that nearly."""
    return variances(precision)[0]


def variances(precision: Precision) -> tuple[Floats, Floats]:
    """(N,) of the images, and (E,) of the gaps between those that met; exact or nearly, as above."""
    graph, met = precision.graph, precision.graph.met
    if len(met) > EXACT_UP_TO:
        return _variances_by_messages(precision)
    of_images, of_gaps = 1 / precision.prior, np.zeros(len(graph.first))
    if len(met):
        inverse = inverse_of_met(precision)
        of_images[met] = np.diag(inverse)
        both = inverse[np.searchsorted(met, graph.second), np.searchsorted(met, graph.first)]  # in the lower half
        of_gaps = of_images[graph.first] + of_images[graph.second] - 2 * both
    return of_images, of_gaps


def inverse_of_met(precision: Precision) -> Floats:
    """(m, m) of the m ≥ 1 images that met any other: the inverse of their rows and columns; its lower half only."""
    inverse, failed = lapack.dpotri(precision.triangle_of_met, lower=1)
    if failed:
        raise ArithmeticError("the fit of the ratings isn't finite; are all priors and weights finite?")
    return inverse


def _variances_by_messages(precision: Precision) -> tuple[Floats, Floats]:
    """Gaussian belief propagation: each image tells each it met how firmly the rest of its choices hold it.

    Exact on trees; a graph of choices between thousands of images has few short loops. Never too large, for it
    counts only the walks that turn back: Weiss & Freeman (2001); Malioutov, Johnson & Willsky (2006).
    """
    graph, n = precision.graph, len(precision.prior)
    source, target = np.concatenate([graph.first, graph.second]), np.concatenate([graph.second, graph.first])
    squared = np.tile(np.square(precision.weights), 2)  # (2E,): each edge is told about both ways
    told = np.zeros(len(source))  # how much precision `target` loses because `source` isn't known
    firm = precision.diagonal
    for _ in range(1000):
        before = told
        back = np.roll(before, len(before) // 2)  # what the target told the source must not come back to it
        told = squared / (firm[source] + back)
        firm = precision.diagonal - np.bincount(target, told, n)
        if np.max(np.abs(told - before)) < 1e-6 * np.max(precision.diagonal):
            break
    to_second, to_first = np.split(told, 2)
    if not np.all(firm > 0):
        raise ArithmeticError(NO_GAUSSIAN)
    a, b, w = firm[graph.first] + to_first, firm[graph.second] + to_second, precision.weights
    return 1 / firm, (a + b - 2 * w) / (a * b - w**2)
