"""A comparisons file, open: reading and writing in transactions, also where its path comes to hold another file."""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import TypeVar

from ..common import UserError
from .damage import refuse_damaged
from .schema import APPEND_ONLY, explaining, open_database, patiently, read_only, transaction

Self = TypeVar("Self", bound="Store")


class ReplacedError(OSError):
    """The path holds another file than the one that is open."""


class Store:
    """Close it, or use it in a `with`. One object may be shared by several threads."""

    def __init__(self, path: Path) -> None:
        """Open the file at `path`, or make it. UserError where it is damaged, or no comparisons database."""
        self.path = path
        refuse_damaged(path)
        self._connection = open_database(path)
        self._lock = threading.RLock()
        self._file = _file_at(path)
        self._saved: Path | None = None  # what was open when the path came to hold another file

    def __enter__(self: Self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        with self._lock:
            self._connection.close()

    @contextmanager
    def _reading(self) -> Iterator[None]:
        # One read transaction, so that the tables are of one moment even while another program writes.
        with self._lock, explaining(self.path):
            patiently(self.path, self._begin_reading)
            try:
                yield
            finally:
                self._connection.execute("ROLLBACK")

    def _begin_reading(self) -> None:
        self._connection.execute("BEGIN")
        try:
            self._connection.execute("SELECT 1 FROM sqlite_master").fetchone()  # here it may have to wait
        except sqlite3.Error:
            self._connection.execute("ROLLBACK")
            raise

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """A transaction; at its end all is in the file that is at the path, or there is an error."""
        with self._lock, explaining(self.path):
            self._stay()
            with transaction(self._connection, self.path):
                yield
            self._stay()

    def _stay(self) -> None:
        """Put the file back where it is gone; UserError where another one took its place."""
        now = _file_at(self.path)
        if now == self._file:
            return
        if now is None:
            self._put_back()
        elif self._holds_the_same():
            self._open_again()
        else:
            self._saved = self._saved or self._save()
            error = UserError(
                f"{self.path}: another file took its place while the scorer runs; what was stored by then is in "
                f"{self._saved.name}. Put the right one there, then stop the scorer and start it again"
            )
            raise error from ReplacedError(str(self.path))

    @property
    def kept_in(self) -> Path:
        """The file that holds every choice: `path`, unless that came to hold something else meanwhile."""
        return self._saved or self.path

    def _put_back(self) -> None:
        try:
            self._copy(self.path.with_name(f".{self.path.name}.back")).replace(self.path)
        except OSError as error:
            raise UserError(f"{self.path}: is gone, and can't be put back ({error.strerror})") from error
        self._open_again()
        print(f"note: {self.path} was gone and is back, with everything that was stored.", flush=True)

    def _holds_the_same(self) -> bool:
        """Whether the other file is a copy of ours; or ours, on a drive that numbers files anew now and then."""
        with suppress(sqlite3.Error):
            # All into our own file, so that its log, which still lies at that name, holds nothing for the other one.
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            with closing(read_only(self.path, alone=True)) as other:
                return _ends(other) == _ends(self._connection)
        return False

    def _open_again(self) -> None:
        self._connection.close()
        self._connection, self._file = open_database(self.path), _file_at(self.path)

    def _save(self) -> Path:
        name, number = f"{self.path.stem}.replaced", 1
        while (target := self.path.with_name(f"{name}{number}{self.path.suffix}")).exists():
            number += 1
        return self._copy(target)

    def _copy(self, target: Path) -> Path:
        """All that is open, in a new file; that its own is gone doesn't matter."""
        target.unlink(missing_ok=True)
        self._connection.execute("VACUUM INTO ?", (str(target),))
        return target

    def _insert(self, table: str, **values: object) -> int:
        marks = ", ".join("?" * len(values))
        cursor = self._connection.execute(
            f"INSERT INTO {table} ({', '.join(values)}) VALUES ({marks})", tuple(values.values())
        )
        return int(cursor.lastrowid or 0)

    def _rows(self, query: str, *values: object) -> list[tuple]:
        return self._connection.execute(query, values).fetchall()


def _ends(connection: sqlite3.Connection) -> list[tuple]:
    """The last row of each table, whole."""
    return [connection.execute(f"SELECT * FROM {t} ORDER BY id DESC LIMIT 1").fetchone() for t in APPEND_ONLY]


def _file_at(path: Path) -> tuple[int, int] | None:
    """What tells the file from any other; None if there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino
