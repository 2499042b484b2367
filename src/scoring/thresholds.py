"""Model scores from which an image passes: as many as there are models, and met by what is written of an image."""

from collections.abc import Sequence

import numpy as np

from ..common import UserError


def one_threshold_each(thresholds: Sequence[float], models: int) -> list[float]:
    """`--threshold` for each of so many models: one for all, or one each; [] of none. UserError otherwise."""
    if len(thresholds) not in (0, 1, models):
        raise UserError(
            f"--threshold is given {len(thresholds)} times for {models} models; give one for all or one for each"
        )
    return [*thresholds] * (models if len(thresholds) == 1 else 1)


def as_written(values: np.ndarray | Sequence[float] | float) -> np.ndarray:
    """Scores and limits to be compared: float32, as what is written of a score is the shortest text of that.

    5.473693, which a table says of 5.473692893981934, is at least 5.473693 then.
    """
    with np.errstate(over="ignore"):  # a limit beyond float32 is one that no score reaches
        return np.asarray(values, dtype=np.float64).astype(np.float32)
