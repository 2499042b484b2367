"""Signs of life: a bar while the steps of something are known, else the seconds it takes."""

import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

from .notes import keeps_notes

AFTER_SECONDS = 0.5  # what is done by then is not worth a word
DRAWN_EACH = 0.2  # seconds
FORM = "{desc}: {percentage:3.0f}%|{bar}| {n_fmt}/{total_fmt} [{elapsed}<{remaining}]"

Item = TypeVar("Item")


class Steps:
    """How far something is: `done` of `total` steps, 0 while nobody knows how many there are.

    One thread counts while another looks.
    """

    def __init__(self, total: int = 0) -> None:
        self.begin(total)

    def begin(self, total: int) -> None:
        """From the first of so many; 0: there are none any more."""
        self.began = time.monotonic()
        self.done, self.total = 0, total

    def advance(self) -> None:
        """One more is done."""
        self.done += 1

    def through(self, items: Sequence[Item]) -> Iterator[Item]:
        """The items, each a step."""
        self.begin(len(items))
        for item in items:
            yield item
            self.advance()
        self.begin(0)


@contextmanager
def working(what: str, steps: Steps | None = None) -> Iterator[None]:
    """Say on stderr what is going on, if it lasts: a bar of the steps, gone at the end.

    Where there are none, as while a library is loaded, on a terminal the seconds so far, and elsewhere what it is.
    Nothing is said within `notes_kept`.

    what: such as "Loading torch".
    """
    if keeps_notes():
        yield
        return
    done = threading.Event()
    teller = threading.Thread(target=_tell, args=(what, steps or Steps(), done), daemon=True)
    teller.start()
    try:
        yield
    finally:
        done.set()
        teller.join()


def counted(items: Sequence[Item], what: str) -> Iterator[Item]:
    """The items, one after the other, with a bar if that lasts."""
    steps = Steps()
    with working(what, steps):
        yield from steps.through(items)


def _tell(what: str, steps: Steps, done: threading.Event) -> None:
    began = time.monotonic()
    if done.wait(AFTER_SECONDS):
        return
    if not steps.total and not _count_seconds(what, steps, done, began):
        return
    _draw_bar(what, steps, done)


def _count_seconds(what: str, steps: Steps, done: threading.Event, began: float) -> bool:
    """Until it is done; True if there are steps before that."""
    terminal, line = sys.stderr.isatty(), ""
    if not terminal:
        print(f"{what} ...", file=sys.stderr, flush=True)
    while not steps.total and not done.is_set():
        if terminal:
            line = f"{what} ... {time.monotonic() - began:.0f} s"
            print(f"\r{line}", end="", file=sys.stderr, flush=True)
        done.wait(DRAWN_EACH)
    if terminal:
        print(f"\r{' ' * len(line)}\r", end="", file=sys.stderr, flush=True)
    return not done.is_set()


def _draw_bar(what: str, steps: Steps, done: threading.Event) -> None:
    from tqdm import tqdm

    with tqdm(total=steps.total, desc=what, leave=False, bar_format=FORM) as bar:
        while not done.wait(DRAWN_EACH):
            if steps.total:
                bar.total, bar.n = steps.total, steps.done
                bar.start_t = time.time() - (time.monotonic() - steps.began)  # as tqdm has it
                bar.refresh()
