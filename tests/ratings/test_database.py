"""The comparisons database: nothing lost, nothing rewritten, and clear refusals."""

import os
import random
import re
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing

import numpy as np
import pytest

from src.common.errors import UserError
from src.ratings import schema
from src.ratings.database import Comparisons
from src.ratings.log import CHOICE, SKIP, TIE
from src.ratings.schema import APPEND_ONLY, VERSION
from tests import ROOT
from tests.forks import start

IMAGES = {"a.jpg": "A", "b.jpg": "B", "sub/c.jpg": "C", "d.jpg": "D"}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "comparisons.sqlite"


@pytest.fixture
def database(path):
    with Comparisons(path, rater="ann") as database:
        database.register(IMAGES)
        yield database


def query(path, sql):
    with closing(sqlite3.connect(path)) as connection, connection:
        return connection.execute(sql).fetchall()


def run_python(code, *arguments):
    """A Python process of its own which runs `code` in the project's folder."""
    command = [sys.executable, "-c", code, *map(str, arguments)]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    return start(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)


def test_a_choice_comes_back_as_it_was_made(path, database):
    kept = database.add_choice([3, 1], 1, 1.25, predicted=3)
    tie = database.add_choice([1, 2, 4], None, 2.0, kind="tie")
    skip = database.add_choice([2, 4], None, kind="skip")
    with Comparisons(path) as again:
        log = again.log()
    assert log.images.tolist() == [1, 2, 3, 4]
    assert log.ids.tolist() == [kept, tie, skip]
    assert log.kinds.tolist() == [CHOICE, TIE, SKIP]
    assert log.winners.tolist() == [0, -1, -1]
    assert [log.screen(c).tolist() for c in range(3)] == [[2, 0], [0, 1, 3], [1, 3]]
    assert log.seconds[:2].tolist() == [1.25, 2.0]
    assert np.isnan(log.seconds[2])
    assert log.predicted.tolist() == [2, -1, -1]
    assert log.repeat_of.tolist() == [0, 0, 0]


def test_an_empty_database_gives_an_empty_log(path):
    with Comparisons(path) as database:
        log = database.log()
    assert len(log) == 0
    assert len(log.images) == 0
    assert len(log.pairs.winners) == 0
    assert log.comparisons.tolist() == []


def test_undone_choices_leave_the_log_but_not_the_file(path, database):
    first, second = database.add_choice([1, 2], 1), database.add_choice([2, 3], 3)
    database.undo(first)
    assert database.log().ids.tolist() == [second]
    assert query(path, "SELECT count(*) FROM comparisons") == [(2,)]
    assert query(path, "SELECT kind, comparison_id FROM events") == [("undo", first)]


def test_what_was_taken_back_is_counted_by_image_and_rater(path, database):
    for shown in ([1, 2], [1, 3], [2, 3]):
        comparison = database.add_choice(shown, shown[0])
        if 1 in shown:
            database.undo(comparison)
    assert database.taken_back() == {1: 2, 2: 1, 3: 1}
    with Comparisons(path, rater="somebody else") as other:
        assert other.taken_back() == {}


def test_undo_goes_back_step_by_step_in_this_session_only(path, database):
    earlier = database.add_choice([1, 2], 1)
    with Comparisons(path, rater="ann") as other:
        first = other.add_choice([1, 2], 2)
        second = other.add_choice([4, 3], None, kind="skip")
        last = other.last_comparison()
        assert (last.id, last.kind, last.shown, last.winner) == (second, "skip", (4, 3), None)
        other.undo(second)
        assert other.last_comparison().id == first
        other.undo(first)
        assert other.last_comparison() is None
    assert database.last_comparison().id == earlier


def test_undoing_twice_or_what_never_was_is_refused(database):
    comparison = database.add_choice([1, 2], 1)
    database.undo(comparison)
    with pytest.raises(UserError, match=f"comparison {comparison} is undone already"):
        database.undo(comparison)
    with pytest.raises(UserError, match="no comparison 99 to undo"):
        database.undo(99)


