"""Images whose choices no fit learns from, so that an honest number can be had: how well a model foresees those.

Drawn before anything is chosen of them, and shown among themselves alone, any two of them being as likely as any
other two: what a model foresees of these choices, it foresees of images that it never saw.
"""

import hashlib
from collections.abc import Mapping

import numpy as np

from .log import CHOICE, Bools, Floats, Ints, Log
from .statistics import Share

PARTS = 2**32


def is_drawn(content_hash: str, share: float, seed: int) -> bool:
    """Whether an image is held out: the same images for the same seed, and of a larger share all of a smaller one's.

    share: 0…1.
    """
    digest = hashlib.blake2b(f"{seed} {content_hash}".encode(), digest_size=4).digest()
    return int.from_bytes(digest, "little") < share * PARTS


def turn(rng: np.random.Generator, share: float, allowed: Bools, held_out: Bools, k: int) -> tuple[Bools, bool]:
    """(N,) bool, from which images the next screen of k is taken, and whether those are the held-out ones.

    share: of the screens that are of held-out images, 0…1. Where there are fewer than k of the one kind, it is of the
    other.
    """
    held, others = allowed & held_out, allowed & ~held_out
    if held.sum() < k or (others.sum() >= k and rng.random() >= share):
        return others, False
    return held, True


def foreseen(log: Log, values: Floats) -> Share:
    """Of the choices between held-out images, how many `values` (N,) foresee, to the nearest whole one.

    The winner of a screen makes a pair with each other image on it; equal values count half. Pairs with an image
    whose value is nan, ties, skips, and hidden repeats of an earlier screen count not at all.
    """
    pairs = log.pairs
    counted = ~pairs.ties & (log.kinds == CHOICE)[pairs.comparison] & (log.repeat_of == 0)[pairs.comparison]
    counted &= log.held_out[pairs.winners] & log.held_out[pairs.losers]
    gaps = values[pairs.winners[counted]] - values[pairs.losers[counted]]
    gaps = gaps[~np.isnan(gaps)]
    return Share(round(float((gaps > 0).sum() + (gaps == 0).sum() / 2)), len(gaps))


def values_of(images: Ints, scores: Mapping[int, float]) -> Floats:
    """(N,) the scores of these images by id, nan where there is none."""
    return np.array([scores.get(image, np.nan) for image in images.tolist()], dtype=np.float64)


def headline(share: Share, repeats: Share) -> str:
    """What a model foresees of the held-out choices, beside how often a person agrees with themselves; "" of none."""
    if not share.total:
        return ""
    own = f"you agree with yourself in {repeats.said}" if repeats.total else "you aren't compared with yourself yet"
    return f"On images that it never saw, the model foresees {share.said} of your choices; {own}."
