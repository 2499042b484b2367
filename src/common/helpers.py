"""Processes that do heavy work for a program: mostly of low priority, deaf to Ctrl-C, gone when the program is."""

import multiprocessing
import multiprocessing.connection
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager


def available_cores() -> int:
    """Cores that this process may use, at least 1."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@contextmanager
def ignoring_ctrl_c() -> Iterator[None]:
    """A process begun here ignores it from the first: a terminal sends it to all, but the program ends its helper.

    Nothing outside the main thread, where that can't be set.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def be_a_helper(yields: bool = True) -> None:
    """What such a process does first. yields: it is of low priority."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # on Windows nothing is inherited
    threading.Thread(target=_end_with_parent, daemon=True).start()
    if yields:
        _yield_to_others()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        multiprocessing.connection.wait([parent.sentinel])
        os._exit(1)


def _yield_to_others() -> None:
    """The page comes first wherever there are fewer cores than work."""
    if sys.platform == "win32":
        import ctypes

        below_normal = 0x4000
        kernel = ctypes.windll.kernel32
        kernel.SetPriorityClass(kernel.GetCurrentProcess(), below_normal)
    else:
        os.nice(10)
