"""The statistics at the end of a batch: gathered once, shown on the page, in the terminal and in ab_stats.csv."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..common import number_of, spearman
from .fitted import Ratings
from .log import CHOICE, SKIP, TIE, Bools, Floats, Log
from .statistics import (
    ENOUGH_REPEATS,
    OddOneOut,
    Outcomes,
    Share,
    advice_by_count,
    advice_by_order,
    agreement_curve,
    as_good_as_people_get,
    ceiling,
    consistency,
    histogram,
    odd_one_out,
    outcomes,
    side_bias,
    standing,
    too_early,
)


@dataclass(frozen=True)
class Batch:
    """choices, ties, skips, outcomes, seconds (median per choice, nan of none) are of this batch, the rest of all.

    at_once: images on a screen; curve and repeats are of such screens alone. curve: of each batch of the session so
    far, this one last. left: None where no screen showed two.
    spearman: between the ratings before and after the batch, over images with comparisons. images: how many have
    0, 1, 2, … comparisons. odd: None without a model. advice: what to do next. expected_spearman, choices_for_next:
    see `Ratings`. missing: see `too_early`.
    """

    at_once: int
    choices: int
    ties: int
    skips: int
    seconds: float
    outcomes: Outcomes
    curve: list[Outcomes]
    spearman: float
    images: list[int]
    repeats: Share
    left: Share | None
    odd: OddOneOut | None
    advice: str
    expected_spearman: float | None = None
    choices_for_next: int | None = None
    missing: int = 0

    @property
    def standing(self) -> str:
        """How right the order is, in words; empty where the ratings can't say."""
        return standing(self.expected_spearman, self.choices_for_next, self.missing)

    @property
    def chance(self) -> float:
        """The agreement of guesses."""
        return 1 / self.at_once

    @property
    def goal(self) -> float:
        """The agreement to hope for, where images are drawn at random."""
        return as_good_as_people_get(self.at_once)

    @property
    def ceiling(self) -> tuple[float, float] | None:
        """Between what shares of the choices a perfect model would foresee; None while too few repeats say so."""
        return ceiling(self.repeats.share, self.at_once) if self.repeats.total >= ENOUGH_REPEATS else None

    def row(self) -> dict[str, object]:
        """For ab_stats.csv: shares as fractions; empty where there is no number."""
        agreement = self.outcomes.agreement
        numbers = {
            "choices": self.choices,
            "ties": self.ties,
            "skips": self.skips,
            "median_seconds": self.seconds,
            "matched": self.outcomes.matched,
            "contradicted": self.outcomes.contradicted,
            "not_predicted": self.outcomes.not_predicted,
            "agreement": agreement.share,
            "spearman_before_after": self.spearman,
            "comparisons_per_image": _mean(self.images),
            "images_never_compared": self.images[0] if self.images else 0,
            "hidden_repeats": self.repeats.total,
            "consistency": self.repeats.share,
            "left_share": self.left.share if self.left else float("nan"),
        }
        return {name: _plain(number) for name, number in numbers.items()}

    def text(self) -> str:
        """The same in lines, for the terminal."""
        met = self.outcomes
        speed = "" if np.isnan(self.seconds) else f"; {self.seconds:.1f} s per choice (median)"
        lines = [
            ", ".join([number_of(self.choices, "choice"), number_of(self.ties, "tie"), number_of(self.skips, "skip")])
            + speed,
            f"the ratings: {met.matched} matched, {met.contradicted} contradicted, {met.not_predicted} not predicted",
            f"agreement {met.agreement.said}, by chance {100 * self.chance:.0f} %; "
            f"the batches of this session, %: {_curve(self.curve)}",
            "images with 0, 1, 2, … comparisons: " + " ".join(map(str, self.images)),
            f"your own consistency {self.repeats.said}{_ceiling(self.ceiling)}",
        ]
        if not np.isnan(self.spearman):  # there are none before the first batch
            lines.append(f"Spearman of the ratings before and after: {self.spearman:.3f}")
        if self.left:
            lines.append(f"the left image won {self.left.said}")
        if self.odd:
            lines.append(_odd(self.odd))
        if self.standing:
            lines.append(self.standing)
        return "\n".join([*lines, self.advice])


def batch_statistics(
    log: Log,
    starts: Sequence[int],
    before: Ratings,
    after: Ratings,
    allowed: Bools,
    model_scores: Floats | None = None,
) -> Batch:
    """The statistics of a batch that lasts to the end of `log`.

    log: of the person who chose. starts: the positions at which the batches of the session began, this one last.
    before, after: ratings of the images of `log`. allowed: (N,) bool, the images that are there and not excluded.
    model_scores: (N,), nan where unknown.
    """
    first = starts[-1]
    kinds, chosen = log.kinds[first:], log.kinds[first:] == CHOICE
    seconds = log.seconds[first:][chosen & ~np.isnan(log.seconds[first:])]
    rated, allowed = after.comparisons > 0, allowed & ~log.held_out
    at_once = int(log.sizes[-1]) if len(log) else 2
    repeats, met, left = consistency(log, at_once), outcomes(log, first), side_bias(log)
    missing = too_early(log)
    if after.expected_spearman is None:
        advice = advice_by_count(after.comparisons[allowed], met.agreement, repeats, at_once)
    else:
        advice = advice_by_order(after.expected_spearman, after.choices_to_good, log.judged, missing)
    return Batch(
        at_once=at_once,
        choices=int(chosen.sum()),
        ties=int(np.sum(kinds == TIE)),
        skips=int(np.sum(kinds == SKIP)),
        seconds=float(np.median(seconds)) if len(seconds) else float("nan"),
        outcomes=met,
        curve=agreement_curve(log, starts, at_once),
        spearman=spearman(before.rating[rated], after.rating[rated]),
        images=histogram(after.comparisons[allowed]),
        repeats=repeats,
        left=left if left.total or at_once == 2 else None,
        odd=None if model_scores is None else odd_one_out(log, model_scores),
        advice=advice,
        expected_spearman=after.expected_spearman,
        choices_for_next=after.choices_for_next,
        missing=missing,
    )


def _mean(images: list[int]) -> float:
    return float(np.average(np.arange(len(images)), weights=images)) if sum(images) else float("nan")


def _plain(number: float) -> object:
    if isinstance(number, int):
        return number
    return "" if np.isnan(number) else round(number, 4)


def _curve(curve: list[Outcomes]) -> str:
    return " ".join(f"{100 * one.agreement.share:.0f}" if one.agreement.total else "–" for one in curve)


def _ceiling(shares: tuple[float, float] | None) -> str:
    return f"; a perfect model would foresee {100 * shares[0]:.0f}–{100 * shares[1]:.0f} %" if shares else ""


def _odd(odd: OddOneOut) -> str:
    return (
        f"all agreed {odd.all_agreed}; alone: you {odd.person_alone}, the ratings {odd.database_alone}, the model "
        f"{odd.model_alone}" + (f"; all different {odd.all_differ}" if odd.all_differ else "")
    )
