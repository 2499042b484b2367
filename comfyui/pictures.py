"""ComfyUI's images as pictures, with the bytes that its own Save Image writes; batches as single images, and back.

An IMAGE is a tensor (B, H, W, C) of float in [0, 1]; a series of them may come from nodes that give lists.
"""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby
from typing import TYPE_CHECKING, Any

from ..src.common import UserError

if TYPE_CHECKING:
    import numpy as np
    from PIL import Image
    from torch import Tensor

CHANNELS = (1, 3, 4)  # grey, RGB, and with alpha
ROWS = 64  # that become bytes at once


def pictures(images: "Tensor") -> "list[Image.Image]":
    """B pictures, L, RGB or RGBA, of a batch (B, H, W, C)."""
    return [as_picture(pixels) for pixels in as_bytes(images)]


def as_picture(pixels: "np.ndarray") -> "Image.Image":
    """Of bytes (H, W, C)."""
    from PIL import Image

    return Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)


def as_bytes(images: "Tensor") -> "list[np.ndarray]":
    """B arrays (H, W, C) of uint8, of a batch (B, H, W, C).

    Cut off to whole numbers, as Save Image does it, not rounded: half of all values are another by rounding.
    """
    check(images)
    with ThreadPoolExecutor(min(len(images), os.cpu_count() or 1)) as pool:
        return list(pool.map(_bytes, images))


def _bytes(image: "Tensor") -> "np.ndarray":
    """Some rows at a time, which stay in the processor's cache: all at once takes ten times as long."""
    import numpy as np

    values = image.detach().cpu().float().numpy()
    pixels = np.empty(values.shape, dtype=np.uint8)
    for start in range(0, len(values), ROWS):
        part = values[start : start + ROWS] * np.float32(255)
        np.copyto(pixels[start : start + ROWS], part.clip(0, 255, out=part), casting="unsafe")
    return pixels


def check(images: Any) -> None:
    """UserError for what is no batch of images."""
    shape = tuple(getattr(images, "shape", ()))
    if len(shape) != 4 or shape[-1] not in CHANNELS or 0 in shape:
        raise UserError(f"images: have the shape {shape}; it must be (batch, height, width, 1, 3 or 4 channels)")


def each_of(series: "Sequence[Tensor]") -> "list[Tensor]":
    """All N images (H, W, C) of a series of batches, in their order."""
    for batch in series:
        check(batch)
    return [image for batch in series for image in batch]


def in_batches(images: "Sequence[Tensor]") -> "list[Tensor]":
    """A series of batches of single images or masks: neighbours of one size together, so that no order is lost."""
    import torch

    return [torch.stack(list(alike)) for _, alike in groupby(images, key=lambda image: (image.shape, image.dtype))]


def check_count(what: str, found: int, images: int) -> None:
    """UserError where there isn't one for each image."""
    if found != images:
        raise UserError(f"{what}: there are {found} for {images} images; connect those that belong to these images")
