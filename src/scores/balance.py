"""Groups of images brought to one size: which images are trained on, and which of them several times."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from ..common import UserError
from .scorefile import ScoreTable, column_values
from .settings import BalanceSettings


@dataclass(frozen=True)
class Groups:
    """What is brought to one size. codes: (N,) of each image, into names."""

    codes: np.ndarray
    names: list[str]


def balance_groups(settings: BalanceSettings, table: ScoreTable) -> Groups | None:
    """The groups of `balance_by`, None where `balance` is none.

    score: as many steps of one width as `balance_bins` says, from the lowest to the highest score. folder: that in
    which an image lies. Else the values of that column; images without one are a group. Raises UserError for a column
    that there is not, and for --balance_by without --balance.
    """
    by = settings.balance_by
    if settings.balance == "none":
        if by != "score":
            raise UserError(f"--balance_by={by}: does nothing without --balance; give both")
        return None
    if by == "score":
        return score_bins(table.scores, settings.balance_bins)
    folders = [path.rpartition("/")[0] or "." for path in table.paths]
    names, codes = np.unique(folders if by == "folder" else column_values(table, by), return_inverse=True)
    return Groups(codes.reshape(-1), [name or "(empty)" for name in names.tolist()])


def score_bins(scores: np.ndarray, bins: int) -> Groups:
    """Steps of one width over the scores (N,); a score on a border is in the upper one, the highest in the last."""
    edges = np.linspace(scores.min(), scores.max(), bins + 1)
    codes = np.clip(np.searchsorted(edges, scores, side="right") - 1, 0, bins - 1)
    return Groups(codes, [f"{low:.4g} to {high:.4g}" for low, high in pairwise(edges)])


def balanced(codes: np.ndarray, target: str, seed: int) -> np.ndarray:
    """Positions of images, rising, such that each group has the size of `group_size`; codes: (N,).

    Of a larger group images are left out at random; in a smaller one all are there equally often, and what is missing
    then is drawn at random, none twice.
    """
    present, sizes = np.unique(codes, return_counts=True)
    size, generator, drawn = group_size(sizes, target), np.random.default_rng(seed), []
    for code in present:
        rows = np.flatnonzero(codes == code)
        whole, rest = divmod(size, len(rows))
        drawn += [np.repeat(rows, whole), generator.permutation(rows)[:rest]]
    return np.sort(np.concatenate(drawn))


def group_size(sizes: np.ndarray, target: str) -> int:
    """The size that groups of these sizes are brought to, at least 1.

    target: mean, max or min of the sizes; a fraction of the largest, with a point ("0.5"); or a count ("200").
    """
    known = {"mean": sizes.mean(), "max": sizes.max(), "min": sizes.min()}
    if target in known:
        return round(float(known[target]))
    return max(1, round(float(target) * (int(sizes.max()) if "." in target else 1)))


def balance_table(groups: Groups, rows: np.ndarray, target: str, seed: int) -> list[list[str]]:
    """Rows of cells, a header first: images of each group among `rows`, those used, and how many with repeats."""
    codes = groups.codes[rows]
    used = balanced(codes, target, seed)
    cells = [["group", "images", "used", "with repeats"]]
    for code in np.unique(codes):
        mine = used[codes[used] == code]
        cells.append([groups.names[code], str((codes == code).sum()), str(len(set(mine.tolist()))), str(len(mine))])
    return [*cells, ["all", str(len(rows)), str(len(set(used.tolist()))), str(len(used))]]
