"""The score file of the A/B scorer: which one it is, whether it is ours already, and what is written into it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..common import UserError, check_writable, copy_to
from . import assisted
from .formats import SUFFIXES
from .scorefile import ScoreTable, add_images, new_table, read_numbers, read_scorefile, write_scorefile
from .spelling import match_images
from .weights import COLUMN as ERRORS

COMPARISONS = "comparisons"
BEGAN_AT, CHOICE_SHARE, ESTIMATED = "began_at", "choice_share", "estimated"
ENOUGH_CHOICE = 0.5  # from this share on a score is a person's more than a model's


@dataclass(frozen=True)
class ChosenScores:
    """Scores of N images that were fitted to choices.

    paths: relative, all different. scores: (N,) in any unit, nan = none. errors: (N,) their standard errors in the
    same unit, nan = none. comparisons: (N,) how often each image was compared. assisted_by: the extractor whose
    features had a part in the scores, or "". began_at: N names of the models whose scores images began at, "" for
    none. choice_share: (N,) 0…1, how much of a score comes from choices by now.
    """

    paths: list[str]
    scores: np.ndarray
    errors: np.ndarray
    comparisons: np.ndarray
    assisted_by: str
    began_at: Sequence[str] = ()
    choice_share: np.ndarray | None = None

    @property
    def estimated(self) -> np.ndarray:
        """(N,) bool: a model's scores more than a person's."""
        if self.choice_share is None or not len(self.began_at):
            return np.zeros(len(self.paths), dtype=bool)
        begun = np.array([bool(name) for name in self.began_at]) & ~np.isnan(self.scores)
        return begun & ((self.comparisons == 0) | (self.choice_share < ENOUGH_CHOICE))


def chosen_file(directory: Path, name: str | None) -> Path:
    """The score file `name` that will be written; without a name scores.json if it is there, else scores.csv.

    UserError for another ending, or where it can't be written: now rather than after an hour of choosing.
    """
    names = [name] if name else ["scores.json", "scores.csv"]
    paths = [directory / Path(word).expanduser() for word in names]
    path = next((path for path in paths if path.exists()), paths[-1])
    if path.suffix.lower() not in SUFFIXES:
        raise UserError(f"--scores={name}: must end with .csv or .json")
    check_writable("scores", path)
    return path


def is_chosen(table: ScoreTable) -> bool:
    """Whether `write_chosen` wrote the score file; either column alone may be a person's own."""
    return {COMPARISONS, ERRORS} <= set(table.document.columns)


def is_behind(
    path: Path,
    score_column: str,
    paths: Sequence[str],
    comparisons: np.ndarray,
    taken_back: np.ndarray | int = 0,
    directory: Path | None = None,
) -> bool:
    """Whether the score file is of other comparisons than there are by now: it was never written, or a scorer was
    killed before it could. Not where it counts more of any image than there ever were: those are another rater's.

    comparisons: (N,) of the images at `paths`; taken_back: (N,) of those that don't count any more. directory: the
    images' folder, for absolute names in the score file.
    """
    if not path.exists():
        return bool(comparisons.any())
    table = read_scorefile(path, score_column, directory)
    counted = read_numbers(table, COMPARISONS)
    if not is_chosen(table) or counted is None:
        return bool(comparisons.any())
    matched = dict(zip(table.paths, np.nan_to_num(counted).tolist(), strict=True))
    before = np.array([matched.get(image, 0) for image in paths])
    return bool((before <= comparisons + taken_back).all() and (before != comparisons).any())


def holds_assisted(path: Path, score_column: str) -> bool:
    """Whether features assisted scores that the file holds."""
    return path.exists() and bool(assisted.assisted_by(read_scorefile(path, score_column)))


