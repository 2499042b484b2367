"""Damaged comparisons files: never opened as if nothing were, never changed, and what can be read is kept."""

import json
import re
import sqlite3
from contextlib import closing

import pytest

from src.common.errors import UserError
from src.ratings import damage
from src.ratings.damage import find_damage
from src.ratings.database import Comparisons
from tests.comparisons_file import CHOICES, as_a_scorer_leaves_it


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return as_a_scorer_leaves_it(tmp_path_factory.mktemp("whole") / "comparisons.sqlite")


@pytest.fixture(autouse=True)
def few_ids_beyond(monkeypatch):
    """After which a table is taken to end: more than are in any, but no thousand of each, looked for one by one."""
    monkeypatch.setattr(damage, "BEYOND", 2 * CHOICES)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "comparisons.sqlite"


def rescued(path):
    return path.with_name("comparisons.rescued.sqlite")


def test_a_whole_file_has_no_damage_and_neither_has_one_that_is_not_there(path, whole):
    assert find_damage(path) == ""
    path.write_bytes(whole)
    assert find_damage(path) == ""
    path.write_bytes(b"relative_path,score")
    assert find_damage(path) == ""


@pytest.mark.parametrize("cut", [1, 1000, 4096, 5000, 20000])
def test_a_file_cut_short_is_refused_kept_and_rescued(path, whole, cut):
    path.write_bytes(whole[:-cut])
    for attempt in ("what can be read is in", "what could be read at an earlier start is in"):
        with pytest.raises(
            UserError, match=f"is damaged .* and stays as it is; {attempt} comparisons.rescued.sqlite"
        ):
            Comparisons(path, "me")
    assert path.read_bytes() == whole[:-cut]
    with Comparisons(rescued(path), "me") as database:
        log = database.log("me")
    assert len(log) <= CHOICES
    with closing(sqlite3.connect(path.with_name("before.sqlite"))) as raw:
        path.with_name("before.sqlite").write_bytes(whole)
        before = dict(raw.execute("SELECT id, shown FROM comparisons"))
    shown = [log.images[log.screen(c)].tolist() for c in range(len(log))]
    assert [before[i] for i in log.ids.tolist()] == [str(one) for one in shown]


def test_how_many_are_missing_is_said_wherever_the_damage_is(path, whole):
    gaps = set()
    for start in range(4096, len(whole), 4096):
        path.write_bytes(whole[:start] + bytes(4096) + whole[start + 4096 :])
        rescued(path).unlink(missing_ok=True)
        with pytest.raises(UserError) as error:
            Comparisons(path)
        with closing(sqlite3.connect(rescued(path))) as raw:
            count, last = raw.execute("SELECT count(*), ifnull(max(id), 0) FROM comparisons").fetchone()
        missing = re.search(r"(\d+) of those before are missing", str(error.value))
        said = int(missing[1]) if missing else 0
        assert f"{count} comparison" in str(error.value)
        assert last <= count + said <= CHOICES
        assert "later ones may be missing too" in str(error.value)
        gaps.add(said)
    assert max(gaps) > 5


def changed(path, whole, number, change):
    """The file with another text in `shown` of this comparison, and cut short, as all that is rescued is of such."""
    path.write_bytes(whole)
    with closing(sqlite3.connect(path)) as raw:
        shown = raw.execute("SELECT shown FROM comparisons WHERE id = ?", (number,)).fetchone()[0]
    new = change(shown, *json.loads(shown))
    assert (whole.count(shown.encode()), len(new)) == (1, len(shown))
    path.write_bytes(whole.replace(shown.encode(), new.encode())[:-1])


@pytest.mark.parametrize(
    "change",
    [
        lambda text, best, other: text.replace("[", "x"),
        lambda text, best, other: text.replace(", ", "  "),
        lambda text, best, other: f"[{best}, {best}]",
        lambda text, best, other: f"[{other}, {100 - other}]",  # without the one that was chosen
    ],
)
def test_a_comparison_that_makes_no_sense_is_left_out(path, whole, change):
    changed(path, whole, 3, change)
    with pytest.raises(UserError, match=f"{CHOICES - 1} comparisons.* 1 of those before"):
        Comparisons(path)


def test_rows_are_looked_for_beyond_the_highest_id_that_is_known(path, whole, monkeypatch):
    monkeypatch.setattr(damage, "BEYOND", CHOICES // 4)
    monkeypatch.setattr(damage, "_last_id", lambda *_: 0)  # neither the table nor its indices say it
    changed(path, whole, 1, lambda text, best, other: f"[{best}, {best}]")
    with pytest.raises(UserError, match=f"{CHOICES - 1} comparisons"):
        Comparisons(path)


def test_lost_images_and_sessions_cost_no_choice(path, whole):
    path.write_bytes(whole)
    with closing(sqlite3.connect(path)) as raw:
        root, size = (raw.execute(sql).fetchone()[0] for sql in (
            "SELECT rootpage FROM sqlite_master WHERE name = 'sessions'", "PRAGMA page_size"))  # fmt: skip
    data = bytearray(whole)
    data[(root - 1) * size : root * size] = bytes(size)
    path.write_bytes(data)
    with pytest.raises(UserError, match=f"{CHOICES} comparisons"):
        Comparisons(path)
    with Comparisons(rescued(path)) as database:
        log = database.log()
    assert log.rater_names == ("unknown",)
    assert len(log) == CHOICES - CHOICES // 10


def test_what_sqlite_says_of_bytes_that_are_no_text_is_one_sentence(path, whole):
    named = whole.index(b"CREATE TABLE")
    path.write_bytes(whole[:named] + b"CREATE \xa1\xa1" + whole[named + 9 :])
    with pytest.raises(UserError, match="is damaged") as error:
        Comparisons(path)
    assert "\n" not in str(error.value)


def test_who_puts_a_backup_in_its_place_is_told_what_else_to_delete(path, whole):
    path.write_bytes(whole[:-1000])
    path.with_name("comparisons.sqlite-journal").write_bytes(b"")
    with pytest.raises(UserError, match=r"a backup in its place with .*comparisons\.sqlite-journal deleted, or give"):
        Comparisons(path)
