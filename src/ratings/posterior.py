"""The utilities' posterior by Laplace's approximation, with a low-rank Gaussian prior: mode and errors.

With the prior covariance C = ΦΦᵀ + D, D diagonal, and the choices' curvature W, a graph's Laplacian, the posterior
precision is H = C⁻¹ + W. The sparse part P = D⁻¹ + W is that of Bradley-Terry ratings with own priors; Woodbury's
identity adds the features: H⁻¹ = P⁻¹ + X S⁻¹ Xᵀ with X = P⁻¹D⁻¹Φ (n, r) and S = 1 + ΦᵀD⁻¹(Φ − X) (r, r).
Rasmussen & Williams (2006), chapter 3, for Laplace's approximation; Chu & Ghahramani (2005) for preferences.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.linalg import cho_solve, cholesky, solve_triangular

from .log import Floats
from .precision import Graph, Precision, conjugate_gradients, dot, variances
from .screens import Screens

STALE = 0.02  # natural units: how far a utility may move before the curvature is worked out again
SETTLED = 1e-5  # natural units: Newton stops when no utility moves further
CLOSE = 1e-3  # relative accuracy of X


@dataclass(frozen=True)
class Prior:
    """N(mean, vectors vectorsᵀ + diag(own)). mean: (n,). vectors: (n, r). own: (n,) above 0. Natural units."""

    mean: Floats
    vectors: Floats
    own: Floats

    @cached_property
    def scaled(self) -> Floats:
        """D⁻¹Φ (n, r)."""
        return self.vectors / self.own[:, None]

    @property
    def deviations(self) -> Floats:
        """(n,) of each utility by itself."""
        return np.sqrt(np.einsum("nr,nr->n", self.vectors, self.vectors) + self.own)

    @cached_property
    def inner(self) -> Floats:
        """1 + ΦᵀD⁻¹Φ (r, r)."""
        return np.eye(self.vectors.shape[1]) + self.vectors.T @ self.scaled

    @cached_property
    def _triangle(self) -> Floats:
        return cholesky(self.inner, lower=True)

    def precision_times(self, v: Floats) -> Floats:
        """C⁻¹v, v: (n,)."""
        return v / self.own - self.scaled @ cho_solve((self._triangle, True), self.scaled.T @ v)


@dataclass(frozen=True)
class Curvature:
    """H = C⁻¹ + W at some utilities, ready to be solved. sparse: P. through: X (n, r) float32. triangle: LLᵀ = S."""

    sparse: Precision
    through: Floats
    triangle: Floats

    def solve(self, b: Floats) -> Floats:
        """H⁻¹b, b: (n,) or (n, m)."""
        onto = self.through.T @ b.astype(np.float32)  # (r,) or (r, m)
        learned = self.through @ cho_solve((self.triangle, True), onto).astype(np.float32)
        return conjugate_gradients(self.sparse, b, CLOSE) + learned

    @cached_property
    def variances(self) -> tuple[Floats, Floats]:
        """(n,) of the utilities and (E,) of the gaps; their sparse part is exact up to EXACT_UP_TO images met."""
        inverse = solve_triangular(self.triangle, np.eye(len(self.triangle)), lower=True).astype(np.float32)
        learned = self.through @ inverse.T  # (n, r)
        of_images, of_gaps = variances(self.sparse)
        gaps = learned[self.sparse.graph.first] - learned[self.sparse.graph.second]  # (E, r)
        return of_images + np.einsum("nr,nr->n", learned, learned), of_gaps + np.einsum("er,er->e", gaps, gaps)

    def springs_times(self, v: Floats) -> Floats:
        """Wv, v: (n,) or (n, m)."""
        return self.sparse @ v - self.sparse.prior.reshape(-1, *([1] * (v.ndim - 1))) * v

    def log_determinant(self) -> float:
        """log |CH| = log |1 + CW|. Exact; takes the images with choices cubed."""
        met = self.sparse.graph.met
        of_p = 2 * np.log(np.diag(self.sparse.triangle_of_met)).sum() if len(met) else 0.0
        return float(of_p - np.log(self.sparse.prior[met]).sum() + 2 * np.log(np.diag(self.triangle)).sum())


@dataclass(frozen=True)
class Mode:
    """Where the posterior is highest: utilities (n,), natural units, and the curvature there."""

    utilities: Floats
    curvature: Curvature


def find_mode(
    screens: Screens,
    prior: Prior,
    start: Floats | None = None,
    through: Floats | None = None,
    settled: float = SETTLED,
) -> Mode:
    """The maximum a posteriori by Newton's method. start: (n,), through: (n, r), of an earlier fit, to be quick.

    The posterior is concave, so there is one maximum. The curvature is kept while no utility has moved further
    than STALE; the slope is always exact, so this costs steps, not accuracy.
    """
    u = prior.mean.copy() if start is None else start.copy()
    curvature, moved = curvature_at(screens, prior, u, through), 0.0
    for _ in range(200):
        slope = screens.slope(u) - prior.precision_times(u - prior.mean)
        step = curvature.solve(slope)
        largest = np.max(np.abs(step), initial=0.0)
        size = 1.0 if largest < STALE else _step_size(screens, prior, u, step, dot(slope, step))
        u = u + size * step
        moved += size * largest
        if moved > STALE:
            curvature, moved = curvature_at(screens, prior, u, curvature.through), 0.0
        if largest < settled:
            return Mode(u, curvature)
    raise ArithmeticError("the assisted fit didn't settle in 200 steps; are all weights and prior means finite?")


def curvature_at(screens: Screens, prior: Prior, u: Floats, through: Floats | None = None) -> Curvature:
    """The posterior's curvature at utilities u (n,). through: a guess at X."""
    return curvature_of(screens.graph, prior, screens.curvature(u), through)


def curvature_of(graph: Graph, prior: Prior, springs: Floats, through: Floats | None = None) -> Curvature:
    """H where W is the Laplacian of these springs (E,)."""
    sparse = Precision(graph, 1 / prior.own, springs)
    scaled = prior.scaled.astype(np.float32)  # twice as quick, and far closer than CLOSE
    x = conjugate_gradients(sparse, scaled, CLOSE, prior.vectors.astype(np.float32) if through is None else through)
    inner = prior.inner - scaled.T @ x
    return Curvature(sparse, x, cholesky((inner + inner.T) / 2, lower=True))


def _step_size(screens: Screens, prior: Prior, u: Floats, step: Floats, slope: float) -> float:
    off, pulled = u - prior.mean, prior.precision_times(step)
    linear, square = dot(off, pulled), dot(step, pulled)
    before = screens.loss(u)
    size = 1.0
    while size > 1e-6 and (
        screens.loss(u + size * step) + size * linear + 0.5 * size**2 * square > before - 1e-4 * size * slope + 1e-9
    ):
        size /= 2
    return size
