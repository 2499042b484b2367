"""The one error that people see, and the way every script shows it."""

import _thread
import errno
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

AGAIN = 0.02  # seconds
READER_GONE = 141  # as a shell says of a program that SIGPIPE ended, 128 + 13


class UserError(ValueError):
    """Something a person can mend. The message says where, what is wrong, and what would be right.

    A ValueError, for callers who know no more of us: `except ValueError` around our own calls catches it too.
    """


def first_line(error: Exception) -> str:
    """What an error says, in one line of at most 200 characters; its type where it says nothing."""
    text = str(error).strip().splitlines() or [type(error).__name__]
    return text[0][:200]


def run(main: Callable[[], None]) -> None:
    """Run a script's `main`; a UserError is printed as one line and exits with 2, Ctrl-C exits with 130.

    What the output has no form for, such as a Japanese name in a Windows code page, is printed as escapes.
    Where whoever reads the output has gone (`| head`), it ends without a word, with 141.
    """
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    try:
        with _no_ctrl_c_lost():
            _run(main)
    except OSError as error:
        # Windows calls it EINVAL.
        if error.errno not in (errno.EPIPE, errno.EINVAL) or not _reader_is_gone():
            raise
        sys.exit(READER_GONE)


@contextmanager
def _no_ctrl_c_lost() -> Iterator[None]:
    """Where Ctrl-C falls into a weak reference's callback, Python only reports it: it is sent once more."""
    before = sys.unraisablehook

    def report(what: "sys.UnraisableHookArgs") -> None:
        if issubclass(what.exc_type, KeyboardInterrupt):
            threading.Timer(AGAIN, _interrupt).start()  # a bit later, or it would fall into this function
        else:
            before(what)

    sys.unraisablehook = report
    try:
        yield
    finally:
        sys.unraisablehook = before


def _interrupt() -> None:
    if hasattr(signal, "pthread_kill"):  # which wakes the main thread where it sleeps, too
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
    else:
        _thread.interrupt_main()


def _run(main: Callable[[], None]) -> None:
    try:
        main()
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    except OSError as error:
        if error.errno != errno.ENAMETOOLONG:
            raise
        print(f"error: {str(error.filename)[:100]}…: no file has so long a name; name another", file=sys.stderr)
        sys.exit(2)
    except RuntimeError as error:
        if "home directory" not in str(error):  # as pathlib says of ~somebody
            raise
        print(f"error: ~ in a path names nobody here ({error}); write that path in full", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print("stopped by Ctrl-C; what was finished is kept", file=sys.stderr)
        sys.exit(130)
    finally:
        sys.stdout.flush()  # here, as at the interpreter's end nobody could catch it


def _reader_is_gone() -> bool:
    """Whether stdout is what broke, by an empty line; if so, all that is still written to it goes nowhere."""
    try:
        print(flush=True)
    except OSError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
        return True
    return False
