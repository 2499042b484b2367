"""Files put under a new name: never over another, never half a one, whenever the program is killed."""

import hashlib
import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from ..common import flush_to_disk, new_part


def copy_new(source: Path, target: Path) -> None:
    """Copy to a file that does not exist yet; FileExistsError if it does. Never leaves half a file under its name."""
    put_new(target, lambda part: _copy(source, part))


def _copy(source: Path, target: Path) -> None:
    shutil.copyfile(source, target)
    with suppress(OSError):  # times and permissions, best effort: WebDAV and GVFS refuse them
        shutil.copystat(source, target)


def put_new(target: Path, write: Callable[[Path], object]) -> None:
    """A new file that `write` makes under the name it is given; FileExistsError where there is one."""
    part = new_part(target)
    try:
        write(part)
        _take_place(part, target)
    finally:
        part.unlink(missing_ok=True)


def _take_place(part: Path, target: Path) -> None:
    """Rename, but never over something."""
    if os.name == "nt":
        part.rename(target)  # refuses by itself
        return
    try:
        os.link(part, target, follow_symlinks=False)  # refuses by itself
    except FileExistsError:
        raise
    except OSError:  # a file system without links, such as FAT
        if os.path.lexists(target):
            raise FileExistsError(17, "it exists", str(target))
        part.rename(target)


def add_name(source: Path, target: Path) -> None:
    """The file under a second name, as the first half of a move; FileExistsError if there is one of that name.

    Once this returns, the source may be removed. On another disk, or one without links, it is a copy.
    """
    if source.is_symlink():
        target.symlink_to(source.parent.resolve() / source.readlink())
        return
    try:
        os.link(source, target, follow_symlinks=False)
    except FileExistsError:
        raise
    except OSError:
        copy_new(source, target)
        _flush(target)


def _flush(path: Path) -> None:
    with suppress(OSError), path.open("rb+") as file:  # best effort: some drives and read-only files refuse it
        flush_to_disk(file.fileno())


def link_new(source: Path, target: Path) -> None:
    """A symbolic link to the image; where those are not allowed (Windows), a hard link."""
    try:
        target.symlink_to(source.resolve())
    except FileExistsError:
        raise
    except OSError:
        os.link(source, target)


def digest(path: Path) -> bytes:
    """BLAKE2b of the file's bytes; OSError where it can't be read."""
    found = hashlib.blake2b()
    with path.open("rb", buffering=0) as file:
        while block := file.read(1 << 20):
            found.update(block)
    return found.digest()


def same_content(one: Path, other: Path) -> bool:
    """False also where either can't be read."""
    with suppress(OSError):
        if one.samefile(other):
            return True
        return one.stat().st_size == other.stat().st_size and digest(one) == digest(other)
    return False
