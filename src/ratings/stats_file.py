"""ab_stats.csv: one row per finished batch, appended, never rewritten."""

import csv
import io
from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path

from ..common import UserError, flush_to_disk
from .batch import Batch


def append_batch(path: Path, rater: str, number: int, batch: Batch) -> None:
    """Add a row of this rater's finished batch, the number of which counts from 1: see `append_stats`."""
    now = datetime.now(timezone.utc).isoformat(timespec="seconds")
    append_stats(path, {"finished_at": now, "rater": rater, "batch": number, **batch.row()})


def append_stats(path: Path, row: Mapping[str, object]) -> None:
    """Add `row` (column -> value) to the CSV at `path`, under a header if the file is new. On the disk on return.

    An existing file's own columns and their order are kept: those `row` doesn't have stay empty. Raises UserError if
    the file lacks a column of `row`, or can't be written. A last line that was cut off by a crash is left alone, the
    new one begins after it.
    """
    try:
        with path.open("a+b") as file:
            file.seek(0)
            before = file.read()
            columns = _columns(before, path, row)
            file.write(_torn(before) + _line(columns, before, row))
            file.flush()
            flush_to_disk(file.fileno())
    except OSError as error:
        raise UserError(f"{path}: can't be written ({error.strerror}); name a file in a folder that is writable")


def _columns(before: bytes, path: Path, row: Mapping[str, object]) -> list[str]:
    header = before.decode("utf-8-sig", "replace").splitlines()[:1]
    if not header:
        return list(row)
    columns = next(csv.reader(header), [])
    missing = [name for name in row if name not in columns]
    if missing:
        raise UserError(f"{path}: has no column {', '.join(missing)}; rename that file, a new one will be begun")
    return columns


def _torn(before: bytes) -> bytes:
    return b"\r\n" if before and not before.endswith(b"\n") else b""


def _line(columns: list[str], before: bytes, row: Mapping[str, object]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text)
    if not before:
        writer.writerow(columns)
    writer.writerow([row.get(name, "") for name in columns])
    return text.getvalue().encode("utf-8")
