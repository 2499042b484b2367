"""The images of a directory that have a score."""

from collections.abc import Sequence
from pathlib import Path

from ..common import UserError, number_of
from ..features import find_images
from .scorefile import ScoreTable, find_scorefile, read_scorefile
from .spelling import match_images


def read_scored_images(
    directory: Path, scores: str | None = None, score_column: str = "score", exclude: Sequence[str] = ()
) -> ScoreTable:
    """The images of the directory that have a score in the score file; everything else is printed.

    scores: the file, in the directory or absolute; None: scores.json, else scores.csv. exclude: as `find_images`
    takes it. Raises UserError where the file is missing, or has no score of an image of the directory.
    """
    path = find_scorefile(directory, scores)
    table, problems = match_images(read_scorefile(path, score_column, directory), find_images(directory, exclude))
    have = "has" if len(table.paths) == 1 else "have"
    found = f"{number_of(len(table.paths), 'image')} of {directory} {have} a score in {path}."
    print("\n".join([*table.problems, *problems, found]))
    if not table.paths:
        raise UserError(f"{path}: no image of {directory} has a score in it; see --scores and --directory")
    return table
