"""The feature cache's index, in SQLite: which shard holds which contents, and the hash of every file seen.

It can be lost: it is made again from the shards. docs/feature-cache.md.
"""

import sqlite3
import sys
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import NamedTuple

from ...common import UserError, working

VERSION = 1
SCHEMA = (
    "CREATE TABLE shards (name TEXT PRIMARY KEY, extractor TEXT NOT NULL, hidden_state INTEGER NOT NULL, "
    "hashes BLOB NOT NULL)",
    "CREATE INDEX shards_by_use ON shards (extractor, hidden_state)",
    "CREATE TABLE files (directory BLOB, path BLOB, size INTEGER NOT NULL, mtime_ms INTEGER NOT NULL, "
    "hash BLOB NOT NULL, PRIMARY KEY (directory, path)) WITHOUT ROWID",
)
SECONDS_FOR_A_LOCK = 60.0
NO_TEXT = "Could not decode"  # what sqlite3 says of a damaged text


class ShardRow(NamedTuple):
    """name: the shard's file. extractor: its identity. hashes: 16 bytes for each row of the shard, joined."""

    name: str
    extractor: str
    hidden_state: int
    hashes: bytes


class FileRow(NamedTuple):
    """What a file was when it was hashed. directory, path: UTF-8, lone surrogates kept. mtime_ms: since 1970."""

    directory: bytes
    path: bytes
    size: int
    mtime_ms: int
    hash: bytes


class Index:
    """path: made if it is missing, made anew if it is damaged. Raises UserError where it can't be used.

    Opened for each use: nothing to close, nothing kept locked, nothing shared between threads. Everything happens in
    `reading` or `writing` blocks; one process at a time is in a `writing` block, which takes effect as a whole.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._make_tables()
        except sqlite3.OperationalError as error:
            raise UserError(f"{path}: can't be opened ({error}); give another --cache_directory")
        except sqlite3.DatabaseError as error:
            note(f"{path}: damaged ({error}); made anew from the shards, no features are lost")
            self._start_anew()

    @contextmanager
    def reading(self) -> Iterator["Tables"]:
        with self._explained(), self._connected() as connection:
            yield Tables(connection)

    @contextmanager
    def writing(self) -> Iterator["Tables"]:
        with self._explained(), self._transaction() as connection:
            yield Tables(connection)

    def _make_tables(self) -> None:
        with self._connected() as connection:
            (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version > VERSION:
            raise UserError(f"{self.path}: made by a newer version of this; give another --cache_directory")
        if version == VERSION:
            return
        with self._transaction() as connection:
            if connection.execute("PRAGMA user_version").fetchone() == (0,):  # else another process was faster
                for statement in (*SCHEMA, f"PRAGMA user_version = {VERSION}"):
                    connection.execute(statement)

    def _start_anew(self) -> None:
        try:
            self.path.unlink()
        except OSError as error:
            raise UserError(f"{self.path}: damaged, and can't be deleted ({error.strerror}); delete it by hand")
        self._make_tables()

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as error:  # locked for a minute, disk full, read-only
            if str(error).startswith(NO_TEXT):
                raise UserError(f"{self.path}: damaged ({error}); delete it: it is made anew, no features are lost")
            raise UserError(f"{self.path}: {error}; close what else uses it, or give another --cache_directory")
        except sqlite3.DatabaseError as error:
            raise UserError(f"{self.path}: damaged ({error}); delete it: it is made anew, no features are lost")

    @contextmanager
    def _connected(self) -> Iterator[sqlite3.Connection]:
        connection = sqlite3.connect(self.path, timeout=SECONDS_FOR_A_LOCK, isolation_level=None)
        try:
            with self._patience():
                connection.execute("SELECT name FROM sqlite_master LIMIT 1").fetchone()
            yield connection
        finally:
            connection.close()  # what was not committed is undone

    def _patience(self) -> AbstractContextManager[None]:
        """Where another program holds the file, it is said that we wait."""
        return working(f"Waiting for another program that holds {self.path}")

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._connected() as connection:
            with self._patience():
                connection.execute("BEGIN IMMEDIATE")
            yield connection
            connection.execute("COMMIT")


class Tables:
    """The statements, on an open connection."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._execute = connection.execute
        self._executemany = connection.executemany

    def shard_names(self) -> set[str]:
        return {name for (name,) in self._execute("SELECT name FROM shards")}

    def shards_of(self, extractor: str, hidden_state: int) -> tuple[str, ...]:
        """Names of the shards of this extractor and hidden state, oldest first."""
        names = self._execute(
            "SELECT name FROM shards WHERE extractor = ? AND hidden_state = ? ORDER BY rowid",
            (extractor, hidden_state),
        )
        return tuple(name for (name,) in names)

    def hashes_of(self, name: str) -> bytes:
        """16 bytes for each row of this shard, joined; nothing if another process merged it a moment ago."""
        return (self._execute("SELECT hashes FROM shards WHERE name = ?", (name,)).fetchone() or (b"",))[0]

    def small_shards(self, extractor: str, hidden_state: int, fewer_bytes_than: int) -> list[str]:
        """Names of those whose hashes take fewer bytes, oldest first."""
        names = self._execute(
            "SELECT name FROM shards WHERE extractor = ? AND hidden_state = ? AND length(hashes) < ? ORDER BY rowid",
            (extractor, hidden_state, fewer_bytes_than),
        )
        return [name for (name,) in names]

    def add_shards(self, rows: Iterable[ShardRow]) -> None:
        self._executemany("INSERT OR REPLACE INTO shards VALUES (?, ?, ?, ?)", rows)

    def drop_shards(self, names: Iterable[str]) -> None:
        self._executemany("DELETE FROM shards WHERE name = ?", [(name,) for name in names])

    def files(self, directory: bytes, first: bytes, last: bytes) -> list[FileRow]:
        """Those of a directory whose paths lie from first to last, in the order of bytes."""
        rows = self._execute(
            "SELECT directory, path, size, mtime_ms, hash FROM files WHERE directory = ? AND path BETWEEN ? AND ?",
            (directory, first, last),
        )
        return [FileRow(*row) for row in rows]

    def add_files(self, rows: Iterable[FileRow]) -> None:
        self._executemany("INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?, ?)", rows)


def note(text: str) -> None:
    """Tell the person something that mends itself."""
    print(f"note: {text}", file=sys.stderr)
