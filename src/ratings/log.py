"""The effective comparisons as numpy arrays: what every fit and every statistic reads.

Images are named here by their *row*, 0…N−1, their place in `Log.images`; the database names them by id.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..common import UserError

CHOICE, TIE, SKIP = 0, 1, 2
KINDS = ("choice", "tie", "skip")

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Start:
    """What was thought of an image before any choice.

    rating: Elo units. model: the name of the one whose score it was, "" for a person's. error: its standard deviation
    in Elo units, nan where the ratings' own prior is to be used.
    """

    rating: float
    model: str = ""
    error: float = float("nan")


@dataclass(frozen=True)
class Pairs:
    """Two-image results, M of them, in the order they were chosen.

    winners, losers: (M,) rows of images. ties: (M,) bool, True where neither won. comparison: (M,) the position of
    the comparison each pair comes from, 0…C−1, never falling.
    """

    winners: Ints
    losers: Ints
    ties: Bools
    comparison: Ints


@dataclass(frozen=True)
class Log:
    """C comparisons in the order they were made, those undone left out, skips kept.

    images: (N,) ids, ascending. ids: (C,) of the comparisons. kinds: (C,) CHOICE, TIE or SKIP. winners: (C,) rows, −1
    without one. shown: (S,) rows, the screens one after the other, each left to right; screen c is
    shown[starts[c]:starts[c + 1]], starts: (C + 1,). seconds: (C,), nan if unknown. raters: (C,) into rater_names.
    repeat_of: (C,) id of the comparison that this one silently repeats, 0 = none. predicted: (C,) row which the
    ratings favoured when the choice was made, −1 = none. excluded: (N,) bool. starting_ratings: (N,), nan = none.
    starting_errors: (N,), nan = not known. began_at: (N,) texts, the model whose score an image started at, or "".
    held_out: (N,) bool, images that no fit learns of; see `held_out.py`.
    """

    images: Ints
    ids: Ints
    kinds: Ints
    winners: Ints
    shown: Ints
    starts: Ints
    seconds: Floats
    raters: Ints
    rater_names: tuple[str, ...]
    repeat_of: Ints
    predicted: Ints
    excluded: Bools
    starting_ratings: Floats
    starting_errors: Floats
    began_at: NDArray[np.str_]
    held_out: Bools

    def __len__(self) -> int:
        return len(self.ids)

    @cached_property
    def sizes(self) -> Ints:
        """(C,) how many images each screen showed."""
        return np.diff(self.starts)

    @cached_property
    def comparisons(self) -> Ints:
        """(N,) how often each image was shown and judged: choices and ties, not skips."""
        judged = np.repeat(self.kinds != SKIP, self.sizes)  # (S,)
        return np.bincount(self.shown[judged], minlength=len(self.images))

    @cached_property
    def pairs(self) -> Pairs:
        """The winner beats each loser (k − 1 pairs); in a tie everyone ties with everyone (k(k − 1)/2 pairs)."""
        parts = [_won_pairs(self), *(_tied_pairs(self, int(k)) for k in np.unique(self.sizes[self.kinds == TIE]))]
        winners, losers, comparison, ties = (np.concatenate(column) for column in zip(*parts, strict=True))
        order = np.argsort(comparison, kind="stable")
        return Pairs(winners[order], losers[order], ties[order].astype(bool), comparison[order])

    @cached_property
    def learnt(self) -> Ints:
        """Positions of the comparisons that fits learn from: those that show no image that is held out."""
        kept = np.ones(len(self), dtype=bool)
        np.logical_and.at(kept, np.repeat(np.arange(len(self)), self.sizes), ~self.held_out[self.shown])
        return np.flatnonzero(kept)

    @cached_property
    def to_learn(self) -> "Log":
        """This log with those comparisons alone; the images stay."""
        if not self.held_out.any() or len(self.learnt) == len(self):
            return self
        return self.only(self.learnt)

    @property
    def judged(self) -> int:
        """How many comparisons fits learn from, skips left out."""
        return int(np.sum(self.to_learn.kinds != SKIP))

    def only(self, positions: Ints) -> "Log":
        """The comparisons at these positions, ascending; the images stay."""
        columns = ("ids", "kinds", "winners", "seconds", "raters", "repeat_of", "predicted")
        part = {name: getattr(self, name)[positions] for name in columns}
        kept = np.zeros(len(self), dtype=bool)
        kept[positions] = True
        starts = np.concatenate([[0], np.cumsum(self.sizes[positions])])
        return replace(self, shown=self.shown[np.repeat(kept, self.sizes)], starts=starts, **part)

    def screen(self, position: int) -> Ints:
        """(k,) the rows on the screen of the comparison at `position`, left to right."""
        return self.shown[self.starts[position] : self.starts[position + 1]]

    def before(self, position: int) -> "Log":
        """What was known when the comparison at `position` was about to be made; the images stay."""
        return self.only(np.arange(len(self))[:position])

    def rows(self, image_ids: ArrayLike) -> Ints:
        """Rows of the images with these ids, same shape. UserError for an id that isn't in the database."""
        return _rows(self.images, np.asarray(image_ids, dtype=np.int64))


