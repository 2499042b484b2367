"""The score table: which image has which score, from a CSV or JSON file and back to one with nothing lost."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from ..common import UserError, plain
from .csv_format import header_lacks
from .document import HOW_TO_MAKE_ONE, PATH_COLUMNS, Document, listing, names_listed, normal, number, shown
from .formats import read_document, write_document
from .split import SPLITS

T = TypeVar("T")


@dataclass(frozen=True)
class ScoreTable:
    """N images, each once, and their scores.

    paths: relative, with "/". scores: (N,) float64, nan where there is none. splits: "train", "eval", "test" or "".
    weights: (N,) float64, 0 or more, 1 where none is given. problems: sentences to print.
    document: everything the file holds, also rows not in this table. rows: (N,) int, the row of each image there.
    """

    paths: list[str]
    scores: np.ndarray
    splits: list[str]
    weights: np.ndarray
    has_weights: bool
    problems: list[str]
    document: Document
    rows: np.ndarray


def find_scorefile(directory: Path, name: str | None) -> Path:
    """The score file `name`, absolute or in the directory; without a name scores.json, else scores.csv there."""
    wanted = [name] if name else ["scores.json", "scores.csv"]
    for path in (directory / Path(word).expanduser() for word in wanted):
        if path.is_file():
            return plain(path)
    raise UserError(f"{directory}: no score file {' or '.join(wanted)} there; {HOW_TO_MAKE_ONE}")


def refuse_lost_scores(option: str, path: Path, score_column: str, is_ours: Callable[[set[str]], bool]) -> None:
    """UserError where `path`, which an option is to write, holds scores that would be lost.

    is_ours: from the file's columns, but that of the paths, to whether the option wrote it before, or keeps them all.
    """
    for name in dict.fromkeys(("score", score_column)):
        if header_lacks(path, name):
            continue
        try:
            document, _ = read_document(path, name)
        except UserError:  # not there, no score file, or without that column: there is nothing to lose
            continue
        others = set(document.columns) - {document.path_column}
        if not is_ours({column.strip() for column in others} - set(PATH_COLUMNS)):
            raise UserError(f"--{option}={path}: holds scores in '{name}' that would be lost; name another file")


def read_scorefile(path: Path, score_column: str | None = None, directory: Path | None = None) -> ScoreTable:
    """Read a CSV or JSON score file; which of them shows in its content.

    score_column: the column, or the key in JSON records, that is the score; default "score". directory: the images'
    folder, from which on absolute names below it are taken. Raises UserError if the file is missing, is neither CSV
    nor JSON, names no image, or lacks that column. Lesser faults, and what was taken for what, become `problems`.
    """
    document, problems = read_document(path, score_column or "score")
    document = replace(document, folders=_spelled(directory) if directory else ())
    name, comma = document.name, document.reads_commas
    paths = [document.image(key) for key in document.keys]
    if not any(paths):
        raise UserError(f"{path}: names no image; {HOW_TO_MAKE_ONE}")
    scores = _parsed(document, document.score_column, lambda value: number(value, comma), "are not numbers", problems)
    splits = _parsed(document, "split", _split, "are not train, eval or test, and will be drawn", problems)
    weights = _parsed(document, "weight", lambda v: _weight(v, comma), "are not 0 or more, and count as 1", problems)
    rows = _one_row_each(name, paths, scores, splits, problems)
    _report_names(document, [document.keys[row] for row in rows], [paths[row] for row in rows], problems)
    blank = [paths[row] for row in rows if _is_blank(document.rows[row].get(document.score_column))]
    if blank:
        problems.append(f"{name}: {len(blank)} of {len(rows)} images have no score: {listing(blank)}")
    return ScoreTable(
        paths=[paths[row] for row in rows],
        scores=np.array([scores[row] for row in rows], dtype=np.float64),  # None becomes nan
        splits=[splits[row] or "" for row in rows],
        weights=np.array([1.0 if (weight := weights[row]) is None else weight for row in rows], dtype=np.float64),
        has_weights=any(weights[row] is not None for row in rows),
        problems=problems,
        document=document,
        rows=np.array(rows, dtype=np.int64),
    )


def column_values(table: ScoreTable, name: str) -> list[str]:
    """A column of the table's images as N texts, "" where a cell is empty. UserError if there is no such column."""
    document = table.document
    column = document.column(name)
    values = [document.rows[row].get(column) for row in table.rows.tolist()]
    if all(value is None for value in values):
        raise UserError(f"{document.name}: no column '{name}'; it has {names_listed(document.columns)}")
    return ["" if _is_blank(value) else str(value).strip() for value in values]


def read_numbers(table: ScoreTable, name: str) -> np.ndarray | None:
    """(N,) float64, another column of the table's file, nan where it holds no number; None without such a column."""
    document = table.document
    column, comma = document.column(name), document.reads_commas
    if column not in document.columns:
        return None
    values = [number(document.rows[row].get(column), comma) for row in table.rows]
    return np.array(values, dtype=np.float64)  # None becomes nan


def new_table(images: Sequence[str], name: str = "scores.csv") -> ScoreTable:
    """A table of images without scores, for a directory that has no score file yet."""
    none = np.zeros(0)
    document = Document(name, ["relative_path"], [], [], "relative_path")
    return add_images(ScoreTable([], none, [], none, False, [], document, none.astype(np.int64)), images)


