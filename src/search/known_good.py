"""Metaparameters that were found good before, which a new search tries first: samplers begin at random."""

from dataclasses import asdict, dataclass
from typing import Any

from .settings import MetaparameterRanges


@dataclass(frozen=True)
class Good:
    """Of networks of principal components; steps: of training, whatever the number of images."""

    steps: int
    batch_size: int
    log_lr: float
    warmup_ratio: float
    first_layer_size: int
    second_layer_size: int
    dropout: float
    input_dropout: float


# The best together on OASIS: mean ratings, and 50 and 175 ratings of single people; benchmarks/known_good.py.
GOOD = (
    Good(653, 14, -3.08, 0.16, 198, 13, 0.64, 0.26),
    Good(505, 84, -3.44, 0.16, 132, 54, 0.33, 0.59),
    Good(62, 20, -4.41, 0.16, 40, 221, 0.33, 0.66),
    Good(369, 50, -4.42, 0.0, 87, 25, 0.65, 0.73),
)


def known_good(ranges: MetaparameterRanges, images: int) -> list[dict[str, Any]]:
    """Those that differ within these ranges, for so many images that are trained on."""
    found: list[dict[str, Any]] = []
    for good in GOOD:
        inside = {name: _within(getattr(ranges, name), value) for name, value in fitted(good, images).items()}
        if inside not in found:
            found.append(inside)
    return found


def fitted(good: Good, images: int) -> dict[str, Any]:
    """As a trial has it: as many steps, in passes over so many images."""
    parameters = asdict(good)
    steps = parameters.pop("steps")
    return {"train_epochs": max(1, round(steps * good.batch_size / images)), **parameters}


def _within(span: tuple[float, float], value: float) -> float:
    return min(max(value, span[0]), span[1])