def test_an_excluded_image_stays_excluded_until_it_is_included(path, database):
    database.exclude(2, "broken")
    database.exclude(3)
    database.include(3)
    assert database.excluded() == {2: "broken"}
    with Comparisons(path) as again:
        assert again.excluded() == {2: "broken"}
        assert again.log().excluded.tolist() == [False, True, False, False]


def test_comparisons_of_an_excluded_image_still_count(database):
    database.add_choice([1, 2], 1)
    database.exclude(2)
    assert len(database.log()) == 1


def test_a_log_of_one_rater_leaves_the_others_out(path, database):
    database.add_choice([1, 2], 1)
    with Comparisons(path, rater="bob") as bob:
        bob.add_choice([1, 2], 2)
    assert database.log("ann").winners.tolist() == [0]
    assert database.log("bob").winners.tolist() == [1]
    both = database.log()
    assert [both.rater_names[r] for r in both.raters] == ["ann", "bob"]


def test_hidden_repeats_are_flagged(database):
    first = database.add_choice([1, 2], 1)
    database.add_choice([2, 1], 1, repeat_of=first)
    assert database.log().repeat_of.tolist() == [0, first]


def test_the_latest_starting_rating_counts(database):
    database.add_starting_ratings({1: 0.5, 2: -1.0})
    database.add_starting_ratings({1: 0.75})
    np.testing.assert_array_equal(database.log().starting_ratings, [0.75, -1.0, np.nan, np.nan])


def test_settings_and_rater_are_kept_with_the_session(path, database):
    database.start_session({"pairing": "near", "number": 100})
    assert query(path, "SELECT rater, settings FROM sessions") == [("ann", '{"pairing": "near", "number": 100}')]


# --- images ---


def test_renamed_and_moved_images_keep_their_id(path, database):
    before = database.register(IMAGES).ids
    after = database.register({"new name.jpg": "A", "elsewhere/c.jpg": "C", "b.jpg": "B", "d.jpg": "D"})
    assert after.ids == {"new name.jpg": 1, "elsewhere/c.jpg": 3, "b.jpg": 2, "d.jpg": 4}
    assert after.moved == {"new name.jpg": "a.jpg", "elsewhere/c.jpg": "sub/c.jpg"}
    assert not after.added
    back = database.register(IMAGES)
    assert back.ids == before
    assert back.moved == {"a.jpg": "new name.jpg", "sub/c.jpg": "elsewhere/c.jpg"}
    history = query(path, "SELECT relative_path FROM image_paths WHERE image_id = 1 ORDER BY id")
    assert history == [("a.jpg",), ("new name.jpg",), ("a.jpg",)]


def test_registering_the_same_images_again_writes_nothing(path, database):
    again = database.register(IMAGES)
    assert not again.added
    assert not again.moved
    assert not again.replaced
    assert query(path, "SELECT count(*) FROM image_paths") == [(4,)]


def test_copies_of_one_content_are_one_image(path, database):
    found = database.register({**IMAGES, "copy of a.jpg": "A"})
    assert found.ids["copy of a.jpg"] == found.ids["a.jpg"] == 1
    assert not found.moved
    assert database.register({**IMAGES, "copy of a.jpg": "A"}).moved == {}
    assert query(path, "SELECT count(*) FROM image_paths") == [(5,)]


def test_a_path_with_new_content_is_a_new_image_and_is_told(database):
    database.add_choice([1, 2], 1)
    found = database.register({**IMAGES, "a.jpg": "A edited"})
    assert found.ids["a.jpg"] == 5
    assert found.added == {5}
    assert found.replaced == {"a.jpg": 1}
    assert database.log().comparisons.tolist() == [1, 1, 0, 0, 0]  # the old content keeps its history


