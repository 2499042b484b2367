"""How many more images would make the model better, as far as ridge regression on half of them tells."""

from dataclasses import dataclass, replace
from math import nan

import numpy as np

from ..common import counted
from ..search import Dataset, ridge_scores

FOLDS = 4
FEWEST_TRAIN, MOST_TRAIN = 40, 5_000  # of more, the fits take minutes
MOST_JUDGED = 1_000  # all pairs of these are looked at
FITS = 2_000  # train images from which on one half of each fold must do
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


def growth(data: Dataset, seed: int) -> Growth:
    """By cross-validation of all images but those of test, in the run's folds or FOLDS: eval images are few."""
    generator = np.random.default_rng(seed)
    parts = data.parts() if data.folds is not None else _parts(data, generator)
    images, rows = len(parts[0].rows("train")), np.flatnonzero(data.split != "test")
    if not FEWEST_TRAIN <= images <= MOST_TRAIN:
        return Growth(images)
    if len(rows) > MOST_JUDGED:
        rows = generator.choice(rows, MOST_JUDGED, replace=False)
    fold = np.full(len(data.split), -1)
    for number, part in enumerate(parts):
        fold[part.rows("eval")] = number
    fits = int(np.clip(FITS // images, 1, 4))
    counts = _same_order(data.scores[rows], data.scores[rows])
    counts *= (fold[rows][:, None] == fold[rows]) & (fold[rows] >= 0)  # only the order within a fold is a model's own
    if not counts.any():
        return Growth(images)
    whole = _same_order(data.scores[rows], _said(parts, seed)[rows])
    gains = [
        counts * (whole - _same_order(data.scores[rows], _said(parts, seed, generator)[rows]))
        for _ in counted(range(fits), "Would more images help")
    ]
    gain = np.mean(gains, axis=0)  # (n, n)
    return Growth(images, 100 * float(gain.sum() / counts.sum()), _error(gain, counts, generator))


def _parts(data: Dataset, generator: np.random.Generator) -> list[Dataset]:
    """All images but those of test, each once in an eval split."""
    rows = generator.permutation(np.flatnonzero(data.split != "test"))
    folds = np.full(len(data.split), -1)
    folds[rows] = np.arange(len(rows)) % FOLDS
    return replace(data, split=np.where(folds >= 0, "train", data.split), folds=folds).parts()


def _said(parts: list[Dataset], seed: int, halve: np.random.Generator | None = None) -> np.ndarray:
    """(N,) of each image what ridge regression on the train images of the others says, or on a half of those."""
    found = np.full(len(parts[0].scores), nan)
    for part in parts:
        train, split = part.rows("train"), part.split.astype("<U5")
        if halve is not None:
            split[halve.permutation(train)[len(train) // 2 :]] = "test"
        rows = part.rows("eval")
        found[rows] = ridge_scores(part.inputs.cpu().numpy(), part.scores, split, seed)[rows]
    return found


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
