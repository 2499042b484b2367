"""Python programs that start in 20 ms instead of seconds: forked from a process that has imported everything.

`start(words, …)` is subprocess.Popen for [sys.executable, script, …], [sys.executable, "-c", code, …] and
[sys.executable, "-m", module, …], with as much of it as our tests use. That process was forked from the worker before
its first test, so that no test's changes are in it. What is forked from it has its own __main__, arguments,
environment, folder, streams and signals, and ends as Python does. Where nothing can be forked, or PYTHONPATH has been
changed, it is subprocess.Popen itself.
"""

import atexit
import contextlib
import importlib
import json
import multiprocessing.context
import os
import runpy
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import traceback
import types
import warnings
import weakref
from pathlib import Path

import pytest

CAN_FORK = sys.platform == "linux"  # elsewhere libraries' own threads don't outlive it
LATE = ("torch._dynamo", "sklearn.linear_model")  # what the first optimizer and the first fit bring, in seconds
HELPERS = "FORKED_HELPERS"  # in the environment: the processes that it starts are forked as well
_control, _server = None, 0  # to the process from which is forked
_path = os.environ.get("PYTHONPATH")


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session):
    """When all is imported and nothing was tested; in xdist's first process, which runs no tests, nothing happens."""
    global _control, _server
    if CAN_FORK and any(item.get_closest_marker("script") for item in getattr(session, "items", ())):
        for name in LATE:
            importlib.import_module(name)
        _control, theirs = socket.socketpair()
        _server = os.fork()
        if _server == 0:
            _control.close()
            _serve(theirs)
        theirs.close()


def pytest_sessionfinish():
    global _control
    if _control:
        _control.close()
        _control = None
        os.waitpid(_server, 0)


def start(words, *, cwd=None, env=None, stdout=None, stderr=None, text=False, encoding=None, start_new_session=False):
    """A process that runs these words; a Popen, or what is like one."""
    how = {"cwd": cwd, "env": env, "start_new_session": start_new_session}
    if _control is None or (env or os.environ).get("PYTHONPATH") != _path:  # other modules are to be found
        return subprocess.Popen(words, stdout=stdout, stderr=stderr, text=text, encoding=encoding, **how)
    return Forked([os.fspath(word) for word in words], stdout, stderr, text, encoding, **how)


def run(words, *, cwd=None, env=None):
    """What subprocess.run with capture_output and text gives."""
    with start(words, cwd=cwd, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8") as process:
        out, error = process.communicate()
        return subprocess.CompletedProcess(words, process.wait(), out, error)


class Forked:
    """As Popen: pid, stdout, stderr, returncode, poll, wait, communicate, kill, send_signal, and `with`."""

    def __init__(self, words, stdout, stderr, text, encoding, **how):
        self.args, self.returncode = words, None
        self.stdout, out = _pipe(stdout, 1, text, encoding)
        self.stderr, error = (None, out) if stderr == subprocess.STDOUT else _pipe(stderr, 2, text, encoding)
        self._answers, theirs = socket.socketpair()
        how = {**how, "cwd": os.fspath(how["cwd"] or Path.cwd()), "env": dict(how["env"] or os.environ)}
        request = json.dumps({"words": words, **how}).encode()
        socket.send_fds(_control, [len(request).to_bytes(8, "big")], [theirs.fileno(), out, error])
        _control.sendall(request)
        for descriptor in {theirs.detach(), out, error} - {1, 2}:
            os.close(descriptor)
        self.pid = self._answer()

    def _answer(self):
        data = self._answers.recv(8, socket.MSG_WAITALL)
        assert len(data) == 8, "the process from which is forked is gone"
        return int.from_bytes(data, "big", signed=True)

    def poll(self):
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.wait(0)
        return self.returncode

    def wait(self, timeout=None):
        if self.returncode is None:
            self._answers.settimeout(timeout)
            try:
                self.returncode = self._answer()
            except (TimeoutError, BlockingIOError):
                raise subprocess.TimeoutExpired(self.args, timeout)
            self._answers.close()
        return self.returncode

    def send_signal(self, number):
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self):
        self.send_signal(signal.SIGKILL)

    def communicate(self, timeout=None):
        """(all of stdout, all of stderr), when it has ended."""
        found = {}

        def read(stream):
            with stream:
                found[stream] = stream.read()

        threads = [threading.Thread(target=read, args=[stream]) for stream in (self.stdout, self.stderr) if stream]
        for thread in threads:
            thread.start()
        self.wait(timeout)
        for thread in threads:
            thread.join()
        return found.get(self.stdout), found.get(self.stderr)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        for stream in filter(None, (self.stdout, self.stderr)):
            stream.close()
        self.wait()


