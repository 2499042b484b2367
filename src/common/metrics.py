"""How well predicted scores agree with true ones: numpy only, each metric with the direction that is better.

Everywhere: `truth` and `predicted` have shape (N,), ValueError if shapes differ, and nan (never a warning) where the
metric is undefined: too few images, nothing to order, or a prediction that is not a number.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .correlation import pearson, spearman
from .order import ab
from .ranks import Floats, pair

# Of a fitted scale, in deviations of the predictions: where it is this large, the choices are all foreseen.
LARGEST_SCALE = 2.0**12


@np.errstate(all="ignore")
def mse(truth: ArrayLike, predicted: ArrayLike) -> float:
    """Mean of the squared differences, in squared score units, 0 or more; nan without images."""
    a, b = pair(truth, predicted)
    return _mean((a - b) ** 2)


@np.errstate(all="ignore")
def wmse(truth: ArrayLike, predicted: ArrayLike, weights: ArrayLike) -> float:
    """Weighted mean of the squared differences: sum(w d^2) / sum(w), so equal weights give `mse`.

    weights: shape (N,), 0 or more. nan where they sum to 0.
    """
    a, b = pair(truth, predicted)
    w, _ = pair(weights, predicted)
    total = w.sum()
    return float((w * (a - b) ** 2).sum() / total) if total > 0 else np.nan


@np.errstate(all="ignore")
def nll(truth: ArrayLike, predicted: ArrayLike, sigma: ArrayLike) -> float:
    """Mean negative log likelihood of a normal distribution, without its constant: (log s^2 + (d/s)^2) / 2.

    sigma: shape (N,), the predicted standard error in score units; variances below 1e-6 count as 1e-6. Any sign.
    Equals torch.nn.GaussianNLLLoss(full=False, eps=1e-6) of sigma squared; Nix and Weigend (1994).
    """
    a, b = pair(truth, predicted)
    s, _ = pair(sigma, predicted)
    variance = np.maximum(s**2, 1e-6)
    return _mean((np.log(variance) + (a - b) ** 2 / variance) / 2)


def accuracy(truth: ArrayLike, predicted: ArrayLike, divider: float) -> float:
    """Share of images that both lists put on the same side of `divider`; a score equal to it counts as below.

    In [0, 1]. nan without images, or where a score or the divider is not a number.
    """
    a, b = pair(truth, predicted)
    if len(a) == 0 or np.isnan(a).any() or np.isnan(b).any() or np.isnan(divider):
        return np.nan
    return float(np.mean((a > divider) == (b > divider)))


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
    _, s = pair(truth, predicted)
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


def _mean(values: Floats) -> float:
    return float(values.mean()) if len(values) else np.nan