def test_two_images_that_swap_names_keep_their_own_history(database):
    found = database.register({**IMAGES, "a.jpg": "B", "b.jpg": "A"})
    assert (found.ids["a.jpg"], found.ids["b.jpg"]) == (2, 1)
    assert found.moved == {"a.jpg": "b.jpg", "b.jpg": "a.jpg"}
    assert database.register({**IMAGES, "a.jpg": "B", "b.jpg": "A"}).moved == {}


def test_a_file_name_that_is_not_utf8_is_kept(database):
    odd = b"caf\xe9.jpg".decode("utf-8", "surrogateescape")
    assert database.register({odd: "E"}).ids == {odd: 5}
    assert not database.register({odd: "E"}).moved


# --- nothing is rewritten ---


@pytest.mark.parametrize("table", APPEND_ONLY)
@pytest.mark.parametrize(
    "statement",
    ["UPDATE {} SET id = id + 100", "DELETE FROM {}", "INSERT OR REPLACE INTO {} SELECT * FROM {} LIMIT 1"],
)
def test_rows_can_not_be_changed_removed_or_replaced(path, database, table, statement):
    first = database.add_choice([1, 2], 1)
    database.undo(first)
    database.add_starting_ratings({1: 0.5})
    assert database.hold_out(1.0, 0)
    database.reach(0.5, "order", 2)
    before = query(path, f"SELECT * FROM {table}")
    with pytest.raises(sqlite3.IntegrityError, match=f"{table} is append-only"):
        query(path, statement.format(table, table))
    assert query(path, f"SELECT * FROM {table}") == before


# --- nothing is lost ---

APPEND = """
import sys
from pathlib import Path
from src.ratings.database import Comparisons
print("ready")
with Comparisons(Path(sys.argv[1]), "child") as database:
    ids = sorted(database.register({f"{i}.jpg": str(i) for i in range(4)}).ids.values())
    for turn in range(int(sys.argv[2])):
        winner = ids[turn % 4]
        print(database.add_choice([winner, ids[(turn + 1) % 4]], winner, turn))
"""


@pytest.mark.script
def test_every_acknowledged_choice_survives_kill_9(path):
    acknowledged = []
    for round_ in range(4):
        child = run_python(APPEND, path, 1_000_000)
        assert child.stdout.readline() == "ready\n"
        acknowledged.append(int(child.stdout.readline()))
        time.sleep(random.Random(round_).uniform(0, 0.15))
        child.kill()
        acknowledged += [int(line) for line in child.stdout.read().splitlines(keepends=True) if line.endswith("\n")]
        child.wait()
        with Comparisons(path) as database:
            kept = set(database.log().ids.tolist())
        assert kept >= set(acknowledged)
        assert query(path, "PRAGMA integrity_check") == [("ok",)]
        assert query(path, "PRAGMA foreign_key_check") == []
    assert len(acknowledged) > 8
    assert len(acknowledged) == len(set(acknowledged))


@pytest.mark.script
def test_a_kill_while_the_file_is_made_leaves_one_that_opens(tmp_path):
    for round_ in range(4):
        path = tmp_path / f"{round_}.sqlite"
        child = run_python(APPEND, path, 1)
        assert child.stdout.readline() == "ready\n"
        time.sleep(round_ * 0.003)
        child.kill()
        child.wait()
        with Comparisons(path) as database:
            database.register(IMAGES)
            database.add_choice([1, 2], 1)
            assert len(database.log()) >= 1


@pytest.mark.script
def test_two_scorers_on_one_file_lose_nothing(path):
    children = [run_python(APPEND, path, 200) for _ in range(2)]
    said = [child.communicate(timeout=60)[0].splitlines()[1:] for child in children]
    printed = [[line for line in lines if not line.startswith("note:")] for lines in said]  # of one that had to wait
    assert [child.returncode for child in children] == [0, 0]
    assert sorted(int(line) for lines in printed for line in lines) == list(range(1, 401))
    with Comparisons(path) as database:
        log = database.log()
    assert len(log) == 400
    assert np.bincount(log.seconds.astype(int)).tolist() == [2] * 200  # each turn once from each