def write_chosen(path: Path, score_column: str, chosen: ChosenScores, directory: Path | None = None) -> None:
    """Replace the score file, atomically: all it held, and score, comparisons, score_error of every image here.

    directory: the images' folder, for absolute names in the score file.
    """
    table = new_table(chosen.paths, path.name)
    if path.exists():
        everything = read_scorefile(path, score_column, directory)
        _keep_original(path, everything)
        table = add_images(match_images(everything, chosen.paths, keep_unscored=True)[0], chosen.paths)
    places = {image: place for place, image in enumerate(chosen.paths)}
    rows = np.array([places[image] for image in table.paths], dtype=np.int64)
    new, others = ~np.isnan(chosen.scores)[rows], _scored_elsewhere(table, chosen.comparisons[rows])
    columns: dict[str, Sequence[Any] | np.ndarray] = {
        score_column: _kept(table, table.document.score_column, chosen.scores[rows], ~new & others),
        COMPARISONS: chosen.comparisons[rows],
        ERRORS: chosen.errors[rows],
        **assisted.column(table, chosen.assisted_by, new),
        **_marks(table, chosen, rows, ~new & others),
    }
    write_scorefile(path, table, columns)


def _scored_elsewhere(table: ScoreTable, comparisons: np.ndarray) -> np.ndarray:
    """(N,) bool: images that another program or a person gave a score, as the file counts no comparison of them."""
    counted, errors = (read_numbers(table, name) for name in (COMPARISONS, ERRORS))
    none = np.full(len(table.paths), np.nan)
    ours = (np.nan_to_num(none if counted is None else counted) > 0) | np.isfinite(none if errors is None else errors)
    return ~np.isnan(table.scores) & ~ours & (comparisons == 0)


def _kept(table: ScoreTable, name: str, values: np.ndarray, stay: np.ndarray) -> list[Any]:
    """N values, and where `stay`, (N,) bool, what stands there."""
    column, rows = table.document.column(name), table.document.rows
    both = zip(values.tolist(), table.rows.tolist(), stay.tolist(), strict=True)
    return [rows[row].get(column) if keep else value for value, row, keep in both]


def _marks(table: ScoreTable, chosen: ChosenScores, rows: np.ndarray, stay: np.ndarray) -> dict[str, list[Any]]:
    """The columns that say which scores began at a model's, where any did or the file has them."""
    names = np.array(list(chosen.began_at) or [""] * len(chosen.paths), dtype=object)
    begun = names.astype(bool) & ~np.isnan(chosen.scores)
    share = np.zeros(len(begun)) if chosen.choice_share is None else chosen.choice_share
    columns = {
        BEGAN_AT: names,
        CHOICE_SHARE: np.array([round(value, 3) for value in share.tolist()], dtype=object),
        ESTIMATED: np.array([1 if mark else None for mark in chosen.estimated], dtype=object),
    }
    return {
        name: _kept(table, name, np.where(begun, values, np.array(None, dtype=object))[rows], stay)
        for name, values in columns.items()
        if begun.any() or table.document.column(name) in table.document.columns
    }


def begun_at(table: ScoreTable) -> list[str]:
    """Of each image of a score file the model whose score its own is or began at; "" for those of persons."""
    names = _cells(table, BEGAN_AT)
    estimated = [cell not in ("", "0", "0.0", "False", "false") for cell in _cells(table, ESTIMATED)]
    return [name or ("a model" if mark else "") for name, mark in zip(names, estimated, strict=True)]


def _cells(table: ScoreTable, name: str) -> list[str]:
    column = table.document.column(name)
    values = (table.document.rows[row].get(column) for row in table.rows.tolist())
    return ["" if value is None else str(value).strip() for value in values]


def _keep_original(path: Path, table: ScoreTable) -> None:
    """A score file that isn't ours is copied beside itself before it is written over."""
    copy = path.with_name(f"{path.stem}.before_choosing{path.suffix}")
    if not is_chosen(table) and not copy.exists():
        copy_to(path, copy)
        print(f"What {path.name} held before is kept as {copy.name}.")
