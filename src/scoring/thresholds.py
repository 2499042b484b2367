"""Model scores from which an image passes: as many as there are models."""

from collections.abc import Sequence

from ..common import UserError


def one_threshold_each(thresholds: Sequence[float], models: int) -> list[float]:
    """`--threshold` for each of so many models: one for all, or one each; [] of none. UserError otherwise."""
    if len(thresholds) not in (0, 1, models):
        raise UserError(
            f"--threshold is given {len(thresholds)} times for {models} models; give one for all or one for each"
        )
    return [*thresholds] * (models if len(thresholds) == 1 else 1)
