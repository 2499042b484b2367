"""Atomic writes: a file is either the old one or the new one, whenever the power fails."""

import errno
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

from .errors import UserError
from .parts import PART, part_prefix, remove_parts

# What a file system says that knows no fsync; a disk that is full or fails says something else.
REFUSED = (errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EPERM, errno.EACCES)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; on success it is flushed to disk and takes the place of `path`.

    Where `path` is a link to a file, all this is of that file, and the link stays. If the block raises, `path` is
    untouched and the temporary file is gone; what killed programs left in that folder is removed. Permissions, and
    flushing a folder, are best effort: not every file system knows them. Raises UserError where that can't be
    written: no such folder, a full disk, a name that is no file's, or on Windows a file that a program has kept open
    for over a second.
    """
    path = _through(path)
    temporary = _begin(path)
    try:
        yield temporary
        _flush(temporary)
        _keep_permissions(path, temporary)
        _take_place(temporary, path)
        _flush_folder(path.parent)
    except OSError as error:
        if error.filename and Path(error.filename) not in (path, temporary):
            raise UserError(f"{path}: can't be written, for {error.filename} can't be had ({error.strerror})")
        raise UserError(f"{path}: can't be written ({error.strerror or error}); {_advice(error)}")
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def check_writable(option: str, path: Path) -> None:
    """UserError where `path`, which an option names, could not be written: now rather than after an hour.

    It is tried, by an empty file beside it that is gone at once, as nothing else tells (root may do all, shares lie).
    """
    try:
        is_folder, has_folder = path.is_dir(), path.parent.is_dir()
        with suppress(FileNotFoundError):
            path.lstat()  # asks the file system whether there can be such a name at all
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UserError(f"--{option}={shown_path(path)}: can't be written ({reason}); {_advice(error)}")
    if is_folder:
        raise UserError(f"--{option}={path}: is a folder; name a file")
    if not has_folder:
        raise UserError(f"--{option}={path}: there is no folder {path.parent}; make it first")
    try:
        _begin(_through(path)).unlink()
    except UserError as error:
        raise UserError(f"--{option}={error}")


def shown_path(path: Path) -> str:
    """A path as one line of at most 300 letters."""
    return "".join(letter if letter.isprintable() else "?" for letter in str(path))[:300]


def _through(path: Path) -> Path:
    leads_to_file = os.path.islink(path) and os.path.isfile(path)  # noqa: PTH113, PTH114 (Path's raise for bad names)
    return path.resolve() if leads_to_file else path


def _begin(path: Path) -> Path:
    """An empty file of a name of its own beside `path`. Raises UserError where there can be none."""
    try:
        remove_parts(path.parent)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=part_prefix(path), suffix=PART)
    except OSError as error:
        raise UserError(f"{path}: can't be written ({error.strerror}); name a folder that exists and is writable")
    except ValueError as error:  # a NUL, or a letter that the file system has no bytes for
        raise UserError(f"{shown_path(path)}: is no name of a file ({error}); name another")
    os.close(handle)
    return Path(name)


def _advice(error: Exception) -> str:
    if isinstance(error, OSError) and error.errno == errno.ENAMETOOLONG:
        return "give it a shorter name"
    return "close what has it open, or make room"


def write_text(path: Path, text: str) -> None:
    """Replace `path` atomically by `text` in UTF-8, line ends as given."""
    with replacing(path) as temporary:
        temporary.write_bytes(text.encode("utf-8", "surrogateescape"))


def copy_to(source: Path, target: Path) -> None:
    """Replace `target` atomically by a copy of `source`."""
    with replacing(target) as temporary:
        shutil.copyfile(source, temporary)


@contextmanager
def named_in_text(path: Path) -> Iterator[Path]:
    """A way to the file for libraries that take names in UTF-8 alone, as safetensors does; Linux knows others."""
    if str(path).isprintable() or os.name == "nt":
        yield path
        return
    with path.open("rb") as file:
        yield Path(f"/dev/fd/{file.fileno()}")


def flush_to_disk(descriptor: int) -> None:
    """fsync where the file system knows that. Raises OSError where a disk is full or fails: often it says so here."""
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in REFUSED:
            raise


def relative_to(path: Path, folder: Path) -> str:
    """`path` as it is reached from `folder`, with "/"; absolute where there is no way, both are absolute."""
    try:
        return Path(os.path.relpath(path, folder)).as_posix()
    except ValueError:  # on another drive, on Windows
        return path.as_posix()


def address(path: Path, page: Path) -> str:
    """How a page names a file or folder: relative to its own, percent-coded; a file: URL on another drive."""
    relative = relative_to(path.resolve(), page.resolve().parent)
    return Path(relative).as_uri() if Path(relative).is_absolute() else quote(os.fsencode(relative))


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
        flush_to_disk(file.fileno())


def _keep_permissions(path: Path, temporary: Path) -> None:
    # mkstemp makes files that only their owner can read; a replaced file keeps its mode, a new one gets the usual.
    if os.name == "nt":
        return
    umask = os.umask(0)
    os.umask(umask)
    with suppress(OSError):  # WebDAV and GVFS have none
        temporary.chmod(path.stat().st_mode if path.exists() else 0o666 & ~umask)


def _flush_folder(folder: Path) -> None:
    """So that the new name outlives a power failure; the file is in its place by then, with or without this."""
    if os.name == "nt":  # Windows has no fsync of folders
        return
    with suppress(OSError):  # nor have shares of VirtualBox and WSL, CIFS, some FUSE
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
