"""Open an image file as 8-bit sRGB, whatever it holds."""

import warnings
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from .colours import BROKEN, TREATMENT, UnusableProfile, is_converted, to_srgb
from .damage import (
    AT_LEAST,
    IN_SILENCE,
    JPEG_START,
    PNG_START,
    Mended,
    is_less_sharp,
    jpeg_with_its_end,
    missing_of,
    png_without_texts,
    zeros_at_its_end,
)
from .errors import UnreadableImage, is_heif, must_be_regular, reason_of
from .held import Held
from .kinds import HEIC, RAW
from .raw import open_preview

# Only what the suffixes promise: Pillow would otherwise also try formats that start other programs (EPS).
FORMATS = ("PNG", "JPEG", "WEBP", "AVIF", "GIF", "BMP", "DIB", "TIFF")
MENDED = "end mended 1"

# The EXIF standard's orientations (tag 0x0112), as what makes the picture upright again; 1 is upright.
UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


class Look(NamedTuple):
    """What is seen of an image without its pixels.

    treatment: what `open_image` does to it that it did not always do; empty where its pixels are what they ever were.
    note: what is wrong with it, though it can be opened.
    """

    treatment: str = ""
    note: str = ""


def open_image(path: Path | Held, least: int = 0) -> Image.Image:
    """The image as 8-bit sRGB: upright by its EXIF orientation, transparency on white, an animation's first frame.

    Colours are converted by the image's profile, as `to_srgb` says. 16-bit values are scaled by 255/65535.
    Floating-point values are taken to end at 1, 255 or 65535, whichever is the first to hold the largest. A JPEG that
    lacks its end is opened if a quarter of its rows is there; the others are grey. Of a raw file the preview in it is
    taken. Pillow's decompression-bomb limit (`PIL.Image.MAX_IMAGE_PIXELS`) stays on: an image of more than twice that
    many pixels is refused, as Pillow does; up to there (179 million pixels) it is opened without a warning. Raises
    UnreadableImage, nothing else, whatever is in the file.

    least: pixels; a JPEG, in a raw file too, is decoded at 1/8, 1/4 or 1/2 of its size, the first of them that leaves
    both sides this long, in half of the time; one that lacks its end, and with 0 all, at its full size.
    """
    _quieten_pillow()
    try:
        must_be_regular(path)
        image = _open_raw(path, least) if path.suffix.lower() in RAW.suffixes else _open_any(path, least)
        image.info.pop("icc_profile", None)  # its numbers are sRGB's now
        return image
    except Exception as error:  # Pillow raises a dozen kinds for damaged files, struct.error and KeyError among them
        raise UnreadableImage(reason_of(error, path))


def look_at(path: Path | Held) -> Look:
    """Its first bytes and the last few are read. Never raises: what can't be opened says so when it is opened."""
    _quieten_pillow()
    try:
        must_be_regular(path)
        if path.suffix.lower() in RAW.suffixes:
            return Look()
        start = _start(path)
        mended = jpeg_with_its_end(path) if start.startswith(JPEG_START) else None
        return _look(path, start, mended) if mended or not start.startswith(PNG_START) else _look_at_png(path, start)
    except Exception:
        return Look()


def take_image(image: Image.Image) -> Image.Image:
    """An image that Pillow has opened, as `open_image` would give it; `image` itself is only loaded.

    Raises UnreadableImage where it can't be loaded, was closed, or has no pixels.
    """
    _quieten_pillow()
    if getattr(image, "tile", ()) and getattr(image, "fp", image) is None:
        raise UnreadableImage("its file was closed before its pixels were read; load() it before that")
    if 0 in image.size:
        raise UnreadableImage(f"has no pixels: it is {image.width} x {image.height}")
    try:
        return _upright_rgb(image)
    except Exception as error:
        raise UnreadableImage(reason_of(error, Path(getattr(image, "filename", "") or ".")))


def _upright_rgb(image: Image.Image) -> Image.Image:
    image.load()
    return _turn_upright(_as_rgb(image), _orientation(image))


def _open_any(path: Path | Held, least: int) -> Image.Image:
    start = _start(path)
    mended = jpeg_with_its_end(path) if start.startswith(JPEG_START) else None
    try:
        return _pixels(path, start, mended, least)
    except Exception:
        if not start.startswith(PNG_START):
            raise
        return _pixels(path, start, png_without_texts(path.read_bytes()))


def _pixels(path: Path | Held, start: bytes, mended: Mended | None, least: int = 0) -> Image.Image:
    with _lazily(path, start, mended) as image:
        if not mended:  # how much of it is missing is seen at its full size
            _reduce(image, least)
        image.load()
        if mended and start.startswith(JPEG_START) and (missing := missing_of(image)) > 1 - AT_LEAST:
            raise UnreadableImage(f"truncated: {1 - missing:.0%} of the picture is there")
        return _upright_rgb(image)


def _open_raw(path: Path | Held, least: int) -> Image.Image:
    preview, turned = open_preview(path)
    with preview as image:
        _reduce(image, least)
        image.load()
        return _turn_upright(_as_rgb(image), turned or _orientation(image))


