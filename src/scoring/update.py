"""Fill a score file with a model's estimates, on the scale of the scores that are there."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ..common import UserError, plain
from ..scores import ScoreTable, add_images, match_images, read_scorefile, shown, write_scorefile
from .settings import FillingSettings

if TYPE_CHECKING:
    from .models import Scored


class Unfilled(NamedTuple):
    """A score file that estimates are to go into, and what it holds."""

    path: Path
    table: ScoreTable


def read_unfilled(directory: Path, images: list[str], settings: FillingSettings) -> Unfilled | None:
    """The score file to fill in, before hours are spent on scoring; None where none is asked for."""
    if not settings.update_scores:
        return None
    path = find(settings.update_scores, directory)
    table, problems = read_table(path, settings.score_column, images)
    print("\n".join(problems) + "\n" * bool(problems), end="")
    return Unfilled(path, table)


def fill_in(unfilled: Unfilled, scored: "Scored", settings: FillingSettings) -> None:
    """Write the first model's estimates, and print how they were made."""
    path = unfilled.path if settings.in_place else beside(unfilled.path)
    model_scores = dict(zip(scored.paths, scored.scores[:, 0].tolist(), strict=True))
    scores, estimated, rescaling = fill(unfilled.table, model_scores)
    print(rescaling)
    if not settings.dry_run:
        write_filled(path, unfilled.table, scores, estimated)
    print(f"{estimated.sum()} estimates {'would go' if settings.dry_run else 'were written'} into {path}")


@dataclass(frozen=True)
class Rescaling:
    """estimate = score_mean + (model score - model_mean) * score_deviation / model_deviation.

    The four are of the `images` that have both.
    """

    images: int
    score_mean: float
    score_deviation: float
    model_mean: float
    model_deviation: float

    def __call__(self, model_scores: np.ndarray) -> np.ndarray:
        """(N,) model scores on the scale of the scores."""
        return self.score_mean + (model_scores - self.model_mean) * (self.score_deviation / self.model_deviation)

    def __str__(self) -> str:
        return "\n".join(
            [
                f"Over the {self.images} images that have both:",
                f"  scores        mean {self.score_mean:.4f}, standard deviation {self.score_deviation:.4f}",
                f"  model scores  mean {self.model_mean:.4f}, standard deviation {self.model_deviation:.4f}",
                f"  estimate = {self.score_mean:.4f} + (model score - {self.model_mean:.4f}) "
                f"* {self.score_deviation / self.model_deviation:.4f}",
            ]
        )


def fit_rescaling(scores: np.ndarray, model_scores: np.ndarray) -> Rescaling:
    """From (N,) scores and (N,) model scores of the same images; population deviations (divided by N).

    Raises UserError where there is no scale to be had: fewer than two images, or all of one score.
    """
    if len(scores) < 2:
        raise UserError(f"{len(scores)} images have both a score and a model score; rescaling needs at least 2")
    if np.ptp(scores) == 0 or np.ptp(model_scores) == 0:
        which = "scores" if np.ptp(scores) == 0 else "model scores"
        raise UserError(f"the {which} of the {len(scores)} images that have both are all equal: there is no scale")
    return Rescaling(
        len(scores), float(scores.mean()), float(scores.std()), float(model_scores.mean()), float(model_scores.std())
    )


def read_table(path: Path, score_column: str, images: list[str]) -> tuple[ScoreTable, list[str]]:
    """The table with every image of the directory, scored or not, spelled as there; and what is odd."""
    table = read_scorefile(path, score_column)
    matched, problems = match_images(table, images, keep_unscored=True)
    return add_images(matched, images), [*table.problems, *problems]


def fill(table: ScoreTable, model_scores: Mapping[str, float]) -> tuple[np.ndarray, np.ndarray, Rescaling]:
    """(N,) scores with estimates where there was none, (N,) bool where that is, and the rescaling.

    model_scores: {relative path: model score}; an image without one stays without a score.
    """
    model = np.array([model_scores.get(path, np.nan) for path in table.paths])
    both = ~np.isnan(table.scores) & ~np.isnan(model)
    rescaling = fit_rescaling(table.scores[both], model[both])
    estimated = np.isnan(table.scores) & ~np.isnan(model)
    return np.where(estimated, rescaling(model), table.scores), estimated, rescaling


def write_filled(path: Path, table: ScoreTable, scores: np.ndarray, estimated: np.ndarray) -> None:
    """Write all that the file held; cells of existing scores stay as they were written."""
    column = table.document.score_column
    rows, place = table.document.rows, table.rows
    kept = [rows[row].get(column) for row in place]
    values = [
        round(score, 6) if new else old for score, new, old in zip(scores.tolist(), estimated, kept, strict=True)
    ]
    write_scorefile(path, table, {column: values, "estimated": _marks(table, estimated)})


def _marks(table: ScoreTable, estimated: np.ndarray) -> list[int | str | None]:
    """1 where the score is an estimate, also of an earlier time; else what stood there."""
    column = table.document.column("estimated")
    old = [table.document.rows[row].get(column) for row in table.rows]
    return [1 if new else before for new, before in zip(estimated, old, strict=True)]


def beside(path: Path) -> Path:
    """Where the filled file goes unless it may take the place of the old one: scores.csv -> scores_new.csv."""
    return path.with_name(f"{path.stem}_new{path.suffix}")


def find(text: str, directory: Path) -> Path:
    """The score file of --update_scores: in the directory, or a path from here."""
    for path in (directory / Path(text).expanduser(), Path(text).expanduser()):
        if path.is_file():
            if path.suffix.lower() not in (".csv", ".json"):
                raise UserError(f"--update_scores={shown(text)}: must end with .csv or .json")
            return plain(path)
    raise UserError(f"--update_scores={shown(text)}: no such score file in {directory}, nor from here")
