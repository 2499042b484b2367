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


@dataclass(frozen=True)
class ChosenScores:
    """Scores of N images that were fitted to choices.

    paths: relative, all different. scores: (N,) in any unit, nan = none. errors: (N,) their standard errors in the
    same unit, nan = none. comparisons: (N,) how often each image was compared. assisted_by: the extractor whose
    features had a part in the scores, or "".
    """

    paths: list[str]
    scores: np.ndarray
    errors: np.ndarray
    comparisons: np.ndarray
    assisted_by: str


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


def is_behind(path: Path, score_column: str, paths: Sequence[str], comparisons: np.ndarray) -> bool:
    """Whether the score file is of fewer comparisons than there are by now: it was never written, or a scorer was
    killed before it could. Not where it counts more of any image, which are another rater's.

    comparisons: (N,) of the images at `paths`.
    """
    if not path.exists():
        return bool(comparisons.any())
    table = read_scorefile(path, score_column)
    counted = read_numbers(table, COMPARISONS)
    if not is_chosen(table) or counted is None:
        return bool(comparisons.any())
    matched = dict(zip(table.paths, np.nan_to_num(counted).tolist(), strict=True))
    before = np.array([matched.get(image, 0) for image in paths])
    return bool((before <= comparisons).all() and (before < comparisons).any())


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
    columns: dict[str, Sequence[Any] | np.ndarray] = {
        score_column: chosen.scores[rows],
        COMPARISONS: chosen.comparisons[rows],
        ERRORS: chosen.errors[rows],
        **assisted.column(table, chosen.assisted_by, ~np.isnan(chosen.scores)[rows]),
    }
    write_scorefile(path, table, columns)


def _keep_original(path: Path, table: ScoreTable) -> None:
    """A score file that isn't ours is copied beside itself before it is written over."""
    copy = path.with_name(f"{path.stem}.before_choosing{path.suffix}")
    if not is_chosen(table) and not copy.exists():
        copy_to(path, copy)
        print(f"What {path.name} held before is kept as {copy.name}.")