def _pipe(wanted, standard, text, encoding):
    """Our end as a file, or None, and the end of the process."""
    if wanted == subprocess.DEVNULL:
        return None, os.open(os.devnull, os.O_WRONLY)
    if wanted is None:
        return None, standard
    ours, theirs = os.pipe()
    return os.fdopen(ours, "r" if text or encoding else "rb", encoding=encoding), theirs


# --- in the process from which is forked, and in those that are ---


def _serve(control):
    """Fork for each request, until the tests are over."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C at the terminal is for pytest
    _forget_descriptors(control.fileno())
    while True:
        size, descriptors, _, _ = socket.recv_fds(control, 8, 3)
        if not size:
            _reap()
            os._exit(0)
        request = json.loads(control.recv(int.from_bytes(size, "big"), socket.MSG_WAITALL))
        if os.fork() == 0:
            control.close()
            _look_after(request, *descriptors)
        for descriptor in descriptors:
            os.close(descriptor)
        _reap()


def _reap():
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _look_after(request, answers, out, error):
    """Fork once more, and tell the process of the tests how that one is called and how it ended."""
    pid = os.fork()
    if pid == 0:
        os.close(answers)
        _become(request, out, error)
    os.close(out)
    if error != out:
        os.close(error)
    with contextlib.suppress(OSError):  # nobody may want to know any more
        os.write(answers, pid.to_bytes(8, "big", signed=True))
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        os.write(answers, status.to_bytes(8, "big", signed=True))
    os._exit(0)


def _become(request, out, error):
    """A program of its own, to its end."""
    code = 1
    try:
        if request["start_new_session"]:
            os.setsid()
        _take_streams(out, error, request["env"])
        _take_defaults()
        if request["env"].pop(HELPERS, None):
            methods = multiprocessing.context._concrete_contexts
            methods["spawn"] = methods["fork"]
        os.environ.clear()
        os.environ.update(request["env"])
        tempfile.tempdir = None  # TMPDIR may be another
        os.chdir(request["cwd"])
        code = _code_of(lambda: _run(request["words"][1:]))
        _end()
    finally:
        os._exit(code)


def _forget_descriptors(*kept):
    """Locks, pipes and files of pytest: closed, but so that nobody gets their numbers, which have owners."""
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in [int(path.name) for path in Path("/proc/self/fd").iterdir()]:
        if descriptor not in (nothing, *kept):
            with contextlib.suppress(OSError):
                os.fstat(descriptor)
                os.dup2(nothing, descriptor, inheritable=descriptor < 3)


def _take_streams(out, error, environment):
    os.dup2(out, 1)
    os.dup2(error, 2)
    for descriptor in {out, error}:
        os.close(descriptor)
    encoding = environment.get("PYTHONIOENCODING") or None
    at_once = bool(environment.get("PYTHONUNBUFFERED"))
    sys.stdin = sys.__stdin__ = os.fdopen(0, encoding=encoding, closefd=False)
    sys.stdout = sys.__stdout__ = os.fdopen(1, "w", encoding=encoding, closefd=False)
    sys.stderr = sys.__stderr__ = os.fdopen(2, "w", encoding=encoding, errors="backslashreplace", closefd=False)
    sys.stdout.reconfigure(write_through=at_once)
    sys.stderr.reconfigure(line_buffering=True, write_through=at_once)


def _take_defaults():
    """What pytest has put in place of Python's own."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.excepthook, sys.unraisablehook = sys.__excepthook__, sys.__unraisablehook__
    threading.excepthook = threading.__excepthook__
    warnings.resetwarnings()
    for category in (DeprecationWarning, PendingDeprecationWarning, ImportWarning, ResourceWarning):
        warnings.simplefilter("ignore", category)
    atexit._clear()
    atexit.register(weakref.finalize._exitfunc)
    if util := sys.modules.get("multiprocessing.util"):
        atexit.register(util._exit_function)


def _run(words):
    """As `python words`."""
    first, *rest = words
    sys.path.insert(0, str(Path(first).parent) if first[0] != "-" else "")
    if first == "-c":
        main = types.ModuleType("__main__")
        sys.modules["__main__"], sys.argv = main, ["-c", *rest[1:]]
        exec(compile(rest[0], "<string>", "exec"), vars(main))
    elif first == "-m":
        sys.argv = rest
        runpy.run_module(rest[0], run_name="__main__", alter_sys=True)
    else:
        sys.argv = words
        runpy.run_path(first, run_name="__main__")


def _code_of(run):
    """What Python would return; an interruption that nobody caught ends it by the signal."""
    try:
        run()
    except SystemExit as end:
        if end.code is None or isinstance(end.code, int):
            return end.code or 0
        print(end.code, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        traceback.print_exc()
        _end()
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


def _end():
    """As when Python ends: threads, what was to be done at the end, and what is still to be printed."""
    threading._shutdown()
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
