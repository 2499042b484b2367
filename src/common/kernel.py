"""The kernel exp(−‖x − x'‖² / ℓ²), and low-rank vectors whose products are its values: of ratings and of predictors.

With landmarks z (m, D) and K = K(z, z), the vectors of x are K(x, z) K^(-1/2), so that vectors vectorsᵀ ≈ K(x, x');
exactly where x are the landmarks themselves. Nyström's approximation (Williams & Seeger, 2001).
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh

Floats = NDArray[np.float64]
BLOCK = 4096  # images whose similarities to the landmarks are in memory at once
SMALLEST_EIGENVALUE = 1e-10  # of the largest: below, eigenvectors are noise


def squared_distances(a: np.ndarray, b: np.ndarray) -> Floats:
    """(A, B) from (A, D) and (B, D), at least 0."""
    of_a, of_b = (np.einsum("nd,nd->n", x, x, dtype=np.float64) for x in (a, b))
    return np.maximum(of_a[:, None] + of_b - 2 * (a @ b.T), 0.0)


def draw_landmarks(count: int, whole_up_to: int, landmarks: int, seed: int) -> NDArray[np.int64]:
    """Ascending row numbers: all of up to `whole_up_to` rows, of more `landmarks` drawn at random."""
    if count <= whole_up_to:
        return np.arange(count)
    return np.sort(np.random.default_rng(seed).choice(count, landmarks, replace=False))


def low_rank(squared: Floats, length: float, rank: int) -> Floats:
    """K^(-1/2) (m, r) in the `rank` leading eigenvectors of the landmarks' kernel, fewer where that has fewer.

    squared: (m, m) distances between landmarks. length: ℓ², above 0.
    """
    m, kernel = len(squared), np.exp(-squared / length)
    if rank >= m:
        values, basis = eigh(kernel, driver="evd", overwrite_a=True)  # the quickest for all of them
    else:
        values, basis = eigh(kernel, subset_by_index=(m - rank, m - 1), overwrite_a=True)
    kept = values > SMALLEST_EIGENVALUE * values[-1]
    return basis[:, kept] / np.sqrt(values[kept])


def vectors_of(x: np.ndarray, landmarks: np.ndarray, length: float, onto: Floats) -> Floats:
    """(n, r) of x (n, D). onto: what `low_rank` gave for these landmarks and this ℓ²."""
    parts = [np.exp(-squared_distances(part, landmarks) / length) @ onto for part in _blocks(x)]
    return np.concatenate(parts) if parts else np.zeros((0, onto.shape[1]))


def _blocks(x: np.ndarray) -> Iterator[np.ndarray]:
    for start in range(0, len(x), BLOCK):
        yield x[start : start + BLOCK]
