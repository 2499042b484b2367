"""Atomic writes."""

import errno
import os
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from src.common.errors import UserError, run
from src.common.files import check_writable, copy_to, plain, replacing, write_text
from src.common.parts import part_prefix, remove_parts
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


@pytest.mark.skipif(os.name == "nt", reason="links need a privilege on Windows")
def test_what_a_link_leads_to_is_replaced_and_the_link_stays(tmp_path):
    (tmp_path / "far").mkdir()
    link, itself = tmp_path / "link.csv", tmp_path / "far" / "itself.csv"
    itself.write_text("old")
    itself.chmod(0o640)
    (tmp_path / "next.csv").symlink_to(Path("far") / "itself.csv")
    link.symlink_to("next.csv")
    check_writable("outfile", link)
    write_text(link, "new")
    assert itself.read_text() == link.read_text() == "new"
    assert link.is_symlink()
    assert itself.stat().st_mode & 0o777 == 0o640
    assert sorted(file.name for file in tmp_path.rglob("*")) == ["far", "itself.csv", "link.csv", "next.csv"]


@pytest.mark.skipif(os.name == "nt", reason="links need a privilege on Windows")
@pytest.mark.parametrize("leads_to", ["nowhere", "link.csv"])
def test_a_link_to_nowhere_or_in_circles_gives_way_to_the_file(tmp_path, leads_to):
    link = tmp_path / "link.csv"
    link.symlink_to(leads_to)
    check_writable("outfile", link)
    write_text(link, "new")
    assert link.read_text() == "new"
    assert [file.name for file in tmp_path.iterdir()] == ["link.csv"]


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
    remove_parts.cache_clear()  # as in a new process
    assert len(list(tmp_path.iterdir())) == 2
    write_text(path, "new")
    assert [file.name for file in tmp_path.iterdir()] == ["a.txt"]  # what the killed one left is gone


def test_what_a_living_process_or_another_machine_writes_is_left_alone_while_it_is_new(tmp_path):
    (tmp_path / "other.part").touch()  # another program's
    for name, old in (("alive", False), ("alive", True), ("elsewhere", False), ("elsewhere", True)):
        prefix = part_prefix(tmp_path / name)
        machine, process = prefix.rstrip("-").rpartition(".")[2].split("-")
        prefix = prefix.replace(machine, "0123abcd") if name == "elsewhere" else prefix.replace(process, "1")
        part = tmp_path / f"{prefix}{'old' if old else 'new'}.part"
        part.touch()
        age = 0 if not old else 100_000
        os.utime(part, (time.time() - age, time.time() - age))
    remove_parts(tmp_path)
    left = sorted(path.name.partition(".")[2].split(".")[0] + path.name[-8:] for path in tmp_path.glob(".*"))
    assert left == ["alivenew.part", "elsewherenew.part"]
    assert (tmp_path / "other.part").exists()


@pytest.mark.parametrize("name", ["a" * 255, "é" * 127, "日" * 85])
def test_a_name_of_255_bytes_is_written_and_a_longer_one_is_said(tmp_path, name):
    write_text(tmp_path / name, "new")
    assert [file.name for file in tmp_path.iterdir()] == [name]
    with pytest.raises(UserError, match=r"can't be written \(File name too long\); give it a shorter name"):
        write_text(tmp_path / f"{name}aa", "new")
    with pytest.raises(UserError, match=r"a\?b: is no name of a file .*; name another"):
        write_text(tmp_path / "a\0b", "new")


def refusing(number, only_folders=False):
    """An fsync that a file system refuses with this errno."""

    def fsync(descriptor):
        if not only_folders or os.path.isdir(f"/proc/self/fd/{descriptor}"):  # noqa: PTH112
            raise OSError(number, os.strerror(number))

    return fsync


@pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOTSUP, errno.ENOSYS, errno.EIO])
def test_a_file_system_that_flushes_no_folders_is_written_to_all_the_same(tmp_path, monkeypatch, number):
    monkeypatch.setattr(os, "fsync", refusing(number, only_folders=True))
    write_text(tmp_path / "a.txt", "new")
    assert (tmp_path / "a.txt").read_text() == "new"


@pytest.mark.parametrize(("number", "written"), [(errno.EINVAL, True), (errno.EIO, False), (errno.ENOSPC, False)])
def test_a_flush_that_is_not_known_is_passed_over_and_one_that_fails_is_an_error(
    tmp_path, monkeypatch, number, written
):
    write_text(tmp_path / "a.txt", "old")
    monkeypatch.setattr(os, "fsync", refusing(number))
    with suppress(UserError):
        write_text(tmp_path / "a.txt", "new")
    assert (tmp_path / "a.txt").read_text() == ("new" if written else "old")
    assert len(list(tmp_path.iterdir())) == 1


def test_a_file_system_without_permissions_is_written_to_all_the_same(tmp_path, monkeypatch):
    def chmod(*_):
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(Path, "chmod", chmod)
    write_text(tmp_path / "a.txt", "new")
    assert (tmp_path / "a.txt").read_text() == "new"


def test_a_place_that_can_not_be_written_is_known_before_the_work(tmp_path, monkeypatch):
    check_writable("savefile", tmp_path / "a.csv")
    (tmp_path / "folder.csv").mkdir()
    for name, said in (
        ("none/a.csv", "there is no folder .*none; make it first"),
        ("folder.csv", "is a folder; name a file"),
        ("a" * 252 + ".csv", "File name too long.*shorter name"),
        ("a\0.csv", "null"),
    ):
        with pytest.raises(UserError, match=f"--savefile=.*{said}"):
            check_writable("savefile", tmp_path / name)

    def mkstemp(**_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("tempfile.mkstemp", mkstemp)
    with pytest.raises(
        UserError, match=r"--savefile=.*a\.csv: can't be written \(Permission denied\); name a folder"
    ):
        check_writable("savefile", tmp_path / "a.csv")
    assert [path.name for path in tmp_path.iterdir()] == ["folder.csv"]


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
    path, replace, waited = tmp_path / "a.txt", Path.replace, []
    write_text(path, "old")

    def held_open(self, target):
        if sum(waited) < seconds:
            raise PermissionError(13, "Permission denied")  # as Windows does
        return replace(self, target)

    monkeypatch.setattr(time, "sleep", waited.append)
    monkeypatch.setattr(Path, "replace", held_open)
    if seconds < 1:
        write_text(path, "new")
    else:
        with pytest.raises(UserError, match=r"a\.txt: can't be written \(Permission denied\); close what has it"):
            write_text(path, "new")
    assert sum(waited) == pytest.approx(min(seconds, 1))
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
