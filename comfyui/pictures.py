"""ComfyUI's images as pictures, with the bytes that its own Save Image writes; batches as single images, and back.

An IMAGE is a tensor (B, H, W, C) of float in [0, 1]; a series of them may come from nodes that give lists.
"""

from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

from ..src.common import UserError

if TYPE_CHECKING:
    from PIL import Image
    from torch import Tensor

CHANNELS = (1, 3, 4)  # grey, RGB, and with alpha


def pictures(images: "Tensor") -> "list[Image.Image]":
    """B pictures, L, RGB or RGBA, of a batch (B, H, W, C).

    Cut off to whole numbers, as Save Image does it, not rounded: half of all values are another by rounding.
    """
    from PIL import Image

    check(images)
    pixels = (images * 255.0).clamp(0, 255).byte().cpu().numpy()  # (B, H, W, C)
    return [Image.fromarray(each[..., 0] if each.shape[-1] == 1 else each) for each in pixels]


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
