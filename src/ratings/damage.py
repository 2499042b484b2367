"""A damaged comparisons database: refused as it is, and what can still be read of it in a new one beside it."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

from ..common import UserError, first_line, number_of
from .schema import APPEND_ONLY, APPLICATION_ID, create, patiently, read_only

BEYOND = 1000  # ids without a row, after which there are no more

# What reading a damaged file raises; the second where SQLite quotes bytes of it that are no text.
UNREADABLE = (sqlite3.Error, UnicodeDecodeError)


def refuse_damaged(path: Path) -> None:
    """UserError where the file is a comparisons database with damaged pages; it says what was rescued."""
    if damage := find_damage(path):
        raise UserError(
            f"{path}: is damaged ({damage}) and stays as it is; {rescue(path)}. Put a backup in its place"
            f"{_alone(path)}, or give --comparisons the other file"
        )


def find_damage(path: Path) -> str:
    """What SQLite finds wrong with the pages of a comparisons database, in a line; "" if nothing, or no such file.

    It reads all of it: 0.07 s of 100,000 comparisons.
    """
    header = _header(path)
    if not header:
        return ""
    page = int.from_bytes(header[16:18], "big")  # bytes; 1 stands for 65536
    if path.stat().st_size % (65536 if page == 1 else page) and not _has_log(path):  # the log would mend it
        return "it ends within a page"
    try:
        with closing(read_only(path)) as connection:
            said = patiently(path, lambda: connection.execute("PRAGMA quick_check(3)").fetchall())
    except UnicodeDecodeError:  # of what SQLite would say of it
        return "its own description is no text"
    except sqlite3.DatabaseError as error:
        return first_line(error) if "malformed" in str(error) else ""  # what else there is, opening says better
    lines = [line for (text,) in said for line in str(text).splitlines() if not line.startswith("***")]
    return "" if lines == ["ok"] else lines[0]


def _header(path: Path) -> bytes:
    """The first 100 bytes of a comparisons database, nothing of another file. SQLite reads none that is too short."""
    with suppress(OSError), path.open("rb") as file:
        header = file.read(100)
        if header.startswith(b"SQLite format 3\0") and header[68:72] == APPLICATION_ID.to_bytes(4, "big"):
            return header
    return b""


def _alone(path: Path) -> str:
    """SQLite would write what a killed program left beside the file into whatever lies there next."""
    left = [name for end in ("-wal", "-shm", "-journal") if path.with_name(name := f"{path.name}{end}").exists()]
    return f" with {' and '.join(left)} deleted" if left else ""


def _has_log(path: Path) -> bool:
    log = path.with_name(f"{path.name}-wal")
    return log.exists() and log.stat().st_size > 0


def rescue(path: Path) -> str:
    """Copy the rows that can be read; in words, what that gave, and what it lacks.

    The rows of each table are numbered without gaps, so that those which are missing can be counted, but the last.
    """
    target = path.with_name(f"{path.stem}.rescued{path.suffix}")
    if target.exists():
        return f"what could be read at an earlier start is in {target.name}"
    part = target.with_name(f"{target.name}.part")
    part.unlink(missing_ok=True)
    try:
        with closing(read_only(path)) as damaged, closing(sqlite3.connect(part, isolation_level=None)) as new:
            counts = _copy(damaged, new)
            last = new.execute("SELECT max(made_at) FROM comparisons").fetchone()[0]
        part.replace(target)
    except UNREADABLE as error:
        part.unlink(missing_ok=True)
        return f"nothing could be read of it ({first_line(error)})"
    return f"what can be read is in {target.name}: {_in_words(counts, last)}"


def _copy(damaged: sqlite3.Connection, new: sqlite3.Connection) -> dict[str, tuple[int, int]]:
    """{table: (rows copied, rows missing at least)}"""
    damaged.execute("PRAGMA writable_schema = ON")  # nothing is written; without it SQLite reads no file cut short
    new.execute("BEGIN")
    create(new)
    counts = {table: _copy_table(damaged, new, table) for table in APPEND_ONLY}
    _stand_in(new)
    new.execute("COMMIT")
    return counts


def _copy_table(damaged: sqlite3.Connection, new: sqlite3.Connection, table: str) -> tuple[int, int]:
    columns = [row[1] for row in new.execute(f"PRAGMA table_info({table})")]
    with suppress(*UNREADABLE):
        known = {row[1] for row in damaged.execute(f"PRAGMA table_info({table})")}
        columns = [column for column in columns if column in known]
    names, marks = ", ".join(columns), ", ".join("?" * len(columns))
    copied, last, at = 0, _last_id(damaged, table), 0
    end = last + BEYOND
    while at < end:
        at += 1
        try:
            row = damaged.execute(f"SELECT {names} FROM {table} WHERE id = ?", (at,)).fetchone()
            if row is None or row[0] != at or not _makes_sense(table, dict(zip(columns, row, strict=True))):
                continue
            new.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", row)
        except UNREADABLE:
            continue
        copied, last, end = copied + 1, max(last, at), max(end, at + BEYOND)
    return copied, last - copied


def _last_id(damaged: sqlite3.Connection, table: str) -> int:
    """The highest id that can be read: in the table, in the index of its names, or, of comparisons, in other rows."""
    queries = [f"SELECT max(id) FROM {table}"]
    if table == "comparisons":
        by_name = "SELECT id FROM comparisons INDEXED BY sqlite_autoindex_comparisons_1 WHERE client_id > ''"
        queries += [f"{by_name} ORDER BY client_id", f"{by_name} ORDER BY client_id DESC"]
        queries += ["SELECT comparison_id FROM events WHERE kind = 'undo'"]
    last = 0
    for query in queries:
        with suppress(*UNREADABLE):
            for (value,) in damaged.execute(query):  # as far as it goes
                last = max(last, value if isinstance(value, int) and value < 2**31 else 0)
    return last


def _makes_sense(table: str, row: dict[str, object]) -> bool:
    if table != "comparisons":
        return True
    shown = _shown(row["shown"])
    return len(set(shown)) == len(shown) >= 2 and (row["winner"] is None or row["winner"] in shown)


def _shown(text: object) -> list[int]:
    with suppress(ValueError, TypeError):
        shown = json.loads(str(text))
        if isinstance(shown, list) and all(isinstance(image, int) for image in shown):
            return shown
    return []


def _stand_in(new: sqlite3.Connection) -> None:
    """For images and sessions that are lost, so that the choices which name them count all the same."""
    for image in _named(new, "SELECT shown FROM comparisons", "SELECT image_id FROM image_paths"):
        new.execute(
            "INSERT OR IGNORE INTO images SELECT ?, ?, '' WHERE NOT EXISTS (SELECT 1 FROM images WHERE id = ?)",
            (image, f"lost {image}", image),
        )
    for table in ("comparisons", "events", "starting_ratings", "held_out", "reached"):
        missing = f"SELECT DISTINCT session_id FROM {table} WHERE session_id NOT IN (SELECT id FROM sessions)"
        new.execute(f"INSERT INTO sessions SELECT session_id, 'unknown', '{{}}', '' FROM ({missing})")


def _named(new: sqlite3.Connection, *queries: str) -> Iterator[int]:
    seen: set[int] = set()
    for query in queries:
        for (value,) in new.execute(query).fetchall():
            seen.update(_shown(value) if isinstance(value, str) else [value] if isinstance(value, int) else [])
    yield from sorted(seen)


def _in_words(counts: dict[str, tuple[int, int]], last: str | None) -> str:
    copied, missing = counts["comparisons"]
    others = sum(lost for table, (_, lost) in counts.items() if table != "comparisons")
    parts = [
        number_of(copied, "comparison") + (f", the last of {last[:16].replace('T', ' ')} UTC" if last else ""),
        f"{missing} of those before are missing" if missing else "",
        f"{number_of(others, 'row')} of other tables are missing" if others else "",
        "later ones may be missing too",
    ]
    return "; ".join(part for part in parts if part)
