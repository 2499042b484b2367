"""What the sample gallery is painted with: a canvas, colours, clouds of chance."""

from collections.abc import Callable

import numpy as np
from PIL import Image, ImageDraw

Array = np.ndarray
Draw = np.random.Generator


def rgb(colour: str) -> Array:
    """(3,) in [0, 1] of "#rrggbb"."""
    return np.array([int(colour[place : place + 2], 16) for place in (1, 3, 5)], np.float32) / 255


class Canvas:
    """A picture that is painted from far to near. picture: (H, W, 3) in [0, 1]; x, y: (H, W), y down, 0 to 1 in height.

    sun: (H, W), how much of the sun is seen at each spot.
    """

    def __init__(self, size: tuple[int, int]) -> None:
        self.width, self.height = size
        rows, columns = np.mgrid[: self.height, : self.width].astype(np.float32)
        self.x, self.y = (columns + 0.5) / self.height, (rows + 0.5) / self.height
        self.aspect = self.width / self.height
        self.picture = np.zeros((self.height, self.width, 3), np.float32)
        self.sun = np.zeros((self.height, self.width), np.float32)

    def cover(self, mask: Array, colour: Array) -> None:
        """Paint `colour`, (3,) or (H, W, 3), where `mask`, (H, W), is above 0."""
        self.picture += mask[..., None] * (colour - self.picture)
        self.sun *= 1 - mask

    def below(self, line: Array) -> Array:
        """(H, W) mask of all that lies under a line of heights (W,), its edge smooth."""
        return np.clip((self.y - line) * self.height + 0.5, 0, 1)

    def noise(self, draw: Draw, cells: float, octaves: int = 4, stretch: float = 1.0) -> Array:
        """(H, W) clouds of chance in [0, 1]; `cells` over the height, `stretch` times as wide as high."""
        total = np.zeros((self.height, self.width), np.float32)
        for octave in range(octaves):
            rows, columns = (max(2, round(cells * 2**octave * s)) + 2 for s in (1, self.aspect / stretch))
            grid = Image.fromarray(draw.random((rows, columns), np.float32))
            box = (0.5, 0.5, columns - 0.5, rows - 0.5)
            total += np.asarray(grid.resize((self.width, self.height), Image.Resampling.BICUBIC, box)) / 2**octave
        return (total - total.min()) / (total.max() - total.min())

    def shapes(self, paint: Callable[[ImageDraw.ImageDraw, float], None]) -> Array:
        """(H, W) mask of what `paint(pen, scale)` draws in white; scale: pen units for one picture height."""
        mask = Image.new("L", (self.width * 3, self.height * 3))
        paint(ImageDraw.Draw(mask), self.height * 3)
        return np.asarray(mask.reduce(3), np.float32) / 255


def mix(first: Array, second: Array, share: Array | float) -> Array:
    share = np.asarray(share, np.float32)
    return first + (second - first) * (share[..., None] if share.ndim else share)


def blend(colours: Array, place: Array) -> Array:
    """(H, W, 3): the colours (K, 3) one after the other as `place`, (H, W), goes from 0 to 1."""
    stops = np.linspace(0, 1, len(colours))
    return np.stack([np.interp(place, stops, colours[:, channel]) for channel in range(3)], -1).astype(np.float32)


def smooth(value: Array, low: float, high: float) -> Array:
    share = np.clip((value - low) / (high - low), 0, 1)
    return share * share * (3 - 2 * share)
