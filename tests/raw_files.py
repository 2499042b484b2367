"""A raw file of a camera (a DNG by Adobe's specification 1.4), written by hand, with a preview as JPEG in it."""

import io
import struct

import numpy as np
from PIL import Image

SHORT, LONG, RATIONAL, BYTE, TEXT = 3, 4, 5, 1, 2
SIZES = {SHORT: "H", LONG: "I", BYTE: "B"}


def dng(preview: Image.Image | None, orientation: int = 1, size: tuple[int, int] = (640, 480)) -> bytes:
    """preview: None for none. size: of the raw pixels, which show an even grey."""
    jpeg = io.BytesIO()
    if preview:
        preview.save(jpeg, "JPEG", quality=95)
    raw = np.full((size[1], size[0]), 20_000, np.uint16).tobytes()
    at_jpeg, at_raw = 8, 8 + len(jpeg.getvalue()) + len(jpeg.getvalue()) % 2
    pixels = {254: (LONG, [0]), 256: (LONG, [size[0]]), 257: (LONG, [size[1]]), 258: (SHORT, [16]), 259: (SHORT, [1])}
    pixels |= {262: (SHORT, [32803]), 273: (LONG, [at_raw]), 277: (SHORT, [1]), 278: (LONG, [size[1]])}
    pixels |= {279: (LONG, [len(raw)]), 33421: (SHORT, [2, 2]), 33422: (BYTE, [0, 1, 1, 2]), 50717: (LONG, [65535])}
    small = {254: (LONG, [1]), 271: (TEXT, b"Maker\0"), 272: (TEXT, b"Model\0"), 274: (SHORT, [orientation])}
    if preview:
        small |= {256: (LONG, [preview.width]), 257: (LONG, [preview.height]), 258: (SHORT, [8, 8, 8])}
        small |= {259: (SHORT, [7]), 262: (SHORT, [6]), 273: (LONG, [at_jpeg]), 277: (SHORT, [3])}
        small |= {278: (LONG, [preview.height]), 279: (LONG, [len(jpeg.getvalue())])}
    matrix = [(10_000 * (i % 4 == 0), 10_000) for i in range(9)]
    small |= {50706: (BYTE, [1, 4, 0, 0]), 50707: (BYTE, [1, 1, 0, 0]), 50708: (TEXT, b"Maker Model\0")}
    small |= {50721: (10, matrix), 50728: (RATIONAL, [(1, 1)] * 3), 50778: (SHORT, [21])}
    start = at_raw + len(raw)
    below = _directory(pixels, start)
    small[330] = (LONG, [start])
    first = _directory(small, start + len(below))
    data = struct.pack("<2sHI", b"II", 42, start + len(below)) + jpeg.getvalue()
    return data.ljust(at_raw, b"\0") + raw + below + first


def _directory(tags: dict, start: int) -> bytes:
    """A TIFF directory that will stand at `start`, what does not fit into it behind it."""
    entries, behind = b"", b""
    for tag, (kind, values) in sorted(tags.items()):
        if kind == TEXT:
            data = values
        elif kind in SIZES:
            data = struct.pack(f"<{len(values)}{SIZES[kind]}", *values)
        else:
            data = b"".join(struct.pack("<ii", *value) for value in values)
        place = data.ljust(4, b"\0")
        if len(data) > 4:
            place = struct.pack("<I", start + 6 + 12 * len(tags) + len(behind))
            behind += data + bytes(len(data) % 2)
        entries += struct.pack("<HHI", tag, kind, len(values)) + place
    return struct.pack("<H", len(tags)) + entries + bytes(4) + behind
