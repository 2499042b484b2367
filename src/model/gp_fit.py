"""From features and scores to a Gaussian process: hyperparameters by leave-one-out, the rest in closed form."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve, eigh
from scipy.optimize import minimize
from torch import Tensor

from ..common import (
    draw_landmarks,
    low_rank,
    one_blas_thread,
    squared_distances,
    torch_threads,
    vectors_of,
)
from .config import PredictorConfig
from .gp import GaussianProcess, refuse_weighing
from .projection import Projection, fit_projection

Floats = NDArray[np.float64]
COMPONENTS = 512  # principal components of the features; half as many cost 0.005 Spearman on OASIS
WHOLE_UP_TO, LANDMARKS = 2000, 2000  # up to so many images it is exact, beyond by so many of them
FOR_HYPERPARAMETERS = 1000  # images that length, variance and noise are found on
COLUMNS = 512  # of root
WIDE = 100.0  # variance of the constant mean's own prior, in variances of the scores: nothing is known of it
SMALLEST_NOISE = 0.02  # of the scores' variance; below, weights grow so large that float32 rounds them
STEPS = 15  # of the search for hyperparameters
# Where that search begins: ℓ² in mean squared distances, σ² and noise in variances of the scores; and how many
# factors of e from there count as one standard deviation of their prior.
START, SPREAD = (0.7, 0.65, 0.05), np.array([0.5, 0.5, 1.0])


@dataclass(frozen=True)
class Hyperparameters:
    """length: ℓ². variance: σ². noise: variance of a score with an error of 0. In units of standardised scores."""

    length: float
    variance: float
    noise: float


@dataclass(frozen=True)
class Examples:
    """z: (N, p) float32 projected features. targets: (N,) standardised. certainty: (N,) what divides the noise.
    errors2: (N,) the variance that a score is known to have of its own, in squared deviations.
    """

    z: NDArray[np.float32]
    targets: Floats
    certainty: Floats
    errors2: Floats

    def of(self, rows: NDArray[np.int64]) -> "Examples":
        """Some of them."""
        return Examples(self.z[rows], self.targets[rows], self.certainty[rows], self.errors2[rows])


def fit_gaussian_process(
    config: PredictorConfig,
    inputs: Tensor,
    scores: NDArray[np.floating],
    weights: NDArray[np.floating] | None = None,
    errors: NDArray[np.floating] | None = None,
    seed: int = 0,
) -> GaussianProcess:
    """A Gaussian process fitted on N images; on the CPU, in seconds.

    inputs: (N, W), what `arrange` gives in mode join or average. scores: (N,), any scale, 2 or more. weights: (N,) 0
    or more, which divide the noise; images of weight 0 are left out. errors: (N,) standard errors of the scores, on
    their scale, nan where unknown; their squares are added to the noise. seed: draws the landmarks beyond 2,000
    images, and the images that hyperparameters are found on beyond 1,000.
    """
    refuse_weighing(config)
    with one_blas_thread(), torch_threads(1):
        rows = np.arange(len(scores)) if weights is None else np.flatnonzero(np.asarray(weights) > 0)
        taken = inputs.cpu().numpy()[rows]
        projection = fit_projection(taken, config.column_blocks, COMPONENTS, seed)
        mean, deviation = float(np.mean(np.asarray(scores)[rows])), float(np.std(np.asarray(scores)[rows])) or 1.0
        known = Examples(
            projection.of(taken),
            (np.asarray(scores, dtype=np.float64)[rows] - mean) / deviation,
            np.ones(len(rows)) if weights is None else _normalised(np.asarray(weights, dtype=np.float64)[rows]),
            np.zeros(len(rows)) if errors is None else np.nan_to_num(np.asarray(errors)[rows] / deviation) ** 2,
        )
        found = find_hyperparameters(known, seed)
        config = replace(config, score_mean=mean, score_deviation=deviation)
        predictor = _assembled(config, projection, known, found, seed)
        predictor.unseen_rows = rows[predictor.unseen_rows]
        return predictor.to(inputs.device)


def _normalised(weights: Floats) -> Floats:
    return weights / weights.mean()


def find_hyperparameters(examples: Examples, seed: int = 0) -> Hyperparameters:
    """Those with the highest leave-one-out log predictive density, Rasmussen & Williams (2006), 5.4.2.

    Gently drawn to START, so that a handful of images can't lead far astray.
    """
    some = examples.of(draw_landmarks(len(examples.z), FOR_HYPERPARAMETERS, FOR_HYPERPARAMETERS, seed))
    squared = torch.from_numpy(squared_distances(some.z, some.z)).double()
    start = np.log([START[0] * (float(squared.mean()) or 1.0), *START[1:]])

    def loss(logs: Floats) -> tuple[float, Floats]:
        off = (logs - start) / SPREAD
        value, slopes = leave_one_out(squared, some, Hyperparameters(*map(float, np.exp(logs))))
        return 0.5 * float(off @ off) - value, off / SPREAD - slopes

    best = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": STEPS, "ftol": 1e-5}).x
    length, variance, noise = np.exp(best)
    return Hyperparameters(float(length), float(variance), float(noise) + SMALLEST_NOISE)


def leave_one_out(squared: Tensor, examples: Examples, at: Hyperparameters) -> tuple[float, Floats]:
    """Sum over images of log p(score | all others), and its slopes (3,) by the logarithms of length, variance, noise.

    squared: (N, N) distances. The noise is SMALLEST_NOISE more than `at` says. With κ the diagonal of the inverse
    covariance C⁻¹ and α = C⁻¹ scores, it is Σ ½ log κ − ½ α²/κ − ½ log 2π, and its change Σ G ∘ dC.
    """
    targets, certainty, own = (torch.from_numpy(x) for x in (examples.targets, examples.certainty, examples.errors2))
    kernel = at.variance * torch.exp(-squared / at.length)
    noises = (at.noise + SMALLEST_NOISE) / certainty + own
    inverse = torch.cholesky_inverse(torch.linalg.cholesky(kernel + WIDE + torch.diag(noises)))
    alpha, kappa = inverse @ targets, inverse.diagonal()
    value = 0.5 * (torch.log(kappa) - alpha**2 / kappa - math.log(2 * math.pi)).sum()
    by_kappa = 0.5 * (1 / kappa + alpha**2 / kappa**2)
    change = torch.outer(inverse @ (alpha / kappa), alpha) - (inverse * by_kappa) @ inverse  # G (N, N)
    pulled = change * kernel
    slopes = [(pulled * squared).sum() / at.length, pulled.sum(), (change.diagonal() * at.noise / certainty).sum()]
    return float(value), np.array([float(slope) for slope in slopes])


def _assembled(
    config: PredictorConfig,
    projection: Projection,
    examples: Examples,
    found: Hyperparameters,
    seed: int,
) -> GaussianProcess:
    landmarks = examples.z[draw_landmarks(len(examples.z), WHOLE_UP_TO, LANDMARKS, seed)]
    onto = low_rank(squared_distances(landmarks, landmarks), found.length, len(landmarks))
    vectors = vectors_of(examples.z, landmarks, found.length, onto)  # (N, r)
    precisions = _precisions(vectors, examples, found)
    mean, weights, covariance = _regression(vectors, precisions, examples.targets, found.variance)
    reduction, directions = eigh(found.variance * np.eye(len(covariance)) - covariance)
    kept = slice(max(0, len(reduction) - COLUMNS), None)
    root = onto @ (directions[:, kept] * np.sqrt(np.maximum(reduction[kept], 0)))  # (m, columns)
    deviation = config.score_deviation
    constants = [
        config.score_mean + deviation * mean,
        deviation**2 * (found.variance + found.noise),
        found.length,
    ]
    predictor = GaussianProcess(config, (len(projection.components), *root.shape))
    values = {**vars(projection), "landmarks": landmarks, "weights": deviation * (onto @ weights)}
    _fill(predictor, {**values, "root": deviation * root, "constants": np.array(constants)})
    some = draw_landmarks(len(vectors), WHOLE_UP_TO, LANDMARKS, seed)
    residuals = (examples.targets - mean - vectors @ weights)[some]
    known = precisions[some] * np.einsum("nr,nr->n", vectors[some] @ covariance, vectors[some])  # below 1
    predictor.unseen = config.score_mean + deviation * (examples.targets[some] - residuals / (1 - known))
    predictor.unseen_rows = some
    return predictor.eval()


def _precisions(vectors: NDArray[np.floating], examples: Examples, found: Hyperparameters) -> Floats:
    """(N,) of the noise of each score: 1 / variance.

    What the vectors leave of an image's own variance counts as noise of its own: Snelson & Ghahramani (2006).
    """
    left = np.maximum(0.0, 1 - np.einsum("nr,nr->n", vectors, vectors))
    return 1 / (found.noise / examples.certainty + examples.errors2 + found.variance * left)


def _regression(
    vectors: NDArray[np.floating], precisions: Floats, targets: Floats, variance: float
) -> tuple[float, Floats, Floats]:
    """The constant mean, the weights (r,) of vectors (N, r), and their covariance (r, r)."""
    weighed = vectors * precisions[:, None]
    factor = cho_factor(vectors.T @ weighed + np.eye(vectors.shape[1]) / variance, lower=True)
    both = np.stack([np.ones(len(vectors)), targets], axis=1)
    ones, others = (both - vectors @ cho_solve(factor, weighed.T @ both)).T  # noise times the inverse covariance
    mean = float((precisions @ others) / (precisions @ ones))
    weights = cho_solve(factor, weighed.T @ (targets - mean))
    return mean, weights, cho_solve(factor, np.eye(vectors.shape[1]))


@torch.no_grad()
def _fill(predictor: GaussianProcess, values: Mapping[str, np.ndarray]) -> None:
    for name, parameter in predictor.named_parameters():
        parameter.copy_(torch.from_numpy(np.asarray(values[name])))
