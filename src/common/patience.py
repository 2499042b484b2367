"""A sign of life where something may take longer than a person waits without wondering."""

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

WONDERING = 1.0  # seconds


@contextmanager
def saying(what: str, after: float = WONDERING) -> Iterator[None]:
    """Print `what` once the block takes longer than so many seconds; on a terminal also how long it has taken.

    For blocks of one thread that show no bar of their own.
    """
    done = threading.Event()
    thread = threading.Thread(target=_say, args=(what, after, done), daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def _say(what: str, after: float, done: threading.Event) -> None:
    begun = time.monotonic()
    if done.wait(after):
        return
    print(what, flush=True)
    on_terminal = sys.stderr.isatty()
    while not done.wait(1.0):
        if on_terminal:
            print(f"\r{time.monotonic() - begun:.0f} s ", end="", file=sys.stderr, flush=True)
    if on_terminal:
        print("\r        \r", end="", file=sys.stderr, flush=True)
