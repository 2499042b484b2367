"""What an image file says of how it was made: prompt, seed and model, or the camera. Nothing in it is trusted."""

import json
import struct
import zlib
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

from PIL import ExifTags, Image

from .damage import PNG_START
from .generation import from_a1111, from_comfyui

MOST = 16 * 2**20  # bytes of one text; ComfyUI's workflows are megabytes
LONGEST = 4000  # letters of a fact: for people to read
TEXTS = (b"tEXt", b"zTXt", b"iTXt")
FORMATS = ("PNG", "JPEG", "WEBP", "AVIF", "TIFF")
CAMERA = {"taken": "DateTimeOriginal", "lens": "LensModel", "focal length": "FocalLength", "aperture": "FNumber"} | {
    "exposure": "ExposureTime",
    "ISO": "ISOSpeedRatings",
}
UNITS = {"focal length": "{:g} mm", "aperture": "f/{:g}"}


def facts_of(path: Path) -> dict[str, str]:
    """Name -> value, for people, in the order to be read; empty where nothing is known. Never raises.

    Of images that ComfyUI or A1111's web UI (and those that write as it does) made: prompt, negative prompt, seed,
    model and what else they name. Of photographs: camera, lens, exposure, time.
    """
    texts: dict[str, str] = {}
    exif: Mapping[str, Any] = {}
    with suppress(Exception):  # whatever is in the file
        texts = _png_texts(path)
    with suppress(Exception):
        exif = _exif(path)
    facts = dict[str, str]()
    for make in (lambda: _generation(texts, exif), lambda: _camera(exif)):
        with suppress(Exception):
            facts |= make()
    return {name: _shortened(value) for name, value in facts.items() if value.strip()}


def _generation(texts: Mapping[str, str], exif: Mapping[str, Any]) -> dict[str, str]:
    """ComfyUI's texts are those of its PNG, or in a WebP's EXIF, where they begin with their names."""
    graph = texts.get("prompt") or _after("prompt:", exif)
    if graph.lstrip().startswith("{"):
        return from_comfyui(json.loads(graph.replace("NaN", "null")))
    parameters = texts.get("parameters") or _user_comment(exif)
    if "Steps: " in parameters:
        return from_a1111(parameters)
    return {"prompt": texts.get("Description", "")}


def _after(beginning: str, exif: Mapping[str, Any]) -> str:
    found = (str(v).removeprefix(beginning) for v in exif.values() if str(v).startswith(beginning))
    return next(found, "").rstrip("\0")


def _user_comment(exif: Mapping[str, Any]) -> str:
    """EXIF's UserComment: eight bytes say how the others are to be read (EXIF 2.3, 4.6.5)."""
    comment = exif.get("UserComment", b"")
    if isinstance(comment, str):
        return comment
    kind, data = bytes(comment[:8]), bytes(comment[8:])
    if kind == b"UNICODE\0":  # in the byte order of the file, which few writers heed: that with more letters wins
        return max((data.decode(order, "ignore") for order in ("utf-16-be", "utf-16-le")), key=_ascii_letters)
    return data.decode("utf-8", "replace")


def _ascii_letters(text: str) -> int:
    return sum(letter.isascii() for letter in text)


def _exif(path: Path) -> dict[str, Any]:
    """By the names of their tags."""
    with Image.open(path, formats=FORMATS) as image:
        if image.format == "PNG" and "exif" not in image.info:
            return {}  # else Pillow would read all pixels to see what is behind them
        exif = image.getexif()
        values = {**exif, **exif.get_ifd(ExifTags.IFD.Exif)}
    return {ExifTags.TAGS.get(tag, ""): value for tag, value in values.items()}


def _camera(exif: Mapping[str, Any]) -> dict[str, str]:
    names = [str(exif.get(name, "")).strip(" \0") for name in ("Make", "Model")]
    if not all(names) or any(":{" in name for name in names):  # ComfyUI's
        return {}
    make, model = names
    facts = {"camera": model if model.lower().startswith(make.lower().split()[0]) else f"{make} {model}"}
    return facts | {name: _measured(name, exif[tag]) for name, tag in CAMERA.items() if tag in exif}


def _measured(name: str, value: Any) -> str:
    if name == "exposure":
        seconds = float(value)
        return f"1/{1 / seconds:.0f} s" if 0 < seconds < 0.3 else f"{seconds:g} s"
    return UNITS[name].format(float(value)) if name in UNITS else str(value).strip(" \0")


def _png_texts(path: Path) -> dict[str, str]:
    """Keyword -> text, without the pixels. The PNG standard, 11.3.4; damaged texts are passed over."""
    with path.open("rb") as file:
        if not PNG_START.startswith(start := file.read(8)[: len(PNG_START)]) or not start:
            return {}
        file.seek(8)
        return dict(_texts(file))


def _texts(file: BinaryIO) -> Iterator[tuple[str, str]]:
    while len(head := file.read(8)) == 8:
        length, kind = struct.unpack(">I4s", head)
        if kind in TEXTS and length <= MOST:
            with suppress(ValueError, zlib.error):
                yield _text(kind, file.read(length))
            file.seek(4, 1)
        else:
            file.seek(length + 4, 1)


def _text(kind: bytes, data: bytes) -> tuple[str, str]:
    keyword, _, rest = data.partition(b"\0")
    name = keyword.decode("latin-1")
    if kind == b"tEXt":
        return name, rest.decode("utf-8") if _is_utf8(rest) else rest.decode("latin-1")
    if kind == b"zTXt":
        return name, _inflated(rest[1:]).decode("latin-1")
    compressed, rest = rest[:1] == b"\1", rest[2:]
    text = rest.split(b"\0", 2)[2]  # behind language and translated keyword
    return name, (_inflated(text) if compressed else text).decode("utf-8", "replace")


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode("utf-8")
    except ValueError:
        return False
    return True


def _inflated(data: bytes) -> bytes:
    return zlib.decompressobj().decompress(data, MOST)


def _shortened(text: str) -> str:
    text = "".join(letter if letter.isprintable() or letter == "\n" else " " for letter in text).strip()
    return text if len(text) <= LONGEST else f"{text[:LONGEST]} …"
