"""Where studies are kept: Optuna storages by URL, mostly one SQLite file."""

import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import optuna
from optuna.storages import JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from ..common import UserError, first_line

# Optuna's own kinds, beside the databases that SQLAlchemy knows.
JOURNAL, GRPC = "journal://", "grpc://"
SECONDS_FOR_A_LOCK = 60.0
ANSWER_SECONDS = 10.0
MAKING_SECONDS = 60  # how long another process may take to make the tables of a new database


def open_storage(database: str) -> optuna.storages.BaseStorage:
    """The storage of this URL, made if there is none, in memory for ""; UserError if it can't be had.

    Several processes may ask for a new one at once.
    """
    try:
        with _making_tables(database_file(database)):
            return _storage(database)
    except Exception as error:  # SQLAlchemy and Redis raise many kinds, all meaning this
        right = "postgresql+psycopg://user@host/name" if database.startswith("postgres") else "sqlite:///db.sqlite"
        shown = _without_password(database)
        raise UserError(f"--database={shown}: can't be opened ({first_line(error)}); such as {right} would be right")


def _storage(database: str) -> optuna.storages.BaseStorage:
    if database.startswith(JOURNAL):
        path = database.removeprefix(JOURNAL)
        # Links need rights that people on Windows mostly lack.
        lock = JournalFileOpenLock(path) if os.name == "nt" else None
        return JournalStorage(JournalFileBackend(path, lock))
    if database.startswith(GRPC):
        return _grpc_client(database)
    if database.startswith("sqlite"):  # many processes: each waits for the others to have written
        return optuna.storages.get_storage(RDBStorage(database, {"connect_args": {"timeout": SECONDS_FOR_A_LOCK}}))
    return optuna.storages.get_storage(database or None)


def _grpc_client(database: str) -> optuna.storages.BaseStorage:
    host, _, port = database.removeprefix(GRPC).rpartition(":")
    if not (host and port.isdecimal()):
        raise ValueError("it is written grpc://host:port, such as grpc://127.0.0.1:13000")
    try:
        import grpc
    except ImportError:
        raise ValueError("grpc:// needs grpcio and protobuf: pip install -r requirements-postgres.txt")
    try:
        grpc.channel_ready_future(grpc.insecure_channel(f"{host}:{port}")).result(timeout=ANSWER_SECONDS)
    except grpc.FutureTimeoutError:
        raise ValueError(f"nobody answers at {host}:{port}")
    return optuna.storages.GrpcStorageProxy(host=host, port=int(port))


def existing_storage(database: str, option: str, folders: Iterable[Path] = ()) -> optuna.storages.BaseStorage:
    """The storage of this URL, which `option` needs to be there already: a missing file is not made.

    folders: where a person may have it instead. Raises UserError where it is missing or can't be had.
    """
    if not database:
        raise UserError(
            f"{option}: --database is empty, and studies in memory are gone; name a file such as sqlite:///db.sqlite"
        )
    is_journal = database.startswith(JOURNAL)
    file = Path(database.removeprefix(JOURNAL)) if is_journal else database_file(database)
    if file is None or file.is_file():
        return open_storage(database)
    there = elsewhere(database, folders) or "; give its --database"
    raise UserError(f"{option}: there is no database {file}{there}")


def elsewhere(database: str, folders: Iterable[Path]) -> str:
    """A clause that names databases of the same file name in other folders; empty where there is none."""
    file = database_file(database)
    if file is None or not file.parent.is_dir():
        return ""
    there = dict.fromkeys((folder.resolve() / file.name).as_posix() for folder in folders)
    found = [path for path in there if path != file.as_posix() and Path(path).is_file()]
    return f"; there is one in {found[0]}: --database=sqlite:///{found[0]}" if found else ""


def database_file(database: str) -> Path | None:
    """The file, with its whole path, that a SQLite URL names; None for memory and other databases."""
    url = _url(database)
    if url is None or not url.drivername.startswith("sqlite") or url.database in (None, "", ":memory:"):
        return None
    return Path(str(url.database)).resolve()


def shown_database(database: str) -> str:
    """For people: the file with its whole path, "memory", or the URL without its password."""
    return str(database_file(database) or _without_password(database) or "memory")


def _without_password(database: str) -> str:
    """Also where it can't be read as a URL, as its port is no number."""
    return re.sub("(://[^:/]*:).*@", r"\1***@", database)


def _url(database: str) -> URL | None:
    try:
        return make_url(database) if database else None
    except (ArgumentError, ValueError):  # the latter where its port is no number
        return None


@contextmanager
def _making_tables(file: Path | None) -> Iterator[None]:
    """One process at a time: Optuna's own making of tables and columns is not safe for two."""
    if file is None or not file.parent.is_dir():
        yield
        return
    from filelock import FileLock, Timeout

    lock = FileLock(file.with_name(f".{file.name}.lock"), timeout=MAKING_SECONDS)
    try:
        lock.acquire()
    except (
        OSError,
        NotImplementedError,
        Timeout,
    ):  # a folder without locks, or that can't be written: said by Optuna
        yield
        return
    try:
        yield
    finally:
        with suppress(OSError):
            Path(lock.lock_file).unlink()
        lock.release()
