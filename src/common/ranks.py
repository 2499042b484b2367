"""Two lists of scores, one beside the other, and the ranks in them."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


def pair(first: ArrayLike, second: ArrayLike) -> tuple[Floats, Floats]:
    """Both as (N,) float64; ValueError if they are no two lists of the same length."""
    a, b = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    if a.ndim != 1 or a.shape != b.shape:
        raise ValueError(f"two lists of the same length are needed, not shapes {a.shape} and {b.shape}")
    return a, b


def dense_ranks(values: Floats) -> NDArray[np.int64]:
    """Ranks 0, 1, 2… without gaps, equal for equal values."""
    return np.unique(values, return_inverse=True)[1].reshape(-1).astype(np.int64)


def mean_ranks(values: Floats) -> Floats:
    """Ranks 1…N; ties share their mean rank."""
    return shared_ranks(dense_ranks(values))


def shared_ranks(dense: NDArray[np.int64]) -> Floats:
    """`mean_ranks` of numbers 0, 1, 2…, of which some may be missing; nothing is sorted."""
    counts = np.bincount(dense)
    last = np.cumsum(counts)
    return (last - (counts - 1) / 2)[dense]
