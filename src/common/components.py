"""Principal components of images with more features than there are images."""

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh

SMALLEST = 1e-9  # of the largest variance: what is below is rounding


def principal_components(x: np.ndarray, count: int) -> NDArray[np.float64]:
    """(p, D) orthonormal rows, of x (n, D), of mean 0 already: the `count` leading ones, or fewer where x has fewer.

    By the eigenvectors of the images' products: quick where n is some thousands, whatever D is.
    """
    n = len(x)
    values, vectors = eigh(x @ x.T, subset_by_index=(max(0, n - count), n - 1))
    kept = values > SMALLEST * max(values[-1], SMALLEST)  # none, where all images have the same features
    return (vectors[:, kept] / np.sqrt(values[kept])).T @ x
