"""Colours by the profile in an image: those of another colour space are converted to sRGB, by Little CMS."""

import io
from functools import lru_cache

import numpy as np
from PIL import Image, ImageCms

TREATMENT = "converted to sRGB 1"  # another number where the same profile would give other pixels
GRID = np.linspace(0, 255, 16).round().astype(np.uint8)
TOLERANCE = 2  # of 255; the next nearest there is, sRGB with a gamma of 2.2, changes darks by 9
INTENT = ImageCms.Intent.RELATIVE_COLORIMETRIC
FLAGS = ImageCms.Flags.BLACKPOINTCOMPENSATION
MODES = {"RGB ": "RGB", "GRAY": "L", "CMYK": "CMYK"}  # by the colour space that a profile names
KEPT = 64  # profiles
BROKEN = "its colour profile can't be used, and is ignored"


class UnusableProfile(Exception):
    """It is damaged, or no profile of this image's colours."""


def to_srgb(image: Image.Image) -> Image.Image | None:
    """The image in sRGB, as RGB or, if any of it is transparent, RGBA; None where its numbers are to stay.

    They stay without a profile, with one that can't be used, and with one that is sRGB's, whoever wrote it: one that
    changes no colour of a grid by more than 2 of 255, as curves of few points and rounded primaries do.
    """
    try:
        transform, mode = _transform_for(image)
    except UnusableProfile:
        return None
    if transform is None:
        return None
    converted = ImageCms.applyTransform(image.convert(mode), transform)
    assert converted is not None  # None only for inPlace
    if image.has_transparency_data:
        converted.putalpha(image.convert("RGBA").getchannel("A"))
    return converted


def is_converted(image: Image.Image) -> bool:
    """Whether `to_srgb` changes it; known without loading its pixels. Raises UnusableProfile."""
    return _transform_for(image)[0] is not None


def _transform_for(image: Image.Image) -> tuple[ImageCms.ImageCmsTransform | None, str]:
    """And the mode that it takes."""
    profile = image.info.get("icc_profile")
    if not profile or image.mode == "LAB":
        return None, ""
    mode = _mode_of(profile)
    own = "CMYK" if image.mode == "CMYK" else "L" if image.mode in GREY else "RGB"
    if own != mode and (own, mode) != ("L", "RGB"):  # grey is a colour of RGB
        raise UnusableProfile(f"{mode} for an image of {own}")
    return _transform(bytes(profile), mode), mode


GREY = ("1", "L", "LA", "La", "I", "F", "I;16", "I;16B", "I;16L", "I;16N")


def _mode_of(profile: bytes) -> str:
    """Of the images that a profile is for."""
    space = profile[16:20].decode("latin-1")
    if space not in MODES:
        raise UnusableProfile(f"for {space!r}")
    return MODES[space]


@lru_cache(KEPT)
def _opened(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """None for a broken one, so that it is tried once."""
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        target = ImageCms.createProfile("sRGB")
        return ImageCms.buildTransform(source, target, mode, "RGB", INTENT, FLAGS)
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return None


@lru_cache(KEPT)
def _changes(profile: bytes, mode: str) -> bool:
    transform = _opened(profile, mode)
    assert transform is not None
    if mode == "CMYK":
        return True
    before = _grid(mode)
    after = ImageCms.applyTransform(before, transform)
    assert after is not None
    change = np.asarray(after, dtype=np.int16) - np.asarray(before.convert("RGB"), dtype=np.int16)
    return int(np.abs(change).max()) > TOLERANCE


def _transform(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """None for sRGB's."""
    if (transform := _opened(profile, mode)) is None:
        raise UnusableProfile("damaged")
    return transform if _changes(profile, mode) else None


def _grid(mode: str) -> Image.Image:
    """Every grey, and for RGB 16 × 16 × 16 colours and every strength of red, green and blue."""
    ramp = np.arange(256, dtype=np.uint8)
    if mode == "L":
        return Image.fromarray(ramp[None])
    cube = np.stack(np.meshgrid(GRID, GRID, GRID), axis=-1).reshape(-1, 3)  # (4096, 3)
    ramps = [np.outer(ramp, parts).astype(np.uint8) for parts in ((1, 1, 1), (1, 0, 0), (0, 1, 0), (0, 0, 1))]
    return Image.fromarray(np.concatenate([cube, *ramps])[None])
