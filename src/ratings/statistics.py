"""What the choices say: about the ratings, about the person, and about what to do next."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..common import number_of
from .log import CHOICE, SKIP, Bools, Floats, Ints, Log

WANTED = 3.0  # comparisons per image; beyond that, each further choice teaches a model less and less
AS_GOOD_AS_PEOPLE_GET = 0.75  # agreement of choices with ratings, over pairs drawn at random
GOOD_ORDER = 0.85  # expected Spearman; a model learns little more from better scores
# In nine of ten simulated cases the choices that were left lay between these: choices_needed.py --only advised.
LEAST, LEAST_OF_MADE = 0.4, -0.1  # of those foreseen, and of those made
MOST, MOST_OF_MADE = 2.0, 0.3
EARLY = 0.5  # choices per image; with fewer the expected Spearman may be far off: see docs/how-ratings-work.md
ENOUGH_REPEATS = 20  # for the person's own consistency to say more than that
_Z95 = 1.959963984540054


@dataclass(frozen=True)
class Share:
    """hits of total, and its 95 % interval, 0…1. share, low, high: nan of none."""

    hits: int
    total: int

    @property
    def share(self) -> float:
        return self.hits / self.total if self.total else float("nan")

    @property
    def interval(self) -> tuple[float, float]:
        """The score interval: Wilson (1927), without correction for continuity."""
        if not self.total:
            return float("nan"), float("nan")
        n, p, z2 = self.total, self.share, _Z95**2
        centre = (p + z2 / (2 * n)) / (1 + z2 / n)
        half = _Z95 * np.sqrt(p * (1 - p) / n + z2 / (4 * n * n)) / (1 + z2 / n)
        return max(0.0, float(centre - half)), min(1.0, float(centre + half))

    @property
    def said(self) -> str:
        """In words, such as "60 % (50–69 %) of 100"."""
        if not self.total:
            return "unknown yet"
        low, high = self.interval
        return f"{100 * self.share:.0f} % ({100 * low:.0f}–{100 * high:.0f} %) of {self.total}"


@dataclass(frozen=True)
class Outcomes:
    """How choices met the ratings as they stood just before each: counts of choices; ties and skips are in none."""

    matched: int
    contradicted: int
    not_predicted: int

    @property
    def choices(self) -> int:
        return self.matched + self.contradicted + self.not_predicted

    @property
    def agreement(self) -> Share:
        """Matched, of those predicted."""
        return Share(self.matched, self.matched + self.contradicted)


@dataclass(frozen=True)
class OddOneOut:
    """Of the choices where database and model both predict, who stood alone; `all_differ` needs 3 images or more.

    Person alone more often than the model: choose more. Model alone more often: train.
    """

    all_agreed: int
    person_alone: int
    database_alone: int
    model_alone: int
    all_differ: int


def predicted_winner(ratings: Floats, known: Bools, screen: Ints) -> int:
    """The row on `screen` which the ratings favour; −1 if one of them isn't known, or the best two are equal.

    ratings, known: (N,). An image is known if it was ever judged, or began with a rating of its own.
    """
    values = ratings[screen]
    best = int(np.argmax(values))
    if not known[screen].all() or np.sum(values == values[best]) > 1:
        return -1
    return int(screen[best])


def outcomes(log: Log, first: int = 0, last: int | None = None) -> Outcomes:
    """Of the comparisons at the positions first…last − 1, by the prediction stored with each of them."""
    return _outcomes(log, np.arange(len(log))[first:last])


def _outcomes(log: Log, part: Ints) -> Outcomes:
    chosen = log.kinds[part] == CHOICE
    predicted = log.predicted[part][chosen]
    hits = int(np.sum(predicted == log.winners[part][chosen]))
    foreseen = int(np.sum(predicted >= 0))
    return Outcomes(hits, foreseen - hits, int(chosen.sum()) - foreseen)


def agreement_curve(log: Log, starts: Sequence[int], at_once: int = 2) -> list[Outcomes]:
    """The outcomes of each batch, of its screens of `at_once` images; the last one lasts to the end of the log.

    starts: the position at which each batch begins, never falling.
    """
    ends = [*starts[1:], len(log)]
    parts = (np.arange(first, end) for first, end in zip(starts, ends, strict=True))
    return [_outcomes(log, part[log.sizes[part] == at_once]) for part in parts]


def as_good_as_people_get(at_once: int) -> float:
    """The agreement to hope for, over screens of `at_once` images drawn at random.

    0.75 to the power log₂ k: the best of four has won two rounds of two. In the same way chance is 0.5^log₂ k = 1/k.
    """
    return float(AS_GOOD_AS_PEOPLE_GET ** np.log2(at_once))


def consistency(log: Log, at_once: int = 2) -> Share:
    """Of the hidden repeats of screens of `at_once` images, how often the same image won again.

    Repeats of what was undone are left out.
    """
    again = np.flatnonzero((log.repeat_of > 0) & (log.kinds == CHOICE) & (log.sizes == at_once))
    place = np.searchsorted(log.ids, log.repeat_of[again])  # never beyond the end: a repeat comes after its original
    found = log.ids[place] == log.repeat_of[again]
    again, place = again[found], place[found]
    chosen = log.kinds[place] == CHOICE
    return Share(int(np.sum(log.winners[again] == log.winners[place])), int(chosen.sum()))


def ceiling(share: float, at_once: int = 2) -> tuple[float, float]:
    """Between what shares of the choices a perfect model would match, given the person's consistency; nan of nan.

    An image of k chosen with the probabilities p is chosen again with c = Σp², and foreseen with max p: at least c,
    and most where the others share what is left, c = p² + (1 − p)² / (k − 1). See docs/how-ratings-work.md.
    """
    k, lowest = at_once, max(1 / at_once, share)
    highest = (1 + np.sqrt((k - 1) * max(0.0, k * share - 1))) / k
    return (lowest, float(highest)) if share == share else (share, share)


def known_consistency(repeats: Share) -> float:
    """The share of hidden repeats in which the person chose the same; nan while there are too few to go by."""
    return repeats.share if repeats.total >= ENOUGH_REPEATS else float("nan")


def side_bias(log: Log) -> Share:
    """How often the left image won, on screens of two. Without bias: half."""
    two = np.flatnonzero((log.sizes == 2) & (log.kinds == CHOICE))
    return Share(int(np.sum(log.shown[log.starts[two]] == log.winners[two])), len(two))


def odd_one_out(log: Log, model_scores: Floats) -> OddOneOut:
    """model_scores: (N,), nan where the model has none. What the database predicts is stored with each choice."""
    known = ~np.isnan(model_scores)
    counts = dict.fromkeys(OddOneOut.__annotations__, 0)
    for c in np.flatnonzero((log.kinds == CHOICE) & (log.predicted >= 0)):
        model = predicted_winner(model_scores, known, log.screen(int(c)))
        if model >= 0:
            counts[_who_stood_alone(int(log.winners[c]), int(log.predicted[c]), model)] += 1
    return OddOneOut(**counts)


def _who_stood_alone(person: int, database: int, model: int) -> str:
    if person == database == model:
        return "all_agreed"
    if database == model:
        return "person_alone"
    if person == model:
        return "database_alone"
    return "model_alone" if person == database else "all_differ"


def histogram(comparisons: Ints) -> list[int]:
    """How many images have 0, 1, 2, … comparisons. comparisons: (N,), of the images that count."""
    return np.bincount(comparisons).tolist()


def extremes(ratings: Floats, rated: Bools, n: int = 10) -> tuple[Ints, Ints]:
    """Rows of the n best images, best first, and of the n worst, worst first; only rated ones, none in both."""
    rows = np.flatnonzero(rated)
    order = rows[np.argsort(-ratings[rows], kind="stable")]
    half = (len(order) + 1) // 2
    return order[: min(n, half)], order[: half - 1 if half else None : -1][:n]


def too_early(log: Log) -> int:
    """How many more choices before an expected Spearman is worth saying; 0: it is."""
    images, choices = np.sum(~log.excluded & ~log.held_out), np.sum(log.to_learn.kinds != SKIP)
    return max(0, int(np.ceil(EARLY * images)) - int(choices))


def standing(expected_spearman: float | None, choices_for_next: int | None, missing: int = 0) -> str:
    """How right the order is and what a better one costs, in words; empty where the ratings can't say.

    missing: see `too_early`.
    """
    if expected_spearman is None:
        return ""
    if missing:
        return f"How right the order of your pictures is can be said after {number_of(missing, 'more choice')}."
    right = f"The order of your pictures is about {max(0.0, expected_spearman):.2f} right (1 = perfect)"
    if choices_for_next is None:
        return f"{right}."
    more = int(float(f"{choices_for_next:.1e}"))  # two digits: it is an estimate
    return f"{right}; about {number_of(more, 'more choice')} for the next 0.01."


def likely_range(choices: float, made: int) -> tuple[int, int]:
    """Between what counts those lie that are left, in two digits. choices: as foreseen, after so many were made."""
    low = max(1.0, LEAST * choices + LEAST_OF_MADE * made)
    high = max(low, MOST * choices + MOST_OF_MADE * made)
    return int(float(f"{low:.1e}")), int(float(f"{high:.1e}"))


def advice_by_order(expected_spearman: float, choices_to_good: int | None, made: int, missing: int = 0) -> str:
    """One sentence on what to do next, by how right the order is. choices_to_good: see `Ratings`; made: choices so
    far; missing: see `too_early`."""
    if missing:
        return f"It is too early to say how right the order is: make {number_of(missing, 'more choice')}."
    right = f"The order is about {max(0.0, expected_spearman):.2f} right"
    if round(expected_spearman, 2) >= GOOD_ORDER:
        return f"{right}: enough to train a model; more sharpens the ratings."
    wanted = f"{right}; {GOOD_ORDER} is enough to train a good model"
    if choices_to_good is None:
        return f"{wanted}: make more choices."
    low, high = likely_range(choices_to_good, made)
    return f"{wanted}: make {number_of(high, 'more choice') if low == high else f'{low} to {high} more choices'}."


def advice_by_count(comparisons: Ints, agreement: Share, repeats: Share, at_once: int = 2) -> str:
    """One sentence on what to do next, where the ratings can't say how right the order is.

    comparisons: (N,) of the images that count. agreement: of the latest choices with the ratings. repeats: the
    person's consistency, from the same kind of screens, so that it says how far agreement can rise with any pairing.
    """
    mean = float(np.mean(comparisons)) if len(comparisons) else 0.0
    if mean < WANTED:
        more = int(np.ceil((WANTED - mean) * len(comparisons) / at_once))
        return (
            f"{mean:.1f} comparisons per image; about {WANTED:.0f} are enough to train a good model: "
            f"make {number_of(more, 'more choice')}."
        )
    goal = as_good_as_people_get(at_once)
    wanted = repeats.share if repeats.total >= ENOUGH_REPEATS else goal
    foresaw = f"{mean:.1f} comparisons per image, and the ratings foresaw {agreement.share:.0%} of your choices"
    if agreement.total and agreement.share >= min(wanted, goal):
        return f"{foresaw}; about {goal:.0%} is as good as people get, less where images are close: train a model."
    return f"{mean:.1f} comparisons per image are enough to train a model; more still sharpen the ratings."
