"""Why a file can't be used as an image, in words for a person."""

import errno
import os
import stat
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from ...common import first_line
from .held import Held
from .kinds import HEIC

HEIF_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
KINDS = {stat.S_IFDIR: "a folder", stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket"}


class UnreadableImage(Exception):
    """A file that can't be used as an image. `reason` is a short plain text, to be shown after the file's name."""

    def __init__(self, reason: str):
        super().__init__(reason)
        self.reason = reason


def must_be_regular(path: Path | Held) -> os.stat_result:
    """Its status; UnreadableImage for a pipe, a device, a folder, behind a link too: reading could last for ever.

    Raises OSError where there is no such file.
    """
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        raise UnreadableImage(f"{KINDS.get(stat.S_IFMT(status.st_mode), 'a device')}, not a file")
    return status


def reason_of(error: Exception, path: Path | Held) -> str:
    """What was wrong with the file at `path`, on one line."""
    if isinstance(error, UnreadableImage):
        return error.reason
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


def is_heif(start: bytes) -> bool:
    """Whether a file that begins with these 12 bytes is HEIC or HEIF, whatever its name says."""
    return start[4:8] == b"ftyp" and start[8:12] in HEIF_BRANDS


def _not_an_image(path: Path | Held) -> str:
    try:
        if path.stat().st_size == 0:
            return "not an image: an empty file"
        with path.open("rb") as file:
            start = file.read(12)
    except OSError as error:
        return _system_reason(error)
    if is_heif(start) and not HEIC.is_installed:
        return f"a HEIC image; pip install {HEIC.package} reads it"
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
