"""Atomic writes."""

import os
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from src.common.errors import UserError, run
from src.common.files import copy_to, plain, replacing, write_text
from tests import ROOT


def test_a_file_is_replaced_whole_and_nothing_is_left_beside_it(tmp_path):
    path = tmp_path / "a.txt"
    write_text(path, "old")
    write_text(path, "new\n")
    assert path.read_bytes() == b"new\n"
    assert [file.name for file in tmp_path.iterdir()] == ["a.txt"]


@pytest.mark.skipif(os.name == "nt", reason="links need a privilege on Windows")
def test_a_path_loses_its_detours_unless_a_link_makes_them_matter(tmp_path, monkeypatch):
    (tmp_path / "new").mkdir()
    (tmp_path / "far" / "away").mkdir(parents=True)
    assert plain(tmp_path / "new" / ".." / "far" / "a.pth") == tmp_path / "far" / "a.pth"
    monkeypatch.chdir(tmp_path / "new")
    assert plain(Path("../new/../far/a.pth")) == Path("../far/a.pth")
    assert plain(Path("none/../a.pth")) == Path("none/../a.pth")
    (tmp_path / "link").symlink_to(tmp_path / "far" / "away")
    assert plain(tmp_path / "link" / ".." / "a.pth") == tmp_path / "link" / ".." / "a.pth"  # far/a.pth


def test_an_error_in_the_middle_leaves_the_old_file(tmp_path):
    path = tmp_path / "a.txt"
    write_text(path, "old")
    with suppress(RuntimeError), replacing(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert path.read_text() == "old"
    assert [file.name for file in tmp_path.iterdir()] == ["a.txt"]


def test_kill_9_in_the_middle_leaves_the_old_file(tmp_path):
    path = tmp_path / "a.txt"
    write_text(path, "old")
    code = (
        "import sys, time; from pathlib import Path; from src.common.files import replacing\n"
        "with replacing(Path(sys.argv[1])) as part:\n"
        "    part.write_text('half'); print('writing', flush=True); time.sleep(60)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(path)], cwd=ROOT, stdout=subprocess.PIPE)
    assert process.stdout.readline().strip() == b"writing"
    process.kill()
    process.wait()
    assert path.read_text() == "old"


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(UserError, match=r"none.a.txt: can't be written .*name a folder that exists"):
        write_text(tmp_path / "none" / "a.txt", "x")


def test_a_full_disk_is_said_and_leaves_the_old_file(tmp_path):
    path = tmp_path / "a.txt"
    write_text(path, "old")
    said = r"a\.txt: can't be written \(No space left.*\); close .* or make room"
    with pytest.raises(UserError, match=said), replacing(path):
        raise OSError(28, "No space left on device")
    assert path.read_text() == "old"
    assert [file.name for file in tmp_path.iterdir()] == ["a.txt"]


def test_what_can_not_be_copied_is_named(tmp_path):
    with pytest.raises(UserError, match=r"new: can't be written, for .*old can't be had \(No such file"):
        copy_to(tmp_path / "old", tmp_path / "new")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("seconds", [0.3, 30])
def test_a_file_that_something_has_open_is_replaced_within_a_second_or_it_is_said(tmp_path, monkeypatch, seconds):
    path, start, replace = tmp_path / "a.txt", time.monotonic(), Path.replace
    write_text(path, "old")

    def held_open(self, target):
        if time.monotonic() < start + seconds:
            raise PermissionError(13, "Permission denied")  # as Windows does
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", held_open)
    if seconds < 1:
        write_text(path, "new")
    else:
        with pytest.raises(UserError, match=r"a\.txt: can't be written \(Permission denied\); close what has it"):
            write_text(path, "new")
    assert time.monotonic() - start < 5
    assert path.read_text() == ("new" if seconds < 1 else "old")
    assert [file.name for file in tmp_path.iterdir()] == ["a.txt"]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no permission bits")
def test_a_replaced_file_keeps_its_permissions_and_a_new_one_gets_the_usual(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    usual = path.stat().st_mode
    write_text(tmp_path / "new.txt", "x")
    assert (tmp_path / "new.txt").stat().st_mode == usual
    path.chmod(0o640)
    write_text(path, "new")
    assert path.stat().st_mode & 0o777 == 0o640


def test_a_copy_has_the_same_bytes(tmp_path):
    (tmp_path / "a").write_bytes(b"\x00\xff")
    copy_to(tmp_path / "a", tmp_path / "b")
    assert (tmp_path / "b").read_bytes() == b"\x00\xff"


def test_a_usererror_ends_a_script_with_2_and_ctrl_c_with_130(capsys):
    def fails():
        raise UserError("a.csv: no column 'score'")

    def interrupted():
        raise KeyboardInterrupt

    for main, code, text in (
        (fails, 2, "error: a.csv: no column 'score'\n"),
        (interrupted, 130, "stopped by Ctrl-C"),
    ):
        with pytest.raises(SystemExit) as end:
            run(main)
        assert end.value.code == code
        assert capsys.readouterr().err.startswith(text)
