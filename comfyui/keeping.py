"""Which images of a series are kept, by their scores; and what becomes of two scores of each."""

import math
from collections.abc import Callable, Sequence

from ..src.common import UserError

ORDERS = ("descending", "ascending", "original")
EVERYTHING = -10000.0  # a threshold that every score reaches, on any scale; the least that a widget has

RULES: dict[str, Callable[[float, float, float, float], float]] = {
    "mean": lambda a, b, weight, threshold: (a + b) / 2,
    "weighted": lambda a, b, weight, threshold: weight * a + (1 - weight) * b,
    "min": lambda a, b, weight, threshold: min(a, b),
    "max": lambda a, b, weight, threshold: max(a, b),
    "difference": lambda a, b, weight, threshold: a - b,
    # The gate of two-stage training (docs/two-stage.md): what fails the second score has that.
    "a if b over threshold": lambda a, b, weight, threshold: a if b >= threshold else b,
}
# What the older tool's node called them; its sums, products and quotients have no rule here.
OLD_RULES = {"max(x,y)": "max", "min(x,y)": "min", "x-y": "difference"}


def best(scores: Sequence[float], k: int = 0, threshold: float = EVERYTHING, order: str = ORDERS[0]) -> list[int]:
    """Positions of the k best (0: of all) among the scores that reach the threshold, in that order.

    Of equal scores the earlier one is better; nan, which is no score, reaches no threshold.
    """
    reach = [i for i, score in enumerate(scores) if reaches(score, threshold)]
    kept = sorted(reach, key=lambda i: -scores[i])[: k or None]
    return {"descending": kept, "ascending": kept[::-1], "original": sorted(kept)}[order]


def reaches(score: float, threshold: float) -> bool:
    """Whether the score is at least the threshold; nan is not."""
    return score >= (-math.inf if threshold <= EVERYTHING else threshold)


def others(count: int, kept: Sequence[int]) -> list[int]:
    """Positions of those of `count` that are not kept, in their order."""
    return sorted(set(range(count)) - set(kept))


def indexes(text: str, count: int) -> list[int]:
    """Positions that a text such as "4,0" names, among `count` images; each once. UserError for anything else."""
    found = []
    for part in text.replace(";", ",").split(","):
        if not part.strip():
            continue
        if not part.strip().isascii() or not part.strip().isdigit() or int(part) >= count:
            raise UserError(
                f"picked: {part.strip()[:40]!r} is none of these {count} images; "
                f"give numbers from 0 to {count - 1} with commas between"
            )
        found.append(int(part))
    return list(dict.fromkeys(found))


def combine(a: Sequence[float], b: Sequence[float], rule: str, weight: float, threshold: float) -> list[float]:
    """Two scores of N images as one each; a single score stands for all. nan where either is nan."""
    name = OLD_RULES.get(rule, rule)
    if name not in RULES:
        raise UserError(f"rule {rule[:40]!r}: there is none of that name; choose one of {', '.join(RULES)}")
    count = max(len(a), len(b))
    if {len(a), len(b)} - {1, count} or not a or not b:
        raise UserError(f"scores: {len(a)} in a and {len(b)} in b; connect scores of the same images")
    pairs = [(a[i % len(a)], b[i % len(b)]) for i in range(count)]
    return [math.nan if math.isnan(x + y) else RULES[name](x, y, weight, threshold) for x, y in pairs]
