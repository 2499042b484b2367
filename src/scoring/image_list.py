"""A list of images in the place of the folder's: `--list`, a text file, a CSV or a Parquet file, read row by row."""

import csv
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from ..common import Names, UserError, first_line, note, number_of
from ..features import expanded, is_remote, is_there
from ..scores import shown

MOST_NAMED = 3  # of images that are not there
# What the column of paths may be called in a table, the likeliest first; a single column may be called anything.
COLUMNS = ("relative_path", "path", "file_name", "filename", "image", "image_path", "url", "file")


def read_list(
    path: Path, directory: Path, may_be_gone: bool = False, wanted: Callable[[str], bool] | None = None
) -> Names:
    """Relative paths (with `/`, sorted, each once) of the images that a file names and that are there.

    Text: a line each, relative to the directory, or absolute and in it; one that begins with a quote is JSON text,
    one with # a comment. .csv and .parquet: the column of `COLUMNS`. An archive stands for all images in it;
    addresses (s3://bucket/a.jpg) stay what they are. Images that are not there are named on stderr, and left out.
    may_be_gone: all of them may be. wanted: asked of each as it is read; what it refuses is not kept, so that a part
    of ten million takes the memory of that part. Raises UserError where the file can't be read, a line leads out of
    the directory, or no image is there.
    """
    named = Names(filter(wanted, _images(path, directory)) if wanted else _images(path, directory))
    named.sort()
    there, gone = Names(), Names()
    before = None
    for image in named.drained():
        if image != before:  # equal ones stand beside each other
            (there if is_there(directory, image) else gone).append(image)
        before = image
    if not may_be_gone and not there:
        which = f", such as {shown(gone[0])}" if gone else ""
        raise UserError(f"--list={path}: names no image that is in {directory}{which}; write a path a line")
    if gone:
        more = f" and {len(gone) - MOST_NAMED} more" if len(gone) > MOST_NAMED else ""
        names = ", ".join(map(shown, gone[:MOST_NAMED]))
        note(f"note: {number_of(len(gone), 'image', 'is')} in {path} and not in {directory}: {names}{more}")
    return there


def _images(path: Path, directory: Path) -> Iterator[str]:
    rows = {".csv": _in_csv, ".parquet": _in_parquet}.get(path.suffix.lower(), _in_text)
    place = _Place(directory)
    try:
        for number, text in rows(path):
            if is_remote(text):
                yield text
            else:
                yield from expanded(directory, place.relative(text, f"--list={path}, line {number}"))
    except OSError as error:
        raise UserError(f"--list={path}: can't be read ({error.strerror}); name a text file, a path a line")


def _in_text(path: Path) -> Iterator[tuple[int, str]]:
    with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="\n") as lines:
        for number, line in enumerate(lines, 1):
            line = line.rstrip("\n").rstrip("\r")
            if "\0" in line:
                raise UserError(f"--list={path}: is no text in UTF-8; write a path a line")
            if line.strip() and not line.startswith("#"):
                yield number, _unquoted(line, path, number)


def _in_csv(path: Path) -> Iterator[tuple[int, str]]:
    with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as lines:
        reader = csv.reader(lines)
        try:
            column = _column(path, next(reader, []))
            for row in reader:
                if len(row) > column and row[column]:
                    yield reader.line_num, row[column]
        except csv.Error as error:
            raise UserError(f"--list={path}: is no CSV ({error}); write a path a line into a .txt")


def _in_parquet(path: Path) -> Iterator[tuple[int, str]]:
    if not path.is_file():
        raise UserError(f"--list={path}: can't be read (No such file or directory); name a list of images")
    table = _parquet(path)
    name = table.schema_arrow.names[_column(path, table.schema_arrow.names)]
    number = 0
    for batch in table.iter_batches(columns=[name]):
        for value in batch.column(0).to_pylist():
            number += 1
            if value:
                yield number, os.fsdecode(value) if isinstance(value, bytes) else str(value)


def _parquet(path: Path) -> Any:
    try:
        import pyarrow.parquet
    except ImportError:
        raise UserError(f"--list={path}: Parquet needs pyarrow; run: pip install pyarrow, or write a .csv")
    try:
        return pyarrow.parquet.ParquetFile(path)
    except pyarrow.ArrowException as error:
        raise UserError(f"--list={path}: is no Parquet file ({first_line(error)}); write a .csv")


def _column(path: Path, names: list[str]) -> int:
    found = [names.index(name) for name in COLUMNS if name in names] or ([0] if len(names) == 1 else [])
    if not found:
        raise UserError(
            f"--list={path}: no column relative_path; it has {', '.join(map(shown, names)) or 'nothing'}: rename the "
            "one that holds the paths"
        )
    return found[0]


def _unquoted(line: str, path: Path, number: int) -> str:
    if not line.startswith('"'):
        return line
    try:
        return str(json.loads(line))
    except ValueError as error:
        raise UserError(f"--list={path}, line {number}: no JSON text ({error}); take the quotes off, or close them")


class _Place:
    """The directory, by both its names: as it was given, and without links."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.root = Path(os.path.abspath(directory))  # noqa: PTH100 (resolve() would follow links out of it)
        self.real = self.root.resolve()

    def relative(self, text: str, where: str) -> str:
        """As `find_images` would call it."""
        native = text if os.name != "nt" else text.replace("\\", "/")
        if _is_plain(native):
            return native
        whole = Path(os.path.normpath(self.root / native))
        for base in (self.root, self.real):
            if whole.is_relative_to(base) and whole != base:
                return PurePosixPath(whole.relative_to(base)).as_posix()
        raise UserError(f"{where}: {shown(text)} is not in {self.directory}; name images below the --directory")


def _is_plain(text: str) -> bool:
    """Whether it is already as `find_images` writes it: nearly all are, and paths of pathlib would take minutes."""
    parts = text.split("/")
    return not (".." in parts or "." in parts or "" in parts or (os.name == "nt" and ":" in text))
