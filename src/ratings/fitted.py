"""What a fit of ratings gives, whichever way they were computed."""

from dataclasses import dataclass

from .log import Floats, Ints


@dataclass(frozen=True)
class Ratings:
    """What is known of N images.

    images: (N,) ids, ascending. rating: (N,) Elo units. error: (N,) its standard error, nan if the method has none.
    comparisons: (N,) how often each image was shown and judged. expected_spearman: with the unknown true order, and
    choices_for_next: how many more choices raise it by 0.01; both only of assisted ratings, None where not known.
    """

    images: Ints
    rating: Floats
    error: Floats
    comparisons: Ints
    expected_spearman: float | None = None
    choices_for_next: int | None = None
