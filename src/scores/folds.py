"""Cross-validation: every image in one of K folds, whole groups in the same one."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from ..common import UserError, number_of
from ..features import FeatureCache, near_identical_groups
from .estimates import estimated
from .scorefile import ScoreTable, column_values
from .settings import SplitSettings
from .split import hash_of


def draw_folds(
    settings: SplitSettings, directory: Path, table: ScoreTable, cache: FeatureCache
) -> tuple[np.ndarray, np.ndarray]:
    """(N,) of train and test, and (N,) the folds of what is train, -1 of the others; groups stay whole in both.

    Groups are near-identical images, and images of equal value in `group_column`. A model's estimates are in no fold:
    no trial is judged by them.
    """
    alike = near_identical_groups(directory, table.paths, cache)
    sizes = np.unique(alike, return_counts=True)[1]
    alike_groups = number_of(int((sizes > 1).sum()), "group")
    said = f"{sizes[sizes > 1].sum()} images are in {alike_groups} of near-identical ones."
    print(said if (sizes > 1).any() else "No two images are nearly the same.")
    test, groups = _test_and_groups(settings, table, alike)
    folds = assign_folds(table.paths, groups, ~test & ~estimated(table), settings.folds or 0, settings.eval_pick_seed)
    sizes = np.bincount(folds[folds >= 0])
    size = f"{sizes.min()}" if sizes.min() == sizes.max() else f"{sizes.min()} to {sizes.max()}"
    whole = int((np.unique(groups[~test], return_counts=True)[1] > 1).sum())
    print(
        f"{settings.folds} folds of {size} images" + f"; {number_of(whole, 'group')} kept whole" * (whole > 0) + "."
    )
    return np.where(test, "test", "train"), folds


def draw_whole_groups(settings: SplitSettings, directory: Path, table: ScoreTable, cache: FeatureCache) -> np.ndarray:
    """(N,) of train and test, as `draw_folds` draws them: for what is split before some images are taken away."""
    test, _ = _test_and_groups(settings, table, near_identical_groups(directory, table.paths, cache))
    return np.where(test, "test", "train")


def _test_and_groups(settings: SplitSettings, table: ScoreTable, alike: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    groups = alike
    if settings.group_column:
        values = column_values(table, settings.group_column)
        # Images without a value are groups of their own.
        groups = merged(alike, np.array([f"={value}" if value else f"row {i}" for i, value in enumerate(values)]))
    seed = settings.eval_pick_seed
    given = ["train" if guess else split for guess, split in zip(estimated(table), table.splits, strict=True)]
    return draw_test(table.paths, given, groups, settings.fraction_for_test, seed), groups


def merged(*groupings: np.ndarray) -> np.ndarray:
    """(N,) group numbers: images are together that are so in any of the groupings, (N,) labels each."""
    count = len(groupings[0])
    codes = [np.unique(labels, return_inverse=True)[1].reshape(-1) for labels in groupings]
    # A graph of images, each tied to a node for its group in each grouping.
    nodes = [codes_ + count * (place + 1) for place, codes_ in enumerate(codes)]
    first, second = np.tile(np.arange(count), len(codes)), np.concatenate(nodes)
    size = count * (len(codes) + 1)
    graph = coo_array((np.ones(len(first)), (first, second)), shape=(size, size))
    return connected_components(graph, directed=False)[1][:count].astype(np.int64)


def draw_test(
    paths: Sequence[str], given: Sequence[str], groups: np.ndarray, fraction: float, seed: int
) -> np.ndarray:
    """(N,) bool: the images looked at once, at the end; about this fraction of all, in whole groups.

    given: N of "train", "eval", "test" or "". What is given stays; an image without, in a group with given ones, is
    test if one of those is. The other groups are drawn by a hash of seed and path, until there are as many as wanted.
    """
    kinds = np.asarray(given)
    test = np.isin(groups, groups[kinds == "test"]) & ~np.isin(kinds, ("train", "eval"))
    free = ~np.isin(groups, groups[kinds != ""])
    for rows in _in_random_order(paths, groups, seed):
        if free[rows[0]] and test.sum() + len(rows) / 2 <= fraction * len(paths):
            test[rows] = True
    return test


def assign_folds(paths: Sequence[str], groups: np.ndarray, used: np.ndarray, count: int, seed: int) -> np.ndarray:
    """(N,) the fold of each used image, 0 to count - 1, and -1 of the others; folds as equal as whole groups allow.

    groups: (N,) labels. used: (N,) bool. The largest group first, and among groups of one size in the order of a hash
    of seed and path, each goes to the fold that has the fewest images. Raises UserError for fewer groups than folds.
    """
    members = [rows[used[rows]] for rows in _in_random_order(paths, groups, seed)]
    members = [rows for rows in members if len(rows)]
    if len(members) < count:
        raise UserError(
            f"--folds={count}: there are {len(members)} groups of images to put into them; take fewer folds, "
            "another --group_column, or score more images"
        )
    folds, sizes = np.full(len(paths), -1), np.zeros(count, dtype=np.int64)
    for rows in sorted(members, key=lambda rows: -len(rows)):
        fold = int(sizes.argmin())
        folds[rows] = fold
        sizes[fold] += len(rows)
    return folds


def _in_random_order(paths: Sequence[str], groups: np.ndarray, seed: int) -> list[np.ndarray]:
    """The rows of each group; the order depends on seed and the first path of each group alone."""
    members: dict[int, list[int]] = {}
    for row, label in enumerate(groups.tolist()):
        members.setdefault(label, []).append(row)
    rows = sorted(members.values(), key=lambda rows: hash_of(seed, min(paths[row] for row in rows)))
    return [np.array(part) for part in rows]
