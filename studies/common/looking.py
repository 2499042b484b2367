"""Images -> what networks see of them: features of an image model, or pixels. And how much of either memory holds."""

import os
from argparse import Namespace
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import ImageOps
from tqdm import tqdm

from src.common import UserError
from src.features import (
    Extractor,
    FeatureCache,
    UnreadableImage,
    default_folder,
    extract_features,
    load_extractor,
    open_image,
)

THREADS = 4
MEMORY_WHERE_UNKNOWN = 16 << 30  # bytes, as on Windows


class Seen(NamedTuple):
    """x: a row for each of `paths`. widths: of the blocks of columns, a hidden state each; empty for pixels.

    unreadable: {path: reason}.
    """

    paths: list[str]
    x: np.ndarray
    widths: tuple[int, ...]
    unreadable: dict[str, str]


def cache_of(arguments: Namespace) -> FeatureCache:
    """Where features are kept: in the folder of the images, unless an option says otherwise."""
    return FeatureCache(Path(arguments.cache_directory or default_folder(arguments.root)))


def features_of(
    root: Path, paths: list[str], extractor: Extractor, states: tuple[int, ...] | None, cache: FeatureCache
) -> Seen:
    """Hidden states side by side, (N, sum of widths) float32."""
    used = states or extractor.default_hidden_states
    found = extract_features(root, paths, extractor, used, cache)
    widths = tuple(found.states[k].shape[1] for k in used)
    return Seen(found.paths, np.concatenate([found.states[k] for k in used], axis=1), widths, found.unreadable)


def load_image_model(name: str, device: str) -> Extractor:
    """The extractor; several with commas between, as everywhere."""
    return load_extractor(name, device)


def pixels_of(root: Path, paths: list[str], size: int) -> Seen:
    """(N, 3, size, size) uint8, the middle of each image. Raises UserError where memory does not hold so much."""
    check_memory(len(paths) * 3 * size * size, f"--size={size}: the pixels of {len(paths)} images", "a smaller size")
    with ThreadPoolExecutor(THREADS) as pool:
        opened = pool.map(partial(_pixels, root, size), paths)
        each = list(tqdm(opened, desc="pixels", total=len(paths), unit="image", leave=False))
    read = [(path, pixels) for path, pixels in zip(paths, each, strict=True) if isinstance(pixels, np.ndarray)]
    unreadable = {path: reason for path, reason in zip(paths, each, strict=True) if isinstance(reason, str)}
    x = np.stack([pixels for _, pixels in read]) if read else np.zeros((0, 3, size, size), dtype=np.uint8)
    return Seen([path for path, _ in read], x, (), unreadable)


def _pixels(root: Path, size: int, path: str) -> np.ndarray | str:
    try:
        image = ImageOps.fit(open_image(root / path), (size, size))
    except UnreadableImage as error:
        return error.reason
    return np.asarray(image, dtype=np.uint8).transpose(2, 0, 1)  # (S, S, 3) -> (3, S, S)


def check_memory(needed: int, what: str, instead: str) -> None:
    """UserError for more bytes than half of this machine's memory."""
    if needed > memory() / 2:
        raise UserError(f"{what} are more than memory holds; give {instead}")


def memory() -> int:
    """Bytes of this machine's memory."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return MEMORY_WHERE_UNKNOWN
