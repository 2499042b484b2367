"""One program at a time on one file: who comes second hears who is there."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path

from .errors import UserError


@contextmanager
def claimed(path: Path, claimant: str) -> Iterator[None]:
    """Hold `path` in this block; the claim ends with the process, however that ends.

    claimant: who we are, as the second one is told, such as "a training run". Raises UserError where another process
    holds it. Where the file system knows no locks, nobody is refused.
    """
    from filelock import FileLock, Timeout  # late: it would double the time of --help

    lock, owner = (path.with_name(f".{path.name}.{end}") for end in ("lock", "owner"))
    holding = FileLock(lock, timeout=0)
    try:
        holding.acquire()
    except Timeout:
        raise UserError(f"{path}: {_read(owner)} is writing it now; wait until that is done, or name another file")
    except (OSError, NotImplementedError):
        yield
        return
    try:
        with suppress(OSError):
            said = f"{claimant} (process {os.getpid()}, since {datetime.now():%H:%M})"
            owner.write_text(said, encoding="utf-8", errors="replace")
        yield
    finally:
        for file in (owner, lock):  # while it is held: who opened it meanwhile sees that it is gone, and begins anew
            with suppress(OSError):
                file.unlink()
        holding.release()


def _read(owner: Path) -> str:
    try:
        return owner.read_text(encoding="utf-8") or "another program"
    except OSError:
        return "another program"
