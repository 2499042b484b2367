"""Which images a network learns from, and which judge it: whole groups, drawn by seed and path."""

import re
from collections.abc import Sequence

import numpy as np

from src.common import note
from src.scores import hash_of

MOST_NAMES = 5  # in a message


def name_unreadable(unreadable: dict[str, str]) -> None:
    """Say which images can't be used, and why."""
    for path, reason in list(unreadable.items())[:MOST_NAMES]:
        note(f"note: {path}: {reason}; it is left out")
    if len(unreadable) > MOST_NAMES:
        note(f"note: so are {len(unreadable) - MOST_NAMES} more")


def group_names(paths: Sequence[str], regex: str) -> list[str]:
    """What the expression finds in each path, of its first brackets if there are some; else the path."""
    found = [re.search(regex, path) for path in paths]
    return [
        f"path {path}" if match is None else f"group {match[1] if match.re.groups else match[0]}"
        for path, match in zip(paths, found, strict=True)
    ]


def draw(
    paths: Sequence[str], codes: np.ndarray, groups: np.ndarray, shares: dict[str, float], seed: int
) -> np.ndarray:
    """(N,) of train and the names in `shares`: whole groups, each style's images in about these shares.

    codes: (N,), the number of each image's style. Groups come in an order drawn by seed and path; each goes where
    its styles still lack most, but the first of a style to train.
    """
    targets = {"train": 1 - sum(shares.values()), **shares}
    sizes = np.bincount(codes)  # (C,)
    wanted = {name: share * sizes for name, share in targets.items()}
    have = {name: np.zeros(len(sizes)) for name in targets}
    split = np.full(len(paths), "train", dtype="<U5")
    members: dict[int, list[int]] = {}
    for row, group in enumerate(groups.tolist()):
        members.setdefault(group, []).append(row)
    for rows in sorted(members.values(), key=lambda rows: hash_of(seed, min(paths[row] for row in rows))):
        mine = np.bincount(codes[rows], minlength=len(sizes))
        lacking = {name: float(mine @ (1 - have[name] / np.maximum(wanted[name], 1e-9))) for name in targets}
        is_first = bool((have["train"][mine > 0] == 0).any())
        name = "train" if is_first else max(targets, key=lambda name: lacking[name])
        have[name] += mine
        split[rows] = name
    return split
