"""What a file is known by: its size and times at a glance, its content by a hash."""

import hashlib
import os
import sys
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from .archives import lies_in, member_size
from .errors import UnreadableImage, must_be_regular, reason_of
from .held import Held
from .opening import look_at
from .remote import about_object, is_remote

HASH_BYTES = 16
# A file changed in the last two seconds may change again and keep its time: FAT counts in steps of two seconds.
COARSEST_CLOCK_MS = 2000
REMOTE_QUESTIONS = 16  # at once


class Stamp(NamedTuple):
    """What a look at the folder says of a file. settled: old enough to be relied on.

    mtime_ms: since 1970. ctime_ms: when content, name or rights last changed, which no program can set back; 0 on
    Windows, where there is none.
    """

    size: int
    mtime_ms: int
    settled: bool
    ctime_ms: int = 0


class Content(NamedTuple):
    """hash: of the file's bytes. key: what the cache keeps its features under: the hash, or another where
    `open_image` treats it as it did not always do, so that features from before don't count. note: what is wrong with
    it, though it can be used.

    hash, key: 32 hexadecimal characters.
    """

    hash: str
    key: str
    note: str = ""


def file_stamps(directory: Path, paths: Iterable[str]) -> dict[str, Stamp]:
    """Size and times of each relative path; paths that are not there are left out."""
    names: dict[str, list[str]] = {}
    addresses: list[str] = []
    for path in paths:
        if is_remote(path):
            addresses.append(path)
            continue
        folder, slash, name = path.rpartition("/")
        names.setdefault(folder + slash, []).append(name)
    now, root = time.time() * 1000, str(directory)
    stamps = _remote_stamps(addresses, now)
    for folder, wanted in names.items():
        entries = _entries(directory / folder) if os.name == "nt" else {}
        for name in wanted:
            with suppress(OSError):
                # Joined as text: a Path each would take longer than the question.
                status = entries[name].stat() if name in entries else os.stat(os.path.join(root, folder, name))  # noqa: PTH116, PTH118
                stamps[folder + name] = _stamp(status, now)
        if lies_in(directory, folder):
            stamps |= _member_stamps(directory, [folder + name for name in wanted], now)
    return stamps


def _member_stamps(directory: Path, paths: Iterable[str], now: float) -> dict[str, Stamp]:
    """Of images in archives: the archive's times, and their own sizes."""
    stamps = {}
    for path in paths:
        lying = lies_in(directory, path)
        size = member_size(directory, lying) if lying else None
        if lying and size is not None:
            with suppress(OSError):
                stamps[path] = _stamp((directory / lying.archive).stat(), now)._replace(size=size)
    return stamps


def _remote_stamps(addresses: list[str], now: float) -> dict[str, Stamp]:
    """Of images in stores that say when they changed; asked many at once, as each answer takes a while."""
    if not addresses:
        return {}
    with ThreadPoolExecutor(REMOTE_QUESTIONS) as pool:
        known = dict(zip(addresses, pool.map(about_object, addresses), strict=True))
    return {
        address: Stamp(about[0], about[1], abs(now - about[1]) > COARSEST_CLOCK_MS)
        for address, about in known.items()
        if about and about[1]
    }


def _stamp(status: os.stat_result, now: float) -> Stamp:
    mtime_ms = status.st_mtime_ns // 1_000_000
    # On Windows st_ctime is the time of creation.
    ctime_ms = 0 if sys.platform == "win32" else status.st_ctime_ns // 1_000_000
    return Stamp(status.st_size, mtime_ms, abs(now - mtime_ms) > COARSEST_CLOCK_MS, ctime_ms)


def _entries(folder: Path) -> dict[str, os.DirEntry[str]]:
    # On Windows a listing carries sizes and times, where asking file by file would take seconds.
    try:
        with os.scandir(folder) as entries:
            return {entry.name: entry for entry in entries}
    except OSError:
        return {}


def content_hash(path: Path | Held) -> str:
    """BLAKE2b of the file's bytes: 32 hexadecimal characters. Raises UnreadableImage if it can't be read."""
    digest = hashlib.blake2b(digest_size=HASH_BYTES)
    try:
        must_be_regular(path)
        with path.open("rb", buffering=0) as file:
            while block := file.read(1 << 20):
                digest.update(block)
    except (OSError, ValueError, UnreadableImage) as error:
        raise UnreadableImage(reason_of(error, path))
    return digest.hexdigest()


def content_of(path: Path | Held, digest: str = "") -> Content:
    """digest: its content hash, where that is known; then only its first bytes are read, and few of the last.

    Raises UnreadableImage if the file can't be read; one that is no image has a content like any other.
    """
    digest = digest or content_hash(path)
    look = look_at(path)
    if not look.treatment:
        return Content(digest, digest, look.note)
    key = hashlib.blake2b(bytes.fromhex(digest) + look.treatment.encode(), digest_size=HASH_BYTES)
    return Content(digest, key.hexdigest(), look.note)
