"""Assisted ratings: Bradley-Terry with a Gaussian process over the features, so that alike images help each other."""

from dataclasses import dataclass, field

import numpy as np

from ..common import Steps, one_blas_thread
from .bradley_terry import LN10
from .expectation import Approximation, laplace_sites, propagate
from .fitted import Ratings, share_of_choices
from .hyperparameters import DEFAULT, Hyperparameters, prior_of, refresh, refresh_level
from .log import Floats, Ints, Log
from .outlook import choices_for_next, choices_to_good, expected_spearman
from .posterior import Mode, Prior, find_mode
from .screens import Screens, screens_of
from .similarity import Similarity

ROUNDS = 1  # of expectation propagation, for the outlook; more change Spearman by 0.001


@dataclass
class _Last:
    """What the next fit begins with."""

    images: Ints
    utilities: Floats
    through: Floats
    hyperparameters: Hyperparameters


@dataclass
class AssistedFit:
    """Fits one rater's ratings again and again, each time from where the last fit ended. Not for two threads at once.

    similarity: of the images that have features. The others are rated by their own choices alone. hyperparameters:
    those of the last fit; worked out anew now and then (hyperparameters.py). steps: how far a fit is, where it takes
    long.
    """

    similarity: Similarity
    hyperparameters: Hyperparameters = DEFAULT
    steps: Steps = field(default_factory=Steps)
    _level: int = 0
    _last: _Last | None = None

    def fit(
        self,
        log: Log,
        weights: Floats | None = None,
        prior_mean: Floats | None = None,
        prior_sd: Floats | None = None,
    ) -> Ratings:
        """Ratings, errors and outlook for all images of `log`, of one rater.

        weights: (C,) of the comparisons, 0 or more. prior_mean: (N,) Elo units; None = 0. prior_sd: (N,) Elo units,
        nan = s. Images may have come or gone since the last fit.
        """
        none = np.zeros(len(log.images))
        mean, error = (none if prior_mean is None else prior_mean, none + np.nan if prior_sd is None else prior_sd)
        with one_blas_thread():
            return self._fit(log, weights, LN10 * mean, LN10 * error)

    def _fit(self, log: Log, weights: Floats | None, mean: Floats, error: Floats) -> Ratings:
        screens = screens_of(log, weights)
        vectors = self.similarity.of(log.images)
        level = refresh_level(log)
        if level > self._level:
            self.hyperparameters = refresh(screens, mean, vectors, error, self.steps)
            self._level = level
        prior = prior_of(self.hyperparameters, mean, vectors, error)
        mode = find_mode(screens, prior, *self._start(log, mean))
        self._last = _Last(log.images, mode.utilities, mode.curvature.through, self.hyperparameters)
        return _ratings(log, screens, prior, mode)

    def _start(self, log: Log, mean: Floats) -> tuple[Floats | None, Floats | None]:
        images, last = log.images, self._last
        if last is None or not log.comparisons.any():  # without choices the prior mean exactly, not almost
            return None, None
        _, here, there = np.intersect1d(images, last.images, assume_unique=True, return_indices=True)
        utilities, through = mean.copy(), np.zeros((len(images), last.through.shape[1]), last.through.dtype)
        utilities[here], through[here] = last.utilities[there], last.through[there]
        return utilities, through if last.hyperparameters == self.hyperparameters else None


def _ratings(log: Log, screens: Screens, prior: Prior, mode: Mode) -> Ratings:
    laplace = Approximation(mode.utilities, mode.curvature, laplace_sites(screens, mode.utilities))
    found = propagate(screens, prior, laplace, ROUNDS)
    error, counted = np.sqrt(found.curvature.variances[0]), ~log.excluded & ~log.held_out
    spearman = expected_spearman(found.mean[counted], error[counted])
    more = choices_for_next(log, found.curvature, found.mean, counted, spearman)
    left = choices_to_good(log, found.curvature, counted, spearman)
    share = share_of_choices(error, prior.deviations)
    return Ratings(log.images, found.mean / LN10, error / LN10, log.comparisons, spearman, more, left, share)
