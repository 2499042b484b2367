"""The score file of somebody who chooses: what is read of it at first, what is written there, and when it isn't."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from ..common import note
from ..ratings import Comparisons, Ints, Log, Ratings, RatingSettings, choices_alone, rescaled, start_from
from ..scores import (
    ChosenScores,
    begun_at,
    holds_assisted,
    is_behind,
    is_chosen,
    match_images,
    read_scorefile,
    write_chosen,
)
from .chosen_model import Rated


class Live(Protocol):
    """The ratings while somebody chooses. changed: whether the choices that count are others than at the start."""

    settings: RatingSettings
    log: Log

    @property
    def changed(self) -> bool: ...
    def latest_and_by(self) -> tuple[Ratings, str]: ...
    def taken_back(self, images: Sequence[int]) -> Ints: ...


@dataclass
class ScoreFile:
    """The score file: what is written there, and when it isn't. ids: relative path -> image id. directory: theirs."""

    path: Path
    column: str
    ids: dict[str, int]
    live: Live
    directory: Path | None = None
    written: Ratings | None = None
    estimated: int = 0  # scores that are a model's still

    def write(self) -> str:
        """Write the scores if there are new choices; what became of the file, in words.

        Scores that features assisted stay where the new ones would lack that, unless that is asked for.
        """
        if not self._is_new():
            return f"There is no new choice, and {self.path} stays as it is." if self.path.exists() else ""
        ratings, assisted_by = self.live.latest_and_by()
        if self.live.settings.rating == "assisted" and not assisted_by and holds_assisted(self.path, self.column):
            return (
                f"{self.path} keeps its scores, as features assisted those and are missing now. Your new choices are "
                "stored, and count there once features can be had; --rating=bradley_terry does without."
            )
        if ratings is not self.written:
            self._replace(ratings, assisted_by)
            self.written = ratings
        more = f"; {self.estimated} of them more a model's than yours by now" if self.estimated else ""
        return f"The scores are in {self.path}{more}."

    def _is_new(self) -> bool:
        log = self.live.log
        if not log.comparisons.any() and not self.path.exists():
            return False
        counts = log.to_learn.comparisons[log.rows(list(self.ids.values()))]
        if self.live.changed or self.written is not None:
            return True
        back = self.live.taken_back(list(self.ids.values()))
        return is_behind(self.path, self.column, list(self.ids), counts, back, self.directory)

    def rated(self) -> Rated:
        """What a model can be made of: the scores as they are written, but for those that are a model's still.

        Of compared images that began nowhere it is what the choices alone say: a model has a prior of its own.
        """
        ratings, assisted_by = self.live.latest_and_by()
        log, chosen = self.live.log, self._chosen(ratings, assisted_by)
        scores, errors = np.where(chosen.estimated, np.nan, chosen.scores), chosen.errors.copy()
        free = np.isnan(log.starting_ratings)[log.rows(list(self.ids.values()))] & ~np.isnan(scores)
        if chosen.choice_share is not None:
            alone = scores[free], errors[free], chosen.choice_share[free]
            scores[free], errors[free] = choices_alone(*alone)
        return Rated(self.ids, scores, errors, log, ratings)

    def _replace(self, ratings: Ratings, assisted_by: str) -> None:
        chosen = self._chosen(ratings, assisted_by)
        write_chosen(self.path, self.column, chosen, self.directory)
        self.estimated = int(chosen.estimated.sum())

    def _chosen(self, ratings: Ratings, assisted_by: str) -> ChosenScores:
        """An image never compared, nor scored before, has no score; nor has one that is held out."""
        rated = ratings.comparisons > 0
        rows = np.searchsorted(ratings.images, list(self.ids.values()))
        scores, errors = rescaled(ratings, self.live.settings.rescale)
        known = (rated | ~np.isnan(self.live.log.starting_ratings)) & ~self.live.log.held_out
        scores = np.where(known, scores, np.nan)
        errors = np.where(rated, errors, np.nan)
        columns = scores[rows], errors[rows], ratings.comparisons[rows]
        began_at, share = self.live.log.began_at[rows].tolist(), ratings.choice_share
        return ChosenScores(list(self.ids), *columns, assisted_by, began_at, None if share is None else share[rows])


def import_scores(
    path: Path,
    score_column: str,
    rescale: str,
    comparisons: Comparisons,
    ids: dict[str, int],
    directory: Path | None = None,
) -> None:
    """Scores that another program or a person wrote become starting ratings, once. directory: the images'."""
    if not path.exists():
        return
    table, problems = match_images(read_scorefile(path, score_column, directory), list(ids))
    if is_chosen(table) and len(comparisons.log()):
        if (rater := comparisons.rater) and not len(comparisons.log(rater)):
            note(
                f"note: {path} holds another rater's scores, and {rater}'s from the first choice on; with --scores "
                "each has a file of their own"
            )
        return  # the choices say more, whoever made them
    for problem in [*table.problems, *problems]:
        print(problem)
    if is_chosen(table):
        print(
            f"note: {path} comes from choices, and {comparisons.path} holds none: if it was lost, moved or emptied, "
            "put it back before you choose"
        )
    images = np.array([ids[image] for image in table.paths], dtype=np.int64)
    if begun := start_from(comparisons, images, table.scores, rescale, begun_at(table)):
        print(f"{begun} scores of {path} are the starting ratings of their images.")