def _reduce(image: Image.Image, least: int) -> None:
    """Let libjpeg decode fewer of each block's frequencies; of other formats nothing changes."""
    if least and image.format in ("JPEG", "MPO"):  # MPO: a JPEG with further pictures behind it, as phones write
        image.draft(None, (least, least))


def _lazily(path: Path | Held, start: bytes, mended: Mended | None) -> Image.Image:
    """Opened, its pixels not loaded."""
    formats = (*FORMATS, *_heif()) if is_heif(start) else FORMATS
    whole = path.open() if isinstance(path, Held) else path
    image = Image.open(mended.data if mended else whole, formats=formats)
    if mended and mended.profile:
        image.info["icc_profile"] = mended.profile
    return image


def _look(path: Path | Held, start: bytes, mended: Mended | None) -> Look:
    with _lazily(path, start, mended) as image:
        treatments, notes = [], []
        try:
            treatments += [TREATMENT] if is_converted(image) else []
        except UnusableProfile:
            notes.append(BROKEN)
        if mended and start.startswith(JPEG_START):
            treatments.append(MENDED)
            notes.append(_note_on_end(image, mended))
        elif image.format in ("WEBP", "AVIF") and zeros_at_its_end(path):
            notes.append("it ends in zeros: a part of the picture is missing")
    return Look(", ".join(treatments), "; ".join(filter(None, notes)))


def _look_at_png(path: Path | Held, start: bytes) -> Look:
    try:
        return _look(path, start, None)
    except Exception:
        return _look(path, start, png_without_texts(path.read_bytes()))


def _note_on_end(image: Image.Image, mended: Mended) -> str:
    image.load()
    missing = missing_of(image)
    if IN_SILENCE < missing <= 1 - AT_LEAST:
        return f"the lower {missing:.0%} of the picture is missing"
    mended.data.seek(0)
    less_sharp = is_less_sharp(image, mended.data.read())
    return "its end is missing, so that it is less sharp than it was" if less_sharp else ""


def _start(path: Path | Held) -> bytes:
    with path.open("rb") as file:
        return file.read(12)


def _heif() -> tuple[str, ...]:
    """The format's name in Pillow, where a package for it is installed; it is imported by the first such file."""
    return (_with_heif(),) if HEIC.is_installed else ()


@cache
def _with_heif() -> str:
    from pillow_heif import register_heif_opener

    register_heif_opener(thumbnails=False)
    return "HEIF"


def _quieten_pillow() -> None:
    # Appended, so that a person's own -W options win; asking twice does not add twice.
    warnings.filterwarnings("ignore", module=r"PIL\.", append=True)


def _orientation(image: Image.Image) -> int:
    try:
        return image.getexif().get(0x0112, 1)
    except Exception:  # broken EXIF beside good pixels
        return 1


def _turn_upright(image: Image.Image, orientation: int) -> Image.Image:
    method = UPRIGHT.get(orientation)
    return image if method is None else image.transpose(method)


def _as_rgb(image: Image.Image) -> Image.Image:
    if image.mode[0] in "IF":  # I;16, I;16B, I, F: Pillow's own conversion would clip at 255
        return _flat(_deep_grey_as_grey(image))
    if image.mode == "LAB":
        return _lab_as_rgb(image)
    return _flat(image)


def _flat(image: Image.Image) -> Image.Image:
    """In sRGB and on white."""
    converted = to_srgb(image)
    image = image if converted is None else converted
    if image.mode == "RGB" and "transparency" not in image.info:
        return image  # loaded: its pixels outlive the file
    if image.has_transparency_data:
        opaque = Image.new("RGBA", image.size, "white")
        opaque.alpha_composite(image.convert("RGBA"))
        return opaque.convert("RGB")
    return image.convert("RGB")


def _deep_grey_as_grey(image: Image.Image) -> Image.Image:
    """8-bit, with its profile; a transparent value becomes white."""
    values = np.asarray(image)  # (H, W) of uint16, int32 or float32
    transparent = image.info.get("transparency")
    scaled = np.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0) * (255.0 / _white_of(values))
    if isinstance(transparent, int):
        scaled = np.where(values == transparent, 255.0, scaled)
    grey = Image.fromarray(np.rint(scaled.clip(0, 255)).astype(np.uint8))
    grey.info["icc_profile"] = image.info.get("icc_profile")
    return grey


def _white_of(values: np.ndarray) -> float:
    """The value that stands for white in an image of integers (16 or 32 bit) or floats, shape (H, W)."""
    finite = values[np.isfinite(values)]
    largest = float(finite.max()) if finite.size else 0.0
    usual = (1.0, 255.0, 65535.0) if values.dtype.kind == "f" else (65535.0,)
    return next((white for white in usual if largest <= white), largest)


def _lab_as_rgb(image: Image.Image) -> Image.Image:
    from PIL import ImageCms

    lab, rgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
    converted = ImageCms.profileToProfile(image, lab, rgb, outputMode="RGB")
    assert converted is not None  # None only for inPlace
    return converted
