"""Small pictures, as bytes or as text to stand in a page."""

import base64
import io
from pathlib import Path

from .errors import UnreadableImage
from .opening import open_image

LONGEST_SIDE = 256  # pixels
QUALITY = 80


def thumbnail(path: Path, longest_side: int = LONGEST_SIDE) -> bytes | None:
    """The image as a JPEG of at most so many pixels a side; None if it can't be read."""
    try:
        image = open_image(path)
    except UnreadableImage:
        return None
    image.thumbnail((longest_side, longest_side))
    target = io.BytesIO()
    image.save(target, "JPEG", quality=QUALITY, optimize=True)
    return target.getvalue()


def data_url(path: Path, longest_side: int = LONGEST_SIDE) -> str | None:
    """The same in a data: URL; None if it can't be read."""
    jpeg = thumbnail(path, longest_side)
    return None if jpeg is None else "data:image/jpeg;base64," + base64.b64encode(jpeg).decode("ascii")
