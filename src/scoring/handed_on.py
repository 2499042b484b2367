"""What lies already in a folder that chosen images go to: by its tables, by content, and of killed moves."""

import csv
import io
import json
import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from ..common import flush_to_disk, write_text
from .output import csv_lines
from .placing import digest, put_new

COLUMNS = ["relative_path", "source"]  # what each table begins with: the name in the folder, and where it came from


class Table(NamedTuple):
    """One of the folder's tables, as text."""

    path: Path
    columns: list[str]
    rows: list[list[str]]


def read_tables(folder: Path) -> list[Table]:
    """scores.csv, scores_2.csv and so on; what is no table of ours is passed over."""
    found = []
    for path in sorted(folder.glob("scores*.csv")) if folder.is_dir() else []:
        with suppress(OSError, csv.Error):
            text = path.read_bytes().decode("utf-8", "surrogateescape")
            columns, *rows = csv.reader(io.StringIO(text)) or [[]]
            if columns[:2] == COLUMNS:
                found.append(Table(path, columns, [row for row in rows if len(row) == len(columns)]))
    return found


def write_table(folder: Path, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> Path:
    """Under the first name that is free, unless a table says all of this already. Returns its path."""
    data = b"".join(csv_lines([columns, *rows]))
    wanted = {tuple(row) for row in csv.reader(io.StringIO(data.decode("utf-8", "surrogateescape")))}
    for table in read_tables(folder):
        if wanted <= {tuple(table.columns), *map(tuple, table.rows)}:
            return table.path
    for name in numbered("scores.csv"):
        with suppress(FileExistsError):
            put_new(folder / name, lambda part: part.write_bytes(data))
            return folder / name
    raise AssertionError("endless")


def add_to_table(folder: Path, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> Path:
    """At the end of the first table with these columns, on disk when this returns; else in a new one. Its path."""
    table = next((table for table in read_tables(folder) if table.columns == list(columns)), None)
    if table is None:
        return write_table(folder, columns, rows)
    with table.path.open("rb+") as file:
        if file.seek(0, os.SEEK_END) and file.seek(-1, os.SEEK_END) >= 0 and file.read(1) != b"\n":
            file.write(b"\n")  # its writer was killed within a line
        file.write(b"".join(csv_lines(rows)))
        file.flush()
        flush_to_disk(file.fileno())
    return table.path


def numbered(name: str) -> Iterator[str]:
    """a.png, a_2.png, a_3.png, …"""
    stem, suffix = PurePosixPath(name).stem, PurePosixPath(name).suffix
    yield name
    number = 2
    while True:
        yield f"{stem}_{number}{suffix}"
        number += 1


def listed(folder: Path) -> dict[str, list[str]]:
    """The relative path that an image came from -> its names in the folder, by the tables there."""
    names: dict[str, list[str]] = defaultdict(list)
    for table in read_tables(folder):
        for name, source, *_ in table.rows:
            names[source].append(name)
    return names


def find_there(
    folder: Path, directory: Path, named: Sequence[tuple[str, str]], links: bool = False
) -> dict[str, Path]:
    """Images that are in the folder already, whatever their names there: relative path -> file of the same content.

    named: (relative path, new name). links: whether a symbolic link counts. A file counts for one image only: first
    for the one that a table says it came from, then for that of its name, then for any of its content.
    """
    there, came_as, found = _There(folder, links), listed(folder), dict[str, Path]()
    there.leave_out(directory / path for path, _ in named)
    guesses: list[Callable[[str, str], Iterable[str]]] = [
        lambda path, _: came_as.get(path, ()),
        lambda _, name: (name,),
        lambda path, _: there.of_size(directory / path),
    ]
    for guess in guesses:
        for path, name in named:
            if path not in found and (file := there.claim(directory / path, guess(path, name))):
                found[path] = file
    return found


class _There:
    """The files of a folder, each of which one image can claim. links: whether a symbolic link counts."""

    def __init__(self, folder: Path, links: bool) -> None:
        self._folder, self._links = folder, links
        self._names: dict[int, dict[str, None]] = defaultdict(dict)  # by size; as an ordered set
        self._digests: dict[Path, bytes] = {}
        for entry in os.scandir(folder) if folder.is_dir() else ():
            with suppress(OSError):  # a broken link is no image
                if entry.is_file():
                    self._names[entry.stat().st_size][entry.name] = None

    def leave_out(self, sources: Iterable[Path]) -> None:
        """An image that lies in the folder itself is not there as another."""
        folders: dict[Path, bool] = {}
        here = self._folder.resolve()
        for source in sources:
            if folders.setdefault(source.parent, source.parent.resolve() == here):
                with suppress(OSError):
                    self._names[source.stat().st_size].pop(source.name, None)

    def of_size(self, source: Path) -> list[str]:
        """Files that may be the same, as they have its size."""
        with suppress(OSError):
            return list(self._names.get(source.stat().st_size, ()))
        return []

    def claim(self, source: Path, names: Iterable[str]) -> Path | None:
        """The first of these files that is the same."""
        left = self.of_size(source)
        for name in names:
            if name in left and self._same(source, self._folder / name):
                self._names[source.stat().st_size].pop(name)
                return self._folder / name
        return None

    def _same(self, source: Path, file: Path) -> bool:
        if file.is_symlink() and not (self._links or source.is_symlink()):
            return False  # a copy or a move is to leave a file there
        with suppress(OSError):
            return source.samefile(file) or self._digest(source) == self._digest(file)
        return False

    def _digest(self, path: Path) -> bytes:
        if path not in self._digests:
            self._digests[path] = digest(path)
        return self._digests[path]


# ---- a move that was killed: what it took is gone from where it was, and what is left has other ranks ----


def _notes_of_move(folder: Path) -> Path:
    return folder / ".unfinished_move.json"


def note_move(folder: Path, asked: str, table: Path) -> None:
    """Before the first image moves: what was asked for, in words that are the same when it is asked again."""
    write_text(_notes_of_move(folder), json.dumps({"asked": asked, "table": table.name}))


def end_move(folder: Path) -> None:
    """All of it was done."""
    _notes_of_move(folder).unlink(missing_ok=True)


def has_unfinished_move(folder: Path) -> bool:
    """Whether any move into this folder did not come to its end."""
    return _notes_of_move(folder).is_file()


def unfinished_move(folder: Path, asked: str) -> Table | None:
    """The table of a move into this folder that was asked for in the same words and did not come to its end."""
    with suppress(OSError, ValueError, AttributeError):
        notes = json.loads(_notes_of_move(folder).read_text(encoding="utf-8"))
        if notes.get("asked") == asked:
            return next((table for table in read_tables(folder) if table.path.name == notes.get("table")), None)
    return None
