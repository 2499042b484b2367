"""Scores from elsewhere as starting ratings: where an image's rating begins."""

from collections.abc import Sequence

import numpy as np

from .database import Comparisons
from .guesses import shrunk
from .log import Floats, Ints, Start
from .rescale import rescale_to


def start_from(
    comparisons: Comparisons, images: Ints, scores: Floats, rescale: str, models: Sequence[str] | None = None
) -> int:
    """Store the scores as starting ratings of those images that have none for this rater; how many that were.

    images: (N,) ids; of several rows of one image the last counts. scores: (N,). rescale: "none" where they are in
    Elo units already; "standard": in any unit, they get mean 0 and the modest deviation of `rescale_to`. models: (N,)
    whose estimate a score is, "" for a person's; an estimate says less, and the more is left to choices.
    """
    log = comparisons.log(comparisons.rater)
    started = dict(zip(log.images.tolist(), ~np.isnan(log.starting_ratings), strict=True))
    none = np.zeros(len(scores))
    names = [""] * len(scores) if models is None else list(models)
    values = rescale_to(scores, none, none > 0) if rescale == "standard" else scores
    values = shrunk(values, np.array([bool(name) for name in names], dtype=bool))
    starts = {i: Start(v, name) for i, v, name in zip(images.tolist(), values.tolist(), names, strict=True)}
    new = {image: start for image, start in starts.items() if not started[image]}
    if new:
        comparisons.add_starting_ratings(new)
    return len(new)