def add_images(table: ScoreTable, images: Iterable[str]) -> ScoreTable:
    """The table with those of `images` that it lacks behind its own, without score, split and weight.

    An image whose row the table left out (see `select`) gets that row again when it is written.
    """
    known, old = set(table.paths), table.document
    new = [image for image in dict.fromkeys(images) if image not in known]
    left_out = {old.image(old.keys[row]): row for row in sorted(set(range(len(old.rows))) - set(table.rows.tolist()))}
    unwritten = [image for image in new if image not in left_out]
    fresh: list[dict[str, Any]] = [{old.path_column: image} if old.path_column else {} for image in unwritten]
    places = {image: len(old.rows) + place for place, image in enumerate(unwritten)} | left_out
    return replace(
        table,
        paths=table.paths + new,
        scores=np.append(table.scores, np.full(len(new), np.nan)),
        splits=table.splits + [""] * len(new),
        weights=np.append(table.weights, np.ones(len(new))),
        document=replace(old, rows=old.rows + fresh, keys=old.keys + unwritten),
        rows=np.append(table.rows, [places[image] for image in new]).astype(np.int64),
    )


def select(table: ScoreTable, positions: Sequence[int] | np.ndarray) -> ScoreTable:
    """The table of some of its images, by position; its document, and so what is written, stays whole."""
    keep = np.asarray(positions, dtype=np.int64)
    return replace(
        table,
        paths=[table.paths[place] for place in keep],
        scores=table.scores[keep],
        splits=[table.splits[place] for place in keep],
        weights=table.weights[keep],
        rows=table.rows[keep],
    )


def write_scorefile(path: Path, table: ScoreTable, new_columns: Mapping[str, Sequence[Any] | np.ndarray]) -> None:
    """Write all that the table's file held, and new columns, atomically; CSV or JSON by the ending of `path`.

    new_columns: name -> N values in the order of `table.paths`; a name that exists is replaced in its place. None,
    nan and infinite values become an empty cell or null. Floats are written with as many digits as read back the
    same number: few for float32. Rows not in the table keep what they had. Raises UserError for another ending, or
    where nothing can be written.
    """
    document = table.document
    rows, columns = [dict(row) for row in document.rows], list(document.columns)
    for name, values in new_columns.items():
        if len(values) != len(table.paths):
            raise ValueError(f"column {name}: {len(values)} values for {len(table.paths)} images")
        column = document.column(name)
        if column not in columns:
            columns.append(column)
        for row, value in zip(table.rows.tolist(), values, strict=True):
            rows[row][column] = _plain(value)
    write_document(path, replace(document, rows=rows, columns=columns), set(table.rows.tolist()))


def _parsed(
    document: Document, name: str, parse: Callable[[Any], T | None], fault: str, problems: list[str]
) -> list[T | None]:
    """A column's values, None where there is none or `parse` says so; the latter are reported."""
    column = document.column(name)
    values = [row.get(column) for row in document.rows]
    parsed = [None if _is_blank(value) else parse(value) for value in values]
    wrong = [
        f"{document.image(key)} ('{str(value)[:30]}')"
        for key, value, result in zip(document.keys, values, parsed, strict=True)
        if result is None and not _is_blank(value)
    ]
    if wrong:
        problems.append(
            f"{document.name}: {len(wrong)} of {len(values)} in column {shown(name)} {fault}: {listing(wrong)}"
        )
    return parsed


def _is_blank(value: Any) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())


def _split(value: Any) -> str | None:
    word = str(value).strip().lower()
    return word if word in SPLITS else None


def _weight(value: Any, decimal_comma: bool) -> float | None:
    weight = number(value, decimal_comma)
    return weight if weight is not None and weight >= 0 else None


def _spelled(directory: Path) -> tuple[str, ...]:
    """How an absolute path to this folder may be written, links followed or not."""
    return tuple(dict.fromkeys(normal(str(path)) for path in (directory.absolute(), directory.resolve())))


def _one_row_each(
    name: str, paths: list[str], scores: list[float | None], splits: list[str | None], problems: list[str]
) -> list[int]:
    """For each image its last row with a score, else its last row; in the order of first appearance."""
    rows: dict[str, list[int]] = {}
    for row, path in enumerate(paths):
        if path:
            rows.setdefault(path, []).append(row)
    double = [path for path, places in rows.items() if len(places) > 1]
    if double:
        fault = f"several rows for {len(double)} of {len(rows)} images, the last with a score counts"
        problems.append(f"{name}: {fault}: {listing(double)}")
    for what, values in (("scores", scores), ("splits", splits)):
        differ = [path for path in double if len({values[row] for row in rows[path]} - {None}) > 1]
        if differ:
            problems.append(f"{name}: for {len(differ)} of them the {what} differ: {listing(differ)}")
    return [max(places, key=lambda row: (scores[row] is not None, row)) for places in rows.values()]


def _report_names(document: Document, keys: list[str], paths: list[str], problems: list[str]) -> None:
    outside = [path for path in paths if _is_outside(path)]
    below = [key for key, path in zip(keys, paths, strict=True) if _is_outside(normal(key)) and not _is_outside(path)]
    if below:
        problems.append(
            f"{document.name}: {len(below)} of {len(paths)} names are absolute, and taken from the directory on: "
            f"{listing(below)}"
        )
    if outside:
        problems.append(
            f"{document.name}: {len(outside)} of {len(paths)} names are not relative to the directory: "
            f"{listing(outside)}"
        )


def _is_outside(path: str) -> bool:
    return path.startswith(("/", "../")) or path[1:3] == ":/"


def _plain(value: Any) -> Any:
    """A Python value for a NumPy one; None for numbers that no score file can hold."""
    if isinstance(value, np.floating) and value.dtype.itemsize < 8:
        value = float(str(value))  # the shortest text that float32 reads back, not float64's view of it
    value = value.item() if isinstance(value, np.generic) else value
    return None if isinstance(value, float) and not np.isfinite(value) else value
