"""A person's comparisons as something to learn from: which images stood on a screen, and which of them won."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..common import Screens, UserError
from ..features import FeatureCache
from .database import Comparisons
from .log import CHOICE, SKIP, Log
from .statistics import Share, consistency


@dataclass(frozen=True)
class Choices:
    """Comparisons of N images, copies of one content being one image.

    screens: its images by number, from 0. numbers: (N,) the number of each row's image, -1 if it was never compared.
    """

    screens: Screens
    numbers: np.ndarray

    def within(self, rows: np.ndarray) -> Screens:
        """The comparisons of which every image, with all of its copies, is in `rows`; shown: positions in `rows`."""
        last = int(max(self.numbers.max(initial=-1), self.screens.shown.max(initial=-1))) + 1  # where -1 leads
        place, outside = np.full(last + 1, -1), np.zeros(last + 1, dtype=bool)
        place[self.numbers[rows]] = np.arange(len(rows))
        outside[np.delete(self.numbers, rows)] = True
        inside = (place >= 0) & ~outside
        inside[last], place[last] = True, -1
        keep = inside[self.screens.shown].all(axis=1)
        return Screens(place[self.screens.shown[keep]], self.screens.wanted[keep])


def read_log(
    path: Path, rater: str, directory: Path, paths: Sequence[str], cache: FeatureCache
) -> tuple[Log, dict[str, int]]:
    """All that a rater chose, and the image ids of those paths that were ever registered; nothing is written."""
    hashes, _ = cache.hashes(directory, paths)
    with Comparisons(path) as comparisons:
        log, by_content = comparisons.log(rater), comparisons.known_contents()
    return log, {image: by_content[content] for image, content in hashes.items() if content in by_content}


def read_repeats(path: Path, rater: str) -> Share | None:
    """In how many hidden repeats of two images a rater chose the same again; None where that can't be read."""
    if not path.is_file():
        return None
    try:
        with Comparisons(path) as comparisons:
            return consistency(comparisons.log(rater))
    except UserError:
        return None


def read_choices(path: Path, rater: str, directory: Path, paths: Sequence[str], cache: FeatureCache) -> Choices:
    """The rater's choices and ties between these images. UserError where there are none."""
    if not path.is_file():
        raise UserError(f"{path}: there is no such file of comparisons; choose first, with aesthetic_ab_scorer.py")
    log, ids = read_log(path, rater, directory, paths, cache)
    found = make_choices(log, np.array([ids.get(image, -1) for image in paths], dtype=np.int64))
    if not len(found.screens.shown):
        raise UserError(f"{path}: {rater} has compared none of these images; see --rater and --comparisons")
    return found


def make_choices(log: Log, ids: np.ndarray) -> Choices:
    """The judged comparisons of `log` between images whose ids are in `ids`, (N,), -1 for rows that have none.

    Skips are left out, and comparisons that show another image too.
    """
    numbers = np.full(len(ids), -1)
    known = np.isin(ids, log.images)
    numbers[known] = np.searchsorted(log.images, ids[known])
    widest = int(log.sizes.max(initial=2))
    column = np.arange(len(log.shown)) - np.repeat(log.starts[:-1], log.sizes)
    comparison = np.repeat(np.arange(len(log)), log.sizes)
    shown = np.full((len(log), widest), -1)
    shown[comparison, column] = log.shown
    # The winner has all of the choice; in a tie everyone has the same share.
    won = np.where(log.kinds[:, None] == CHOICE, shown == log.winners[:, None], 1 / np.maximum(log.sizes, 1)[:, None])
    wanted = np.where(shown >= 0, won, -1.0)
    there = np.isin(shown, numbers[numbers >= 0]) | (shown < 0)
    keep = (log.kinds != SKIP) & there.all(axis=1)
    return Choices(Screens(shown[keep], wanted[keep]), numbers)
