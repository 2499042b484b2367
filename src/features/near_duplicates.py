"""Which images are nearly the same: copies in another size or quality, slight crops, a change of brightness.

Two images are near-identical if their perceptual hashes differ in at most 10 of 64 bits, and their colours by at most
10 of 255 on average over 4 x 4 fields. The hash alone knows no colour, and takes all plain pictures for one.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image
from scipy.fft import dctn
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from ..common import counted
from .extraction import extract_features
from .extractors.base import Extractor
from .extractors.resizing import suffix
from .feature_cache import FeatureCache

MOST_BITS = 10
MOST_COLOUR = 10.0
BITS = 64
BLOCK = 1024  # images that are compared with others at once


class Signature(Extractor):
    """Perceptual hash and colours of an image, as if they were features: so they are kept in the cache.

    Hidden state 0 is (112,): 64 bits as -1 and 1, then the mean colours of 4 x 4 fields, red, green, blue, 0 to 255.
    The hash is pHash (Zauner 2010, "Implementation and benchmarking of perceptual image hash functions"): is each of
    the 8 x 8 lowest frequencies of the image, 32 x 32 and grey, above their median? As imagehash.phash has it.
    """

    name = "perceptual hash"
    default_hidden_states = (0,)
    default_hidden_states_mode = "join"
    n_hidden_states = 1

    def __init__(self) -> None:
        self.identity = "perceptual hash 1" + suffix()

    def prepare(self, image: Image.Image) -> np.ndarray:
        """(112,) float32: all of it, as this is called from several threads."""
        grey = np.asarray(image.convert("L").resize((32, 32), Image.Resampling.LANCZOS), dtype=np.float64)
        lowest = dctn(grey)[:8, :8].ravel()
        colours = np.asarray(image.resize((4, 4), Image.Resampling.BOX), dtype=np.float32)  # (4, 4, 3)
        return np.append(np.where(lowest > np.median(lowest), 1, -1), colours.ravel()).astype(np.float32)

    def __call__(self, prepared: list[np.ndarray], hidden_states: Sequence[int]) -> dict[int, np.ndarray]:
        return {0: np.stack(prepared)}


def near_identical_groups(directory: Path, paths: Sequence[str], cache: FeatureCache) -> np.ndarray:
    """(N,) numbers, equal where images are near-identical, or joined by a chain of such images.

    Every image is opened once; its signature stays in the cache. An image that can't be read is a group of its own.
    """
    features = extract_features(directory, paths, Signature(), (0,), cache)
    labels = dict(zip(features.paths, group(features.states[0]).tolist(), strict=True))
    others = iter(range(len(paths), 2 * len(paths)))
    return np.array([labels[path] if path in labels else next(others) for path in paths], dtype=np.int64)


def group(signatures: np.ndarray) -> np.ndarray:
    """(N,) group numbers of signatures (N, 112).

    Images are taken in the order of brightness, and each is compared with those alone that are at most 10 brighter:
    colours that differ by no more on average can't differ by more in their mean.
    """
    different, same_as = np.unique(signatures, axis=0, return_inverse=True)  # copies would all be pairs
    brightness = different[:, BITS:].mean(axis=1)
    order = np.argsort(brightness, kind="stable")
    different, brightness = different[order], brightness[order]
    ends = np.searchsorted(brightness, brightness + MOST_COLOUR + 0.01, side="right")
    starts = counted(range(0, len(different), BLOCK), "Looking for near-identical images")
    pairs = [_pairs(different, start, ends) for start in starts]
    first, second = np.concatenate(pairs, axis=1) if pairs else np.empty((2, 0), dtype=np.int64)
    graph = coo_array((np.ones(len(first)), (first, second)), shape=(len(different), len(different)))
    labels = np.empty(len(different), dtype=np.int64)
    labels[order] = connected_components(graph, directed=False)[1]
    return labels[same_as.reshape(-1)]


def _pairs(signatures: np.ndarray, start: int, ends: np.ndarray) -> np.ndarray:
    """(2, P): near-identical images of which the first is in the block from `start`."""
    rows, others = signatures[start : start + BLOCK], signatures[start : int(ends[start : start + BLOCK].max())]
    # Bits are -1 and 1: the product of two hashes is the number of equal bits minus that of different ones.
    near = rows[:, :BITS] @ others[:, :BITS].T >= BITS - 2 * MOST_BITS
    first, second = np.nonzero(np.triu(near, 1))
    colours = np.abs(rows[first, BITS:] - others[second, BITS:]).mean(axis=1)
    return np.array([first, second])[:, colours <= MOST_COLOUR] + start
