"""Watching a folder, with a clock of the test's own."""

import shutil

import pytest

from src.common.errors import UserError
from src.scoring.watch import Watch, image_path, states_of


class Folder:
    """Records what a Watch hands over; `broken` are not readable."""

    def __init__(self, directory, seen=()):
        self.handled, self.reported, self.broken = [], [], set()
        seen = states_of(directory, seen)
        self.watch = Watch(directory, seen, self.handle, lambda path, reason: self.reported.append((path, reason)))
        self.start = None

    def handle(self, paths):
        self.handled.append(sorted(paths))
        return {path: "truncated" for path in paths if path in self.broken}

    def at(self, seconds, *noticed):
        """What happens at this second, after these files changed."""
        for path in noticed:
            known = path in self.watch.waiting
            self.watch.notice(path)
            if not known and path in self.watch.waiting:
                self.watch.waiting[path].since = seconds
        self.watch.step(seconds)
        return self.handled.pop() if self.handled else []


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "old.png").write_text("old")
    return Folder(tmp_path, ["old.png"])


def test_a_file_is_handled_once_it_has_not_changed_for_a_second(folder, tmp_path):
    (tmp_path / "a.png").write_text("half")
    assert folder.at(0, "a.png") == []
    assert folder.at(0.9) == []
    (tmp_path / "a.png").write_text("half and whole")
    assert folder.at(1.1) == []
    assert folder.at(2.0) == []
    assert folder.at(2.2) == ["a.png"]
    assert folder.at(9, "a.png") == []


def test_files_that_were_there_are_left_alone_until_they_change(folder, tmp_path):
    assert folder.at(0, "old.png") == []
    assert folder.at(5) == []
    (tmp_path / "old.png").write_text("new content")
    folder.at(6, "old.png")
    assert folder.at(8) == ["old.png"]


def test_a_file_that_is_not_readable_yet_is_tried_again_when_it_changes(folder, tmp_path):
    (tmp_path / "a.png").write_text("half")
    folder.broken.add("a.png")
    folder.at(0, "a.png")
    assert folder.at(2) == ["a.png"]
    assert folder.at(4) == []
    (tmp_path / "a.png").write_text("half and whole")
    folder.broken.clear()
    assert folder.at(10) == []
    assert folder.at(12) == ["a.png"]
    assert folder.reported == []


def test_a_file_that_stays_unreadable_is_reported_once(folder, tmp_path):
    (tmp_path / "a.png").write_text("never")
    folder.broken.add("a.png")
    folder.at(0, "a.png")
    for second in range(2, 100):
        folder.at(second, "a.png")
    assert folder.reported == [("a.png", "truncated")]


def test_an_unreadable_file_is_reported_a_few_seconds_later_and_again_when_it_has_changed_to_no_avail(
    folder, tmp_path
):
    folder.broken.add("a.png")
    for content, start in (("never", 0), ("neither", 20)):
        (tmp_path / "a.png").write_text(content)
        folder.at(start, "a.png")
        folder.at(start + 2)
        assert len(folder.reported) == start / 20
        for second in range(3, 12):
            folder.at(start + second, "a.png")
        assert len(folder.reported) == start / 20 + 1


def test_who_stops_before_that_is_told_then(folder, tmp_path):
    (tmp_path / "a.png").write_text("never")
    folder.broken.add("a.png")
    folder.at(0, "a.png")
    folder.at(2)
    folder.watch.give_up()
    folder.watch.give_up()
    assert folder.reported == [("a.png", "truncated")]


def test_a_file_that_changed_since_its_state_was_taken_is_handled(tmp_path):
    (tmp_path / "a.png").write_text("half")
    folder = Folder(tmp_path, ["a.png"])
    (tmp_path / "a.png").write_text("half and whole")
    folder.at(0, "a.png")
    assert folder.at(2) == ["a.png"]


def test_a_temporary_file_that_goes_again_is_forgotten(folder, tmp_path):
    (tmp_path / "a.png").write_text("x")
    folder.at(0, "a.png")
    (tmp_path / "a.png").unlink()
    assert folder.at(5) == []
    assert folder.watch.waiting == {}


def test_only_images_that_a_listing_would_find_count(tmp_path):
    assert image_path(tmp_path, str(tmp_path / "sub" / "a.PNG")) == "sub/a.PNG"
    for name in ("a.txt", ".hidden/a.png", ".a.png", "a.png.part"):
        assert image_path(tmp_path, str(tmp_path / name)) is None
    assert image_path(tmp_path / "in", str(tmp_path / "a.png")) is None


def test_a_folder_that_is_taken_away_is_not_waited_for_in_silence(tmp_path):
    directory = tmp_path / "photos"
    directory.mkdir()
    (directory / "a.png").write_text("a")

    def handle(paths):
        shutil.rmtree(directory)
        return {}

    with pytest.raises(UserError, match="photos: the folder is no longer there"):
        Watch(directory, {}, handle, print, settled_seconds=0).run()