def test_many_scorers_may_make_one_new_file_at_once(tmp_path):
    for round_ in range(5):
        path, start = tmp_path / f"{round_}.sqlite", threading.Barrier(4)

        def choose(path=path, start=start):
            start.wait()
            with Comparisons(path) as database:
                database.register(IMAGES)
                database.add_choice([1, 2], 1)

        threads = [threading.Thread(target=choose) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert query(path, "SELECT count(*) FROM comparisons UNION ALL SELECT count(*) FROM images") == [(4,), (4,)]


def test_one_object_serves_several_threads(database):
    threads = [threading.Thread(target=lambda: [database.add_choice([1, 2], 1) for _ in range(20)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert database.log().ids.tolist() == list(range(1, 81))


def test_a_commit_is_on_the_disk_before_it_is_acknowledged(database):
    assert database._connection.execute("PRAGMA synchronous").fetchone() == (2,)  # 2 is FULL
    assert database._connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_a_refused_choice_leaves_nothing_behind(path, database):
    with pytest.raises(UserError):
        database.add_choice([1, 77], 1)
    assert query(path, "SELECT count(*) FROM comparisons") == [(0,)]
    query(path, "CREATE TRIGGER full BEFORE INSERT ON comparisons BEGIN SELECT RAISE(ABORT, 'disk is full'); END")
    with pytest.raises(UserError, match="the disk is full; make room"):
        database.add_choice([1, 2], 1)
    query(path, "DROP TRIGGER full")
    assert query(path, "SELECT count(*) FROM sessions") == [(0,)]
    database.add_choice([1, 2], 1)  # and the session that is begun now exists
    assert query(path, "PRAGMA foreign_key_check") == []


def test_a_log_is_of_one_moment_while_another_program_writes(path, database, monkeypatch):
    database.add_choice([1, 2], 1)
    read_the_rest = database._columns

    def write_in_between(rater):
        with Comparisons(path) as other:
            other.add_choice([other.register({"new.jpg": "new"}).ids["new.jpg"], 1], 1)
        return read_the_rest(rater)

    monkeypatch.setattr(database, "_columns", write_in_between)
    log = database.log()  # the images were read before, the comparisons after
    assert (len(log), len(log.images)) == (1, 4)
    monkeypatch.undo()
    assert (len(database.log()), len(database.log().images)) == (2, 5)


# --- clear refusals ---


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        (([1, 1], 1), {}, "2 to 9 different"),
        (([1], 1), {}, "2 to 9 different"),
        ((list(range(1, 11)), 1), {}, "2 to 9 different"),
        (([1, 2], 3), {}, "a choice with winner 3"),
        (([1, 2], None), {}, "a choice with winner None"),
        (([1, 2], 1), {"kind": "tie"}, "a tie with winner 1"),
        (([1, 2], 1), {"kind": "maybe"}, "'maybe'; it can be choice, tie, skip"),
        (([1, 2], 1, -1.0), {}, "-1.0 seconds; 0 or more"),
        (([1, 2], 1, float("nan")), {}, "nan seconds; 0 or more"),
        (([1, 77], 1), {}, "no image 77"),
        (([1, 2], 1), {"predicted": 3}, "image 3 was predicted to win, but not shown"),
        (([1, 2], 1), {"repeat_of": 55}, "doesn't repeat comparison 55"),
    ],
)
def test_a_screen_that_can_not_be_is_refused(database, arguments, options, message):
    with pytest.raises(UserError, match=re.escape(message)):
        database.add_choice(*arguments, **options)


def test_a_repeat_of_other_images_is_refused(database):
    first = database.add_choice([1, 2], 1)
    with pytest.raises(UserError, match=f"doesn't repeat comparison {first}"):
        database.add_choice([1, 3], 1, repeat_of=first)


def test_unknown_images_and_endless_ratings_are_refused(database):
    with pytest.raises(UserError, match="no image 9"):
        database.exclude(9)
    with pytest.raises(UserError, match="image 2: the starting rating is inf"):
        database.add_starting_ratings({1: 0.0, 2: float("inf")})
    with pytest.raises(UserError, match="image 12 isn't in the comparisons database"):
        database.log().rows([1, 12])


def test_a_file_that_is_no_database_is_refused_and_left_alone(path):
    path.write_bytes(b"relative_path,score\r\n" * 100)
    with pytest.raises(UserError, match="is no comparisons database; name another file with --comparisons"):
        Comparisons(path)
    assert path.read_bytes() == b"relative_path,score\r\n" * 100


def test_another_programs_sqlite_file_is_refused_and_left_alone(path):
    query(path, "CREATE TABLE photos (id INTEGER)")
    before = path.read_bytes()
    with pytest.raises(UserError, match="is an SQLite file, but no comparisons database"):
        Comparisons(path)
    assert path.read_bytes() == before


def test_a_newer_format_is_refused(path):
    Comparisons(path).close()
    query(path, f"PRAGMA user_version = {VERSION + 1}")
    with pytest.raises(UserError, match=f"newer version \\(format {VERSION + 1}, this one knows {VERSION}\\)"):
        Comparisons(path)


def test_a_folder_and_a_missing_folder_are_refused(tmp_path):
    with pytest.raises(UserError, match="can't be opened"):
        Comparisons(tmp_path)
    with pytest.raises(UserError, match="can't be opened"):
        Comparisons(tmp_path / "missing" / "comparisons.sqlite")


def refused(database):
    with pytest.raises(UserError, match="another program has been writing"):
        database.add_choice([1, 2], 1)


@pytest.fixture
def impatient(monkeypatch):
    """Before a database is opened: a twentieth of the second, and less of the ten, that a person's is waited for."""
    monkeypatch.setattr(schema, "NOTE_SECONDS", 0.05)
    monkeypatch.setattr(schema, "WAIT_SECONDS", 0.2)


def test_a_file_that_stays_locked_is_told_and_before_that_that_it_is_waited_for(path, impatient, database, capsys):
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        begun = time.monotonic()
        waiting = threading.Thread(target=refused, args=(database,))
        waiting.start()
        while "note:" not in (said := capsys.readouterr().out):
            assert time.monotonic() - begun < 10
            time.sleep(0.01)
        assert said == f"note: {path}: another program is writing; waiting for it ...\n"
        waiting.join()
        assert time.monotonic() - begun > 0.2
        refused(database)
        assert capsys.readouterr().out.count("note:") == 1
        other.execute("ROLLBACK")
    assert database.add_choice([1, 2], 1) == 1


def test_who_opens_a_file_that_another_program_has_to_itself_is_told_too(path, impatient, database, capsys):
    database.close()
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("PRAGMA locking_mode = EXCLUSIVE")
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(UserError, match="another program has been writing"):
            Comparisons(path)
    assert f"note: {path}: another program is writing" in capsys.readouterr().out


# --- a file that goes away while it is open ---


@pytest.mark.skipif(os.name == "nt", reason="Windows keeps a file that is open")
@pytest.mark.parametrize("how", ["deleted", "moved", "deleted with its log"])
def test_a_file_that_goes_away_comes_back_with_everything(path, database, how, capsys):
    for _ in range(20):
        database.add_choice([1, 2], 1)
    if how == "moved":
        path.rename(path.with_name("elsewhere"))
    else:
        for file in path.parent.glob("*" if "log" in how else path.name):
            file.unlink()
    database.add_choice([1, 3], 3)
    assert f"{path} was gone and is back, with everything that was stored" in capsys.readouterr().out
    database.undo(1)
    assert len(database.log()) == 20
    with Comparisons(path) as again:
        assert len(again.log()) == 20
        assert again.excluded() == {}
    database.add_choice([1, 3], 3)
    assert len(query(path, "SELECT 1 FROM comparisons")) == 22


def another_file(path, images=IMAGES):
    other = path.with_name("other.sqlite")
    with Comparisons(other, rater="ann") as database:
        database.register(images)
    return other


@pytest.mark.skipif(os.name == "nt", reason="Windows keeps a file that is open")
def test_a_file_that_another_took_the_place_of_is_told_and_kept(path, database):
    for _ in range(5):
        database.add_choice([1, 2], 1)
    another_file(path).replace(path)
    for _ in range(2):
        with pytest.raises(UserError, match="another file took its place while the scorer runs") as error:
            database.add_choice([1, 2], 1)
        assert error.value.__cause__  # for the page to keep its answer, and to send it again
    assert query(path, "SELECT 1 FROM comparisons") == []
    assert database.kept_in == path.with_name("comparisons.replaced1.sqlite")
    with Comparisons(database.kept_in) as kept:
        assert len(kept.log()) == 5


@pytest.mark.skipif(os.name == "nt", reason="Windows keeps a file that is open")
def test_a_copy_of_itself_in_its_place_is_gone_on_with(path, database, tmp_path):
    database.add_choice([1, 2], 1)
    query(path, f"VACUUM INTO '{tmp_path / 'copy.sqlite'}'")
    (tmp_path / "copy.sqlite").replace(path)
    database.add_choice([1, 2], 1)
    assert len(query(path, "SELECT 1 FROM comparisons")) == 2


# --- choices that are sent twice ---


def test_a_choice_sent_again_under_the_same_name_is_stored_once(tmp_path):
    with Comparisons(tmp_path / "c.sqlite", "me") as comparisons:
        comparisons.register({"a.png": "1", "b.png": "2"})
        first = comparisons.add_choice([1, 2], 1, client_id="x")
        assert comparisons.add_choice([1, 2], 1, client_id="x") == first
        assert comparisons.add_choice([1, 2], 2, client_id="y") != first
        assert comparisons.find("x") == first
        assert comparisons.find("z") is None
        assert len(comparisons.log()) == 2


# --- docs/comparisons.md ---


def documentation():
    return (ROOT / "docs" / "comparisons.md").read_text(encoding="utf-8")


def test_the_documentation_names_every_table_and_column_in_order(path, database):
    sections = re.findall(r"^### `(\w+)`\n(.*?)(?=^##|\Z)", documentation(), flags=re.M | re.S)
    documented = {table: re.findall(r"^\| `(\w+)` \|", text, flags=re.M) for table, text in sections}
    tables = [name for (name,) in query(path, "SELECT name FROM sqlite_master WHERE type = 'table'")]
    assert documented == {t: [row[1] for row in query(path, f"PRAGMA table_info({t})")] for t in tables}
    assert f"`user_version` {VERSION}" in documentation()
    assert hex(query(path, "PRAGMA application_id")[0][0]) in documentation()


def test_the_queries_of_the_documentation_run_and_say_what_they_promise(path, database):
    undone = database.add_choice([1, 2], 1, 1.0)
    database.undo(undone)
    database.add_choice([3, 1, 2], 2, 2.0)
    database.exclude(4, "broken")
    queries = re.findall(r"```sql\n(.*?)```", documentation(), flags=re.S)
    results = [query(path, sql) for sql in queries]
    assert results == [[("b.jpg", "sub/c.jpg"), ("b.jpg", "a.jpg")], [("d.jpg", "broken")]]


def test_a_copy_made_as_documented_holds_everything(path, database, tmp_path):
    database.add_choice([1, 2], 1)
    query(path, f"VACUUM INTO '{tmp_path / 'copy.sqlite'}'")
    shutil.copy(tmp_path / "copy.sqlite", tmp_path / "moved.sqlite")
    with Comparisons(tmp_path / "moved.sqlite") as copy:
        assert len(copy.log()) == 1
