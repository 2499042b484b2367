"""How alike images are, by their features: the prior of the assisted ratings, as a low-rank matrix."""

from dataclasses import dataclass

import numpy as np
from scipy.linalg import eigh
from threadpoolctl import threadpool_limits

from ..common import UserError, standardisation
from .log import Floats, Ints

RANK = 128
WHOLE_UP_TO = 2000  # images; beyond, the eigenvectors come from landmarks
LANDMARKS = 1000
SAME = 1e-6  # a size of vectors below this: all images have the same features
BLOCK = 4096  # images whose similarities to the landmarks are in memory at once


@dataclass(frozen=True)
class Similarity:
    """vectors vectorsᵀ: K's leading part, up to a shift that all images share, scaled to a mean diagonal of 1.

    images: (n,) ids, ascending. vectors: (n, r), of mean 0: choices say nothing of a common shift of all utilities,
    and without it errors are those of the differences, and the scale that of the differences.
    """

    images: Ints
    vectors: Floats

    def of(self, images: Ints) -> Floats:
        """vectors (N, r) of these ids, ascending; 0, like no other, for an image without features."""
        vectors = np.zeros((len(images), self.vectors.shape[1]))
        _, here, there = np.intersect1d(images, self.images, assume_unique=True, return_indices=True)
        vectors[here] = self.vectors[there]
        return vectors


def make_similarity(images: Ints, features: np.ndarray, rank: int = RANK, seed: int = 0) -> Similarity:
    """K = exp(−‖x − x'‖² / median ‖x − x'‖²) of standardised features, in its `rank` leading eigenvectors.

    images: (n,) ids, ascending, without repeats; features: (n, D), a row each, finite. Up to 2,000 images it is the
    eigendecomposition; beyond, Nyström's approximation from 1,000 images drawn at random (Williams & Seeger, 2001).
    Takes a second or two; do it once. Raises UserError where images and features don't fit together, or features
    aren't finite.
    """
    _check(images, features)
    if len(images) < 2:
        return Similarity(images, np.zeros((len(images), 0)))
    shift, scale = standardisation(features)
    x = ((features - shift) / scale).astype(np.float32)
    rng = np.random.default_rng(seed)
    chosen = np.arange(len(x)) if len(x) <= WHOLE_UP_TO else np.sort(rng.choice(len(x), LANDMARKS, replace=False))
    with threadpool_limits(1, user_api="blas"):
        vectors = _eigenvectors(x, x[chosen], min(rank, len(chosen)))
    vectors -= vectors.mean(axis=0)
    size = np.sqrt(np.mean(np.sum(vectors**2, axis=1)))
    return Similarity(images, vectors / size if size > SAME else np.zeros_like(vectors))


def _eigenvectors(x: np.ndarray, landmarks: np.ndarray, rank: int) -> Floats:
    squared = _squared_distances(landmarks, landmarks)
    m = len(landmarks)
    median = float(np.median(squared[np.triu_indices(m, 1)])) or 1.0
    values, basis = eigh(np.exp(-squared / median), subset_by_index=(m - rank, m - 1))
    kept = values > 1e-10 * values[-1]
    onto = basis[:, kept] / np.sqrt(values[kept])  # (m, r): K(x, landmarks) @ onto are the vectors of x
    blocks = [
        np.exp(-_squared_distances(x[i : i + BLOCK], landmarks) / median) @ onto for i in range(0, len(x), BLOCK)
    ]
    return np.concatenate(blocks)


def _squared_distances(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(A, B) from (A, D) and (B, D)."""
    of_a, of_b = (np.einsum("nd,nd->n", x, x, dtype=np.float64) for x in (a, b))
    return np.maximum(of_a[:, None] + of_b - 2 * (a @ b.T), 0.0)


def _check(images: Ints, features: np.ndarray) -> None:
    if features.ndim != 2 or len(features) != len(images):
        raise UserError(f"features of shape {features.shape} for {len(images)} images: a row for each is needed")
    if np.any(np.diff(images) <= 0):
        raise UserError("the images of a similarity must be in ascending order, each once")
    wrong = np.flatnonzero(~np.isfinite(features).all(axis=1))
    if len(wrong):
        raise UserError(f"image {images[wrong[0]]}: its features aren't finite; extract them again")
