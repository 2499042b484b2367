"""What the C library does with memory that was freed."""

import ctypes
from contextlib import suppress


def return_freed_memory() -> None:
    """To the system, where the C library is glibc; elsewhere nothing happens.

    It keeps what is freed, as holes that the next array may not fit in: so a process that works through chunks grows
    by tens of MB, the longer the more.
    """
    with suppress(OSError, AttributeError, TypeError):  # no such function; on Windows no such library
        ctypes.CDLL(None).malloc_trim(0)
