"""The way a script ends: the prompt is back at once."""

import atexit
import os
import signal
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from types import FrameType

from .errors import run


def run_script(main: Callable[[], None]) -> None:
    """`run`, and then the end of the process without taking apart what torch made, which takes seconds.

    What is to be done at the end is done: threads and pools are waited for, functions of atexit called.
    """
    code: object = 0
    try:
        run(main)
    except SystemExit as end:
        code = end.code
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    if isinstance(code, str):
        print(code, file=sys.stderr)
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):  # whoever reads it has gone
            stream.flush()
    os._exit(code if isinstance(code, int) else int(code is not None))


def end_on_signals() -> None:
    """SIGTERM, and a terminal that is closed, end the script as an exit does; not where nohup ignores them."""
    first: list[int] = []

    def end(number: int, frame: FrameType | None) -> None:
        """Once: what is being written by then is written to its end."""
        signal.signal(number, signal.SIG_IGN)
        first.append(number)
        if number != signal.SIGTERM:  # the terminal is gone, and with it who reads what is printed
            nothing = os.open(os.devnull, os.O_WRONLY)
            for stream in (1, 2):
                os.dup2(nothing, stream)
            if (taken := signal.getsignal(signal.SIGTERM)) is not end and callable(taken):
                # A server has taken that one over, to end in good order, and raises it again when it has. An exit
                # from within its loop may be lost there: of 42 closed terminals 3 were.
                signal.raise_signal(signal.SIGTERM)
                return
        sys.exit(128 + first[0])

    for number in (signal.SIGTERM, getattr(signal, "SIGHUP", signal.SIGTERM)):  # Windows has no SIGHUP
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, end)
