"""Files that are damaged or odd, and of which pixels can be had all the same: mended copies of them, in memory.

Nothing of Pillow's own settings is changed: they are shared by all threads, and would open doors elsewhere.
"""

import io
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
from PIL import Image, ImageChops

from .held import Held

JPEG_START, JPEG_END = b"\xff\xd8", b"\xff\xd9"
START_OF_SCAN = 0xDA
PROGRESSIVE = (0xC2, 0xCA)
BARE_MARKERS = (0x01, *range(0xD0, 0xD9))  # without a length behind them
MISSING_GREY = 128  # what libjpeg makes of pixels that are not there
IN_SILENCE = 0.02  # of the rows may be missing without a word
AT_LEAST = 0.25  # of the rows must be there

PNG_START = b"\x89PNG\r\n\x1a\n"
# Of a PNG, no pixel depends on these. ComfyUI writes workflows of megabytes into texts.
PNG_TEXTS = (b"tEXt", b"zTXt", b"iTXt", b"tIME", b"iCCP")
NO_PROFILE = b"-"
LARGEST_PROFILE = 16 * 2**20  # bytes; those of printers are larger than the one megabyte that Pillow allows

ZEROS = 512  # at the end of compressed pixels are damage


class Mended(NamedTuple):
    """A copy that Pillow can read. profile: the ICC profile that was taken out of it."""

    data: BinaryIO
    profile: bytes | None = None


def jpeg_with_its_end(path: Path | Held) -> Mended | None:
    """A JPEG that lacks its end marker, with one; zeros, which a download leaves for what never came, taken off.

    None for a JPEG with one, and for other files; of those few bytes are read.
    """
    with path.open("rb") as file:
        if file.read(2) != JPEG_START:
            return None
        if file.seek(-2, io.SEEK_END) and file.read(2) == JPEG_END:
            return None
        file.seek(0)
        data = file.read()
    scan = next((at for at, kind in _segments(data) if kind == START_OF_SCAN), None)
    if scan is None or data.find(JPEG_END, scan) >= 0:  # an end, and behind it what phones append
        return None
    pixels = data.rstrip(b"\0")
    return Mended(io.BytesIO((pixels if len(data) - len(pixels) >= ZEROS else data) + JPEG_END))


def missing_of(image: Image.Image) -> float:
    """The share of the rows of a mended JPEG, loaded, that were not in the file, to 16 rows; in [0, 1]."""
    pixels = np.asarray(image)
    rows = (np.abs(pixels.reshape(len(pixels), -1).astype(np.int16) - MISSING_GREY) <= 1).all(axis=1)  # (H,)
    return float(np.cumprod(np.atleast_1d(rows)[::-1]).mean())


def is_less_sharp(image: Image.Image, data: bytes) -> bool:
    """Whether a progressive JPEG lacks some of the passes that bring out detail. image: of mended data, loaded."""
    passes = _Passes.in_file(data)
    if not passes.progressive:
        return False
    # Where the last pass is there to its end, what follows is skipped.
    with Image.open(io.BytesIO(data.removesuffix(JPEG_END) + b"U" * 64 + JPEG_END), formats=("JPEG",)) as other:
        return not passes.are_all or ImageChops.difference(image, other).getbbox() is not None


class _Passes(NamedTuple):
    """progressive: there may be several. are_all: of each colour and coefficient, one brings the last bit."""

    progressive: bool
    are_all: bool

    @classmethod
    def in_file(cls, data: bytes) -> "_Passes":
        whole: dict[int, set[int]] = {}
        progressive = False
        for at, kind in _segments(data):
            progressive |= kind in PROGRESSIVE
            if kind == START_OF_SCAN:
                parts = data[at + 4]
                first, last, precision = data[at + 5 + 2 * parts : at + 8 + 2 * parts]
                brought = set(range(first, last + 1)) if precision & 15 == 0 else set()
                for i in range(parts):
                    whole.setdefault(data[at + 5 + 2 * i], set()).update(brought)
        return cls(progressive, all(len(found) == 64 for found in whole.values()))


def _segments(data: bytes) -> Iterator[tuple[int, int]]:
    """(where its FF stands, kind) of the segments of a JPEG, of those after the first scan too."""
    at = 2
    while 0 <= at < len(data) - 3:
        kind = data[at + 1]
        if data[at] != 0xFF or kind in (0x00, 0xFF, *BARE_MARKERS):
            at = data.find(b"\xff", at + 1)
            continue
        yield at, kind
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")


def png_without_texts(data: bytes) -> Mended:
    """A PNG without the parts that no pixel depends on; where they are too long or damaged, Pillow refuses it all."""
    kept, at, profile = [data[:8]], 8, None
    while at + 8 <= len(data):
        end = at + 12 + int.from_bytes(data[at : at + 4], "big")
        kind = data[at + 4 : at + 8]
        if kind not in PNG_TEXTS:
            kept.append(data[at:end])
        elif kind == b"iCCP":
            profile = _profile_in(data[at + 8 : end - 4])
        at = end
    return Mended(io.BytesIO(b"".join(kept)), profile)


def _profile_in(chunk: bytes) -> bytes:
    """chunk: a name, a NUL, a 0 for zlib, and the profile, compressed. What is no profile is said to be broken."""
    compressed = chunk[chunk.find(b"\0") + 2 :]
    unpacking = zlib.decompressobj()
    try:
        profile = unpacking.decompress(compressed, LARGEST_PROFILE)
    except zlib.error:
        return NO_PROFILE
    return profile if unpacking.eof else NO_PROFILE


def zeros_at_its_end(path: Path | Held) -> bool:
    """Whether a WebP or AVIF ends in a run of zeros, as compressed pixels never do."""
    with path.open("rb") as file:
        start = file.read(12)
        size = file.seek(0, io.SEEK_END)
        if start[:4] == b"RIFF":
            size = min(size, 8 + int.from_bytes(start[4:8], "little"))
        elif start[4:8] != b"ftyp":
            return False
        file.seek(max(0, size - ZEROS))
        return size > ZEROS and not file.read(ZEROS).strip(b"\0")
