"""Bring scores to another mean and deviation."""

import numpy as np

from .fitted import Ratings
from .log import Bools, Floats

UNKNOWN_SD = 0.5  # Elo units, for model scores as long as no two images have a rating to compare them with


def standardise(ratings: Floats, rated: Bools) -> Floats:
    """(N,) ratings shifted and scaled so that those of the rated images have mean 0 and standard deviation 1.

    rated: (N,) bool. With fewer than two rated images, or all of them equal, there is no deviation: they are only
    shifted, to mean 0; with none rated they come back as they are.
    """
    return (ratings - _mean_and_sd(ratings[rated])[0]) / deviation(ratings, rated)


def deviation(ratings: Floats, rated: Bools) -> float:
    """What `standardise` divides by, above 0; standard errors are to be divided by it as well."""
    return _mean_and_sd(ratings[rated])[1] or 1.0


def rescaled(ratings: Ratings, rescale: str) -> tuple[Floats, Floats]:
    """Scores and their standard errors, (N,) each.

    rescale: "none": in Elo units; "standard": with mean 0 and deviation 1 over the compared images, as `standardise`.
    """
    if rescale == "none":
        return ratings.rating, ratings.error
    rated = ratings.comparisons > 0
    return standardise(ratings.rating, rated), ratings.error / deviation(ratings.rating, rated)


def rescale_to(model_scores: Floats, ratings: Floats, has_both: Bools) -> Floats:
    """(N,) model scores in Elo units: over the images that have both, their mean and deviation become the ratings'.

    model_scores: (N,), any unit; nan stays nan. has_both: (N,) bool, rated by choices and scored by the model. With
    fewer than two such images, or equal ratings of them all, the deviation becomes 0.5 over all model scores. Equal
    model scores say nothing: all become the ratings' mean.
    """
    known = ~np.isnan(model_scores)
    both = has_both & known
    mean, sd = _mean_and_sd(ratings[both])
    reference = both if sd > 0 else known
    model_mean, model_sd = _mean_and_sd(model_scores[reference])
    stretch = (sd or UNKNOWN_SD) / model_sd if model_sd > 0 else 0.0
    return mean + stretch * (model_scores - model_mean)


def _mean_and_sd(values: Floats) -> tuple[float, float]:
    """(0, 0) of nothing; a deviation that is only rounding counts as 0."""
    if not len(values):
        return 0.0, 0.0
    mean, sd = float(np.mean(values)), float(np.std(values))
    return mean, sd if sd > 1e-9 * max(1.0, abs(mean)) else 0.0
