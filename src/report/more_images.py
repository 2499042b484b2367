"""How many more images would make the model better, as far as ridge regression on half of them tells."""

from dataclasses import dataclass, replace
from math import nan

import numpy as np
from scipy.linalg import solve

from ..common import counted, one_blas_thread, standardisation
from ..search import Dataset

FOLDS = 4
FEWEST_TRAIN, MOST_TRAIN = 100, 1_500  # of fewer it is luck, of more it takes long
MOST_JUDGED = 1_000  # all pairs of these are looked at
HALVES = 4  # of each fold
RESAMPLES = 400
SURE = 1.96  # standard errors
WORTH_HAVING = 1.0  # of 100 pairs


@dataclass(frozen=True)
class Growth:
    """gain: how many more of 100 pairs are in the right order with all train images than with half of them.

    error: its standard error, had other images been looked at. images: all train images. nan where it can't be told.
    """

    images: int
    gain: float = nan
    error: float = nan


def growth(data: Dataset, penalty: float, seed: int) -> Growth:
    """By cross-validation of all images but those of test, in the run's folds or FOLDS: eval images are few.

    penalty: that of the run's ridge regression, which is kept for the halves.
    """
    generator = np.random.default_rng(seed)
    parts = data.parts() if data.folds is not None else _parts(data, generator)
    images, rows = len(parts[0].rows("train")), np.flatnonzero(data.split != "test")
    if not FEWEST_TRAIN <= images <= MOST_TRAIN:
        return Growth(images)
    fold = np.full(len(data.split), -1)
    for number, part in enumerate(parts):
        fold[part.rows("eval")] = number
    scores, products = data.scores, _products(data)
    judged = generator.choice(rows, min(len(rows), MOST_JUDGED), replace=False)
    counts = _same_order(scores[judged], scores[judged])  # (n, n)
    counts *= (fold[judged][:, None] == fold[judged]) & (
        fold[judged] >= 0
    )  # only within a fold is an order a model's
    if not counts.any():
        return Growth(images)
    gain = np.zeros_like(counts)
    whole = _same_order(scores[judged], _said(parts, products, penalty)[judged])
    for _ in counted(range(HALVES), "Would more images help"):
        half = _said(parts, products, penalty, generator)
        gain += counts * (whole - _same_order(scores[judged], half[judged]))
    gain /= HALVES
    return Growth(images, 100 * float(gain.sum() / counts.sum()), _error(gain, counts, generator))


def _products(data: Dataset) -> np.ndarray:
    """(N, N) inner products of the images' features, standardised over all images."""
    flat = data.inputs.cpu().numpy().reshape(len(data.split), -1)
    shift, scale = standardisation(flat)
    x = (flat - shift) / scale
    return (x @ x.T).astype(np.float64)


def _parts(data: Dataset, generator: np.random.Generator) -> list[Dataset]:
    """All images but those of test, each once in an eval split."""
    rows = generator.permutation(np.flatnonzero(data.split != "test"))
    folds = np.full(len(data.split), -1)
    folds[rows] = np.arange(len(rows)) % FOLDS
    return replace(data, split=np.where(folds >= 0, "train", data.split), folds=folds).parts()


def _said(
    parts: list[Dataset], products: np.ndarray, penalty: float, halve: np.random.Generator | None = None
) -> np.ndarray:
    """(N,) of each image what ridge regression on the train images of the others says, or on a half of those."""
    found = np.full(len(products), nan)
    for part in parts:
        train, rows = part.rows("train"), part.rows("eval")
        if halve is not None:
            train = halve.permutation(train)[: len(train) // 2]
        found[rows] = _ridge(products, part.scores, train, rows, penalty)
    return found


def _ridge(
    products: np.ndarray, scores: np.ndarray, train: np.ndarray, rows: np.ndarray, penalty: float
) -> np.ndarray:
    """(n,) of `rows`: ridge regression in its dual form (Saunders, Gammerman & Vovk, 1998)."""
    among, to = products[np.ix_(train, train)], products[np.ix_(rows, train)]
    mean, whole, level = among.mean(axis=0), among.mean(), scores[train].mean()
    among = among - mean - mean[:, None] + whole
    to = to - mean - to.mean(axis=1, keepdims=True) + whole
    with one_blas_thread():
        weights = solve(among + penalty * np.eye(len(train)), scores[train] - level, assume_a="pos")
    return to @ weights + level


def _same_order(truth: np.ndarray, said: np.ndarray) -> np.ndarray:
    """(n, n) 1 where both lists order the two alike, 0.5 where `said` has a tie, 0 else and where `truth` has one."""
    true, found = (np.sign(values[:, None] - values) for values in (truth, said))
    return np.where(true == 0, 0, (1 + true * found) / 2)


def _error(gain: np.ndarray, counts: np.ndarray, generator: np.random.Generator) -> float:
    """Standard error of 100 · Σ gain / Σ counts over pairs (n, n), had other images been drawn (Efron, 1979)."""
    images, found = len(gain), []
    for _ in range(RESAMPLES):
        times = np.bincount(generator.integers(0, images, images), minlength=images).astype(float)
        if pairs := times @ counts @ times:
            found.append(100 * (times @ gain @ times) / pairs)
    return float(np.std(found))


def more_images(found: Growth) -> str:
    """A sentence; empty where nothing is known."""
    if np.isnan(found.gain):
        return ""
    if found.gain > SURE * found.error:
        if found.gain < WORTH_HAVING:
            return f"Twice as many images would add about {found.gain:.1f}."
        return f"{_rounded(found.images * (2 ** (1 / found.gain) - 1))} more images would add about 1."
    if found.gain + SURE * found.error < WORTH_HAVING:
        return "More images of this kind would hardly add anything."
    return "Whether more images would add to it can't be told from so few."


def _rounded(images: float) -> int:
    """To the next ten, of 200 and more to the next fifty: it is a rough figure."""
    step = 10 if images < 200 else 50
    return max(step, step * round(images / step))