_NO_START = Start(float("nan"))


def make_log(
    images: ArrayLike,
    screens: Sequence[Sequence[int]],
    winners: Sequence[int],
    *,
    kinds: ArrayLike | None = None,
    seconds: ArrayLike | None = None,
    repeat_of: ArrayLike | None = None,
    starting_ratings: Mapping[int, float] | None = None,
    held_out: Collection[int] = (),
) -> Log:
    """A Log of one rater's screens, numbered from 1. All images by id; a winner 0 is none. For simulations."""
    sizes = [len(screen) for screen in screens]
    columns = {
        "ids": np.arange(len(screens)) + 1,
        "kinds": np.where(np.asarray(winners) > 0, CHOICE, TIE) if kinds is None else kinds,
        "winners": winners,
        "shown": [image for screen in screens for image in screen],
        "sizes": sizes,
        "seconds": np.full(len(screens), np.nan) if seconds is None else seconds,
        "repeat_of": np.zeros(len(screens)) if repeat_of is None else repeat_of,
    }
    columns |= {name: np.zeros(len(screens)) for name in ("sessions", "predicted")}
    starts = {image: Start(rating) for image, rating in (starting_ratings or {}).items()}
    return log_from_columns(images, columns, raters={0: ""}, starts=starts, held_out=held_out)


def log_from_columns(
    images: ArrayLike,
    columns: Mapping[str, ArrayLike],
    *,
    raters: Mapping[int, str],
    excluded: Collection[int] = (),
    starts: Mapping[int, Start],
    held_out: Collection[int] = (),
) -> Log:
    """A Log from what is stored: images by id, and 0 where there is no winner, repeat_of or predicted.

    columns: ids, kinds, winners, sizes, seconds, sessions, repeat_of, predicted, (C,) each, and shown, (S,). raters:
    session -> name.
    """
    whole = {name: np.asarray(column).astype(np.int64) for name, column in columns.items() if name != "seconds"}
    known = np.unique(np.asarray(images, dtype=np.int64))
    sessions, place = np.unique(whole["sessions"], return_inverse=True)
    begun = [starts.get(image, _NO_START) for image in known.tolist()]
    names = sorted({raters[session] for session in sessions.tolist()})
    rater_of = np.array([names.index(raters[session]) for session in sessions.tolist()], dtype=np.int64)
    return Log(
        images=known,
        ids=whole["ids"],
        kinds=whole["kinds"],
        winners=_rows_or_none(known, whole["winners"]),
        shown=_rows(known, whole["shown"]),
        starts=np.concatenate([[0], np.cumsum(whole["sizes"])]),
        seconds=np.asarray(columns["seconds"], dtype=np.float64),
        raters=rater_of[place],
        rater_names=tuple(names),
        repeat_of=whole["repeat_of"],
        predicted=_rows_or_none(known, whole["predicted"]),
        excluded=np.isin(known, list(excluded)),
        starting_ratings=np.array([start.rating for start in begun], dtype=np.float64),
        starting_errors=np.array([start.error for start in begun], dtype=np.float64),
        began_at=np.array([start.model for start in begun], dtype=np.str_),
        held_out=np.isin(known, list(held_out)),
    )


def _rows(images: Ints, ids: Ints) -> Ints:
    rows = np.searchsorted(images, ids)
    unknown = ids[images[np.minimum(rows, len(images) - 1)] != ids] if len(images) else ids
    if unknown.size:
        raise UserError(f"image {unknown.flat[0]} isn't in the comparisons database; register it first")
    return rows


def _rows_or_none(images: Ints, ids: Ints) -> Ints:
    rows = np.full(len(ids), -1, dtype=np.int64)
    rows[ids > 0] = _rows(images, ids[ids > 0])
    return rows


def _won_pairs(log: Log) -> tuple[Ints, Ints, Ints, Ints]:
    winner = np.repeat(np.where(log.kinds == CHOICE, log.winners, -1), log.sizes)  # (S,)
    comparison = np.repeat(np.arange(len(log)), log.sizes)
    lost = (winner >= 0) & (log.shown != winner)
    return winner[lost], log.shown[lost], comparison[lost], np.zeros(lost.sum(), dtype=np.int64)


def _tied_pairs(log: Log, k: int) -> tuple[Ints, Ints, Ints, Ints]:
    tied = np.flatnonzero((log.kinds == TIE) & (log.sizes == k))  # (T,)
    screens = log.shown[log.starts[tied][:, None] + np.arange(k)]  # (T, k)
    first, second = np.triu_indices(k, 1)  # (k(k − 1)/2,) each
    comparison = np.repeat(tied, len(first))
    return screens[:, first].ravel(), screens[:, second].ravel(), comparison, np.ones_like(comparison)
