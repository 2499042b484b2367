"""What a person wants to know of a model first: of 100 pairs, how many does it order as they do?"""

from collections.abc import Mapping

import numpy as np

from ..common import ab
from ..ratings import ENOUGH_REPEATS, Share
from ..scores import Counted
from .analysis import FEWEST_IMAGES, bootstrap
from .text import TYPES

NAMES = {**TYPES, "gp": "a Gaussian process"}


def headline(
    scores: np.ndarray,
    model_scores: np.ndarray,
    others: Mapping[str, np.ndarray],
    seed: int,
    images: str,
    counted: Counted | None = None,
) -> str:
    """scores, model_scores, others by type: (n,) of these images alone, which the model was not trained on.

    counted: the same with the scores' errors counted, where features assisted them. Empty where the scores order no
    two images.
    """
    order = 100 * ab(scores, model_scores)
    if np.isnan(order):
        return ""
    text = f"Of 100 pairs of {images}, which it was not trained on, it orders {order:.0f} as you do"
    if len(scores) >= FEWEST_IMAGES:
        low, high = bootstrap(scores, model_scores, seed).ab
        text += f" (95 %: {100 * low:.0f} to {100 * high:.0f})"
    if counted:
        text += f", or {100 * counted.expected.ab:.0f} with the scores' errors counted"
    orders = {name: f"{100 * ab(scores, said):.0f}" for name, said in others.items()}
    rest = [f"{NAMES[name]}{' orders' * (not place)} {share}" for place, (name, share) in enumerate(orders.items())]
    return f"{text}; {', '.join(rest)}." if rest else f"{text}."


def with_oneself(repeats: Share | None) -> str:
    """How often a person chose the same again; empty before there are enough repeats to say so."""
    if repeats is None or repeats.total < ENOUGH_REPEATS:
        return ""
    return f"You agree with yourself in {100 * repeats.share:.0f} ({repeats.total} hidden repeats)."
