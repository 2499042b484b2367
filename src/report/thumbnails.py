"""Small pictures as text, to stand in a page."""

import base64
import io
from pathlib import Path

from ..features import UnreadableImage, open_image

LONGEST_SIDE = 256  # pixels
QUALITY = 80


def data_url(path: Path) -> str | None:
    """The image as a JPEG of at most 256 pixels in a data: URL; None if it can't be read."""
    try:
        image = open_image(path)
    except UnreadableImage:
        return None
    image.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
    target = io.BytesIO()
    image.save(target, "JPEG", quality=QUALITY, optimize=True)
    return "data:image/jpeg;base64," + base64.b64encode(target.getvalue()).decode("ascii")
