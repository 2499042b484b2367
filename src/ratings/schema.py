"""The tables of a comparisons database, and opening one. docs/comparisons.md describes them for other programs."""

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TypeVar

from ..common import UserError, first_line

APPLICATION_ID = 0x41455354  # "AEST" in bytes 68…71 of the file: says whose SQLite file it is
VERSION = 1
WAIT_SECONDS = 10.0  # for another program that is writing; a write takes milliseconds
NOTE_SECONDS = 1.0  # until the person is told that it is waited for
T = TypeVar("T")

_TABLES = """
CREATE TABLE images (
    id INTEGER PRIMARY KEY,
    content_hash TEXT NOT NULL UNIQUE,
    added_at TEXT NOT NULL
);
CREATE TABLE image_paths (
    id INTEGER PRIMARY KEY,
    image_id INTEGER NOT NULL REFERENCES images (id),
    relative_path TEXT NOT NULL,
    seen_at TEXT NOT NULL
);
CREATE TABLE sessions (
    id INTEGER PRIMARY KEY,
    rater TEXT NOT NULL,
    settings TEXT NOT NULL,
    started_at TEXT NOT NULL
);
CREATE TABLE comparisons (
    id INTEGER PRIMARY KEY,
    session_id INTEGER NOT NULL REFERENCES sessions (id),
    kind TEXT NOT NULL CHECK (kind IN ('choice', 'tie', 'skip')),
    shown TEXT NOT NULL,
    winner INTEGER REFERENCES images (id),
    seconds REAL CHECK (seconds >= 0),
    repeat_of INTEGER REFERENCES comparisons (id),
    predicted INTEGER REFERENCES images (id),
    client_id TEXT UNIQUE,
    made_at TEXT NOT NULL,
    CHECK ((kind = 'choice') = (winner IS NOT NULL))
);
CREATE TABLE events (
    id INTEGER PRIMARY KEY,
    session_id INTEGER NOT NULL REFERENCES sessions (id),
    kind TEXT NOT NULL CHECK (kind IN ('undo', 'exclude', 'include')),
    comparison_id INTEGER REFERENCES comparisons (id),
    image_id INTEGER REFERENCES images (id),
    reason TEXT NOT NULL DEFAULT '',
    made_at TEXT NOT NULL,
    CHECK ((kind = 'undo') = (comparison_id IS NOT NULL)),
    CHECK ((kind = 'undo') = (image_id IS NULL))
);
CREATE UNIQUE INDEX one_undo_each ON events (comparison_id) WHERE kind = 'undo';
CREATE TABLE starting_ratings (
    id INTEGER PRIMARY KEY,
    session_id INTEGER NOT NULL REFERENCES sessions (id),
    image_id INTEGER NOT NULL REFERENCES images (id),
    rating REAL NOT NULL,
    made_at TEXT NOT NULL,
    model TEXT NOT NULL DEFAULT '',
    error REAL CHECK (error > 0)
);
CREATE TABLE held_out (
    id INTEGER PRIMARY KEY,
    session_id INTEGER NOT NULL REFERENCES sessions (id),
    image_id INTEGER NOT NULL UNIQUE REFERENCES images (id),
    made_at TEXT NOT NULL
);
CREATE TABLE reached (
    id INTEGER PRIMARY KEY,
    session_id INTEGER NOT NULL REFERENCES sessions (id),
    share REAL NOT NULL CHECK (share BETWEEN 0 AND 1),
    way TEXT NOT NULL,
    images INTEGER NOT NULL,
    made_at TEXT NOT NULL
);
"""
_LATER = {  # columns that files of earlier versions lack
    "starting_ratings": {"model": "TEXT NOT NULL DEFAULT ''", "error": "REAL CHECK (error > 0)"},
}
APPEND_ONLY = (
    "images",
    "image_paths",
    "sessions",
    "comparisons",
    "events",
    "starting_ratings",
    "held_out",
    "reached",
)
_TRIGGERS = """
CREATE TRIGGER {table}_no_update BEFORE UPDATE ON {table}
BEGIN SELECT RAISE(ABORT, '{table} is append-only: rows are never changed'); END;
CREATE TRIGGER {table}_no_delete BEFORE DELETE ON {table}
BEGIN SELECT RAISE(ABORT, '{table} is append-only: rows are never removed'); END;
CREATE TRIGGER {table}_no_replace BEFORE INSERT ON {table}
WHEN EXISTS (SELECT 1 FROM {table} WHERE id = NEW.id)
BEGIN SELECT RAISE(ABORT, '{table} is append-only: rows are never replaced'); END;
"""


@contextmanager
def explaining(path: Path) -> Iterator[None]:
    """Turn what SQLite says of `path` into a UserError which says what to do."""
    try:
        yield
    except UnicodeDecodeError as error:  # of what SQLite would say
        raise UserError(f"{path}: is damaged, for its own description is no text; take a backup") from error
    except sqlite3.Error as error:
        raise UserError(f"{path}: {_explanation(first_line(error))}") from error


