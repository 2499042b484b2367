"""How a model agrees with scores of images that it was not trained on, by what its file says of its training."""

import json
from collections.abc import Mapping

import numpy as np


def held_out_correlation(metadata: Mapping[str, str]) -> float | None:
    """The lowest correlation, 0…1, that its metrics of eval and test images say; None where they say none.

    Of a split the first of: pearson; spearman; ab, of which tau = 2 ab − 1 and, for Gaussians, the correlation is
    sin(π tau / 2) (Kendall, 1949); mse, as √(1 − mse / variance of the train scores).
    """
    try:
        metrics = json.loads(metadata.get("metrics", "{}"))
        found = [
            _of_split(metrics, split, float(metadata.get("score_deviation", "nan"))) for split in ("eval", "test")
        ]
    except (ValueError, TypeError, AttributeError):
        return None
    known = [value for value in found if value is not None and np.isfinite(value)]
    return float(np.clip(min(known), 0, 1)) if known else None


def _of_split(metrics: Mapping[str, float], split: str, deviation: float) -> float | None:
    for name in ("pearson", "spearman"):
        if f"{split}_{name}" in metrics:
            return float(metrics[f"{split}_{name}"])
    if f"{split}_ab" in metrics:
        return float(np.sin(np.pi / 2 * (2 * metrics[f"{split}_ab"] - 1)))
    if f"{split}_mse" in metrics and deviation > 0:
        return float(np.sqrt(max(0.0, 1 - metrics[f"{split}_mse"] / deviation**2)))
    return None
