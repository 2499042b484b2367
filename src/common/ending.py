"""The way a script ends: the prompt is back at once."""

import atexit
import os
import sys
import threading
from collections.abc import Callable
from contextlib import suppress

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
