"""What a model says of images that nobody compared yet, as ratings: no further from the mean than it deserves."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ..common import pearson
from .bradley_terry import PRIOR_SD
from .fitted import Ratings
from .log import Bools, Floats, Start
from .rescale import UNKNOWN_SD, rescale_to

NOT_KNOWN = 0.5  # a model's correlation with a person's taste, where nothing tells
AT_MOST = 0.75  # the same, where only ratings tell that it may have been trained on
ENOUGH = 10  # images that have a rating and a model score, for their correlation to say anything


@dataclass(frozen=True)
class ModelPrior:
    """What a model says. scores: by image id, any unit. name: of the model.

    correlation: with the scores of images that it was not trained on; None where that isn't known.
    """

    scores: Mapping[int, float]
    name: str = ""
    correlation: float | None = None

    def of(self, images: list[int]) -> Floats:
        """(N,) of the images with these ids, nan where there is none."""
        return np.array([self.scores.get(image, np.nan) for image in images], dtype=np.float64)


@dataclass(frozen=True)
class Guesses:
    """(N,) ratings in Elo units, and how far off they are (one standard deviation); nan where there is none."""

    rating: Floats
    error: Floats
    model: str

    def start(self, row: int) -> Start:
        return Start(float(self.rating[row]), self.model, float(self.error[row]))


def no_guesses(n: int) -> Guesses:
    return Guesses(np.full(n, np.nan), np.full(n, np.nan), "")


def guess(model: ModelPrior, ratings: Ratings) -> Guesses:
    """Ratings of the images that have a model score and no comparison, from those that have both.

    The best guess at b from a is E[b] + r (sd of b / sd of a) (a − E[a]), and it is off by √(1 − r²) of b's
    deviation, r their correlation: Galton (1886), regression towards the mean. The deviation of b is that of the
    ratings, which are drawn in by their own prior already; of the true utilities it is √(variance + mean error²).
    """
    scores = model.of(ratings.images.tolist())
    rated = ratings.comparisons > 0
    r = shrinkage(scores, ratings.rating, rated, model.correlation)
    full = rescale_to(scores, ratings.rating, rated)
    both = rated & ~np.isnan(scores)
    centre = float(ratings.rating[both].mean()) if both.sum() > 1 else float(np.nanmean(full)) if both.size else 0.0
    rating = np.where(rated, np.nan, centre + r * (full - centre))
    error = np.sqrt(1 - r**2) * _deviation(ratings, both)
    return Guesses(rating, np.where(np.isnan(rating), np.nan, error), model.name or "a model")


def shrinkage(scores: Floats, ratings: Floats, rated: Bools, known: float | None) -> float:
    """0…0.95: how much of a model's distance from the mean to believe.

    known: the model's correlation on images it was not trained on; less where the person's own ratings contradict
    it, as those of another person than the model's would. Not known: what the ratings speak for at least, for the
    model may have been trained on them.
    """
    both = rated & ~np.isnan(scores)
    low, high = _interval(pearson(ratings[both], scores[both]), int(both.sum()))
    if known is None:
        return float(np.clip(NOT_KNOWN if np.isnan(low) else min(low, AT_MOST), 0, 0.95))
    return float(np.clip(known if np.isnan(high) else min(known, high), 0, 0.95))


def shrunk(values: Floats, by_model: Bools) -> Floats:
    """(N,) starting ratings, in which those that a model of unknown worth gave are drawn in to the mean."""
    centre = values.mean() if len(values) else 0.0
    return np.where(by_model, centre + NOT_KNOWN * (values - centre), values)


def _interval(correlation: float, n: int) -> tuple[float, float]:
    """One standard error to either side: Fisher (1921). nan where too few images say anything."""
    if n < ENOUGH or np.isnan(correlation):
        return np.nan, np.nan
    middle, step = np.arctanh(np.clip(correlation, -0.999, 0.999)), 1 / np.sqrt(n - 3)
    return float(np.tanh(middle - step)), float(np.tanh(middle + step))


def _deviation(ratings: Ratings, both: Bools) -> float:
    """Of the true ratings, Elo units."""
    error = ratings.error[both]
    if both.sum() < 2 or np.isnan(error).any():
        return PRIOR_SD
    return max(UNKNOWN_SD, float(np.sqrt(ratings.rating[both].var() + np.mean(error**2))))
