"""What each image is used for: train, eval or test."""

import hashlib
from collections.abc import Sequence

import numpy as np

from ..common import UserError
from .settings import SplitSettings

SPLITS = ("train", "eval", "test")


def assign_split(
    paths: Sequence[str],
    given: Sequence[str],
    fraction_for_eval: float,
    fraction_for_test: float,
    seed: int,
    ignore_existing: bool = False,
) -> np.ndarray:
    """Give every image its split, shape (N,) of "train", "eval" or "test".

    given: N of "train", "eval", "test" or "" (draw one). What is given stays, unless `ignore_existing`, and counts
    towards the fractions, which are of all N images. The rest is drawn by a hash of seed and path: the smallest
    become test, the next eval. So neither the order of the images nor the machine matters, and a few images more
    change few of the others. Raises UserError for impossible fractions, or where no image is left to train on.
    """
    check_fractions(fraction_for_eval, fraction_for_test)
    if len(paths) != len(given):
        raise ValueError(f"{len(paths)} paths but {len(given)} given splits")
    split = np.array([""] * len(paths) if ignore_existing else [str(word) for word in given], dtype="<U5")
    if not np.isin(split, ("", *SPLITS)).all():
        raise ValueError(f"given splits must be one of {', '.join(SPLITS)} or empty")
    free = sorted(np.flatnonzero(split == "").tolist(), key=lambda row: hash_of(seed, paths[row]))
    for name, fraction in (("test", fraction_for_test), ("eval", fraction_for_eval)):
        missing = max(0, round(fraction * len(paths)) - int((split == name).sum()))
        split[free[:missing]] = name
        free = free[missing:]
    split[free] = "train"
    _check_train(split)
    return split


def draw_split(
    settings: SplitSettings, paths: Sequence[str], given: Sequence[str], own: np.ndarray | None = None
) -> np.ndarray:
    """`assign_split` as the settings ask; what is given stays.

    own: (N,) bool, scores that a person gave, None for all; the others are train, and the fractions are of the own.
    """
    rows = (np.arange(len(paths)) if own is None else np.flatnonzero(own)).tolist()
    split = np.full(len(paths), "train", dtype="<U5")
    some, words = [paths[row] for row in rows], [given[row] for row in rows]
    fractions = settings.fraction_for_eval, settings.fraction_for_test
    split[rows] = assign_split(some, words, *fractions, settings.eval_pick_seed)
    return split


def hash_of(seed: int, path: str) -> tuple[bytes, str]:
    """A place in a random order that depends on nothing but seed and path."""
    text = f"{seed}\0{path}".encode("utf-8", "surrogatepass")
    return hashlib.blake2b(text, digest_size=8).digest(), path


def check_fractions(fraction_for_eval: float, fraction_for_test: float) -> None:
    """UserError for what is no fraction, or leaves no image to train on."""
    for option, value in (("fraction_for_eval", fraction_for_eval), ("fraction_for_test", fraction_for_test)):
        if not 0 <= value < 1:
            raise UserError(f"--{option}={value:g}: a fraction must be at least 0 and below 1")
    if fraction_for_eval + fraction_for_test >= 1:
        raise UserError(
            f"--fraction_for_eval={fraction_for_eval:g} and --fraction_for_test={fraction_for_test:g} leave no image "
            "to train on; together they must be below 1"
        )


def _check_train(split: np.ndarray) -> None:
    counts = {name: int((split == name).sum()) for name in SPLITS}
    shown = ", ".join(f"{count} {name}" for name, count in counts.items())
    if counts["train"] == 0:
        raise UserError(
            f"no image is left to train on ({shown}); lower --fraction_for_eval or --fraction_for_test, "
            "or mark some images as train in the split column"
        )
