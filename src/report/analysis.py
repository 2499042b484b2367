"""What can be said of model scores beside scores: subsets, intervals, calibration, who passes, extremes."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ..common import ab, counted, mean_ranks, pearson, spearman, spearman_among

RESAMPLES = 1000
# A resample of many images takes long, and their intervals need fewer resamples to be told apart.
MOST_DRAWN = 20_000_000
FEWEST_RESAMPLES = 200
FEWEST_IMAGES = 10  # of fewer, resamples are too much alike for an interval
BINS = 10
UMAP_NEIGHBOURS = 15


@dataclass(frozen=True)
class Subset:
    """Some of the images, by name: rows (n,)."""

    name: str
    rows: np.ndarray


def make_subsets(
    paths: Sequence[str], allowed: np.ndarray, expressions: Sequence[str], by_directory: bool
) -> list[Subset]:
    """All, then one for each regular expression, then one for each folder. allowed: (N,) bool.

    An image directly in the directory is in the folder "."; a folder's subset leaves out its own sub-folders.
    """
    subsets = [Subset("All", np.flatnonzero(allowed))]
    for expression in expressions:
        pattern = re.compile(expression)
        found = np.array([bool(pattern.search(path)) for path in paths], dtype=bool)
        subsets.append(Subset(expression, np.flatnonzero(found & allowed)))
    folders = np.array([path.rpartition("/")[0] or "." for path in paths])
    for folder in sorted(set(folders.tolist())) if by_directory else ():
        subsets.append(Subset(folder, np.flatnonzero((folders == folder) & allowed)))
    return subsets


@dataclass(frozen=True)
class Intervals:
    """(low, high) of each: 95 % of the resamples lie between."""

    spearman: tuple[float, float]
    pearson: tuple[float, float]
    ab: tuple[float, float]


def bootstrap(scores: np.ndarray, model_scores: np.ndarray, seed: int) -> Intervals:
    """Percentile intervals of images drawn anew with replacement, Efron (1979); both shapes (N,).

    1,000 resamples; of more than 20,000 images fewer, at least 200. Resamples in which a number is undefined are left
    out. nan where none is left.
    """
    generator = np.random.default_rng(seed)
    found = np.full((_resamples(len(scores)), 3), np.nan)
    order = spearman_among(scores, model_scores)
    for row in counted(range(len(found)), "Intervals"):
        drawn = generator.integers(0, len(scores), len(scores))
        a, b = scores[drawn], model_scores[drawn]
        found[row] = order(drawn), pearson(a, b), ab(a, b)
    return Intervals(*(_middle(column[~np.isnan(column)]) for column in found.T))


def gain_interval(scores: np.ndarray, first: np.ndarray, second: np.ndarray, seed: int) -> tuple[float, float]:
    """Of Spearman of the first model less that of the second, on the same images drawn anew; as `bootstrap`."""
    generator, found = np.random.default_rng(seed), np.empty(_resamples(len(scores)))
    of_first, of_second = spearman_among(scores, first), spearman_among(scores, second)
    for row in counted(range(len(found)), "Intervals"):
        drawn = generator.integers(0, len(scores), len(scores))
        found[row] = of_first(drawn) - of_second(drawn)
    return _middle(found[~np.isnan(found)])


class Gain(NamedTuple):
    """Spearman of a model less that of the first, and its 95 % interval; nan where there is none."""

    value: float
    low: float
    high: float


def gains_of(
    subsets: Sequence[np.ndarray], scores: np.ndarray, models: Sequence[np.ndarray], seed: int
) -> list[list[Gain]]:
    """Of each subset, rows of the images, and each model but the first; none of fewer than ten images."""
    return [[_gain(scores[rows], model[rows], models[0][rows], seed) for model in models[1:]] for rows in subsets]


def _gain(scores: np.ndarray, model: np.ndarray, first: np.ndarray, seed: int) -> Gain:
    if len(scores) < FEWEST_IMAGES:
        return Gain(np.nan, np.nan, np.nan)
    return Gain(spearman(scores, model) - spearman(scores, first), *gain_interval(scores, model, first, seed))


def _resamples(images: int) -> int:
    return int(np.clip(MOST_DRAWN // max(1, images), FEWEST_RESAMPLES, RESAMPLES))


def _middle(values: np.ndarray) -> tuple[float, float]:
    if not len(values):
        return np.nan, np.nan
    low, high = np.quantile(values, (0.025, 0.975))
    return float(low), float(high)


@dataclass(frozen=True)
class Bin:
    """Images of neighbouring model scores: means of both scores, standard error of the mean score, and how many."""

    model_score: float
    score: float
    error: float
    count: int


def calibration(scores: np.ndarray, model_scores: np.ndarray, bins: int = BINS) -> list[Bin]:
    """Up to `bins` groups of equal size by model score, lowest first; fewer where that leaves under 5 images each."""
    groups = np.array_split(np.argsort(model_scores, kind="stable"), max(1, min(bins, len(scores) // 5)))
    return [
        Bin(
            float(model_scores[rows].mean()),
            float(scores[rows].mean()),
            float(scores[rows].std() / np.sqrt(len(rows))),
            len(rows),
        )
        for rows in groups
        if len(rows)
    ]


def slope(scores: np.ndarray, model_scores: np.ndarray) -> float:
    """By how much scores rise where model scores rise by 1, by least squares; 1 is right, nan where undefined."""
    variance = model_scores.var()
    return float(np.cov(scores, model_scores, bias=True)[0, 1] / variance) if variance > 0 else float("nan")


@dataclass(frozen=True)
class ErrorBin:
    """Images of which a model expects errors of like size: that size and the real one, both root mean squares.

    uncertainty: the standard error of the real one. count: images.
    """

    expected: float
    actual: float
    uncertainty: float
    count: int


def reliability(scores: np.ndarray, model_scores: np.ndarray, errors: np.ndarray, bins: int = BINS) -> list[ErrorBin]:
    """Up to `bins` groups of equal size by the error that the model expects, smallest first; all shapes (N,).

    Fewer groups where they would have under 5 images. Where errors are what they claim to be, both agree.
    """
    groups = np.array_split(np.argsort(errors, kind="stable"), max(1, min(bins, len(scores) // 5)))
    found = []
    for rows in groups:
        if len(rows):
            expected, actual = (
                float(np.sqrt(np.mean(values[rows] ** 2))) for values in (errors, scores - model_scores)
            )
            # Of a root mean square of n normal values: sigma / sqrt(2 n).
            found.append(ErrorBin(expected, actual, actual / np.sqrt(2 * len(rows)), len(rows)))
    return found


def coverage(scores: np.ndarray, model_scores: np.ndarray, errors: np.ndarray) -> tuple[float, float]:
    """Share of images whose score lies within one and two errors of the model score; 0.68 and 0.95 would be right."""
    distance = np.abs(scores - model_scores) / errors
    return float((distance <= 1).mean()), float((distance <= 2).mean())


@dataclass(frozen=True)
class Extremes:
    """Rows of the images, the most extreme first."""

    over: np.ndarray
    under: np.ndarray
    top: np.ndarray
    bottom: np.ndarray


def extremes(scores: np.ndarray, model_scores: np.ndarray, count: int = 20) -> Extremes:
    """The images that the model ranks too high and too low, and its best and worst; none is in both of a pair.

    Each at most `count` images, and a fifth of all. By ranks and not by differences of scores: a model pulls all to
    the middle, so the lowest scores would seem rated too high whatever it thinks of them.
    """
    difference, most = mean_ranks(model_scores) - mean_ranks(scores), min(count, -(-len(scores) // 5))
    by_difference, by_score = (np.argsort(values, kind="stable") for values in (difference, model_scores))
    over = [row for row in by_difference[::-1][:most] if difference[row] > 0]
    under = [row for row in by_difference[:most] if difference[row] < 0]
    return Extremes(np.array(over, int), np.array(under, int), by_score[::-1][:most], by_score[:most])


@dataclass(frozen=True)
class Combination:
    """Which models an image passes: (M,) bool; how many images do, and their mean score (nan of none)."""

    passed: tuple[bool, ...]
    count: int
    mean_score: float


def combinations(
    scores: np.ndarray, models: Mapping[str, np.ndarray], thresholds: Sequence[float]
) -> list[Combination]:
    """All 2^M combinations of passing (model score at least its threshold) and failing, all passed first.

    thresholds: one for each model.
    """
    passed = np.array([values >= limit for values, limit in zip(models.values(), thresholds, strict=True)])  # (M, N)
    found = []
    for number in reversed(range(2 ** len(models))):
        wanted = tuple(bool(number >> place & 1) for place in reversed(range(len(models))))
        these = scores[(passed == np.array(wanted)[:, None]).all(axis=0)]
        found.append(Combination(wanted, len(these), float(these.mean()) if len(these) else float("nan")))
    return found


def places_on_map(inputs: np.ndarray, seed: int) -> tuple[np.ndarray, tuple[str, str], str]:
    """Features (N, ...) in two dimensions: (N, 2), names of the two, and a sentence on how it was done.

    UMAP (McInnes, Healy & Melville 2018) where umap-learn is installed and works, else principal components.
    """
    flat = standardised(inputs)
    try:
        import umap
    except ImportError:  # not there, or its numba does not take this NumPy
        umap = None
    if umap and len(flat) > 2 * UMAP_NEIGHBOURS and flat.shape[1] >= 2:
        projection = umap.UMAP(n_neighbors=UMAP_NEIGHBOURS, random_state=seed, n_jobs=1)
        return projection.fit_transform(flat), ("UMAP 1", "UMAP 2"), "Like images lie together (UMAP)."
    places, share = principal_components(flat)
    names = "first component", "second component"
    return places, names, f"Two directions hold {share:.0%} of the variance (PCA)."


def standardised(inputs: np.ndarray) -> np.ndarray:
    """(N, V) float64 of features (N, ...): flattened, mean 0 and deviation 1 each; constant ones are left out."""
    flat = inputs.reshape(len(inputs), -1).astype(np.float64)
    deviation = flat.std(axis=0)
    varying = deviation > 1e-6 * (1 + np.abs(flat).max(initial=0))
    return (flat[:, varying] - flat[:, varying].mean(axis=0)) / deviation[varying]


def principal_components(flat: np.ndarray) -> tuple[np.ndarray, float]:
    """(N, 2): the two directions in which standardised features (N, V) vary most, and their share of the variance."""
    if len(flat) < 3 or flat.shape[1] < 2:
        return np.zeros((len(flat), 2)), float("nan")
    products = flat @ flat.T if len(flat) <= flat.shape[1] else flat.T @ flat
    values, vectors = np.linalg.eigh(products)
    first = vectors[:, [-1, -2]]  # eigh sorts ascending
    places = first * np.sqrt(np.maximum(values[[-1, -2]], 0)) if len(flat) <= flat.shape[1] else flat @ first
    return places, float(values[-2:].sum() / max(values.sum(), 1e-300))
