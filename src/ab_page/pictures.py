"""Images as the page gets them: upright JPEGs, scaled to its window or in full size; the latest stay in memory."""

import io
import threading
from collections import OrderedDict

from PIL import Image

from ..features import open_image
from .gallery import Gallery

STEP = 64  # widths and heights asked for are rounded up to this, so that a window dragged larger finds them in memory
LARGEST = 4096
LARGEST_FULL = 16384  # JPEG itself ends at 65535, browsers before
MEMORY = 256 * 2**20  # bytes of JPEG
AT_ONCE = 2  # images in work; a large one takes half a gigabyte while it is


class Pictures:
    """JPEGs of a gallery's images. Methods raise KeyError for an id that isn't there, else UnreadableImage."""

    def __init__(self, gallery: Gallery, memory: int = MEMORY) -> None:
        self._gallery, self._memory = gallery, memory
        self._kept: OrderedDict[tuple[int, int, int], bytes] = OrderedDict()
        self._size = 0
        self._lock, self._slots = threading.Lock(), threading.BoundedSemaphore(AT_ONCE)

    def scaled(self, image: int, width: int, height: int) -> bytes:
        """Not larger than width × height pixels (rounded up to 64, at most 4096), nor than it is."""
        return self._get(image, _rounded(width), _rounded(height), quality=90)

    def full(self, image: int) -> bytes:
        """With all its pixels."""
        return self._get(image, LARGEST_FULL, LARGEST_FULL, quality=95)

    def _get(self, image: int, width: int, height: int, quality: int) -> bytes:
        key = (image, width, height)
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        with self._slots:
            data = self._make(image, width, height, quality)
        self._keep(key, data)
        return data

    def _make(self, image: int, width: int, height: int, quality: int) -> bytes:
        picture = open_image(self._gallery.file(image))
        if picture.width > width or picture.height > height:
            picture.thumbnail((width, height), Image.Resampling.LANCZOS, reducing_gap=2.0)
        data = io.BytesIO()
        picture.save(data, "JPEG", quality=quality, subsampling=0)  # sRGB, which browsers take it for
        return data.getvalue()

    def _keep(self, key: tuple[int, int, int], data: bytes) -> None:
        with self._lock:
            self._size += len(data) - len(self._kept.pop(key, b""))
            self._kept[key] = data
            while self._size > self._memory:
                self._size -= len(self._kept.popitem(last=False)[1])


def _rounded(pixels: int) -> int:
    return min(LARGEST, max(STEP, -(-pixels // STEP) * STEP))
