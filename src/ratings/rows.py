"""What the rows of a comparisons database say, and how a value becomes one."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timezone

import numpy as np

from ..common import UserError
from .log import KINDS


@dataclass(frozen=True)
class Registered:
    """What `Comparisons.register` found. ids: relative path -> image id; copies of one content share an id.

    added: ids never seen before. moved: new path -> path where this content was seen last. replaced: path -> id of
    the content it held before; that image keeps its history, the new content has its own.
    """

    ids: dict[str, int]
    added: frozenset[int]
    moved: dict[str, str]
    replaced: dict[str, int]


@dataclass(frozen=True)
class Exclusion:
    """id: of its event. after: the id of the last comparison before it, of anybody; 0 if there was none."""

    id: int
    image: int
    after: int


@dataclass(frozen=True)
class Comparison:
    """One stored screen. shown: image ids, left to right. winner: an id, None for ties and skips."""

    id: int
    kind: str
    shown: tuple[int, ...]
    winner: int | None
    repeat_of: int | None


def check_screen(
    kind: str,
    shown: Sequence[int],
    winner: int | None,
    seconds: float | None = None,
    predicted: int | None = None,
) -> None:
    """UserError where `add_choice` would refuse these, whichever images there are."""
    if kind not in KINDS:
        raise UserError(f"a comparison of kind {kind!r}; it can be {', '.join(KINDS)}")
    if not 2 <= len(shown) <= 9 or len(set(shown)) != len(shown):
        raise UserError(f"a screen of images {list(shown)}; it shows 2 to 9 different ones")
    if (winner in shown) != (kind == "choice") or (winner is not None and kind != "choice"):
        raise UserError(
            f"a {kind} with winner {winner}, shown {list(shown)}; only a choice has one, and it was shown"
        )
    if seconds is not None and not (math.isfinite(seconds) and seconds >= 0):
        raise UserError(f"a choice of {seconds} seconds; 0 or more is wanted")
    if predicted is not None and predicted not in shown:
        raise UserError(f"image {predicted} was predicted to win, but not shown (shown: {list(shown)})")


def split_screens(screens: str) -> dict[str, np.ndarray]:
    """`[3,5],[2,9,4]` as shown: (S,) all of the numbers, and sizes: (C,) how many stood in each pair of brackets."""
    letters = np.frombuffer(screens.encode("ascii"), dtype=np.uint8)
    commas = np.cumsum(letters == ord(","))
    sizes = commas[letters == ord("]")] - commas[letters == ord("[")] + 1
    return {"shown": np.fromstring(screens.replace("[", "").replace("]", ""), sep=","), "sizes": sizes}


def now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="milliseconds")


def storable(path: str) -> str | bytes:
    # A file name that isn't UTF-8 can't be stored as text: its bytes are.
    try:
        path.encode("utf-8")
    except UnicodeEncodeError:
        return path.encode("utf-8", "surrogateescape")
    return path


def text_of(stored: str | bytes) -> str:
    return stored if isinstance(stored, str) else stored.decode("utf-8", "surrogateescape")
