"""How the Pillow that is here resizes: in two passes, and it rounds to whole numbers between them.

Up to version 12 the horizontal pass was always the first. Since 13 (python-pillow/Pillow#9549) the vertical one is,
where the height shrinks by more, which changes values by 1, where other pixels are enlarged by up to 20, of 255.
"""

from functools import cache

import numpy as np
from PIL import Image

ALWAYS_THE_SAME = "Pillow"  # as identities named it when there was one order only
BY_SHAPE = "Pillow, tall images vertically first"
SOURCE, TARGET = (8, 64), (16, 16)


@cache
def pillows_resizing() -> str:
    """For identities of image models that are given images that Pillow resized."""
    noise = np.random.default_rng(0).integers(0, 256, (SOURCE[1], SOURCE[0], 3), dtype=np.uint8)
    image, bicubic = Image.fromarray(noise), Image.Resampling.BICUBIC
    horizontal = image.resize((TARGET[0], SOURCE[1]), bicubic)
    difference = np.asarray(image.resize(TARGET, bicubic)) != np.asarray(horizontal.resize(TARGET, bicubic))
    return BY_SHAPE if difference.any() else ALWAYS_THE_SAME


def suffix() -> str:
    """For identities that did not name Pillow when there was one order only."""
    return "" if pillows_resizing() == ALWAYS_THE_SAME else f", {pillows_resizing()}"


def earlier(identity: str) -> str:
    """What the same image model was called before identities told the orders apart: it may have been either."""
    return identity.replace(f", {BY_SHAPE}", "").replace(BY_SHAPE, ALWAYS_THE_SAME)
