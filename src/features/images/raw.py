"""The preview that a camera writes into its raw files, by rawpy where it is installed."""

import io
from pathlib import Path
from typing import Any

from PIL import Image

from .errors import UnreadableImage
from .held import Held
from .kinds import RAW

SMALLEST = 512  # pixels of the long side; where the preview is smaller, the raw pixels are developed
# LibRaw's turns, as the EXIF orientation that says the same.
ORIENTATIONS = {3: 3, 5: 8, 6: 6}


def open_preview(path: Path | Held) -> tuple[Image.Image, int]:
    """The picture in a raw file, not turned yet, and the EXIF orientation it is to be turned by; 0: its own says.

    Raises UnreadableImage where rawpy is missing or LibRaw can't read the file.
    """
    if not RAW.is_installed:
        raise UnreadableImage(f"a raw file; pip install {RAW.package} reads the preview in it")
    import rawpy

    try:
        with rawpy.imread(path.open() if isinstance(path, Held) else str(path)) as raw:
            return _preview(raw, rawpy) or (Image.fromarray(raw.postprocess(half_size=True, use_camera_wb=True)), 1)
    except rawpy.LibRawError as error:
        raise UnreadableImage(f"no raw file that LibRaw reads ({_said(error)})")


def _said(error: Exception) -> str:
    first = error.args[0] if error.args else ""
    return first.decode("utf-8", "replace") if isinstance(first, bytes) else str(first)


def _preview(raw: Any, rawpy: Any) -> tuple[Image.Image, int] | None:
    """None where there is none of some size."""
    try:
        found = raw.extract_thumb()
    except rawpy.LibRawError:
        return None
    if found.format == rawpy.ThumbFormat.JPEG:
        image: Image.Image = Image.open(io.BytesIO(found.data), formats=("JPEG",))
        turned = 0 if image.getexif().get(0x0112) else ORIENTATIONS.get(raw.sizes.flip, 1)
    else:
        image, turned = Image.fromarray(found.data), ORIENTATIONS.get(raw.sizes.flip, 1)
    return (image, turned) if max(image.size) >= SMALLEST else None
