"""Images that are no files of their own: members of archives, objects in a store. Read whole, into memory."""

import io
import os
import stat
from collections.abc import Callable
from functools import cached_property
from pathlib import PurePosixPath


class Held:
    """As much of a `Path` as reading an image takes. name: with what it lies in. read: all its bytes.

    read raises OSError, or UnreadableImage with a reason; it is called once.
    """

    def __init__(self, name: str, read: Callable[[], bytes]) -> None:
        self.name, self._read = name, read

    def __str__(self) -> str:
        return self.name

    @property
    def suffix(self) -> str:
        return PurePosixPath(self.name).suffix

    @cached_property
    def _bytes(self) -> bytes:
        return self._read()

    def read_bytes(self) -> bytes:
        return self._bytes

    def open(self, mode: str = "rb", buffering: int = -1) -> io.BytesIO:
        return io.BytesIO(self._bytes)

    def stat(self) -> os.stat_result:
        """Of a plain file of this size; nothing else of it is known."""
        return os.stat_result((stat.S_IFREG, 0, 0, 1, 0, 0, len(self._bytes), 0, 0, 0))
