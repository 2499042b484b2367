"""How alike images are, by their features: the prior of the assisted ratings, as a low-rank matrix."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..common import (
    UserError,
    draw_landmarks,
    low_rank,
    one_blas_thread,
    squared_distances,
    standardisation,
    vectors_of,
    weighing_alike,
)
from .log import Floats, Ints

RANK = 128
POWER = 1.5  # of the kernel: tastes vary more along its leading eigenvectors than it says itself
WHOLE_UP_TO = 2000  # images; beyond, the eigenvectors come from landmarks
LANDMARKS = 1000
NOTHING = 1e-9  # of the largest eigenvalue
SAME = 1e-6  # a size of vectors below this: all images have the same features


@dataclass(frozen=True)
class Similarity:
    """vectors vectorsᵀ: the leading part of K, centred, to the power 1.5, and scaled to a mean diagonal of 1.

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


def make_similarity(
    images: Ints, features: np.ndarray, rank: int = RANK, seed: int = 0, widths: Sequence[int] = ()
) -> Similarity:
    """Of K = exp(−‖x − x'‖² / median ‖x − x'‖²) of standardised features, in its `rank` leading eigenvectors.

    images: (n,) ids, ascending, without repeats; features: (n, D), a row each, finite. widths: of the hidden states
    that stand side by side in it, D together, which weigh alike, however wide they are; () where it is one. Up to
    2,000 images it is the eigendecomposition; beyond, Nyström's approximation from 1,000 images drawn at random
    (Williams & Seeger, 2001). Takes a second or two; do it once. Raises UserError where images and features don't fit
    together, or features aren't finite.
    """
    _check(images, features)
    if len(images) < 2:
        return Similarity(images, np.zeros((len(images), 0)))
    shift, scale = standardisation(features)
    x = ((features - shift) / (scale * weighing_alike(widths or [features.shape[1]]))).astype(np.float32)
    chosen = draw_landmarks(len(x), WHOLE_UP_TO, LANDMARKS, seed)
    with one_blas_thread():
        vectors = _vectors(x, x[chosen], rank)
        vectors = _to_the_power(vectors - vectors.mean(axis=0))
    size = np.sqrt(np.mean(np.sum(vectors**2, axis=1)))
    return Similarity(images, vectors / size if size > SAME else np.zeros_like(vectors))


def _to_the_power(vectors: Floats) -> Floats:
    """Those of (vectors vectorsᵀ)^POWER, (n, r), without directions of which centring left nothing."""
    values, basis = np.linalg.eigh(vectors.T @ vectors)
    there = values > NOTHING * values.max(initial=0)
    return vectors @ (basis[:, there] * values[there] ** ((POWER - 1) / 2))


def _vectors(x: np.ndarray, landmarks: np.ndarray, rank: int) -> Floats:
    squared = squared_distances(landmarks, landmarks)
    median = float(np.median(squared[np.triu_indices(len(landmarks), 1)])) or 1.0
    return vectors_of(x, landmarks, median, low_rank(squared, median, rank))


def _check(images: Ints, features: np.ndarray) -> None:
    if features.ndim != 2 or len(features) != len(images):
        raise UserError(f"features of shape {features.shape} for {len(images)} images: a row for each is needed")
    if np.any(np.diff(images) <= 0):
        raise UserError("the images of a similarity must be in ascending order, each once")
    wrong = np.flatnonzero(~np.isfinite(features).all(axis=1))
    if len(wrong):
        raise UserError(f"image {images[wrong[0]]}: its features aren't finite; extract them again")
