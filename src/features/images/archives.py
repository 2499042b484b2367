"""Tar files, as WebDataset lays them out, and zip archives as folders of images, which are read in place.

The image sub/a.jpg of photos.tar is called photos.tar/sub/a.jpg.
"""

import os
import posixpath
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Mapping
from errno import ENOENT
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from ...common import UserError, first_line
from .errors import UnreadableImage
from .held import Held

SUFFIXES = (".tar", ".zip")
LARGEST = 2**30  # bytes of one image; a zip archive may claim to hold any number
KEPT = 64  # archives whose tables of contents are kept in memory


class Member(NamedTuple):
    """size: in bytes, once unpacked. read: those bytes; raises OSError, or UnreadableImage."""

    size: int
    read: Callable[[], bytes]


class Lying(NamedTuple):
    """Where an image lies: the archive's path, relative as the image's, and its name in there."""

    archive: str
    member: str


def lies_in(directory: Path, path: str) -> Lying | None:
    """None for a file of its own; a folder may be called photos.zip too."""
    lower = path.lower()
    for suffix in SUFFIXES:
        end = lower.find(suffix + "/")
        if end > 0 and os.path.isfile(directory / path[: end + len(suffix)]):  # noqa: PTH113
            return Lying(path[: end + len(suffix)], path[end + len(suffix) + 1 :])
    return None


def held_member(directory: Path, lying: Lying) -> Held:
    """The image, which need not be there."""
    return Held("/".join(lying), lambda: _member(directory, lying).read())


def member_size(directory: Path, lying: Lying) -> int | None:
    """In bytes; None where the archive has no such member, or can't be read."""
    try:
        return _member(directory, lying).size
    except (OSError, UnreadableImage):
        return None


def members(archive: Path) -> list[str]:
    """Names of all files in it, sorted. Raises UserError where it can't be read."""
    try:
        return sorted(_contents(archive))
    except (OSError, UnreadableImage) as error:
        why = error.reason if isinstance(error, UnreadableImage) else error.strerror
        raise UserError(f"{archive}: can't be read ({why}); leave it out with --exclude, or make it anew")


def _member(directory: Path, lying: Lying) -> Member:
    found = _contents(directory / lying.archive).get(lying.member)
    if found is None:
        raise FileNotFoundError(ENOENT, "no such file in the archive", lying.member)
    if found.size > LARGEST:
        raise UnreadableImage(f"is {found.size:,} bytes long, and no image is over {LARGEST:,}")
    return found


def _contents(archive: Path) -> Mapping[str, Member]:
    status = archive.stat()
    return _contents_of(archive, status.st_mtime_ns, status.st_size)


@lru_cache(KEPT)
def _contents_of(archive: Path, mtime_ns: int, size: int) -> Mapping[str, Member]:
    """Of two members of one name the later counts, as when they are unpacked."""
    try:
        found = _in_tar(archive) if archive.suffix.lower() == ".tar" else _in_zip(archive)
    except (tarfile.TarError, zipfile.BadZipFile, EOFError, ValueError, NotImplementedError) as error:
        raise UnreadableImage(f"no archive, a damaged one, or a compressed tar: {first_line(error)}")
    return {posixpath.normpath(name).lstrip("/"): member for name, member in found.items()}


def _in_tar(archive: Path) -> dict[str, Member]:
    with tarfile.open(archive, "r:", errors="surrogateescape") as tar:
        files = [info for info in tar if info.isreg() and not info.issparse()]
    return {info.name: Member(info.size, _tar_reader(archive, info.offset_data, info.size)) for info in files}


def _tar_reader(archive: Path, offset: int, size: int) -> Callable[[], bytes]:
    def read() -> bytes:
        with archive.open("rb") as file:
            file.seek(offset)
            data = file.read(size)
        if len(data) < size:
            raise UnreadableImage("truncated: the archive ends within it")
        return data

    return read


def _in_zip(archive: Path) -> dict[str, Member]:
    opened = zipfile.ZipFile(archive)  # reads by several threads; closed when nobody keeps it any more
    files = [info for info in opened.infolist() if not info.is_dir()]
    return {info.filename: Member(info.file_size, _zip_reader(opened, info)) for info in files}


def _zip_reader(opened: zipfile.ZipFile, info: zipfile.ZipInfo) -> Callable[[], bytes]:
    def read() -> bytes:
        try:
            return opened.read(info)
        except (zipfile.BadZipFile, zlib.error, RuntimeError, NotImplementedError, EOFError) as error:
            raise UnreadableImage(f"can't be unpacked: {first_line(error)}")  # damaged, or with a password

    return read
