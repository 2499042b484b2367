"""Small stand-ins for what would be a download: an extractor made of the mean colour, and folders of tiny images."""

import os
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from src.features.extractors.base import Extractor


class ToyExtractor(Extractor):
    """Hidden state 0: the image's mean colour, in [0, 1]. Hidden state 1: its square. Both are 3 wide.

    loaded: whether the "network" was ever called. batches: how many images each call had. seconds: sleep in a call.
    """

    default_hidden_states = (0, 1)
    default_hidden_states_mode = "join"
    n_hidden_states = 2

    def __init__(self, name: str = "toy", seconds: float = 0.0) -> None:
        self.name = name
        self.identity = f"{name} 1"
        self.seconds = seconds
        self.batches: list[int] = []

    @property
    def loaded(self) -> bool:
        return bool(self.batches)

    def prepare(self, image: Image.Image) -> np.ndarray:
        """(4, 4, 3) uint8."""
        return np.array(image.resize((4, 4)))

    def __call__(self, prepared: list[np.ndarray], hidden_states: Sequence[int]) -> dict[int, np.ndarray]:
        self.check_hidden_states(hidden_states)
        self.batches.append(len(prepared))
        time.sleep(self.seconds)
        colours = np.stack(prepared).mean(axis=(1, 2), dtype=np.float32) / np.float32(255)  # (B, 4, 4, 3) -> (B, 3)
        states = {0: colours, 1: colours**2}
        return {k: states[k] for k in hidden_states}


def colour(i: int) -> tuple[int, int, int]:
    """A colour that no other i below 65536 has."""
    return 37 * i % 256, (91 * i + i // 256) % 256, 53 * i % 256


def make_image(path: Path, fill: tuple[int, ...] = (200, 100, 50), size: tuple[int, int] = (8, 6)) -> Path:
    """A picture of one colour, in the format of the path's suffix; folders are made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, fill).save(path)
    return path


def make_gallery(directory: Path, count: int) -> list[str]:
    """`count` PNG files of different colours, half of them in a sub-folder; returns their relative paths, sorted."""
    paths = [f"{'more/' if i % 2 else ''}{i:04}.png" for i in range(count)]
    for i, path in enumerate(paths):
        make_image(directory / path, colour(i))
    return sorted(paths)


def make_old(directory: Path) -> None:
    """Set all files' times back by an hour, so that the cache relies on them at once."""
    an_hour_ago = time.time() - 3600
    for path in directory.rglob("*"):
        if path.is_file():
            os.utime(path, (an_hour_ago, an_hour_ago))
