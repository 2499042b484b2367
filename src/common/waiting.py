"""A sign of life while something takes its time that has no bar of its own."""

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from .notes import keeps_notes

AFTER_SECONDS = 0.5  # what is done by then is not worth a word


@contextmanager
def working(what: str) -> Iterator[None]:
    """Say on stderr what is going on, if it lasts; on a terminal with the seconds so far, gone at the end.

    Nothing is said within `notes_kept`.

    what: such as "Loading torch".
    """
    if keeps_notes():
        yield
        return
    done = threading.Event()
    teller = threading.Thread(target=_tell, args=(what, done), daemon=True)
    teller.start()
    try:
        yield
    finally:
        done.set()
        teller.join()


def _tell(what: str, done: threading.Event) -> None:
    began, terminal = time.monotonic(), sys.stderr.isatty()
    if done.wait(AFTER_SECONDS):
        return
    if not terminal:
        print(f"{what} ...", file=sys.stderr, flush=True)
        return
    while True:
        line = f"{what} ... {time.monotonic() - began:.0f} s"
        print(f"\r{line}", end="", file=sys.stderr, flush=True)
        if done.wait(1):
            print(f"\r{' ' * len(line)}\r", end="", file=sys.stderr, flush=True)
            return
