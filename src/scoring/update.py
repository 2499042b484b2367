"""Fill a score file with a model's estimates, on the scale of the scores that are there."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ..common import UserError, check_writable, number_of, plain
from ..scores import ScoreTable, add_images, estimated, match_images, read_scorefile, shown, write_scorefile
from .settings import FillingSettings

if TYPE_CHECKING:
    from .models import Scored


class Unfilled(NamedTuple):
    """A score file that estimates are to go into, and what it holds."""

    path: Path
    table: ScoreTable


def read_unfilled(directory: Path, images: Sequence[str], settings: FillingSettings) -> Unfilled | None:
    """The score file to fill in, before hours are spent on scoring; None where none is asked for."""
    if not settings.update_scores:
        return None
    path = find(settings.update_scores, directory)
    if not settings.dry_run:
        check_writable("update_scores", path if settings.in_place else beside(path))
    table, problems = read_table(path, settings.score_column, list(images), directory)
    print("\n".join(problems) + "\n" * bool(problems), end="")
    return Unfilled(path, table)


def fill_in(unfilled: Unfilled, scored: "Scored", settings: FillingSettings) -> None:
    """Write the first model's estimates, and print how they were made."""
    path = unfilled.path if settings.in_place else beside(unfilled.path)
    model_scores = dict(zip(scored.paths, scored.scores[:, 0].tolist(), strict=True))
    scores, filled, rescaling = fill(unfilled.table, model_scores)
    print(rescaling)
    if not settings.dry_run:
        write_filled(path, unfilled.table, scores, filled)
    print(f"{number_of(int(filled.sum()), 'estimate')} {'would go' if settings.dry_run else 'went'} into {path}")


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
                f"  scores        mean {_figure(self.score_mean)}, "
                f"standard deviation {_figure(self.score_deviation)}",
                f"  model scores  mean {_figure(self.model_mean)}, "
                f"standard deviation {_figure(self.model_deviation)}",
                f"  estimate = {_figure(self.score_mean)} + (model score - {_figure(self.model_mean)}) "
                f"* {_figure(self.score_deviation / self.model_deviation)}",
            ]
        )


def _figure(value: float) -> str:
    return f"{value:.4f}" if value == 0 or 0.01 <= abs(value) < 1e6 else f"{value:.5g}"


def fit_rescaling(scores: np.ndarray, model_scores: np.ndarray) -> Rescaling:
    """From (N,) scores and (N,) model scores of the same images; population deviations (divided by N).

    Raises UserError where there is no scale to be had: fewer than two images, or all of one score.
    """
    if len(scores) < 2:
        raise UserError(
            f"{number_of(len(scores), 'image', 'has')} both a score and a model score; rescaling needs at least 2"
        )
    if np.ptp(scores) == 0 or np.ptp(model_scores) == 0:
        which = "scores" if np.ptp(scores) == 0 else "model scores"
        raise UserError(f"the {which} of the {len(scores)} images that have both are all equal: there is no scale")
    return Rescaling(len(scores), *_moments(scores), *_moments(model_scores))


def _moments(values: np.ndarray) -> tuple[float, float]:
    """Mean and deviation (divided by N) of (N,) values of any size: squares of 1e200 are not to be had."""
    size = math.ldexp(1.0, math.frexp(float(np.abs(values).max()))[1] - 1)  # a power of 2 changes no digit
    return float((values / size).mean() * size), float((values / size).std() * size)


def read_table(
    path: Path, score_column: str, images: list[str], directory: Path | None = None
) -> tuple[ScoreTable, list[str]]:
    """The table with every image of the directory, scored or not, spelled as there; and what is odd."""
    table = read_scorefile(path, score_column, directory)
    matched, problems = match_images(table, images, keep_unscored=True)
    return add_images(matched, images), [*table.problems, *problems]


def fill(table: ScoreTable, model_scores: Mapping[str, float]) -> tuple[np.ndarray, np.ndarray, Rescaling]:
    """(N,) scores with estimates where a person gave none, (N,) bool where that is, and the rescaling.

    Estimates of an earlier time (column `estimated`) are made anew, and the scale is that of the person's own scores.
    model_scores: {relative path: model score}; an image without one stays without a score. UserError where there is
    no scale to be had, see `fit_rescaling`.
    """
    model = np.array([model_scores.get(path, np.nan) for path in table.paths])
    own = ~np.isnan(table.scores) & ~estimated(table)
    both = own & ~np.isnan(model)
    rescaling = fit_rescaling(table.scores[both], model[both])
    filled = ~own & ~np.isnan(model)
    with np.errstate(over="ignore"):
        scores = np.where(filled, rescaling(model), table.scores)
    if np.isinf(scores).any():
        raise UserError(f"{table.document.name}: estimates on this scale are ones that no number can hold; divide it")
    return scores, filled, rescaling


def write_filled(path: Path, table: ScoreTable, scores: np.ndarray, filled: np.ndarray) -> None:
    """Write all that the file held; cells of existing scores stay as they were written."""
    column = table.document.score_column
    rows, place = table.document.rows, table.rows
    kept = [rows[row].get(column) for row in place]
    digits = _digits(scores[filled])
    values = [
        round(score, digits) if new else old for score, new, old in zip(scores.tolist(), filled, kept, strict=True)
    ]
    write_scorefile(path, table, {column: values, "estimated": _marks(table, filled)})


def _digits(estimates: np.ndarray) -> int:
    """How many digits behind the point tell estimates apart to a millionth of their spread, and 6 at least."""
    spread = float(np.ptp(estimates)) if len(estimates) > 1 else float(np.abs(estimates).max(initial=0))
    return max(6, 6 - math.floor(math.log10(spread))) if 0 < spread < math.inf else 300


def _marks(table: ScoreTable, filled: np.ndarray) -> list[int | str | None]:
    """1 where the score is an estimate, also of an earlier time; else what stood there."""
    column = table.document.column("estimated")
    old = [table.document.rows[row].get(column) for row in table.rows]
    return [1 if new else before for new, before in zip(filled, old, strict=True)]


def beside(path: Path) -> Path:
    """Where the filled file goes unless it may take the place of the old one: scores.csv -> scores_new.csv."""
    return path.with_name(f"{path.stem}_new{path.suffix}")


def find(text: str, directory: Path) -> Path:
    """The score file of --update_scores: in the directory, or a path from here."""
    for path in (directory / Path(text).expanduser(), Path(text).expanduser()):
        if path.is_file():
            if path.suffix.lower() not in (".csv", ".json", ".jsonl"):
                raise UserError(f"--update_scores={shown(text)}: must end with .csv or .json")
            return plain(path)
    raise UserError(f"--update_scores={shown(text)}: no such score file in {directory}, nor from here")
