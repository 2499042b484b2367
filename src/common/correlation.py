"""Correlations of predicted scores with true ones, and how likely they are by chance.

Shapes, errors and the undefined case are those of `metrics`.
"""

from collections.abc import Callable
from functools import lru_cache
from itertools import chain, permutations
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .ranks import Floats, dense_ranks, mean_ranks, pair, shared_ranks

EXACT_UP_TO = 9  # images, of which all 362,880 orders can be looked at


def pearson(truth: ArrayLike, predicted: ArrayLike) -> float:
    """Linear correlation in [-1, 1]; nan for fewer than 2 images or where either list is constant. Pearson (1895)."""
    a, b = pair(truth, predicted)
    if len(a) < 2 or not (np.isfinite(a).all() and np.isfinite(b).all()):
        return np.nan
    if a.min() == a.max() or b.min() == b.max():  # the mean of equal numbers may differ from them by a rounding error
        return np.nan
    a, b = centred(a), centred(b)
    with np.errstate(all="ignore"):
        return float(np.clip(_dot(a, b) / np.sqrt(_dot(a, a) * _dot(b, b)), -1.0, 1.0))


def spearman(truth: ArrayLike, predicted: ArrayLike) -> float:
    """Pearson correlation of the ranks, tied scores sharing their mean rank.

    In [-1, 1]; nan for fewer than 2 images or where either list is constant. Spearman (1904).
    """
    a, b = pair(truth, predicted)
    if np.isnan(a).any() or np.isnan(b).any():
        return np.nan
    return pearson(mean_ranks(a), mean_ranks(b))


def spearman_among(truth: ArrayLike, predicted: ArrayLike) -> Callable[[NDArray[np.int64]], float]:
    """`spearman` of whatever rows (n,) are drawn from both (N,). They are sorted once, and not for each draw."""
    a, b = pair(truth, predicted)
    if np.isnan(a).any() or np.isnan(b).any():
        return lambda rows: spearman(a[rows], b[rows])
    first, second = dense_ranks(a), dense_ranks(b)
    return lambda rows: pearson(shared_ranks(first[rows]), shared_ranks(second[rows]))


class Correlations(NamedTuple):
    """Both correlations with the two-sided p-value of having none."""

    spearman: float
    spearman_p: float
    pearson: float
    pearson_p: float


def correlations(truth: ArrayLike, predicted: ArrayLike) -> Correlations:
    """Spearman and Pearson correlation with p-values: exact up to 9 images, then by Student's t with N - 2 degrees.

    Exact: the share of all N! orders of the predictions that correlate as strongly, in either direction; Fisher
    (1935). p-values are nan for fewer than 3 images or where the correlation is.
    """
    a, b = pair(truth, predicted)
    rho, r = spearman(a, b), pearson(a, b)
    if len(a) > EXACT_UP_TO:
        return Correlations(rho, _p_value(rho, len(a)), r, _p_value(r, len(a)))
    rho_p = np.nan if np.isnan(rho) else _exact_p_value(mean_ranks(a), mean_ranks(b))
    return Correlations(rho, rho_p, r, np.nan if np.isnan(r) else _exact_p_value(a, b))


def _dot(a: Floats, b: Floats) -> np.float64:
    # Not a @ b: BLAS would share long lists out between threads, which takes 20 times as long on a busy computer.
    return np.einsum("i,i", a, b)


@np.errstate(all="ignore")
def centred(values: Floats) -> Floats:
    # Scaled before and after centring, so that neither 1e300 overflows nor 1e-300 vanishes.
    centred = values / np.abs(values).max()
    centred = centred - centred.mean()
    return centred / np.abs(centred).max()


def _p_value(correlation: float, count: int) -> float:
    from scipy.special import stdtr  # late: scipy would double the time of --help

    if count < 3 or np.isnan(correlation):
        return np.nan
    with np.errstate(divide="ignore"):
        t = abs(correlation) * np.sqrt((count - 2) / np.float64((1 - correlation) * (1 + correlation)))
    return float(2 * stdtr(count - 2, -t))


def _exact_p_value(a: Floats, b: Floats) -> float:
    if len(a) < 3:
        return np.nan
    a, b = centred(a), centred(b)
    found = np.abs(b[_orders(len(b))] @ a)  # (N!,); the first is the order there is
    return float(np.mean(found >= found[0] * (1 - 1e-9)))  # equal ones may differ by a rounding error


@lru_cache
def _orders(count: int) -> NDArray[np.int8]:
    """(count!, count): all orders of 0 … count - 1, the rising one first."""
    return np.fromiter(chain.from_iterable(permutations(range(count))), np.int8).reshape(-1, count)
