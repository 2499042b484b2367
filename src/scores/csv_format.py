"""Score files as CSV <-> Document: any delimiter, odd headers, repeated columns."""

import csv
import io
import json
import re
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from ..common import UserError
from .document import HOW_TO_MAKE_ONE, PATH_COLUMNS, Document, lines_listed, listing, normal


def header_lacks(path: Path, column: str) -> bool:
    """Whether the file is a CSV whose first line does not name the column; without reading more of it."""
    try:
        with path.open("rb") as file:
            first = file.readline(100_000)
    except OSError:
        return False
    text = first.decode("utf-8-sig", "replace").strip()
    if not text or text[0] in "{[" or b"\0" in first:
        return False
    return column not in [cell.strip(' "') for cell in re.split("[,;\t]", text)]


def parse_csv(path: Path, text: str, score_column: str, problems: list[str]) -> Document:
    start, body = ("\ufeff", text[1:]) if text.startswith("\ufeff") else ("", text)
    first = body.lstrip("\r\n").split("\n", 1)[0]
    delimiter = next((d for d in ",;\t" if _path_column(first.replace('"', "").split(d))), ",")
    lines, cells = _csv_rows(path, body, delimiter)
    columns = _unique_columns(cells)
    path_column, score = _required_columns(path, columns, score_column)
    rows = [dict(zip(columns, row + [""] * (len(columns) - len(row)), strict=True)) for row in cells[1:]]
    keys = [row[path_column] for row in rows]
    if not any(keys):
        raise UserError(f"{path}: names no image below its header; {HOW_TO_MAKE_ONE}")
    uneven = [line for line, row in zip(lines, cells, strict=True) if len(row) != len(cells[0])]
    if uneven:
        problems.append(
            f"{path.name}: more or fewer cells than the header in {lines_listed(uneven)}; quote names with commas"
        )
    nameless = [line for line, key in zip(lines[1:], keys, strict=True) if not key]
    if nameless:
        problems.append(f"{path.name}: no image named in {lines_listed(nameless)}; not used")
    return Document(
        name=path.name,
        columns=columns,
        rows=rows,
        keys=keys,
        path_column=path_column,
        score_column=score,
        delimiter=delimiter,
        newline="\r\n" if first.endswith("\r") else "\n",
        start=start,
        decimal_comma=delimiter != "," and any("," in row[score] for row in rows),
    )


def _csv_rows(path: Path, text: str, delimiter: str) -> tuple[list[int], list[list[str]]]:
    """Of all rows that hold anything: the line at which each ends, and its cells. The first is the header."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        both = [(reader.line_num, row) for row in reader if any(row)]
    except csv.Error as error:
        raise UserError(f"{path}, line {reader.line_num}: not CSV ({error}); look for a quote without its partner")
    if not both:
        raise UserError(f"{path}: empty; {HOW_TO_MAKE_ONE}")
    return [line for line, _ in both], [row for _, row in both]


def _path_column(columns: Sequence[str]) -> str | None:
    named = {column.strip(): column for column in reversed(columns)}
    return next((named[name] for name in PATH_COLUMNS if name in named), None)


def _unique_columns(cells: list[list[str]]) -> list[str]:
    """The header, as wide as the widest row, each name once: a repeated one gets NULs, which `to_csv` takes off."""
    unique: dict[str, None] = {}
    for name in cells[0] + [""] * (max(map(len, cells)) - len(cells[0])):
        while name in unique:
            name += "\0"
        unique[name] = None
    return list(unique)


def _required_columns(path: Path, columns: list[str], score_column: str) -> tuple[str, str]:
    path_column = _path_column(columns)
    names = listing((name.strip() for name in columns if name.strip("\0 ")), most=40)[:400]
    if path_column is None:
        raise UserError(
            f"{path}: its first line has no column 'relative_path' but {names}; "
            "a score file is a CSV with a header such as relative_path,score, or a JSON object"
        )
    score = next((column for column in columns if column.strip() == score_column), None)
    if score is None:
        raise UserError(f"{path}: no column '{score_column}'; it has {names}; choose with --score_column")
    return path_column, score


def to_csv(document: Document) -> str:
    columns, rows = document.columns, document.rows
    if document.path_column is None:
        columns = ["relative_path", *(name for name in columns if name not in PATH_COLUMNS[:2])]
        rows = [{**row, "relative_path": normal(key)} for key, row in zip(document.keys, rows, strict=True)]
    lines = [document.start]
    # csv quotes whatever is part of its line end: with \r\n it is both in every version of Python.
    sink = SimpleNamespace(write=lambda line: lines.append(line.removesuffix("\r\n") + document.newline))
    writer = csv.writer(sink, delimiter=document.delimiter, lineterminator="\r\n")
    writer.writerow([name.rstrip("\0") for name in columns])
    writer.writerows([_cell(row.get(name), document.decimal_comma) for name in columns] for row in rows)
    return "".join(lines)


def _cell(value: Any, decimal_comma: bool) -> str:
    if value is None or isinstance(value, str):
        return value or ""
    text = json.dumps(value, ensure_ascii=False)
    return text.replace(".", ",") if decimal_comma and isinstance(value, float) else text
