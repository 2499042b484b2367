"""What a fit of ratings gives, whichever way they were computed."""

from dataclasses import dataclass

import numpy as np

from .log import Floats, Ints

LEAST_SHARE = 0.05  # or an image that hardly any choice tells of would be thought far out


@dataclass(frozen=True)
class Ratings:
    """What is known of N images.

    images: (N,) ids, ascending. rating: (N,) Elo units. error: (N,) its standard error, nan if the method has none.
    comparisons: (N,) how often each image was shown and judged. expected_spearman: with the unknown true order, and
    choices_for_next: how many more choices raise it by 0.01, and choices_to_good: how many make a good order, 0 where
    it is one; all only of assisted ratings, None where not known.
    choice_share: (N,) 0…1, how much of what is known of an image comes from choices, not from where it began: 1 −
    error² / the prior's variance.
    """

    images: Ints
    rating: Floats
    error: Floats
    comparisons: Ints
    expected_spearman: float | None = None
    choices_for_next: int | None = None
    choices_to_good: int | None = None
    choice_share: Floats | None = None


def share_of_choices(error: Floats, prior_error: Floats) -> Floats:
    """(N,) 0…1. With Gaussians the posterior's mean is (1 − share) × the prior's + share × what the choices say."""
    return np.clip(1 - np.square(error / prior_error), 0, 1)


def choices_alone(rating: Floats, error: Floats, share: Floats) -> tuple[Floats, Floats]:
    """(N,) what the choices say without the prior, and the standard error of that; what `Ratings` hold includes it.

    rating, error: (N,) in any unit, of images that began at the mean of these. share: (N,) their choice_share; below
    0.05 it counts as that.
    """
    share, mean = np.maximum(share, LEAST_SHARE), rating.mean() if len(rating) else 0.0
    return mean + (rating - mean) / share, error / np.sqrt(share)
