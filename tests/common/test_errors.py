"""How every script ends, with whoever reads its output gone."""

import os
import subprocess
import sys

import pytest

from src.common.errors import first_line
from tests import ROOT

MAIN = """
import sys; sys.path.insert(0, {root!r})
from src.common.errors import UserError, run
def main():
    {body}
run(main)
"""


def end(body, reader_stays=False):
    """(exit code, stderr) of a script whose output is read to its first line, or not at all."""
    command = [sys.executable, "-c", MAIN.format(root=str(ROOT), body=body)]
    buffered = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=buffered)
    if reader_stays:
        _, notes = process.communicate(timeout=20)
        return process.returncode, notes
    process.stdout.close()
    notes = process.stderr.read()
    process.stderr.close()
    return process.wait(20), notes


@pytest.mark.parametrize("body", ["print('much ' * 100_000)", "import time; time.sleep(0.1); print('little')"])
def test_a_script_whose_reader_has_gone_ends_without_a_word(body):
    assert end(body) == (141, "")
    assert end(body, reader_stays=True) == (0, "")


def test_an_error_is_said_also_when_nobody_reads_the_output():
    assert end("print('little'); raise UserError('a: is wrong')")[1] == "error: a: is wrong\n"


def test_another_broken_pipe_is_not_hidden():
    code, notes = end("import os; r, w = os.pipe(); os.close(r); os.write(w, b'a')", reader_stays=True)
    assert code == 1
    assert notes.splitlines()[-1].startswith("BrokenPipeError")


@pytest.mark.parametrize(
    ("error", "line"), [(OSError(), "OSError"), (ValueError(" \n"), "ValueError"), (ValueError("\na\nb"), "a")]
)
def test_the_first_line_of_an_error_is_its_type_where_it_says_nothing(error, line):
    assert first_line(error) == line
    assert len(first_line(ValueError("much " * 1000))) == 200


@pytest.mark.parametrize("encoding", ["cp1252", "utf-8"])
def test_a_name_that_the_output_has_no_form_for_is_escaped(encoding):
    body = "print('\\u732b \\udcff.png'); raise UserError('\\u732b.png: is wrong')"
    command = [sys.executable, "-c", MAIN.format(root=str(ROOT), body=body)]
    ended = subprocess.run(command, capture_output=True, env={**os.environ, "PYTHONIOENCODING": encoding}, timeout=20)
    cat = "\\u732b" if encoding == "cp1252" else "\u732b"
    assert (ended.returncode, ended.stdout.decode(encoding).strip()) == (2, f"{cat} \\udcff.png")
    assert ended.stderr.decode(encoding).strip() == f"error: {cat}.png: is wrong"


@pytest.mark.skipif(os.name == "nt", reason="there is no head on Windows")
def test_the_list_of_image_models_may_be_cut_short():
    script = f"{sys.executable} aesthetic_predictor_training.py --list_extractors | head -1"
    ended = subprocess.run(["bash", "-c", f"set -o pipefail; {script}"], cwd=ROOT, capture_output=True, text=True)
    assert ended.returncode in (0, 141)
    assert "Error" not in ended.stderr
    assert len(ended.stdout.splitlines()) == 1


CALLBACK = """
    import signal, time, weakref
    class Thing: pass
    def gone(_): signal.raise_signal(signal.SIGINT)
    thing = Thing()
    kept = weakref.ref(thing, gone)
    del thing
    time.sleep(60)
    print("went on", file=sys.stderr)
"""


def test_ctrl_c_is_not_lost_where_python_only_reports_it():
    """As while matplotlib draws, whose figures are kept by weak references."""
    assert end(CALLBACK, reader_stays=True) == (130, "stopped by Ctrl-C; what was finished is kept\n")
