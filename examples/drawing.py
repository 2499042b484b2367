"""What the sample gallery is painted with: a canvas, colours, clouds of chance.

Colours have shape (3, 1, 1) and pictures (3, H, W), so that a mask of shape (H, W) multiplies either.
"""

from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np
from PIL import Image, ImageDraw

Array = np.ndarray
Draw = np.random.Generator
T = TypeVar("T")
Window = tuple[slice, slice]  # rows and columns of a part of the picture
WHITE = np.ones((3, 1, 1), np.float32)
BLACK = np.zeros((3, 1, 1), np.float32)


def rgb(colour: str) -> Array:
    """(3, 1, 1) in [0, 1] of "#rrggbb"."""
    return np.array([int(colour[place : place + 2], 16) for place in (1, 3, 5)], np.float32).reshape(3, 1, 1) / 255


def mix(first: Array, second: Array, share: Array | float) -> Array:
    """From the first, where `share` is 0, to the second, where it is 1."""
    return first + (second - first) * share


def blend(colours: Array, place: Array) -> Array:
    """(3, H, W): the colours (K, 3, 1, 1) one after the other as `place`, (H, W), goes from 0 to 1."""
    steps = np.linspace(0, 1, 1024)
    table = [np.interp(steps, np.linspace(0, 1, len(colours)), channel) for channel in colours[..., 0, 0].T]
    return np.array(table, np.float32)[:, (place.clip(0, 1) * 1023).astype(np.int16)]


def smooth(value: Array, low: float, high: float) -> Array:
    """0 below `low`, 1 above `high`, and no corner between them."""
    share = ((value - low) * (1 / (high - low))).clip(0, 1)
    return share * share * (3 - 2 * share)


def pick(draw: Draw, options: Sequence[T]) -> T:
    """One of the options. (Generator.choice would make a float64 of a float, and of all that is multiplied by it.)"""
    return options[draw.integers(len(options))]


class Canvas:
    """A picture that is painted from far to near.

    picture: (3, H, W) in [0, 1]. x, y: (H, W), x to the right, y down, where 1 is the height.
    sun: (H, W), how much of the sun is seen at each spot, or None.
    """

    def __init__(self, size: tuple[int, int]) -> None:
        self.width, self.height = size
        rows, columns = np.mgrid[: self.height, : self.width].astype(np.float32)
        self.x, self.y = (columns + 0.5) / self.height, (rows + 0.5) / self.height
        self.aspect = self.width / self.height
        self.picture = np.zeros((3, self.height, self.width), np.float32)
        self.sun: Array | None = None

    def fill(self, colour: Array) -> None:
        self.picture[:] = colour

    def cover(self, mask: Array, colour: Array, window: Window | None = None) -> None:
        """Paint `colour`, (3, 1, 1) or (3, H, W), where `mask`, (H, W), is above 0.

        window: the rows and columns which mask and colour are for, if they are not of the whole picture.
        """
        rows, columns = window or (slice(0, self.height), slice(0, self.width))
        used = np.flatnonzero(mask.any(1))
        if len(used) == 0:
            return
        inner = slice(used[0], used[-1] + 1)
        rows = slice(rows.start + used[0], rows.start + used[-1] + 1)
        share, part = mask[inner].astype(np.float32, copy=False), self.picture[:, rows, columns]
        part += share * ((colour[:, inner] if colour.shape[1] > 1 else colour) - part)
        if self.sun is not None:
            self.sun[rows, columns] *= 1 - share

    def sun_seen(self) -> float:
        """Pixels of the sun that nothing covers."""
        return 0.0 if self.sun is None else float(self.sun.sum())

    def window(self, left: float, top: float, right: float, bottom: float) -> Window:
        """Rows and columns of the part between these coordinates."""
        edges = ((top, bottom, self.height), (left, right, self.width))
        rows, columns = (
            slice(*(int(np.clip(edge * self.height, 0, most)) for edge in (first, last + 2 / self.height)))
            for first, last, most in edges
        )
        return rows, columns

    def below(self, line: Array | float) -> tuple[Window, Array, Array]:
        """What lies under a line of heights (W,): its window, a mask with a smooth edge, and the depth of each spot."""
        first = int(np.clip(np.min(line) * self.height - 1, 0, self.height - 1))
        window = (slice(first, self.height), slice(0, self.width))
        depth = self.y[window] - line
        return window, (depth * self.height + 0.5).clip(0, 1), depth.clip(0, 1)

    def disc(self, x: float, y: float, radius: float, colour: Array, opacity: float = 1, softness: float = 1) -> None:
        """Paint a disc whose edge is `softness` pixels wide."""
        reach = radius + softness / self.height
        window = self.window(x - reach, y - reach, x + reach, y + reach)
        distance = np.hypot(self.x[window] - x, self.y[window] - y)
        self.cover(((radius - distance) * (self.height / softness) + 0.5).clip(0, 1) * opacity, colour, window)

    def noise(self, draw: Draw, cells: float, octaves: int = 4, stretch: float = 1.0) -> Array:
        """(H, W) clouds of chance in [0, 1]; `cells` over the height, `stretch` times as wide as high."""
        total = Image.new("F", (1, 1))
        for octave in range(octaves):
            columns, rows = (round(cells * 2**octave * s) + 2 for s in (self.aspect / stretch, 1))
            coarse = np.asarray(total.resize((columns, rows), Image.Resampling.BICUBIC))
            total = Image.fromarray(coarse + draw.random((rows, columns), np.float32) / 2**octave)
        result = np.asarray(total.resize((self.width, self.height), Image.Resampling.BICUBIC))
        return (result - result.min()) / (result.max() - result.min())

    def grain(self, draw: Draw, strength: float) -> None:
        """Film grain: chance, the same in all three colours."""
        self.picture += strength * draw.standard_normal(self.x.shape, np.float32)

    def shapes(self, paint: Callable[[ImageDraw.ImageDraw, float], None]) -> Array:
        """(H, W) mask of what `paint(pen, scale)` draws in white; scale: pen units for one picture height."""
        mask = Image.new("L", (self.width * 3, self.height * 3))
        paint(ImageDraw.Draw(mask), self.height * 3)
        return np.asarray(mask.reduce(3), np.float32) / 255
