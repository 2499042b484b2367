"""Metaparameters that were found good before, which a new search tries first: samplers begin at random."""

from dataclasses import dataclass
from typing import Any

from .settings import MetaparameterRanges


@dataclass(frozen=True)
class _Good:
    """Found by a search on so many images; steps: of training."""

    images: int
    steps: int
    batch_size: int
    log_lr: float
    warmup_ratio: float
    first_layer_size: int
    second_layer_size: int
    dropout: float
    input_dropout: float


GOOD: tuple[_Good, ...] = ()


def known_good(ranges: MetaparameterRanges, images: int) -> list[dict[str, Any]]:
    """Those that differ within these ranges, for so many images: as many steps, so fewer passes over more images."""
    found: list[dict[str, Any]] = []
    for good in GOOD:
        steps_an_epoch = max(1, images / good.batch_size)
        wanted = {
            "train_epochs": round(good.steps / steps_an_epoch),
            "batch_size": good.batch_size,
            "log_lr": good.log_lr,
            "warmup_ratio": good.warmup_ratio,
            "first_layer_size": good.first_layer_size,
            "second_layer_size": good.second_layer_size,
            "dropout": good.dropout,
            "input_dropout": good.input_dropout,
        }
        inside = {
            name: min(max(value, getattr(ranges, name)[0]), getattr(ranges, name)[1])
            for name, value in wanted.items()
        }
        if inside not in found:
            found.append(inside)
    return found


def _within(span: tuple[float, float], value: float) -> float:
    return min(max(value, span[0]), span[1])
