"""Find images below a directory, open one as 8-bit RGB, name its content by a hash."""

import errno
import hashlib
import os
import stat
import sys
import time
import warnings
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, UnidentifiedImageError

from ..common import UserError, first_line

IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".avif", ".gif", ".bmp", ".tif", ".tiff"})
# Only what the suffixes promise: Pillow would otherwise also try formats that start other programs (EPS).
FORMATS = ("PNG", "JPEG", "WEBP", "AVIF", "GIF", "BMP", "DIB", "TIFF")
HASH_BYTES = 16
# A file changed in the last two seconds may change again and keep its time: FAT counts in steps of two seconds.
COARSEST_CLOCK_MS = 2000

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


class UnreadableImage(Exception):
    """A file that can't be used as an image. `reason` is a short plain text, to be shown after the file's name."""

    def __init__(self, reason: str):
        super().__init__(reason)
        self.reason = reason


def find_images(directory: Path) -> list[str]:
    """Relative paths (with `/`, sorted) of every image in `directory` and its sub-folders.

    Left out: hidden files and folders (a leading dot; on Windows also the hidden attribute), other suffixes. Links
    to folders are followed unless they lead back to a folder they lie in. A sub-folder that can't be listed is named
    on stderr. Raises UserError if `directory` is not a folder that can be listed.
    """
    found: list[str] = []
    try:
        _walk(Path(directory), "", (), found)
    except NotADirectoryError:
        raise UserError(f"{directory}: is a file; give the directory that holds the images")
    except OSError as error:
        raise UserError(f"{directory}: {error.strerror or error}; give an existing directory that holds images")
    return sorted(found)


def _walk(folder: Path, prefix: str, above: tuple[tuple[int, int], ...], found: list[str]) -> None:
    status = folder.stat()
    here = (status.st_dev, status.st_ino)
    if here in above:  # a link back to a folder that we are in
        return
    with os.scandir(folder) as entries:
        visible = [entry for entry in entries if not _is_hidden(entry)]
    for entry in visible:
        if _is_folder(entry):
            _walk_below(Path(entry.path), f"{prefix}{entry.name}/", (*above, here), found)
        elif Path(entry.name).suffix.lower() in IMAGE_SUFFIXES and (entry.is_symlink() or entry.is_file()):
            found.append(prefix + entry.name)  # a broken link too: it is reported when it can't be opened


def _is_folder(entry: os.DirEntry[str]) -> bool:
    """Also of a link to itself or into a forbidden folder, unless by its name it leads to an image."""
    try:
        return entry.is_dir()
    except OSError:
        return Path(entry.name).suffix.lower() not in IMAGE_SUFFIXES


def _walk_below(folder: Path, prefix: str, above: tuple[tuple[int, int], ...], found: list[str]) -> None:
    try:
        _walk(folder, prefix, above, found)
    except OSError as error:
        print(f"note: {folder}: can't be listed ({error.strerror}); its images are left out", file=sys.stderr)


def _is_hidden(entry: os.DirEntry[str]) -> bool:
    if entry.name.startswith("."):
        return True
    if sys.platform != "win32":
        return False
    return bool(entry.stat(follow_symlinks=False).st_file_attributes & stat.FILE_ATTRIBUTE_HIDDEN)


class Stamp(NamedTuple):
    """What a look at the folder says of a file. mtime_ms: since 1970. settled: old enough to be relied on."""

    size: int
    mtime_ms: int
    settled: bool


def file_stamps(directory: Path, paths: Iterable[str]) -> dict[str, Stamp]:
    """Size and time of each relative path; paths that are not there are left out."""
    names: dict[str, list[str]] = {}
    for path in paths:
        folder, slash, name = path.rpartition("/")
        names.setdefault(folder + slash, []).append(name)
    now, root = time.time() * 1000, str(directory)
    stamps = {}
    for folder, wanted in names.items():
        entries = _entries(directory / folder) if os.name == "nt" else {}
        for name in wanted:
            with suppress(OSError):
                # Joined as text: a Path each would take longer than the question.
                status = entries[name].stat() if name in entries else os.stat(os.path.join(root, folder, name))  # noqa: PTH116, PTH118
                mtime_ms = status.st_mtime_ns // 1_000_000
                stamps[folder + name] = Stamp(status.st_size, mtime_ms, abs(now - mtime_ms) > COARSEST_CLOCK_MS)
    return stamps


