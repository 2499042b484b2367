"""Standardisation of features: what is subtracted from each, and what it is divided by."""

from collections.abc import Sequence

import numpy as np

# Of the median deviation of all features: what one of them is divided by at least.
SMALLEST_SCALE = 0.1


def standardisation(features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and scale, (W,) float64 each, of features (N, W).

    The scale is the standard deviation, but not under a tenth of the median one: a feature that is nearly always 0 in
    the train split would otherwise shout in the first new image that has it (5,344 deviations were seen). 1 where all
    features are constant.
    """
    shift = features.mean(axis=0, dtype=np.float64)
    scale = features.std(axis=0, dtype=np.float64)
    scale = np.maximum(scale, SMALLEST_SCALE * np.median(scale))
    return shift, np.where(scale > 0, scale, 1.0)


def weighing_alike(widths: Sequence[int]) -> np.ndarray:
    """(W,) what standardised features are divided by, so that blocks of these widths, W together, weigh alike.

    Squared distances are means over the blocks of the mean squared difference in each, then.
    """
    return np.repeat(np.sqrt(np.array(widths) * len(widths)), widths)
