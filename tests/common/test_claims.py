"""One program at a time on one file."""

import os
import signal
import subprocess
import sys

import pytest

from src.common.claims import claimed
from src.common.errors import UserError
from tests import ROOT

HOLD = """
import sys
from pathlib import Path
from src.common.claims import claimed
with claimed(Path(sys.argv[1]), "the training run 'faces'"):
    print("held", flush=True)
    sys.stdin.read()
"""


def holder(path):
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "held\n"
    return process


def test_the_second_is_refused_and_told_who_is_there(tmp_path):
    path = tmp_path / "model.safetensors"
    with holder(path) as first:
        message = rf"model\.safetensors: the training run 'faces' \(process {first.pid}, since \d\d:\d\d\) is writing"
        with pytest.raises(UserError, match=message), claimed(path, "another"):
            pass
        first.communicate("")
    with claimed(path, "another"):
        pass
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.name == "nt", reason="SIGKILL is POSIX's")
def test_a_claim_ends_with_its_process(tmp_path):
    path = tmp_path / "model.safetensors"
    with holder(path) as first:
        first.send_signal(signal.SIGKILL)
        first.wait()
    with claimed(path, "another"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_where_there_are_no_locks_nobody_is_refused(tmp_path, monkeypatch):
    def refused(*_):
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr("filelock.FileLock.acquire", refused)
    with claimed(tmp_path / "a", "one"), claimed(tmp_path / "a", "two"):
        pass
