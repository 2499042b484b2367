"""How far the order of the images is on the way to one that is good enough to train on, and how long that takes."""

from dataclasses import dataclass

import numpy as np

from ..common import number_of
from .fitted import Ratings
from .log import Log
from .statistics import GOOD_ORDER, WANTED, likely_range, too_early

LATEST = 50  # choices, whose pace counts
LONG = 100  # minutes, from which on hours are said


@dataclass(frozen=True)
class Progress:
    """share: 0…1 of the way that is done. low, high: choices that are left, at least and at most; 0 and 0: none are.

    seconds: one of them takes, screens that tell nothing with it; nan where that isn't known. order: how right the
    order is, nan where it can't be said. waits: for what it takes to say any of this. way: what it goes by, "order"
    or "count" of comparisons.
    """

    share: float
    low: int = 0
    high: int = 0
    seconds: float = float("nan")
    order: float = float("nan")
    waits: bool = False
    way: str = "order"

    @property
    def text(self) -> str:
        """In words."""
        if self.waits:
            return "known when the features of your pictures are read"
        if not self.high:
            return f"{self._right('')}good enough to train a model; more choices sharpen it"
        return f"{self._right(f' of {GOOD_ORDER}')}{self._left}"

    def _right(self, goal: str) -> str:
        return "" if np.isnan(self.order) else f"{max(0.0, self.order):.2f}{goal} right · "

    @property
    def _left(self) -> str:
        if np.isnan(self.seconds):
            known = number_of(self.high, "choice") if self.low == self.high else f"{self.low} to {self.high} choices"
            return f"about {known} left"
        return f"about {_times(self.low * self.seconds / 60, self.high * self.seconds / 60)} left at your pace"


def progress_of(log: Log, ratings: Ratings, at_once: int) -> Progress:
    """Of one rater's log and the ratings fitted to it, which were shown `at_once` on a screen.

    By comparisons per image where the ratings can't say how right they are.
    """
    judged, missing, order = log.judged, too_early(log), ratings.expected_spearman
    way = "count" if order is None or ratings.choices_to_good is None else "order"
    if order is None or ratings.choices_to_good is None:
        left = _by_count(log, at_once)
        low = high = left
    else:
        is_good = round(order, 2) >= GOOD_ORDER and not missing  # as the advice has it
        left = 0 if is_good else max(ratings.choices_to_good, missing, 1)
        low, high = likely_range(left, judged) if left else (0, 0)
    known = float("nan") if order is None or missing else order
    ahead = high if missing else left  # what is shown never goes back, so that an early estimate is taken with care
    share = judged / (judged + ahead) if judged else 0.0
    return Progress(share, low, high, _pace(log, judged), known, way=way)


def _by_count(log: Log, at_once: int) -> int:
    counted = ~log.excluded & ~log.held_out
    missing = WANTED * np.sum(counted) - log.comparisons[counted].sum()
    return max(0, int(np.ceil(missing / at_once)))


def _pace(log: Log, judged: int) -> float:
    """Seconds per choice that tells something."""
    times = log.seconds[~np.isnan(log.seconds)][-LATEST:]
    return float(np.median(times)) * len(log) / judged if len(times) and judged else float("nan")


def _times(low: float, high: float) -> str:
    """A range of minutes, in hours where it is long."""
    if high <= 1:
        return "a minute"
    if high > LONG:
        first, last = f"{low / 60:.2g}", f"{high / 60:.2g}"
        return f"{first} to {last} hours" if first != last else f"{last} hours"
    least, most = max(1, round(low)), int(np.ceil(high))
    return f"{least} to {most} min" if least != most else f"{most} min"
