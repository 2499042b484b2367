"""Which of two images is better: how often predicted scores say the same as true ones, or as uncertain true ones.

Shapes, errors and the undefined case are those of `metrics`.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .ranks import dense_ranks, mean_ranks, pair

ENOUGH = 500  # images, for what pairs of them say


def ab(truth: ArrayLike, predicted: ArrayLike) -> float:
    """Share of image pairs that both lists put in the same order.

    Pairs tied in `truth` are left out; tied in `predicted` count half. In [0, 1], chance 0.5; nan where `truth`
    orders no pair. O(N log N). Equals (Somers' D + 1) / 2, Somers (1962), counted as in Knight (1966).
    """
    a, b = pair(truth, predicted)
    if np.isnan(a).any() or np.isnan(b).any():
        return np.nan
    t, p = dense_ranks(a), dense_ranks(b)
    ordered = len(a) * (len(a) - 1) // 2 - _tied_pairs(t)
    if ordered == 0:
        return np.nan
    half = _tied_pairs(p) - _tied_pairs(t * (len(a) + 1) + p)  # tied in predicted alone
    # Sorted by truth, then by predicted, no pair tied in truth is an inversion.
    wrong = _inversions(p[np.lexsort((p, t))])
    return (ordered - wrong - half / 2) / ordered


class Expected(NamedTuple):
    """What can be expected of an order where the true scores are uncertain."""

    spearman: float
    ab: float


def expected_order(truth: ArrayLike, error: ArrayLike, predicted: ArrayLike) -> Expected:
    """The expected `spearman` and `ab` with true scores of which each is N(truth, error²), on its own.

    error: (N,), 0 or more, in the unit of `truth`. Of more than 500 images 500 are taken, evenly from the order of
    `predicted`: that gives Spearman to a thousandth or two. nan for fewer than 2 images, or where `predicted` is
    constant. Pairs of equal images whose errors are 0 count half. Both are linear in who is truly above whom, so that
    needs only the probabilities of pairs.
    """
    from scipy.special import ndtr  # late: scipy would double the time of --help

    mean, p = pair(truth, predicted)
    e, _ = pair(error, predicted)
    if len(p) > ENOUGH:
        chosen = np.argsort(p, kind="stable")[np.linspace(0, len(p) - 1, ENOUGH).round().astype(int)]
        mean, e, p = mean[chosen], e[chosen], p[chosen]
    if len(p) < 2 or p.min() == p.max() or not np.isfinite([*mean, *e, *p]).all():
        return Expected(np.nan, np.nan)
    with np.errstate(divide="ignore", invalid="ignore"):
        above = ndtr((mean[:, None] - mean) / np.hypot(e[:, None], e))  # (N, N) P(first is truly above)
    above[np.isnan(above)] = 0.5  # equal, and both certain
    rank = mean_ranks(p) - (len(p) + 1) / 2
    agreed = np.where(p[:, None] > p, above, np.where(p[:, None] < p, 1 - above, 0.5))
    np.fill_diagonal(agreed, 0)
    spread = len(p) * np.sqrt((len(p) ** 2 - 1) / 12) * rank.std()
    return Expected(float(rank @ above.sum(axis=1) / spread), float(agreed.sum() / (len(p) * (len(p) - 1))))


def _tied_pairs(labels: NDArray[np.int64]) -> int:
    counts = np.unique(labels, return_counts=True)[1].astype(np.int64)
    return int((counts * (counts - 1) // 2).sum())


def _inversions(ranks: NDArray[np.int64]) -> int:
    """Number of pairs i < j with ranks[i] > ranks[j], for ranks of 0 or more.

    The highest bit in which the two differ decides. So, bit by bit from the top: among numbers that agree above the
    bit (kept together, in their order), every 1 before a 0 is an inversion.
    """
    total = 0
    for bit in reversed(range(int(ranks.max()).bit_length())):
        above, ones = ranks >> (bit + 1), (ranks >> bit) & 1
        before = np.cumsum(ones) - ones  # (N,) ones to the left, of all groups
        starts = np.flatnonzero(np.diff(above, prepend=-1))
        before -= np.repeat(before[starts], np.diff(starts, append=len(ranks)))
        total += int(before[ones == 0].sum())
        ranks = ranks[np.argsort(ranks >> bit, kind="stable")]
    return total
