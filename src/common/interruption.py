"""Ctrl-C at safe places only: in the middle of a write to the study it would leave half a record and a traceback."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Interruption:
    """Within `listening`, Ctrl-C raises KeyboardInterrupt in `safe` blocks; elsewhere it waits for the next one."""

    def __init__(self) -> None:
        self._wanted = False
        self._is_safe = False

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Take over Ctrl-C, and give it back at the end; nothing outside the main thread, which never gets it."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = signal.signal(signal.SIGINT, self._handle)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)
            self._wanted = False  # what comes after may use `safe` too, and was not asked to end

    @contextmanager
    def safe(self, is_safe: bool = True) -> Iterator[None]:
        """A block that Ctrl-C may end; with is_safe=False, an island in such a block that it may not."""
        before, self._is_safe = self._is_safe, is_safe
        try:
            if is_safe and self._wanted:
                raise KeyboardInterrupt
            yield
        finally:
            self._is_safe = before

    def _handle(self, number: int, frame: FrameType | None) -> None:
        self._wanted = True
        if self._is_safe:
            self._is_safe = False
            raise KeyboardInterrupt
