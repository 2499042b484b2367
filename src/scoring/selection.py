"""Which of the scored images a person wants: by name, model score, rank and thresholds."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..common import UserError
from ..features import find_images
from .image_list import read_list
from .settings import SelectionSettings

if TYPE_CHECKING:
    from .models import Scored


def find_wanted(
    directory: Path,
    patterns: Sequence[str],
    may_come: bool,
    exclude: Sequence[str] = (),
    listed: str | None = None,
) -> tuple[list[str], list[str]]:
    """All images of the directory, or of the file `listed`, and those that the patterns leave; see `matching`.

    may_come: there may be none of them yet, or any more. exclude: as `find_images` takes it. Raises UserError where
    there are none, nor will be.
    """
    from_list = read_list(Path(listed).expanduser(), directory, may_come) if listed else None
    images = find_images(directory, exclude) if from_list is None else from_list
    paths = matching(images, patterns)
    if not (images or may_come):
        raise UserError(f"{directory}: there are no images; name the folder of your images with --directory")
    if not (paths or may_come):
        words = " ".join(f"--regex={pattern}" for pattern in patterns)
        raise UserError(f"{words}: finds none of the {len(images)} images in {directory}, such as {images[0]}")
    return images, paths


def matching(paths: Sequence[str], patterns: Sequence[str] | None) -> list[str]:
    """Paths in which any of the regular expressions is found; all of them without patterns."""
    if not patterns:
        return list(paths)
    compiled = [re.compile(pattern) for pattern in patterns]
    return [path for path in paths if any(pattern.search(path) for pattern in compiled)]


def choose(scored: "Scored", settings: SelectionSettings = SelectionSettings()) -> np.ndarray:  # noqa: B008
    """Positions of the chosen images, rising. Scores and ranks are the first model's.

    top and bottom count among those that the other conditions leave; with both, both ends are chosen. Ties: the
    earlier path is the better one.
    """
    scores = scored.scores[:, 0]
    keep = np.ones(len(scored), dtype=bool)
    if settings.minimum_score is not None:
        keep &= scores >= settings.minimum_score
    if settings.maximum_score is not None:
        keep &= scores <= settings.maximum_score
    if settings.only_passed:
        keep &= scored.passed().all(axis=1)
    left = np.flatnonzero(keep)
    if settings.top is None and settings.bottom is None:
        return left
    order = left[np.argsort(-scores[left], kind="stable")]
    best, worst = order[: settings.top or 0], order[max(0, len(order) - (settings.bottom or 0)) :]
    return np.union1d(best, worst).astype(np.int64)


def ranks(scores: np.ndarray) -> np.ndarray:
    """(N,) int, 1 for the highest of N scores; ties in their order."""
    result = np.empty(len(scores), dtype=np.int64)
    result[np.argsort(-scores, kind="stable")] = np.arange(1, len(scores) + 1)
    return result
