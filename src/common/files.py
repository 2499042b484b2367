"""Atomic writes: a file is either the old one or the new one, whenever the power fails."""

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from .errors import UserError


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; on success it is flushed to disk and takes the place of `path`.

    If the block raises, `path` is untouched and the temporary file is gone. Raises UserError where that can't be
    written: no such folder, a full disk, or on Windows a file that a program has kept open for over a second.
    """
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:40]}.", suffix=".part")
    except OSError as error:
        raise UserError(f"{path}: can't be written ({error.strerror}); name a folder that exists and is writable")
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        _flush(temporary)
        _keep_permissions(path, temporary)
        _take_place(temporary, path)
        _flush_folder(path.parent)
    except OSError as error:
        if error.filename and Path(error.filename) not in (path, temporary):
            raise UserError(f"{path}: can't be written, for {error.filename} can't be had ({error.strerror})")
        raise UserError(f"{path}: can't be written ({error.strerror or error}); close what has it open, or make room")
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Replace `path` atomically by `text` in UTF-8, line ends as given."""
    with replacing(path) as temporary:
        temporary.write_bytes(text.encode("utf-8", "surrogateescape"))


def copy_to(source: Path, target: Path) -> None:
    """Replace `target` atomically by a copy of `source`."""
    with replacing(target) as temporary:
        shutil.copyfile(source, temporary)


def relative_to(path: Path, folder: Path) -> str:
    """`path` as it is reached from `folder`, with "/"; absolute where there is no way, both are absolute."""
    try:
        return Path(os.path.relpath(path, folder)).as_posix()
    except ValueError:  # on another drive, on Windows
        return path.as_posix()


def plain(path: Path) -> Path:
    """`path` without detours (new/../heads/a.pth is heads/a.pth), where that leads to the same folder.

    Behind a link to a folder `..` leads elsewhere; then the path stays as it is.
    """
    short = Path(os.path.normpath(path))
    try:
        return short if short.parent.samefile(path.parent) else path
    except OSError:
        return path


def _take_place(temporary: Path, path: Path) -> None:
    for _ in range(10):
        try:
            temporary.replace(path)
            return
        except PermissionError:  # on Windows something has it open, often only for a moment
            time.sleep(0.1)
    temporary.replace(path)


def _flush(path: Path) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def _keep_permissions(path: Path, temporary: Path) -> None:
    # mkstemp makes files that only their owner can read; a replaced file keeps its mode, a new one gets the usual.
    if os.name == "nt":
        return
    umask = os.umask(0)
    os.umask(umask)
    temporary.chmod(path.stat().st_mode if path.exists() else 0o666 & ~umask)


def _flush_folder(folder: Path) -> None:
    if os.name == "nt":  # Windows has no fsync of folders
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
