"""Which content a file had when it was last read, as rows of the index."""

from collections.abc import Mapping
from pathlib import Path

from ..images import Content, Stamp, UnreadableImage, content_of
from .index import FileRow, Tables

CLOCK_STEP_MS = 2000  # within it, times of one change may differ


def known_contents(tables: Tables, directory: bytes, stamps: Mapping[str, Stamp]) -> dict[str, Content]:
    """Contents of those files that are as they were, by size and times. directory: as the index has it.

    key is empty where the first version of the cache kept no more than the hash: `content_of` finds it.
    """
    names = {path: as_bytes(path) for path in stamps}
    rows = tables.files(directory, min(names.values()), max(names.values())) if names else []
    before = {row.path: row for row in rows}
    found = ((path, before.get(names[path]), stamp) for path, stamp in stamps.items())
    return {path: _content_in(row) for path, row, stamp in found if row and _is_unchanged(row, stamp)}


def read_content(path: Path, known: Content | None) -> Content | UnreadableImage:
    """known: what `known_contents` had of it, if anything."""
    try:
        return content_of(path, known.hash if known else "")
    except UnreadableImage as error:
        return error


def file_row(directory: bytes, path: str, stamp: Stamp, content: Content) -> FileRow:
    digest, key = bytes.fromhex(content.hash), bytes.fromhex(content.key)
    ctime_ms = stamp.ctime_ms or None
    return FileRow(directory, as_bytes(path), stamp.size, stamp.mtime_ms, digest, ctime_ms, key, content.note)


def as_bytes(path: str) -> bytes:
    return path.encode("utf-8", "surrogatepass")  # file names need not be Unicode


def _content_in(row: FileRow) -> Content:
    return Content(row.hash.hex(), (row.key or b"").hex(), row.note or "")


def _is_unchanged(row: FileRow, stamp: Stamp) -> bool:
    if (row.size, row.mtime_ms) != (stamp.size, stamp.mtime_ms):
        return False
    if row.ctime_ms is None or not stamp.ctime_ms:
        # One of them is not known (version 1, Windows). Nothing changed since mtime if ctime is the same moment.
        return not stamp.ctime_ms or stamp.ctime_ms - stamp.mtime_ms <= CLOCK_STEP_MS
    return row.ctime_ms == stamp.ctime_ms
