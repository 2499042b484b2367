"""Folders -> styles: which image is of which style, and which images are for train, val and test.

A style is a folder of FOLDER, sub-folders included; or, where FOLDER holds train and test (and val), one of those.
"""

from argparse import Namespace
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from src.common import UserError, note, number_of
from src.features import FeatureCache, find_images, near_identical_groups
from src.scores import hash_of, merged

from ..common.splitting import draw, group_names, name_unreadable

SPLITS = ("train", "val", "test")
GIVEN = {"train": "train", "training": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}


@dataclass(frozen=True)
class Styles:
    """names: of the styles, sorted; a code is a place among them. paths: N, relative to `root`, sorted. codes: (N,).

    split: (N,) of train, val, test, or "" where none is drawn yet.
    """

    root: Path
    names: list[str]
    paths: list[str]
    codes: np.ndarray
    split: np.ndarray

    def of(self, rows: np.ndarray) -> "Styles":
        """Some of the images, of the same styles."""
        paths = [self.paths[row] for row in rows.tolist()]
        return replace(self, paths=paths, codes=self.codes[rows], split=self.split[rows])

    def rows(self, split: str) -> np.ndarray:
        """Of the images of one split."""
        return np.flatnonzero(self.split == split)

    def split_by_path(self) -> dict[str, str]:
        """As run.json has it."""
        return dict(zip(self.paths, self.split.tolist(), strict=True))

    def numbers(self) -> dict[str, int]:
        """{style: code}, as run.json has it."""
        return {name: code for code, name in enumerate(self.names)}

    def counts(self, rows: np.ndarray) -> dict[str, int]:
        """Images of each style among these rows."""
        numbers = np.bincount(self.codes[rows], minlength=len(self.names))
        return dict(zip(self.names, numbers.tolist(), strict=True))


def find_styles(arguments: Namespace) -> Styles:
    """The styles of a folder. Raises UserError for fewer than two, and for folders without images."""
    root, exclude = arguments.root, [arguments.exclude] if arguments.exclude else []
    paths = find_images(root, exclude)
    by_split = {path.split("/")[0].lower() for path in paths} >= {"train", "test"}
    depth = 2 if by_split else 1
    parts = [path.split("/") for path in paths]
    inside = [part for part in parts if len(part) > depth and (not by_split or part[0].lower() in GIVEN)]
    if len(inside) < len(paths):
        note(f"note: {number_of(len(paths) - len(inside), 'image', 'is')} in no style's folder: left out")
    styles = [part[depth - 1] for part in inside]
    names = sorted(set(styles))
    _check_names(root, names, depth, exclude)
    codes = np.array([names.index(style) for style in styles], dtype=np.int64)
    split = np.array([GIVEN[part[0].lower()] if by_split else "" for part in inside], dtype="<U5")
    return _limited(Styles(root, names, ["/".join(part) for part in inside], codes, split), arguments)


def _check_names(root: Path, names: Sequence[str], depth: int, exclude: Sequence[str]) -> None:
    folders = {path.name: path for path in sorted(root.glob("*/" * depth)) if not path.name.startswith(".")}
    if depth == 2:
        folders = {name: path for name, path in folders.items() if path.parent.name.lower() in GIVEN}
    if empty := [path for name, path in folders.items() if name not in names and name not in exclude]:
        raise UserError(f"{empty[0]}: holds no image; put images of that style into it, or take the folder away")
    if len(names) < 2:
        found = f"only the style {names[0]}" if names else "no folders of images"
        raise UserError(f"{root}: holds {found}; give a folder that holds a folder of images for each of two or more")


def _limited(styles: Styles, arguments: Namespace) -> Styles:
    """At most --limit_per_class images of each style in each split that is given, drawn at random."""
    if not (most := arguments.limit_per_class):
        return styles
    order = sorted(range(len(styles.paths)), key=lambda row: hash_of(arguments.seed, styles.paths[row]))
    taken: dict[tuple[str, int], list[int]] = {}
    for row in order:
        taken.setdefault((str(styles.split[row]), int(styles.codes[row])), []).append(row)
    return styles.of(np.sort(np.concatenate([rows[:most] for rows in taken.values()])))


def without_unreadable(styles: Styles, unreadable: dict[str, str]) -> Styles:
    """The styles without images that can't be used, which are named. Raises UserError where a style has no others."""
    if not unreadable:
        return styles
    name_unreadable(unreadable)
    rest = styles.of(np.array([i for i, path in enumerate(styles.paths) if path not in unreadable], dtype=np.int64))
    for code, name in enumerate(styles.names):
        if code not in rest.codes:
            raise UserError(
                f"{styles.root}: no image of the style {name} can be read; see to it, or take its folder away"
            )
    return rest


def split_styles(styles: Styles, arguments: Namespace, cache: FeatureCache) -> Styles:
    """The same with a split for each image. Groups stay whole: near-identical images, --group_regex's.

    What folders say stays; where there is no val, it is drawn from train. Raises UserError for a style without train
    images; a style without val or test images is named.
    """
    groups = near_identical_groups(styles.root, styles.paths, cache)
    if arguments.group_regex:
        groups = merged(groups, np.array(group_names(styles.paths, arguments.group_regex)))
    given, shares = styles.split, {"val": arguments.fraction_for_val, "test": arguments.fraction_for_test}
    if sum(shares.values()) > 0.9:
        raise UserError("--fraction_for_val and --fraction_for_test: leave a tenth of the images or more to train on")
    if is_given := bool((given != "").any()):
        across = _across(groups, given)
        if across.any():
            note(f"note: {across.sum()} train images are nearly the same as ones of val or test, and left out")
            styles, groups = styles.of(np.flatnonzero(~across)), groups[~across]
            given = styles.split
        shares = {"val": arguments.fraction_for_val} if "val" not in given else {}
    free = given != "test" if is_given else np.ones(len(given), dtype=bool)
    split = (
        np.where(free & (given != "val"), "train", given) if is_given else np.full(len(given), "train", dtype="<U5")
    )
    if shares:
        paths = [styles.paths[row] for row in np.flatnonzero(free).tolist()]
        split[free] = draw(paths, styles.codes[free], groups[free], shares, arguments.seed)
    result = replace(styles, split=split)
    _check_split(result)
    return result


def _across(groups: np.ndarray, given: np.ndarray) -> np.ndarray:
    """(N,) bool: train images with a near-identical one, or one of the same group, elsewhere."""
    return (given == "train") & np.isin(groups, groups[given != "train"])


def _check_split(styles: Styles) -> None:
    for split in SPLITS:
        lacking = [name for name, count in styles.counts(styles.rows(split)).items() if not count]
        if not lacking:
            continue
        if split == "train" or len(lacking) == len(styles.names):
            raise UserError(
                f"{split} has no image of {lacking[0]}; add some, or other groups, or change --fraction_for_…"
            )
        note(f"note: {split} has no image of {', '.join(lacking)}: nothing is said of them there")