def _explanation(said: str) -> str:
    advice = {
        "locked": f"another program has been writing for {WAIT_SECONDS:.0f} seconds; close it or try again",
        "busy": f"another program has been writing for {WAIT_SECONDS:.0f} seconds; close it or try again",
        "not a database": "is no comparisons database; name another file with --comparisons",
        "unable to open": "can't be opened; name a file in a folder that exists and is writable",
        "readonly": "can't be written; make the file and its folder writable",
        "malformed": "is damaged; start the scorer again, which keeps what can be read, or take a backup",
        "full": "the disk is full; make room, what is stored is safe",
    }
    return next((f"{text} ({said})" for key, text in advice.items() if key in said), f"SQLite says: {said}")


def open_database(path: Path) -> sqlite3.Connection:
    """A connection to the comparisons database at `path`, made if there is none; safe to use from several threads
    one at a time. Raises UserError for a file that isn't one, or that a newer version of this program made."""
    with explaining(path):
        connection = sqlite3.connect(path, timeout=NOTE_SECONDS, isolation_level=None, check_same_thread=False)
    try:
        with explaining(path):
            patiently(path, lambda: _check(connection, path))
            _write_ahead(connection, path)
            connection.execute("PRAGMA synchronous = FULL")  # a commit is on the disk before it is acknowledged
            connection.execute("PRAGMA foreign_keys = ON")
            with transaction(connection, path):
                if _is_empty(connection):
                    create(connection)
                _add_columns(connection)
                _add_tables(connection)
            _check(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


def read_only(path: Path, alone: bool = False) -> sqlite3.Connection:
    """A connection that changes nothing. alone: without the write-ahead log. sqlite3.Error if there is no file."""
    words = "mode=ro&immutable=1" if alone else "mode=ro"
    return sqlite3.connect(f"{path.absolute().as_uri()}?{words}", uri=True, timeout=NOTE_SECONDS)


def patiently(path: Path, act: Callable[[], T]) -> T:
    """Do it once no other program locks the file; who waits for that is told after a second, and fails after ten."""
    begun, told = time.monotonic(), False
    while True:
        try:
            return act()
        except sqlite3.OperationalError as error:
            waited = time.monotonic() - begun
            if waited > WAIT_SECONDS or not ("locked" in str(error) or "busy" in str(error)):
                raise
            if waited >= NOTE_SECONDS and not told:
                print(f"note: {path}: another program is writing; waiting for it ...", flush=True)
                told = True
        time.sleep(0.02)


@contextmanager
def transaction(connection: sqlite3.Connection, path: Path) -> Iterator[None]:
    """Everything or nothing of the block; the write lock is taken at once, so that what is read in it stays true."""
    patiently(path, lambda: connection.execute("BEGIN IMMEDIATE"))
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:  # SQLite may have rolled back by itself, on a full disk for one
            connection.execute("ROLLBACK")
        raise


def _check(connection: sqlite3.Connection, path: Path) -> None:
    if _is_empty(connection):
        return
    if pragma(connection, "application_id") != APPLICATION_ID:
        raise UserError(f"{path}: is an SQLite file, but no comparisons database; name another with --comparisons")
    version = pragma(connection, "user_version")
    if version > VERSION:
        raise UserError(f"{path}: was made by a newer version (format {version}, this one knows {VERSION}); update")


def _write_ahead(connection: sqlite3.Connection, path: Path) -> None:
    # Two programs that open a new file at once: this switch doesn't wait for a lock as other statements do.
    mode = patiently(path, lambda: connection.execute("PRAGMA journal_mode = WAL").fetchone()[0])
    if mode != "wal":
        raise UserError(f"{path}: this drive can't keep a write-ahead log; put the file on a local disk")


def create(connection: sqlite3.Connection) -> None:
    """All tables, in a transaction that is open."""
    # One by one: executescript would commit the transaction that keeps a half-made file from being seen.
    script = _TABLES + "".join(_TRIGGERS.format(table=table) for table in APPEND_ONLY)
    for statement in _statements(script):
        connection.execute(statement)
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {VERSION}")


def _add_columns(connection: sqlite3.Connection) -> None:
    for table, columns in _LATER.items():
        there = {row[1] for row in connection.execute(f"PRAGMA table_info({table})")}
        for name, kind in columns.items():
            if name not in there:
                connection.execute(f"ALTER TABLE {table} ADD COLUMN {name} {kind}")


def _add_tables(connection: sqlite3.Connection) -> None:
    there = {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    for table in (table for table in APPEND_ONLY if table not in there):
        made = next(words for words in _statements(_TABLES) if f"CREATE TABLE {table} " in words)
        for statement in (made, *_statements(_TRIGGERS.format(table=table))):
            connection.execute(statement)


def _statements(script: str) -> Iterator[str]:
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""


def _is_empty(connection: sqlite3.Connection) -> bool:
    with closing(connection.execute("SELECT count(*) FROM sqlite_master")) as cursor:
        return cursor.fetchone()[0] == 0 and pragma(connection, "application_id") == 0


def pragma(connection: sqlite3.Connection, name: str) -> int:
    with closing(connection.execute(f"PRAGMA {name}")) as cursor:
        return cursor.fetchone()[0]
