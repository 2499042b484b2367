"""The images of a directory that have a score."""

from pathlib import Path

from ..common import UserError
from ..features import find_images
from .scorefile import ScoreTable, find_scorefile, match_images, read_scorefile


def read_scored_images(directory: Path, scores: str | None = None, score_column: str = "score") -> ScoreTable:
    """The images of the directory that have a score in the score file; everything else is printed.

    scores: the file, in the directory or absolute; None: scores.json, else scores.csv. Raises UserError where it is
    missing, or has no score of an image of the directory.
    """
    path = find_scorefile(directory, scores)
    table, problems = match_images(read_scorefile(path, score_column), find_images(directory))
    found = f"{len(table.paths)} images of {directory} have a score in {path}."
    print("\n".join([*table.problems, *problems, found]))
    if not table.paths:
        raise UserError(f"{path}: no image of {directory} has a score in it; see --scores and --directory")
    return table
