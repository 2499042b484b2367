"""How near reconstructions come: cosines of features, retrieval among the originals, pixels. No torch here."""

import math
from typing import NamedTuple

import numpy as np

FEW = (1, 5)  # an image is found where its original is among so many nearest
SAME = 0.999  # the quantile of pairs of different images above which a search would take two for the same
MOST_PAIRED = 2000  # images whose pairs are looked at
BLOCK = 512


class Cosines(NamedTuple):
    """each: (N,), of an image and what is drawn of it. threshold: the quantile SAME of pairs of different images."""

    each: np.ndarray
    threshold: float

    @property
    def taken_for_same(self) -> float:
        """The share above the threshold: what a search by features would take for the same picture."""
        return float((self.each > self.threshold).mean())

    def summary(self) -> dict[str, float]:
        """Least, mean, median and most."""
        parts = {"min": np.min, "mean": np.mean, "median": np.median, "max": np.max}
        return {name: float(part(self.each)) for name, part in parts.items()}


class Judged(NamedTuple):
    """In one image model. ranks: (N,), how many other originals are nearer (by centred cosine) than the own one."""

    raw: Cosines
    centred: Cosines
    ranks: np.ndarray

    def found(self, few: int) -> float:
        """The share of the images whose original is among so many nearest."""
        return float((self.ranks < few).mean())


def judge(originals: np.ndarray, reconstructions: np.ndarray, centre: np.ndarray) -> Judged:
    """originals, reconstructions: features (N, W), a row each of one image. centre: (W,), taken off for `centred`."""
    raw = unit(originals), unit(reconstructions)
    centred = unit(originals - centre), unit(reconstructions - centre)
    both = [Cosines(_own(*pair), _threshold(pair[0])) for pair in (raw, centred)]
    return Judged(both[0], both[1], _ranks(*centred))


def unit(x: np.ndarray) -> np.ndarray:
    """Rows of length 1; a row of zeros stays."""
    x = x.astype(np.float64)
    return x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12)


def _own(originals: np.ndarray, reconstructions: np.ndarray) -> np.ndarray:
    return (originals * reconstructions).sum(axis=1)


def _threshold(originals: np.ndarray) -> float:
    """The cosine that a thousandth of the pairs of different originals is above; nan for fewer than two."""
    few = originals[:: -(-len(originals) // MOST_PAIRED)]
    cosines = (few @ few.T)[np.triu_indices(len(few), 1)]
    return float(np.quantile(cosines, SAME)) if len(cosines) else math.nan


def _ranks(originals: np.ndarray, reconstructions: np.ndarray) -> np.ndarray:
    """One that is equally near counts half."""
    ranks = []
    for start in range(0, len(originals), BLOCK):
        part = slice(start, start + BLOCK)
        cosines = reconstructions[part] @ originals.T  # (B, N)
        own = _own(originals[part], reconstructions[part])[:, None]
        nearer, equal = (cosines > own + 1e-9).sum(axis=1), (np.abs(cosines - own) <= 1e-9).sum(axis=1)
        ranks.append(nearer + (equal - 1) / 2)
    return np.concatenate(ranks)


def chance(few: int, count: int) -> float:
    """That of an image drawn blindly among `count`."""
    return min(1.0, few / count)


def psnr_each(pixels: np.ndarray, pictures: np.ndarray) -> np.ndarray:
    """(N,) peak signal-to-noise ratios in dB, of (N, 3, S, S) uint8 each; 99 for equal ones."""
    errors = ((pixels.astype(np.float32) - pictures.astype(np.float32)) / 255) ** 2
    means = errors.reshape(len(errors), -1).mean(axis=1)
    return np.where(means < 1e-9, 99.0, -10 * np.log10(np.maximum(means, 1e-9)))
