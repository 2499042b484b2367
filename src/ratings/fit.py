"""One door to every way of computing ratings from the log."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..common import UserError
from .bradley_terry import LN10, PRIOR_SD, fit_bradley_terry
from .elo import fit_elo
from .fitted import Ratings, share_of_choices
from .log import Floats, Ints, Log
from .settings import METHODS, RatingSettings

if TYPE_CHECKING:
    from .assisted import AssistedFit


def speed_weights(settings: RatingSettings, seconds: Floats) -> Floats | None:
    """(C,) what each choice weighs by its seconds, (C,); None where all weigh the same, as weight_by_speed is off.

    default_seconds / seconds, held within [weight_min, weight_max]; 1 where the time isn't known, nan.
    """
    if not settings.weight_by_speed:
        return None
    weights = settings.default_seconds / np.maximum(seconds, 1e-9)
    return np.where(np.isnan(seconds), 1.0, np.clip(weights, settings.weight_min, settings.weight_max))


def fit_ratings(
    log: Log,
    method: str = "bradley_terry",
    *,
    prior_mean: Floats | None = None,
    prior_sd: float | Floats | None = None,
    k: float = RatingSettings.k,
    weights: Floats | None = None,
    start: Ratings | None = None,
    assisted: AssistedFit | None = None,
) -> Ratings:
    """Ratings of all images of `log` from all its comparisons.

    prior_mean: (N,) what is thought of each image before any choice, in Elo units; None = the log's starting ratings,
    and 0 where there are none. Elo begins there, the others are held there by prior_sd: (N,) or one for all, in Elo
    units, nan = the method's own; None = the log's starting errors. weights: (C,) of the comparisons, 0 or more; None
    = 1. start: an earlier fit, also one of fewer images, to be quick (Bradley-Terry only). assisted: what fits method
    "assisted", kept from one fit to the next. Raises UserError for an unknown method, and for "assisted" without it.
    """
    mean = np.nan_to_num(log.starting_ratings) if prior_mean is None else prior_mean
    sd = np.broadcast_to(log.starting_errors if prior_sd is None else prior_sd, mean.shape)
    if method == "elo":
        rating = fit_elo(log, mean, k, weights)
        # A game moves a rating by K (1 − P), so that 1 − K P (1 − P) ln 10 of where it began is left, P about 1/2.
        share = 1 - max(0.0, 1 - k * LN10 / 4) ** log.comparisons
        return Ratings(log.images, rating, np.full(len(rating), np.nan), log.comparisons, choice_share=share)
    if method == "assisted":
        if assisted is None:
            raise UserError("--rating=assisted: needs the features of the images; bradley_terry does without")
        return assisted.fit(log, weights, mean, sd)
    if method != "bradley_terry":
        raise UserError(f"--rating={method}: unknown; it can be {', '.join(METHODS)}")
    per_pair = None if weights is None else weights[log.pairs.comparison]  # (M,)
    begin = None if start is None else _aligned(start, log.images, mean)
    sd = np.where(np.isnan(sd), PRIOR_SD, sd)
    rating, error = fit_bradley_terry(log.pairs, mean, sd, per_pair, begin)
    return Ratings(log.images, rating, error, log.comparisons, choice_share=share_of_choices(error, sd))


def _aligned(earlier: Ratings, images: Ints, otherwise: Floats) -> Floats:
    values = otherwise.astype(np.float64, copy=True)
    _, here, there = np.intersect1d(images, earlier.images, assume_unique=True, return_indices=True)
    values[here] = earlier.rating[there]
    return values
