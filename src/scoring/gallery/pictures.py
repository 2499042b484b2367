"""The small pictures of a gallery: within its page, or as files in a folder beside it."""

import base64
import hashlib
import re
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from os import cpu_count, fsencode
from pathlib import Path

from tqdm import tqdm

from ...common import UserError, new_part, remove_parts
from ...features import thumbnail

MOST_INSIDE = 2000  # images whose pictures stand in the page itself, some 20 MB
OURS = re.compile(r"[0-9a-f]{32}\.jpg")  # what our pictures are called


def inside(directory: Path, paths: Sequence[str]) -> Iterator[str | None]:
    """Of each image a JPEG in Base64, in their order; None where it can't be read."""
    yield from _made(partial(_encoded, directory), paths)


def folder_beside(page: Path) -> Path:
    """Where a page's pictures are; `find_images` passes over it."""
    return page.with_suffix(".thumbnails")


def beside(page: Path, directory: Path, paths: Sequence[str], progress: bool = True) -> list[str | None]:
    """Names in the folder beside the page, of each image's picture, which is there; None where it can't be read.

    A picture is made once for each state of an image: its name says path, size and time. Raises UserError where they
    can't be written.
    """
    folder = folder_beside(page)
    try:
        folder.mkdir(exist_ok=True)
        return list(_made(partial(_file, folder, directory), paths, progress))
    except OSError as error:
        raise UserError(f"{folder}: the pictures can't be written there ({error.strerror}); make room")


def remove_others(page: Path, names: Sequence[str | None]) -> None:
    """Pictures of ours that the page needs no more, what killed runs left half, and the folder where it is empty."""
    wanted, folder = set(names), folder_beside(page)
    if not folder.is_dir():
        return
    remove_parts(folder)
    for file in folder.iterdir():
        if OURS.fullmatch(file.name) and file.name not in wanted:
            file.unlink(missing_ok=True)
    with suppress(OSError):
        folder.rmdir()


def _made(make: partial, paths: Sequence[str], progress: bool = True) -> Iterator[str | None]:
    """On all cores, with a bar: opening an image leaves Python free."""
    with ThreadPoolExecutor(cpu_count()) as pool:
        bar = tqdm(paths, desc="thumbnails", unit="image", disable=None if progress else True)
        yield from (made for _, made in zip(bar, _few_ahead(pool, make, paths), strict=True))


def _few_ahead(pool: ThreadPoolExecutor, make: partial, paths: Sequence[str]) -> Iterator[str | None]:
    """In their order; of so many at a time that results don't pile up."""
    for start in range(0, len(paths), 256):
        yield from pool.map(make, paths[start : start + 256])


def _encoded(directory: Path, path: str) -> str | None:
    jpeg = thumbnail(directory / path)
    return None if jpeg is None else base64.b64encode(jpeg).decode("ascii")


def _file(folder: Path, directory: Path, path: str) -> str | None:
    state = _state_of(directory / path)
    if state is None:
        return None
    state = fsencode(path) + state
    file = folder / f"{hashlib.blake2b(state, digest_size=16).hexdigest()}.jpg"
    if not _is_there(file):
        jpeg = thumbnail(directory / path)
        if jpeg is None:
            return None
        part = new_part(file)
        part.write_bytes(jpeg)
        part.replace(file)
    return file.name


def _state_of(image: Path) -> bytes | None:
    """By which an image is known to have changed; None where it is gone."""
    try:
        status = image.stat()
    except OSError:
        return None
    return b"\0%d\0%d" % (status.st_size, status.st_mtime_ns)


def _is_there(file: Path) -> bool:
    """With something in it: a power cut may leave a name alone."""
    try:
        return file.stat().st_size > 0
    except OSError:
        return False
