"""Ratings of anything that has a name, from a list of choices; the log without a database behind it."""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..common import UserError
from .bradley_terry import PRIOR_SD
from .fit import fit_ratings
from .log import Floats, Ints, make_log
from .settings import METHODS, RatingSettings

ASSISTED = "assisted"  # needs features, which a list of choices has not


@dataclass(frozen=True)
class NamedRatings:
    """What N names are rated, in the order in which they were first named.

    ratings: (N,) Elo units, P(a preferred to b) = 1 / (1 + 10^-(a - b)). errors: (N,) their standard errors, nan
    where the method has none. comparisons: (N,) how often each was chosen from, ties included.
    """

    names: list[Any]
    ratings: Floats
    errors: Floats
    comparisons: Ints

    def __len__(self) -> int:
        return len(self.names)

    def best_first(self) -> list[Any]:
        """The names; of equal ratings the one that was named first."""
        return [self.names[row] for row in np.argsort(-self.ratings, kind="stable")]


def rate(
    choices: Iterable[Sequence[Hashable] | frozenset[Hashable] | set[Hashable]],
    method: str = "bradley_terry",
    *,
    names: Iterable[Hashable] = (),
    start: Mapping[Hashable, float] | None = None,
    prior_sd: float = PRIOR_SD,
    k: float = RatingSettings.k,
) -> NamedRatings:
    """Ratings of what was chosen from, by all choices in the order they were made.

    choices: each (winner, loser) or (winner, loser, loser, …); a set, as {a, b}, is a tie between them. method:
    bradley_terry, all at once; elo, one by one. names: what comes first in the answer, and is in it even if it was
    never compared. start: what is thought of some names before, in Elo units; 0 for the others. prior_sd: Elo units
    above 0, how sure that is; bradley_terry only. k: Elo units above 0, the largest step of one choice; elo only.
    Raises UserError for a choice that is none. docs/how-ratings-work.md has the maths.
    """
    _check(method, prior_sd, k)
    if start is not None and not isinstance(start, Mapping):
        raise UserError(f"start: is of type {type(start).__name__}; give {{name: rating}}")
    screens = [_screen(i, choice) for i, choice in enumerate(_listed("choices", choices))]
    if not screens:
        raise UserError("choices: there are none; give a list of (winner, loser)")
    known = list(dict.fromkeys([*_listed("names", names), *(name for screen, _ in screens for name in screen)]))
    ids = {name: number for number, name in enumerate(known, start=1)}
    shown = [[ids[name] for name in screen] for screen, _ in screens]
    winners = [screen[0] if won else 0 for screen, (_, won) in zip(shown, screens, strict=True)]
    log = make_log(list(ids.values()), shown, winners, starting_ratings=_starts(start or {}, ids))
    try:
        found = fit_ratings(log, method, prior_sd=prior_sd, k=k)
    except ArithmeticError:  # next to no prior, and choices that all go one way
        raise UserError(
            f"prior_sd={prior_sd!r}: ratings of these choices can't be found with it; give one nearer to {PRIOR_SD:g}"
        )
    return NamedRatings(known, found.rating, found.error, found.comparisons)


def _screen(i: int, choice: Any) -> tuple[list[Hashable], bool]:
    """The names of one choice, the winner first, and whether there is one."""
    if isinstance(choice, str | bytes) or not isinstance(choice, Iterable) or isinstance(choice, Mapping):
        raise UserError(f"choices[{i}]: {choice!r} is no choice; give (winner, loser), or {{a, b}} for a tie")
    shown = _hashable(f"choices[{i}]", choice)
    if len(shown) < 2:
        raise UserError(f"choices[{i}]: names {len(shown)}, and a choice is between two or more: (winner, loser)")
    if len(set(shown)) < len(shown):
        twice = next(name for name in shown if shown.count(name) > 1)
        raise UserError(f"choices[{i}]: names {twice!r} twice; each may be there once")
    return shown, not isinstance(choice, set | frozenset)


def _listed(what: str, values: Any) -> list[Any]:
    if isinstance(values, str | bytes) or not isinstance(values, Iterable):
        raise UserError(f"{what}: is {values!r}; give a list")
    return list(values) if what == "choices" else _hashable(what, values)


def _hashable(what: str, names: Iterable[Any]) -> list[Hashable]:
    found = list(names)
    try:
        for name in found:
            hash(name)
    except TypeError:
        raise UserError(f"{what}: {name!r} can't be a name; names are texts, numbers, tuples: what can be hashed")
    return found


def _starts(start: Mapping[Hashable, float], ids: Mapping[Hashable, int]) -> dict[int, float]:
    for name, rating in start.items():
        if not isinstance(rating, int | float | np.number) or not np.isfinite(rating):
            raise UserError(f"start: {name!r} has {rating!r}; it must be a finite number, in Elo units")
    return {ids[name]: float(rating) for name, rating in start.items() if name in ids}


def _check(method: str, prior_sd: float, k: float) -> None:
    if method not in METHODS or method == ASSISTED:
        possible = ", ".join(name for name in METHODS if name != ASSISTED)
        why = "needs the features of images" if method == ASSISTED else "is unknown"
        raise UserError(f"method={method!r}: {why}; it can be {possible}")
    for name, value in (("prior_sd", prior_sd), ("k", k)):
        if not isinstance(value, int | float | np.number) or not 0 < value < float("inf"):
            raise UserError(f"{name}={value!r}: must be a number above 0, in Elo units")
