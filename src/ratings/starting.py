"""Scores from elsewhere as starting ratings: where an image's rating begins."""

import numpy as np

from .database import Comparisons
from .log import Floats, Ints
from .rescale import rescale_to


def start_from(comparisons: Comparisons, images: Ints, scores: Floats, rescale: str) -> int:
    """Store the scores as starting ratings of those images that have none for this rater; how many that were.

    images: (N,) ids; of several rows of one image the last counts. scores: (N,). rescale: "none" where they are in
    Elo units already; "standard": in any unit, they get mean 0 and the modest deviation of `rescale_to`.
    """
    log = comparisons.log(comparisons.rater)
    started = dict(zip(log.images.tolist(), ~np.isnan(log.starting_ratings), strict=True))
    none = np.zeros(len(scores))
    values = rescale_to(scores, none, none > 0) if rescale == "standard" else scores
    pairs = zip(images.tolist(), values.tolist(), strict=True)
    new = {image: value for image, value in pairs if not started[image]}
    if new:
        comparisons.add_starting_ratings(new)
    return len(new)
