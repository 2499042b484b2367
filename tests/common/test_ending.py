"""The end of a script."""

import os
import subprocess
import sys
import time

import pytest

from tests import ROOT

SCRIPT = """
import atexit, sys, threading, time
from src.common import UserError, run_script
class Slow:
    def __del__(self):
        time.sleep(5)
kept = [Slow()]
atexit.register(lambda: print("at the end", flush=True))
def main():
    threading.Thread(target=lambda: (time.sleep(0.1), print("thread", flush=True))).start()
    print("main")
    {end}
run_script(main)
"""


@pytest.mark.parametrize(
    ("end", "code", "said"),
    [
        ("pass", 0, ""),
        ("sys.exit(3)", 3, ""),
        ("sys.exit('no')", 1, "no\n"),
        ("raise UserError('a: is wrong')", 2, "error: a: is wrong\n"),
        ("raise KeyboardInterrupt", 130, "stopped by Ctrl-C; what was finished is kept\n"),
    ],
)
def test_a_script_ends_at_once_with_its_code_and_all_that_is_to_be_done(end, code, said):
    begin = time.monotonic()
    command = [sys.executable, "-c", SCRIPT.format(end=end)]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=20)
    assert (ended.returncode, ended.stdout, ended.stderr) == (code, "main\nthread\nat the end\n", said)
    assert time.monotonic() - begin < 4.5


def test_an_error_of_ours_still_has_its_traceback():
    command = [sys.executable, "-c", SCRIPT.format(end="kept.clear; 1 / 0").replace("time.sleep(5)", "pass")]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=20)
    assert ended.returncode == 1
    assert ended.stderr.endswith("ZeroDivisionError: division by zero\n")


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGHUP")
@pytest.mark.parametrize(
    ("between", "code"),
    [
        ("signal.raise_signal(signal.SIGHUP)", 129),
        ("signal.raise_signal(signal.SIGTERM)", 143),
        # As a web server does: it ends its loop first, and raises the signal again when it has.
        (
            "before, seen = signal.signal(signal.SIGTERM, lambda *_: seen.append(1)), []\n"
            "signal.raise_signal(signal.SIGHUP)\nassert seen == [1]\n"
            "signal.signal(signal.SIGTERM, before)\nsignal.raise_signal(signal.SIGTERM)",
            129,
        ),
        ("signal.signal(signal.SIGTERM, signal.SIG_IGN)\nsignal.raise_signal(signal.SIGHUP)", 129),
    ],
)
def test_signals_end_it_as_an_exit_does_and_a_server_first_in_good_order(tmp_path, between, code):
    script = f"import signal\nfrom src.common import end_on_signals\nend_on_signals()\ntry:\n    exec({between!r})\n"
    script += f"finally:\n    open({str(tmp_path / 'ended')!r}, 'w').close()\n"
    ended = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, timeout=20)
    assert ended.returncode == code
    assert (tmp_path / "ended").exists()
