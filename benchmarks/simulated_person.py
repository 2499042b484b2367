"""A person who chooses between images by a known taste, at the product's own pairing and repeats; for benchmarks.

The person chooses by the Bradley-Terry model itself (by a softmax on larger screens): utility = scale × standardised
truth + a Gumbel error per image. The scale is such that the stated share of choices between two random images agrees
with the true order; between close images it is less, as with people.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from scipy.optimize import brentq
from scipy.special import expit

from src.common import spearman
from src.ratings.fitted import Ratings
from src.ratings.held_out import turn
from src.ratings.log import Log, make_log
from src.ratings.pairing import HiddenRepeats, next_screen
from src.ratings.settings import PairingSettings

REFITS_PER_CHOICE_PER_IMAGE = 20  # so every N/20 choices; the page's own refits follow each choice


@dataclass(frozen=True)
class Taste:
    """truth: (N,), any unit. utilities: (N,) natural units, the truth scaled to the agreement."""

    truth: np.ndarray
    utilities: np.ndarray

    def choose(self, screen: np.ndarray, rng: np.random.Generator) -> int:
        """The place on the screen of the image chosen."""
        return int(np.argmax(self.utilities[screen] + rng.gumbel(size=len(screen))))


@dataclass
class Course:
    """What was chosen, and what the ratings were on the way.

    at: choices per image at each refit. spearman: with the truth; expected: as estimated; next: as estimated, choices
    for the next +0.01; left: for a good order. ratings: of the points asked for. log: all choices.
    """

    at: list[float] = field(default_factory=list)
    spearman: list[float] = field(default_factory=list)
    expected: list[float] = field(default_factory=list)
    next: list[float] = field(default_factory=list)
    left: list[float] = field(default_factory=list)
    ratings: dict[float, Ratings] = field(default_factory=dict)
    log: Log | None = None


def make_taste(truth: np.ndarray, agreement: float) -> Taste:
    """agreement: share of choices between two random images that follow the truth, 0.5…1."""
    standard = (truth - truth.mean()) / truth.std()
    gaps = np.abs(standard[:, None] - standard)[np.triu_indices(len(truth), 1)]
    scale = brentq(lambda s: expit(s * gaps).mean() - agreement, 0.01, 50)
    return Taste(truth, scale * standard)


def simulate(
    taste: Taste,
    fit: Callable[[Log], Ratings],
    pairing: str,
    choices_per_image: float,
    seed: int,
    number_to_compare: int = 2,
    keep: tuple[float, ...] = (),
    tick: Callable[[int], object] = lambda choices: None,
    held_out: np.ndarray | None = None,
    held_out_share: float = 0.0,
    hidden_repeats: float = PairingSettings.hidden_repeats,
) -> Course:
    """Choose and refit in turn. keep: the points, in choices per image, whose ratings are kept.

    held_out: (N,) bool, the images of a share of the screens, from which no fit learns. hidden_repeats: the share of
    the screens that repeat an earlier one, as the A/B scorer has them.
    """
    n, rng, course = len(taste.truth), np.random.default_rng(seed), Course()
    screens, winners, repeat_of = np.zeros((0, number_to_compare), int), np.zeros(0, int), np.zeros(0, int)
    repeats = HiddenRepeats(make_log([], screens, winners), hidden_repeats, number_to_compare)
    rating, counts, allowed = np.zeros(n), np.zeros(n, int), np.ones(n, bool)
    held = np.zeros(n, bool) if held_out is None else held_out

    def new_screen() -> np.ndarray:
        among, is_held_out = turn(rng, held_out_share, allowed, held, number_to_compare)
        return next_screen("random" if is_held_out else pairing, rng, rating, counts, among, number_to_compare)

    points = {round(k * n / REFITS_PER_CHOICE_PER_IMAGE) for k in range(1, 1000)} | {round(p * n) for p in keep}
    for done in sorted(p for p in points if p <= choices_per_image * n + 0.5):
        tick(done - len(screens))
        for _ in range(done - len(screens)):
            screen, repeated = repeats.pick(rng, allowed) or (new_screen(), 0)
            counts[screen] += 1
            screens, repeat_of = np.vstack([screens, screen]), np.append(repeat_of, repeated)
            repeats.played(len(screens), screen, repeat=repeated > 0)
            winners = np.append(winners, screen[taste.choose(screen, rng)])
        course.log = make_log(
            np.arange(n) + 1, screens + 1, winners + 1, repeat_of=repeat_of, held_out=np.flatnonzero(held) + 1
        )
        ratings = fit(course.log.to_learn)
        rating = ratings.rating
        _note(course, done / n, ratings, taste.truth)
        course.ratings |= {p: ratings for p in keep if round(p * n) == done}
    return course


def _note(course: Course, at: float, ratings: Ratings, truth: np.ndarray) -> None:
    course.at.append(at)
    course.spearman.append(spearman(truth, ratings.rating))
    course.expected.append(np.nan if ratings.expected_spearman is None else ratings.expected_spearman)
    course.next.append(np.nan if ratings.choices_for_next is None else ratings.choices_for_next)
    course.left.append(np.nan if ratings.choices_to_good is None else ratings.choices_to_good)
