"""How well predicted scores agree with true ones: numpy only, each metric with the direction that is better.

Everywhere: `truth` and `predicted` have shape (N,), ValueError if shapes differ, and nan (never a warning) where the
metric is undefined: too few images, nothing to order, or a prediction that is not a number.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain, permutations
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
# Of a fitted scale, in deviations of the predictions: where it is this large, the choices are all foreseen.
LARGEST_SCALE = 2.0**12
ENOUGH = 500  # images, for what pairs of them say
EXACT_UP_TO = 9  # images, of which all 362,880 orders can be looked at


@np.errstate(all="ignore")
def mse(truth: ArrayLike, predicted: ArrayLike) -> float:
    """Mean of the squared differences, in squared score units, 0 or more; nan without images."""
    a, b = _pair(truth, predicted)
    return _mean((a - b) ** 2)


@np.errstate(all="ignore")
def wmse(truth: ArrayLike, predicted: ArrayLike, weights: ArrayLike) -> float:
    """Weighted mean of the squared differences: sum(w d^2) / sum(w), so equal weights give `mse`.

    weights: shape (N,), 0 or more. nan where they sum to 0.
    """
    a, b = _pair(truth, predicted)
    w, _ = _pair(weights, predicted)
    total = w.sum()
    return float((w * (a - b) ** 2).sum() / total) if total > 0 else np.nan


@np.errstate(all="ignore")
def nll(truth: ArrayLike, predicted: ArrayLike, sigma: ArrayLike) -> float:
    """Mean negative log likelihood of a normal distribution, without its constant: (log s^2 + (d/s)^2) / 2.

    sigma: shape (N,), the predicted standard error in score units; variances below 1e-6 count as 1e-6. Any sign.
    Equals torch.nn.GaussianNLLLoss(full=False, eps=1e-6) of sigma squared; Nix and Weigend (1994).
    """
    a, b = _pair(truth, predicted)
    s, _ = _pair(sigma, predicted)
    variance = np.maximum(s**2, 1e-6)
    return _mean((np.log(variance) + (a - b) ** 2 / variance) / 2)


def accuracy(truth: ArrayLike, predicted: ArrayLike, divider: float) -> float:
    """Share of images that both lists put on the same side of `divider`; a score equal to it counts as below.

    In [0, 1]. nan without images, or where a score or the divider is not a number.
    """
    a, b = _pair(truth, predicted)
    if len(a) == 0 or np.isnan(a).any() or np.isnan(b).any() or np.isnan(divider):
        return np.nan
    return float(np.mean((a > divider) == (b > divider)))


def pearson(truth: ArrayLike, predicted: ArrayLike) -> float:
    """Linear correlation in [-1, 1]; nan for fewer than 2 images or where either list is constant. Pearson (1895)."""
    a, b = _pair(truth, predicted)
    if len(a) < 2 or not (np.isfinite(a).all() and np.isfinite(b).all()):
        return np.nan
    if a.min() == a.max() or b.min() == b.max():  # the mean of equal numbers may differ from them by a rounding error
        return np.nan
    a, b = _centred(a), _centred(b)
    with np.errstate(all="ignore"):
        return float(np.clip(a @ b / np.sqrt((a @ a) * (b @ b)), -1.0, 1.0))


def spearman(truth: ArrayLike, predicted: ArrayLike) -> float:
    """Pearson correlation of the ranks, tied scores sharing their mean rank.

    In [-1, 1]; nan for fewer than 2 images or where either list is constant. Spearman (1904).
    """
    a, b = _pair(truth, predicted)
    if np.isnan(a).any() or np.isnan(b).any():
        return np.nan
    return pearson(_ranks(a), _ranks(b))


def ab(truth: ArrayLike, predicted: ArrayLike) -> float:
    """Share of image pairs that both lists put in the same order.

    Pairs tied in `truth` are left out; tied in `predicted` count half. In [0, 1], chance 0.5; nan where `truth`
    orders no pair. O(N log N). Equals (Somers' D + 1) / 2, Somers (1962), counted as in Knight (1966).
    """
    a, b = _pair(truth, predicted)
    if np.isnan(a).any() or np.isnan(b).any():
        return np.nan
    t, p = _dense(a), _dense(b)
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

    mean, p = _pair(truth, predicted)
    e, _ = _pair(error, predicted)
    if len(p) > ENOUGH:
        chosen = np.argsort(p, kind="stable")[np.linspace(0, len(p) - 1, ENOUGH).round().astype(int)]
        mean, e, p = mean[chosen], e[chosen], p[chosen]
    if len(p) < 2 or p.min() == p.max() or not np.isfinite([*mean, *e, *p]).all():
        return Expected(np.nan, np.nan)
    with np.errstate(divide="ignore", invalid="ignore"):
        above = ndtr((mean[:, None] - mean) / np.hypot(e[:, None], e))  # (N, N) P(first is truly above)
    above[np.isnan(above)] = 0.5  # equal, and both certain
    rank = _ranks(p) - (len(p) + 1) / 2
    agreed = np.where(p[:, None] > p, above, np.where(p[:, None] < p, 1 - above, 0.5))
    np.fill_diagonal(agreed, 0)
    spread = len(p) * np.sqrt((len(p) ** 2 - 1) / 12) * rank.std()
    return Expected(float(rank @ above.sum(axis=1) / spread), float(agreed.sum() / (len(p) * (len(p) - 1))))


class Screens(NamedTuple):
    """C comparisons of up to K images.

    shown: (C, K) rows of the images, -1 where fewer than K were shown. wanted: (C, K) each image's share of the
    choice: 1 for the winner and 0 for the others, 1/k for all k of a tie; -1 where nothing was shown.
    """

    shown: NDArray[np.int64]
    wanted: Floats


def choices(truth: ArrayLike, predicted: ArrayLike, screens: Screens | None) -> float:
    """Mean -log P of what was chosen, by Bradley-Terry-Luce: P(i wins) = exp(t s_i) / sum of exp(t s_j) of all.

    A tie counts as the same share of a win for everyone. The one number t, 0 or more, that turns predictions s (N,)
    into Bradley-Terry's is fitted to these very screens, as the scale of a score file means nothing here. So log K,
    which is chance, at most, and 0 where every choice is foreseen; nan without screens. Luce (1959).
    """
    _, s = _pair(truth, predicted)
    if screens is None or not len(screens.shown) or not np.isfinite(s).all():
        return np.nan
    deviation = s.std()
    there = screens.wanted >= 0
    values = np.where(there, s[screens.shown] / (deviation if deviation > 0 else 1.0), 0.0)
    wanted = np.where(there, screens.wanted, 0.0)

    def logs(scale: float) -> Floats:
        scaled = np.where(there, scale * values, -np.inf)
        largest = scaled.max(axis=1, keepdims=True)
        return scaled - largest - np.log(np.exp(scaled - largest).sum(axis=1, keepdims=True))

    def rises(scale: float) -> bool:
        return float((np.exp(logs(scale)) * values - wanted * values).sum()) >= 0  # the derivative by the scale

    low, high = 0.0, 1.0
    while not rises(high) and high < LARGEST_SCALE:
        low, high = high, 2 * high
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (low, middle) if rises(middle) else (middle, high)
    found = np.where(wanted > 0, logs(low), 0.0)
    return float(-(wanted * found).sum(axis=1).mean())


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
    a, b = _pair(truth, predicted)
    rho, r = spearman(a, b), pearson(a, b)
    if len(a) > EXACT_UP_TO:
        return Correlations(rho, _p_value(rho, len(a)), r, _p_value(r, len(a)))
    rho_p = np.nan if np.isnan(rho) else _exact_p_value(_ranks(a), _ranks(b))
    return Correlations(rho, rho_p, r, np.nan if np.isnan(r) else _exact_p_value(a, b))


@dataclass(frozen=True)
class Metric:
    """One metric: `function(truth, predicted, *, weights=None, sigma=None, divider=None, screens=None) -> float`.

    Without weights all weigh the same, without sigma `nll` is nan, without a divider it is the median of the truth,
    without screens `choices` is nan.
    """

    name: str
    direction: Literal["minimize", "maximize"]
    function: Callable[..., float]


# What a metric is given where the caller has nothing.
_DEFAULTS: dict[str, Callable[[Floats], Any]] = {
    "weights": np.ones_like,
    "sigma": lambda truth: np.full_like(truth, np.nan),
    "divider": lambda truth: float(np.median(truth)) if len(truth) else np.nan,
    "screens": lambda truth: None,
}


def _metric(
    name: str, direction: Literal["minimize", "maximize"], function: Callable[..., float], *needs: str
) -> Metric:
    def call(truth: ArrayLike, predicted: ArrayLike, **given: Any) -> float:
        if unknown := set(given) - set(_DEFAULTS):
            raise TypeError(f"a metric takes {', '.join(_DEFAULTS)}, not {', '.join(unknown)}")
        scores = np.asarray(truth, dtype=np.float64)
        return function(truth, predicted, *(_or_default(key, given.get(key), scores) for key in needs))

    return Metric(name, direction, call)


def _or_default(key: str, value: Any, truth: Floats) -> Any:
    return _DEFAULTS[key](truth) if value is None else value


METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        _metric("mse", "minimize", mse),
        _metric("wmse", "minimize", wmse, "weights"),
        _metric("nll", "minimize", nll, "sigma"),
        _metric("ab", "maximize", ab),
        _metric("spearman", "maximize", spearman),
        _metric("pearson", "maximize", pearson),
        _metric("accuracy", "maximize", accuracy, "divider"),
        _metric("choices", "minimize", choices, "screens"),
    )
}


def _pair(first: ArrayLike, second: ArrayLike) -> tuple[Floats, Floats]:
    a, b = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    if a.ndim != 1 or a.shape != b.shape:
        raise ValueError(f"two lists of the same length are needed, not shapes {a.shape} and {b.shape}")
    return a, b


def _mean(values: Floats) -> float:
    return float(values.mean()) if len(values) else np.nan


@np.errstate(all="ignore")
def _centred(values: Floats) -> Floats:
    # Scaled before and after centring, so that neither 1e300 overflows nor 1e-300 vanishes.
    centred = values / np.abs(values).max()
    centred = centred - centred.mean()
    return centred / np.abs(centred).max()


def _dense(values: Floats) -> NDArray[np.int64]:
    """Ranks 0, 1, 2… without gaps, equal for equal values."""
    return np.unique(values, return_inverse=True)[1].reshape(-1).astype(np.int64)


def _ranks(values: Floats) -> Floats:
    """Ranks 1…N; ties share their mean rank."""
    dense = _dense(values)
    counts = np.bincount(dense)
    last = np.cumsum(counts)
    return (last - (counts - 1) / 2)[dense]


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
    a, b = _centred(a), _centred(b)
    found = np.abs(b[_orders(len(b))] @ a)  # (N!,); the first is the order there is
    return float(np.mean(found >= found[0] * (1 - 1e-9)))  # equal ones may differ by a rounding error


@lru_cache
def _orders(count: int) -> NDArray[np.int8]:
    """(count!, count): all orders of 0 … count - 1, the rising one first."""
    return np.fromiter(chain.from_iterable(permutations(range(count))), np.int8).reshape(-1, count)
