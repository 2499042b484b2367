"""The statistics at the end of a batch: gathered once, shown on the page, in the terminal and in ab_stats.csv."""

from dataclasses import dataclass

import numpy as np

from src.ratings.fit import Ratings
from src.ratings.log import CHOICE, SKIP, TIE, Bools, Floats, Log
from src.ratings.statistics import (
    OddOneOut,
    Outcomes,
    Share,
    advice,
    agreement_curve,
    ceiling,
    consistency,
    histogram,
    odd_one_out,
    outcomes,
    rank_correlation,
    side_bias,
    standing,
)


@dataclass(frozen=True)
class Batch:
    """choices, ties, skips, outcomes, seconds (median per choice, nan of none) are of this batch, the rest of all.

    spearman: between the ratings before and after the batch, over images with comparisons. images: how many have
    0, 1, 2, … comparisons. odd: None without a model. advice: what to do next. expected_spearman, choices_for_next:
    see `Ratings`.
    """

    choices: int
    ties: int
    skips: int
    seconds: float
    outcomes: Outcomes
    curve: list[Outcomes]
    spearman: float
    images: list[int]
    repeats: Share
    left: Share
    odd: OddOneOut | None
    advice: str
    expected_spearman: float | None = None
    choices_for_next: int | None = None

    @property
    def standing(self) -> str:
        """How right the order is, in words; empty where the ratings can't say."""
        return standing(self.expected_spearman, self.choices_for_next)

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
            "left_share": self.left.share,
        }
        return {name: _plain(number) for name, number in numbers.items()}

    def text(self) -> str:
        """The same in lines, for the terminal."""
        met = self.outcomes
        lines = [
            f"{self.choices} choices, {self.ties} ties, {self.skips} skips; {self.seconds:.1f} s per choice (median)",
            f"the ratings: {met.matched} matched, {met.contradicted} contradicted, {met.not_predicted} not predicted",
            f"agreement {_said(met.agreement)}; batch by batch, %: {_curve(self.curve)}",
            f"Spearman of the ratings before and after: {self.spearman:.3f}",
            "images with 0, 1, 2, … comparisons: " + " ".join(map(str, self.images)),
            f"your own consistency {_said(self.repeats)}{_ceiling(self.repeats)}",
            f"the left image won {_said(self.left)}",
        ]
        if self.odd:
            lines.append(_odd(self.odd))
        if self.standing:
            lines.append(self.standing)
        return "\n".join([*lines, self.advice])


def batch_statistics(
    log: Log,
    first: int,
    before: Ratings,
    after: Ratings,
    allowed: Bools,
    batch: int,
    model_scores: Floats | None = None,
) -> Batch:
    """The statistics of the batch which began at position `first` of `log` and lasts to its end.

    log: of the person who chose. before, after: ratings of the images of `log`. allowed: (N,) bool, the images that
    are there and not excluded. batch: screens per batch, for the curve. model_scores: (N,), nan where unknown.
    """
    kinds, chosen = log.kinds[first:], log.kinds[first:] == CHOICE
    seconds = log.seconds[first:][chosen & ~np.isnan(log.seconds[first:])]
    rated = after.comparisons > 0
    repeats, met = consistency(log), outcomes(log, first)
    at_once = int(log.sizes[-1]) if len(log) else 2
    return Batch(
        choices=int(chosen.sum()),
        ties=int(np.sum(kinds == TIE)),
        skips=int(np.sum(kinds == SKIP)),
        seconds=float(np.median(seconds)) if len(seconds) else float("nan"),
        outcomes=met,
        curve=agreement_curve(log, batch),
        spearman=rank_correlation(before.rating[rated], after.rating[rated]),
        images=histogram(after.comparisons[allowed]),
        repeats=repeats,
        left=side_bias(log),
        odd=None if model_scores is None else odd_one_out(log, model_scores),
        advice=advice(after.comparisons[allowed], met.agreement, repeats, at_once, after.expected_spearman),
        expected_spearman=after.expected_spearman,
        choices_for_next=after.choices_for_next,
    )


def _mean(images: list[int]) -> float:
    return float(np.average(np.arange(len(images)), weights=images)) if sum(images) else float("nan")


def _plain(number: float) -> object:
    if isinstance(number, int):
        return number
    return "" if np.isnan(number) else round(number, 4)


def _said(share: Share) -> str:
    if not share.total:
        return "unknown yet"
    low, high = share.interval
    return f"{100 * share.share:.0f} % ({100 * low:.0f}–{100 * high:.0f} %) of {share.total}"


def _curve(curve: list[Outcomes]) -> str:
    return " ".join(f"{100 * one.agreement.share:.0f}" if one.agreement.total else "–" for one in curve)


def _ceiling(repeats: Share) -> str:
    if not repeats.total:
        return ""
    low, high = ceiling(repeats.share)
    return f"; a perfect model would foresee {100 * low:.0f}–{100 * high:.0f} %"


def _odd(odd: OddOneOut) -> str:
    return (
        f"all agreed {odd.all_agreed}; alone: you {odd.person_alone}, the database {odd.database_alone}, the model "
        f"{odd.model_alone}" + (f"; all different {odd.all_differ}" if odd.all_differ else "")
    )
