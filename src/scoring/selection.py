"""Which of the scored images a person wants: by name, model score, rank and thresholds."""

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..common import Names, UserError
from ..features import find_names, images_below, is_remote
from .image_list import read_list
from .settings import SelectionSettings
from .shards import Portion
from .thresholds import as_written

if TYPE_CHECKING:
    from .models import Scored


def find_wanted(
    directory: Path,
    patterns: Sequence[str],
    may_come: bool,
    exclude: Sequence[str] = (),
    listed: str | None = None,
    portion: Portion | None = None,
    in_archives: bool = False,
    address: str = "",
) -> tuple[Sequence[str], Sequence[str]]:
    """All images of the directory, or of the file `listed`, and those that the patterns leave; see `matching`.

    may_come: there may be none of them yet, or any more. exclude: as `find_images` takes it. portion: of the images
    that are to be scored only these; of a list the others are not kept in memory, nor looked for.
    in_archives: those in tar files and zip archives are images of the directory too. address: of a remote folder in
    the place of the directory. Raises UserError where there are none, nor will be.
    """
    images: Sequence[str]
    paths: Sequence[str]
    if listed and is_remote(listed):
        raise UserError(f"--list={listed}: is an address, and a list is a file of this machine; fetch it first")
    if listed and portion:
        images = paths = read_list(Path(listed).expanduser(), directory, True, _portion_of(patterns, portion))
    elif listed:
        images = read_list(Path(listed).expanduser(), directory, may_come)
        paths = matching(images, patterns)
    else:
        images = images_below(address, exclude) if address else find_names(directory, exclude, True, in_archives)
        matched = matching(images, patterns)
        paths = Names(filter(portion, matched)) if portion else matched
    may_come = may_come or (portion is not None and portion.listed > 0)
    if not (images or may_come):
        raise UserError(
            f"{address or directory}: there are no images; name the folder of your images with --directory"
        )
    if not (paths or may_come):
        words = " ".join(f"--regex={pattern}" for pattern in patterns)
        raise UserError(
            f"{words}: finds none of the {len(images)} images in {address or directory}, such as {images[0]}"
        )
    return images, paths


def _portion_of(patterns: Sequence[str], portion: Portion) -> Callable[[str], bool]:
    """Whether an image of a list is to be scored by this process."""
    return lambda path: bool(matching([path], patterns)) and portion(path)


def matching(paths: Sequence[str], patterns: Sequence[str] | None) -> Sequence[str]:
    """Paths in which any of the regular expressions is found; without patterns themselves."""
    if not patterns:
        return paths
    compiled = [re.compile(pattern) for pattern in patterns]
    return Names(path for path in paths if any(pattern.search(path) for pattern in compiled))


def choose(scored: "Scored", settings: SelectionSettings = SelectionSettings()) -> np.ndarray:  # noqa: B008
    """Positions of the chosen images, rising. Scores and ranks are the first model's.

    top and bottom count among those that the other conditions leave; with both, both ends are chosen. Ties: the
    earlier path is the better one.
    """
    scores = scored.scores[:, 0]
    keep = np.ones(len(scored), dtype=bool)
    if settings.minimum_score is not None:
        keep &= as_written(scores) >= as_written(settings.minimum_score)
    if settings.maximum_score is not None:
        keep &= as_written(scores) <= as_written(settings.maximum_score)
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
