"""Gaussian processes for a search's data: what losses and weights mean to them."""

import numpy as np

from ..model import GaussianProcess, fit_gaussian_process
from ..ratings import AssistedFit, Log, make_log, make_similarity
from ..scores import balanced
from .dataset import Dataset
from .settings import TrainingSettings

PARTNERS = 10  # for loss ab: images of another score that each image is compared with
SMALLEST_SLOPE = 1e-6  # of scores by ratings; below zero it would turn the order that was chosen upside down


def fit_process(settings: TrainingSettings, data: Dataset) -> GaussianProcess:
    """A Gaussian process of the train split, by the loss of the networks.

    mse, nll: the images count alike, or as balancing has it. wmse: as their weights say. Standard errors of the
    scores, where they are known, join the noise; weights from them don't, as that would count them twice. ab,
    choices: the scores are ratings of the choices, assisted by these features, with their errors, on the scale of
    the scores. Raises UserError in mode weight.
    """
    rows, times = _rows(settings, data)
    weights = times.astype(np.float64)
    if settings.loss_model == "wmse":
        weights = weights * data.weights[rows]
    inputs, errors = data.inputs[rows.tolist()], None if data.errors is None else data.errors[rows]
    scores = data.scores[rows]
    if settings.loss_model in ("ab", "choices"):
        scores, errors = _ratings(settings, data, rows, inputs.cpu().numpy())
    if settings.weight_by_error and errors is None and data.error_weights is not None:
        weights = weights * data.error_weights[rows]
    alike = bool((weights == weights[0]).all())
    process = fit_gaussian_process(data.config, inputs, scores, None if alike else weights, errors, settings.seed)
    process.unseen_rows = rows[process.unseen_rows]
    return process


def _rows(settings: TrainingSettings, data: Dataset) -> tuple[np.ndarray, np.ndarray]:
    """Rows of the train split, each once, and how often balancing has each."""
    rows = data.rows("train")
    if data.groups is not None:
        rows = rows[balanced(data.groups.codes[rows], settings.balance.balance, settings.seed)]
    return np.unique(rows, return_counts=True)


def _ratings(
    settings: TrainingSettings, data: Dataset, rows: np.ndarray, inputs: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Ratings and their errors (n,) of the images of these rows, on the scale of their scores."""
    images = np.arange(len(rows)) + 1
    log = (
        _chosen(data, rows, images) if settings.loss_model == "choices" else _by_scores(settings, data, rows, images)
    )
    found = AssistedFit(make_similarity(images, inputs, widths=data.config.column_blocks)).fit(log)
    slope, offset = _line(found.rating, data.scores[rows])
    return slope * found.rating + offset, slope * found.error


def _chosen(data: Dataset, rows: np.ndarray, images: np.ndarray) -> Log:
    """A person's choices between these images."""
    assert data.choices is not None
    shown, wanted = data.choices.within(rows)
    screens = [(images[screen[screen >= 0]]).tolist() for screen in shown]
    won = wanted.max(axis=1) == 1
    winners = np.where(won, images[shown[np.arange(len(shown)), wanted.argmax(axis=1)]], 0)
    return make_log(images, screens, winners.tolist())


def _by_scores(settings: TrainingSettings, data: Dataset, rows: np.ndarray, images: np.ndarray) -> Log:
    """Each image with PARTNERS others of another score, drawn at random: the higher score wins."""
    generator, scores = np.random.default_rng(settings.seed), data.scores[rows]
    first = np.repeat(np.arange(len(rows)), PARTNERS)
    second = generator.integers(len(rows), size=len(first))
    differ = scores[first] != scores[second]
    first, second = first[differ], second[differ]
    winners = np.where(scores[first] > scores[second], first, second)
    return make_log(images, np.stack([images[first], images[second]], axis=1).tolist(), images[winners].tolist())


def _line(ratings: np.ndarray, scores: np.ndarray) -> tuple[float, float]:
    """Slope and offset of scores by ratings, least squares."""
    spread = float(np.var(ratings))
    slope = float(np.mean((ratings - ratings.mean()) * (scores - scores.mean()))) / spread if spread > 0 else 0.0
    slope = max(slope, SMALLEST_SLOPE)
    return slope, float(scores.mean() - slope * ratings.mean())
