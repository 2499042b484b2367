"""The feature cache's index, in SQLite: which shard holds which contents, and the hash of every file seen.

It can be lost: it is made again from the shards. docs/feature-cache.md.
"""

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import NamedTuple

from ...common import UserError, working
from ...common import note as common_note
from ..images import HASH_BYTES

VERSION = 2
SCHEMA = (
    "CREATE TABLE shards (name TEXT PRIMARY KEY, extractor TEXT NOT NULL, hidden_state INTEGER NOT NULL, "
    "hashes BLOB NOT NULL)",
    "CREATE INDEX shards_by_use ON shards (extractor, hidden_state)",
    "CREATE TABLE files (directory BLOB, path BLOB, size INTEGER NOT NULL, mtime_ms INTEGER NOT NULL, "
    "hash BLOB NOT NULL, ctime_ms INTEGER, key BLOB, note TEXT, PRIMARY KEY (directory, path)) WITHOUT ROWID",
)
# What version 1 lacked. Of its files these are NULL until the file is looked at again; no features are lost.
ADDED = ("ctime_ms INTEGER", "key BLOB", "note TEXT")
SECONDS_FOR_A_LOCK = 60.0
IS_DAMAGED = (
    "no such table",
    "no such column",
    "malformed database schema",
    "unsupported file format",
    "Could not decode",
)


class ShardRow(NamedTuple):
    """name: the shard's file. extractor: its identity. hashes: 16 bytes for each row of the shard, joined."""

    name: str
    extractor: str
    hidden_state: int
    hashes: bytes


class FileRow(NamedTuple):
    """What a file was when it was hashed. directory, path: UTF-8, lone surrogates kept. mtime_ms, ctime_ms: since
    1970. hash, key, note: as those of `Content`. ctime_ms, key and note are None in rows of version 1.
    """

    directory: bytes
    path: bytes
    size: int
    mtime_ms: int
    hash: bytes
    ctime_ms: int | None
    key: bytes | None
    note: str | None

    @property
    def is_sound(self) -> bool:
        """SQLite keeps whatever is in a damaged row."""
        whole = [self.hash] if self.key is None else [self.hash, self.key]
        return all(isinstance(value, bytes) and len(value) == HASH_BYTES for value in whole) and isinstance(
            self.note, str | None
        )


class DamagedIndex(Exception):
    """It can't be read as what it is; made anew, it can."""


class Index:
    """path: made if it is missing. Raises UserError where it can't be used, DamagedIndex where `start_anew` helps.

    Opened for each use: nothing to close, nothing kept locked, nothing shared between threads. Everything happens in
    `reading` or `writing` blocks; one process at a time is in a `writing` block, which takes effect as a whole.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @contextmanager
    def reading(self) -> Iterator["Tables"]:
        with self._explained(), self._connected() as connection:
            yield Tables(connection)

    @contextmanager
    def writing(self) -> Iterator["Tables"]:
        with self._explained(), self._transaction() as connection:
            yield Tables(connection)

    def make_tables(self) -> None:
        """Where they are missing; those of an earlier version get what they lack."""
        with self._explained(), self._connected() as connection:
            (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version > VERSION:
            raise UserError(f"{self.path}: made by a newer version of this; give another --cache_directory")
        if version < VERSION:
            with self._explained(), self._transaction() as connection:
                _upgrade(connection)

    def start_anew(self) -> None:
        try:
            for suffix in ("", "-journal"):
                Path(f"{self.path}{suffix}").unlink(missing_ok=True)
        except OSError as error:
            raise UserError(f"{self.path}: damaged, and can't be deleted ({error.strerror}); delete it by hand")
        self.make_tables()

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as error:  # locked for a minute, disk full, read-only
            if str(error).startswith(IS_DAMAGED):
                raise DamagedIndex(str(error))
            raise UserError(f"{self.path}: {error}; close what else uses it, or give another --cache_directory")
        except sqlite3.DatabaseError as error:
            raise DamagedIndex(str(error))

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


def _upgrade(connection: sqlite3.Connection) -> None:
    # Asked again, within the lock: another process may have been faster.
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version >= VERSION:
        return
    added = [f"ALTER TABLE files ADD COLUMN {column}" for column in ADDED]
    for statement in SCHEMA if version == 0 else added:
        connection.execute(statement)
    connection.execute(f"PRAGMA user_version = {VERSION}")


class Tables:
    """The statements, on an open connection."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._execute = connection.execute
        self._executemany = connection.executemany

    def shard_names(self) -> set[str]:
        return {name for (name,) in self._execute("SELECT name FROM shards")}

    def shards_of(self, extractor: str, hidden_state: int, large: int) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Names of the shards of this extractor and hidden state whose hashes take so many bytes or more, and of the
        others; oldest first.
        """
        rows = self._execute(
            "SELECT name, length(hashes) >= ? FROM shards WHERE extractor = ? AND hidden_state = ? ORDER BY rowid",
            (large, extractor, hidden_state),
        ).fetchall()
        return tuple(name for name, is_large in rows if is_large), tuple(
            name for name, is_large in rows if not is_large
        )

    def hashes_of(self, name: str) -> bytes | None:
        """16 bytes for each row of this shard, joined; nothing if another process merged it a moment ago.

        None where the row is damaged.
        """
        row = self._execute("SELECT hashes FROM shards WHERE name = ?", (name,)).fetchone()
        if row is None:
            return b""
        return row[0] if isinstance(row[0], bytes) and row[0] and len(row[0]) % HASH_BYTES == 0 else None

    def small_shards(self, extractor: str, hidden_state: int, fewer_bytes_than: int) -> list[str]:
        """Names of those whose hashes take fewer bytes, oldest first."""
        names = self._execute(
            "SELECT name FROM shards WHERE extractor = ? AND hidden_state = ? AND length(hashes) < ? ORDER BY rowid",
            (extractor, hidden_state, fewer_bytes_than),
        )
        return [name for (name,) in names]

    def add_shards(self, rows: Iterable[ShardRow]) -> None:
        self._executemany("INSERT OR REPLACE INTO shards VALUES (?, ?, ?, ?)", rows)

    def put_right(self, row: ShardRow) -> None:
        """As the shard itself says; it keeps its age."""
        statement = "UPDATE shards SET extractor = ?, hidden_state = ?, hashes = ? WHERE name = ?"
        self._execute(statement, (row.extractor, row.hidden_state, row.hashes, row.name))

    def drop_shards(self, names: Iterable[str]) -> None:
        self._executemany("DELETE FROM shards WHERE name = ?", [(name,) for name in names])

    def files(self, directory: bytes, first: bytes, last: bytes) -> list[FileRow]:
        """Those of a directory whose paths lie from first to last, in the order of bytes."""
        rows = self._execute(
            f"SELECT {', '.join(FileRow._fields)} FROM files WHERE directory = ? AND path BETWEEN ? AND ?",
            (directory, first, last),
        )
        return [row for row in map(FileRow._make, rows) if row.is_sound]

    def add_files(self, rows: Iterable[FileRow]) -> None:
        names = ", ".join(FileRow._fields)
        self._executemany(f"INSERT OR REPLACE INTO files ({names}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)


def note(text: str) -> None:
    """Tell the person something that mends itself."""
    common_note(f"note: {text}")
