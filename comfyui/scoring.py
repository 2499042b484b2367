"""Scores of a batch, and how they are said."""

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from .models import explained
from .pictures import as_bytes, as_picture, check

if TYPE_CHECKING:
    from torch import Tensor

    from ..src.scoring import Scorer


class Said(NamedTuple):
    """What a model says of N images: as `Scores` of the toolkit, in plain numbers; nan where it says nothing."""

    scores: list[float]
    percentiles: list[float]
    errors: list[float]


def score(scorer: "Scorer", images: "Tensor", batch_size: int, progress: Callable[[int], object]) -> Said:
    """Scores of a batch (B, H, W, C), as aesthetic_score_from_model.py gives them for the saved files.

    batch_size images go through the network at once; then progress is told how many, and may raise to stop it.
    """
    check(images)
    said = Said([], [], [])
    with explained(scorer.name):
        for start in range(0, len(images), batch_size):
            pixels = as_bytes(images[start : start + batch_size])
            part = [each if each.shape[-1] == 3 else as_picture(each) for each in pixels]
            found = scorer.score(part, batch_size)
            for numbers, new in zip(said, (found.values, found.percentiles, found.errors), strict=True):
                numbers += new.tolist()
            progress(len(part))
    return said


def in_words(scores: Sequence[float], percentiles: Sequence[float], errors: Sequence[float]) -> str:
    """A line for each image, by its position from 0, as pick lists count."""
    lines = []
    for i, (value, percentile, error) in enumerate(zip(scores, percentiles, errors, strict=True)):
        margin = "" if math.isnan(error) else f" ± {error:.3f}"
        place = "" if math.isnan(percentile) else f", percentile {percentile:.0f}"
        lines.append(f"{i}: {value:.3f}{margin}{place}")
    return "\n".join(lines)
