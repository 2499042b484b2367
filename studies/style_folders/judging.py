"""How good a classifier is, in numbers: its confusion, what follows from that, and what simple means reach."""

from typing import NamedTuple

import numpy as np

from src.common import UserError
from src.scores import balanced, group_size

from ..common.looking import check_memory

BYTES_A_ROW = 32  # of a list of images, while it is made


class Judgement(NamedTuple):
    """Each in [0, 1]. Balanced accuracy: the mean share found of a style's images. macro F1: the mean of styles."""

    accuracy: float
    balanced_accuracy: float
    macro_f1: float


def confusion_of(codes: np.ndarray, taken_for: np.ndarray, styles: int) -> np.ndarray:
    """(C, C) images: true styles down, what they were taken for across."""
    return np.bincount(codes * styles + taken_for, minlength=styles * styles).reshape(styles, styles)


def judge(confusion: np.ndarray) -> Judgement:
    """As scikit-learn has them: recalls of styles that there are images of, F1 of those that occur at all."""
    right, true, taken = np.diag(confusion), confusion.sum(axis=1), confusion.sum(axis=0)
    there, occur = true > 0, true + taken > 0
    recalls = right[there] / true[there]
    f1 = 2 * right[occur] / (true + taken)[occur]
    return Judgement(float(right.sum() / max(1, true.sum())), float(recalls.mean()), float(f1.mean()))


def resampled(codes: np.ndarray, rows: np.ndarray, target: str, seed: int, option: str) -> np.ndarray:
    """The rows, each style brought to exactly its target; codes: (N,) of all images.

    Of a larger style images are left out at random; of a smaller one each is there equally often, but for what is
    missing then, which is drawn, none twice. Raises UserError for more than memory holds.
    """
    if target == "none":
        return rows
    sizes = np.bincount(codes[rows])
    sizes = sizes[sizes > 0]
    size = group_size(sizes, target)
    check_memory(
        size * len(sizes) * BYTES_A_ROW, f"--{option}={target}: {size} images of each style", "a smaller one"
    )
    return rows[balanced(codes[rows], target, seed)]


def drawn(codes: np.ndarray, rows: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """As many rows, drawn with replacement, each style equally likely."""
    sizes = np.bincount(codes[rows])
    chances = 1 / sizes[codes[rows]]
    return generator.choice(rows, len(rows), p=chances / chances.sum())


def logistic_regression(x: np.ndarray, codes: np.ndarray, learnt: np.ndarray, asked: np.ndarray) -> np.ndarray:
    """(A,) the styles that it takes the rows `asked` for; x: (N, W) features, or (N, 3, S, S) pixels.

    Of pixels it reads means of 8 x 8 fields.
    """
    from sklearn.linear_model import LogisticRegression

    if len(np.unique(codes[learnt])) < 2:
        raise UserError("train holds one style; logistic regression needs two")
    inputs = _fields(x) if x.ndim == 4 else x
    shift, scale = inputs[learnt].mean(axis=0), np.maximum(inputs[learnt].std(axis=0), 1e-6)
    inputs = (inputs - shift) / scale
    found: np.ndarray = (
        LogisticRegression(C=0.01, max_iter=300).fit(inputs[learnt], codes[learnt]).predict(inputs[asked])
    )
    return found


def _fields(x: np.ndarray) -> np.ndarray:
    side = x.shape[-1] // 8
    cut = x[:, :, : 8 * side, : 8 * side].reshape(len(x), 3, 8, side, 8, side)
    return cut.mean(axis=(3, 5)).reshape(len(x), -1)  # (N, 3 * 8 * 8)