def _entries(folder: Path) -> dict[str, os.DirEntry[str]]:
    # On Windows a listing carries sizes and times, where asking file by file would take seconds.
    try:
        with os.scandir(folder) as entries:
            return {entry.name: entry for entry in entries}
    except OSError:
        return {}


def content_hash(path: Path) -> str:
    """BLAKE2b of the file's bytes: 32 hexadecimal characters. Raises UnreadableImage if it can't be read."""
    digest = hashlib.blake2b(digest_size=HASH_BYTES)
    try:
        with path.open("rb", buffering=0) as file:
            while block := file.read(1 << 20):
                digest.update(block)
    except (OSError, ValueError) as error:
        raise UnreadableImage(_reason(error, path))
    return digest.hexdigest()


def open_image(path: Path) -> Image.Image:
    """The image as 8-bit RGB: upright by its EXIF orientation, transparency on white, an animation's first frame.

    16-bit values are scaled by 255/65535. Floating-point values are taken to end at 1, 255 or 65535, whichever is the
    first to hold the largest. Colour profiles are not applied. Pillow's decompression-bomb limit
    (`PIL.Image.MAX_IMAGE_PIXELS`) stays on: an image of more than twice that many pixels is refused, as Pillow does;
    up to there (179 million pixels) it is opened without a warning. Raises UnreadableImage, nothing else, whatever is
    in the file.
    """
    _quieten_pillow()
    try:
        with Image.open(path, formats=FORMATS) as image:
            return _upright_rgb(image)
    except Exception as error:  # Pillow raises a dozen kinds for damaged files, struct.error and KeyError among them
        raise UnreadableImage(_reason(error, path))


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
        raise UnreadableImage(_reason(error, Path(getattr(image, "filename", "") or ".")))


def _upright_rgb(image: Image.Image) -> Image.Image:
    image.load()
    return _turn_upright(_as_rgb(image), _orientation(image))


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
    if image.mode == "RGB" and "transparency" not in image.info:
        return image  # loaded: its pixels outlive the file
    if image.mode[0] in "IF":  # I;16, I;16B, I, F: Pillow's own conversion would clip at 255
        return _deep_grey_as_rgb(image)
    if image.mode == "LAB":
        return _lab_as_rgb(image)
    if image.has_transparency_data:
        opaque = Image.new("RGBA", image.size, "white")
        opaque.alpha_composite(image.convert("RGBA"))
        return opaque.convert("RGB")
    return image.convert("RGB")


def _deep_grey_as_rgb(image: Image.Image) -> Image.Image:
    values = np.asarray(image)  # (H, W) of uint16, int32 or float32
    transparent = image.info.get("transparency")
    scaled = np.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0) * (255.0 / _white_of(values))
    if isinstance(transparent, int):
        scaled = np.where(values == transparent, 255.0, scaled)
    return Image.fromarray(np.rint(scaled.clip(0, 255)).astype(np.uint8)).convert("RGB")


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


def _reason(error: Exception, path: Path) -> str:
    if isinstance(error, Image.DecompressionBombError | Image.DecompressionBombWarning):
        return f"larger than Pillow's decompression-bomb limit ({first_line(error)})"
    if isinstance(error, UnidentifiedImageError):
        return _not_an_image(path)
    if isinstance(error, MemoryError):
        return "too large for this machine's memory"
    if isinstance(error, OSError) and error.errno is not None:
        return _system_reason(error)
    if "truncated" in str(error).lower():
        return "truncated"
    return f"damaged: {first_line(error)}"


def _not_an_image(path: Path) -> str:
    try:
        if path.stat().st_size == 0:
            return "not an image: an empty file"
        with path.open("rb") as file:
            start = file.read(12)
    except OSError as error:
        return _system_reason(error)
    return f"not an image, or a damaged one (it begins with {start!r})"


def _system_reason(error: OSError) -> str:
    plain = {
        errno.ENOENT: "no such file",
        errno.EACCES: "no permission to read it",
        errno.EPERM: "no permission to read it",
        errno.EISDIR: "a folder, not a file",
    }
    if error.errno == errno.EACCES and error.filename and Path(error.filename).is_dir():
        return plain[errno.EISDIR]  # Windows opens no folders and calls it a matter of permission
    return plain.get(error.errno or 0, error.strerror or str(error))
