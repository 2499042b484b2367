"""Which images to show next, and which earlier screen to repeat in silence."""

from collections import deque

import numpy as np

from ..common import UserError, number_of
from .log import CHOICE, Bools, Floats, Ints, Log
from .settings import MOST_AT_ONCE, PAIRINGS, PairingSettings

CANDIDATES = 12  # per opponent wanted
COUNT_COST = 0.3  # what one more comparison of a candidate costs, in Elo units of distance


def next_screen(
    pairing: str,
    rng: np.random.Generator,
    ratings: Floats,
    comparisons: Ints,
    allowed: Bools,
    number_to_compare: int = PairingSettings.number_to_compare,
    low_count_weight: float = PairingSettings.low_count_weight,
) -> Ints:
    """(k,) rows of the images to show, left to right, all different, in random order.

    ratings: (N,) Elo units. comparisons: (N,) how often each image was judged; add one for each screen that waits to
    be shown, or the same image comes again at once. allowed: (N,) bool, what may be shown.

    classic: one image drawn with weight (1 − low_count_weight)^comparisons, the others uniformly. random: all
    uniformly. near: the least-compared image, ties at random, against those k − 1 of 12 (k − 1) random others with
    the smallest |difference of ratings| + 0.3 × comparisons.

    Raises UserError for an unknown pairing, k outside 2…9, or fewer allowed images than k.
    """
    rows = np.flatnonzero(allowed)
    _check(pairing, number_to_compare, len(rows))
    if pairing == "near":
        screen = _near(rng, rows, ratings, comparisons, number_to_compare)
    elif pairing == "classic":
        screen = _classic(rng, rows, comparisons, number_to_compare, low_count_weight)
    else:
        screen = _sample(rng, rows, number_to_compare)
    return rng.permutation(screen)


def _check(pairing: str, k: int, n: int) -> None:
    if pairing not in PAIRINGS:
        raise UserError(f"--pairing={pairing}: unknown; it can be {', '.join(PAIRINGS)}")
    if not 2 <= k <= MOST_AT_ONCE:
        raise UserError(f"--number_to_compare={k}: out of range; it can be 2 to {MOST_AT_ONCE}")
    if n < k:
        raise UserError(
            f"{number_of(n, 'image', 'is')} there to choose from, and a screen shows {k}: not enough different images"
        )


def _near(rng: np.random.Generator, rows: Ints, ratings: Floats, comparisons: Ints, k: int) -> Ints:
    counts = comparisons[rows]
    first = rng.choice(rows[counts == counts.min()])
    candidates = _sample(rng, rows[rows != first], min(CANDIDATES * (k - 1), len(rows) - 1))
    cost = np.abs(ratings[candidates] - ratings[first]) + COUNT_COST * comparisons[candidates]
    return np.append(first, candidates[np.argsort(cost, kind="stable")[: k - 1]])


def _classic(rng: np.random.Generator, rows: Ints, comparisons: Ints, k: int, low_count_weight: float) -> Ints:
    counts = comparisons[rows]
    weights = np.power(1 - low_count_weight, counts - counts.min())  # from the least, or all would underflow to 0
    first = rng.choice(rows, p=weights / weights.sum())
    return np.append(first, _sample(rng, rows[rows != first], k - 1))


def _sample(rng: np.random.Generator, rows: Ints, size: int) -> Ints:
    return rng.choice(rows, size=size, replace=False)


class HiddenRepeats:
    """Chooses now and then an earlier screen to show again, its images the other way round.

    Only screens on which a choice was made, of as many images as are shown now, and at least `gap` screens ago. No
    set of images is repeated more than once.
    """

    def __init__(
        self,
        log: Log,
        share: float = PairingSettings.hidden_repeats,
        number_to_compare: int = PairingSettings.number_to_compare,
        gap: int = 10,
    ) -> None:
        """log: of the rater who is choosing. share: of all screens, 0…1."""
        self._share, self._k, self._gap = share, number_to_compare, gap
        self._old: list[tuple[int, tuple[int, ...]]] = []  # (comparison id, rows): may be repeated
        self._recent: deque[tuple[int, tuple[int, ...]]] = deque()  # not yet
        self._repeated: set[frozenset[int]] = set()
        for c in range(len(log)):
            self.played(int(log.ids[c]), log.screen(c), bool(log.kinds[c] == CHOICE), bool(log.repeat_of[c]))

    def played(self, comparison_id: int, screen: Ints, choice: bool = True, repeat: bool = False) -> None:
        """Remember a finished screen. choice: False for ties and skips. repeat: it was such a repeat itself."""
        rows = tuple(int(row) for row in screen)
        if repeat:
            self._repeated.add(frozenset(rows))
        self._recent.append((comparison_id, rows if choice else ()))
        if len(self._recent) > self._gap:
            self._old.append(self._recent.popleft())

    def undone(self, comparison_id: int) -> None:
        """Forget a screen that was taken back."""
        self._old = [entry for entry in self._old if entry[0] != comparison_id]
        self._recent = deque(entry for entry in self._recent if entry[0] != comparison_id)

    def pick(self, rng: np.random.Generator, allowed: Bools) -> tuple[Ints, int] | None:
        """With the probability `share`: (rows left to right, id of the comparison repeated). None: show a new screen.

        None as well while nothing can be repeated. What was picked isn't picked again. allowed: (N,) bool.
        """
        if rng.random() >= self._share:
            return None
        while self._old:
            place = int(rng.integers(len(self._old)))
            self._old[place], self._old[-1] = self._old[-1], self._old[place]  # taken from the end: no shifting
            comparison_id, rows = self._old.pop()
            if len(rows) == self._k and frozenset(rows) not in self._repeated and allowed[list(rows)].all():
                self._repeated.add(frozenset(rows))
                return np.array(rows[::-1], dtype=np.int64), comparison_id
        return None
