"""What a person should know and need not act on: a script prints it, a library call keeps it to itself."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_kept: ContextVar[list[str] | None] = ContextVar("notes that are kept", default=None)


def note(text: str) -> None:
    """A line on stderr, above whatever bar is there; within `notes_kept` it is kept instead."""
    kept = _kept.get()
    if kept is not None:
        kept.append(text)
        return
    from tqdm import tqdm

    tqdm.write(text, file=sys.stderr)


def keeps_notes() -> bool:
    """Whether we are within `notes_kept`: then no bar is shown either."""
    return _kept.get() is not None


@contextmanager
def notes_kept() -> Iterator[list[str]]:
    """Nothing is printed in the block; the list holds what would have been. Threads need a copy of the context."""
    kept: list[str] = []
    token = _kept.set(kept)
    try:
        yield kept
    finally:
        _kept.reset(token)
