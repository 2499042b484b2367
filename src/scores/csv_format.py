"""Score files as CSV <-> Document: any delimiter, odd headers, repeated columns."""

import csv
import io
import json
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from ..common import UserError
from .document import (
    HOW_TO_MAKE_ONE,
    PATH_COLUMNS,
    SCORE_COLUMNS,
    Document,
    find_path_column,
    find_score_column,
    lines_listed,
    names_listed,
    normal,
    taken_for,
)

# What Excel wants to be told: which character stands between cells.
SEP_LINE = re.compile(r'"?sep=(?P<delimiter>[^\w\s"]|\t)"?[;,\t ]*(\r\n|\n|\r)', re.IGNORECASE)
# In a file of commas 1,234 may be a thousand; 4,9 and 4,90 may not.
DECIMAL_COMMA = re.compile(r"\s*[+-]?\d*,(\d{1,2}|\d{4,})\s*")


def header_lacks(path: Path, column: str) -> bool:
    """Whether the file is a CSV whose first line does not name the column; without reading more of it."""
    try:
        with path.open("rb") as file:
            first = file.readline(100_000)
    except OSError:
        return False
    text = first.decode("utf-8-sig", "replace").strip()
    if not text or text[0] in "{[" or b"\0" in first or SEP_LINE.match(text + "\n"):
        return False
    cells = {cell.strip(' "').casefold() for cell in re.split("[,;\t]", text)}
    names = SCORE_COLUMNS if column == SCORE_COLUMNS[0] else (column,)
    return cells.isdisjoint(name.casefold() for name in names)


def parse_csv(path: Path, text: str, score_column: str, problems: list[str], encoding: str = "utf-8") -> Document:
    start, delimiter, body = _begin(text)
    first = _first_line(body)
    delimiter = delimiter or next((d for d in ",;\t" if _names_images(first.replace('"', "").split(d))), ",")
    lines, cells = _csv_rows(path, body, delimiter, start.count("\n") or start.count("\r"))
    columns = _unique_columns(cells)
    path_column, score = _required_columns(path, columns, score_column)
    rows = [dict(zip(columns, row + [""] * (len(columns) - len(row)), strict=True)) for row in cells[1:]]
    keys = [row[path_column] for row in rows]
    if not any(keys):
        raise UserError(f"{path}: names no image below its header; {HOW_TO_MAKE_ONE}")
    commas = [row[score] for row in rows if "," in row[score]]
    decimal = next((value for value in commas if delimiter != "," or DECIMAL_COMMA.fullmatch(value)), None)
    document = Document(
        name=path.name,
        columns=columns,
        rows=rows,
        keys=keys,
        path_column=path_column,
        score_column=score,
        delimiter=delimiter,
        newline=_newline(body),
        start=start,
        encoding=encoding,
        decimal_comma=decimal is not None,
    )
    problems += taken_for(document, score_column)
    if decimal and delimiter == ",":
        problems.append(f"{path.name}: the comma in scores such as '{decimal.strip()}' is taken for a decimal point")
    _report_rows(document, lines, cells, problems)
    return document


def _begin(text: str) -> tuple[str, str, str]:
    """What stands before the header, the delimiter that it names, "" for none, and the rest."""
    mark = "\ufeff" if text.startswith("\ufeff") else ""
    sep = SEP_LINE.match(text, len(mark))
    end = sep.end() if sep else len(mark)
    return text[:end], sep["delimiter"] if sep else "", text[end:]


def _first_line(body: str) -> str:
    return re.split("[\r\n]", body.lstrip("\r\n"), maxsplit=1)[0]


def _newline(body: str) -> str:
    found = re.search("\r\n|\n|\r", body.lstrip("\r\n"))
    if found and found[0] == "\r" and "\n" in body:  # part of a name in the header
        return "\n"
    return found[0] if found else "\n"


def _names_images(cells: list[str]) -> bool:
    return any(cell.strip().casefold() in PATH_COLUMNS for cell in cells)


def _csv_rows(path: Path, text: str, delimiter: str, before: int) -> tuple[list[int], list[list[str]]]:
    """Of all rows that hold anything: the line at which each ends, and its cells. The first is the header.

    before: lines that stand before this text.
    """
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        both = [(reader.line_num + before, row) for row in reader if any(row)]
    except csv.Error as error:
        line = reader.line_num + before
        raise UserError(f"{path}, line {line}: not CSV ({error}); look for a quote without its partner")
    if not both:
        raise UserError(f"{path}: empty; {HOW_TO_MAKE_ONE}")
    return [line for line, _ in both], [row for _, row in both]


def _report_rows(document: Document, lines: list[int], cells: list[list[str]], problems: list[str]) -> None:
    uneven = [line for line, row in zip(lines, cells, strict=True) if len(row) != len(cells[0])]
    if uneven:
        problems.append(
            f"{document.name}: more or fewer cells than the header in {lines_listed(uneven)}; quote names with commas"
        )
    nameless = [line for line, key in zip(lines[1:], document.keys, strict=True) if not key]
    if nameless:
        problems.append(f"{document.name}: no image named in {lines_listed(nameless)}; not used")


def _unique_columns(cells: list[list[str]]) -> list[str]:
    """The header, as wide as the widest row, each name once: a repeated one gets NULs, which `to_csv` takes off."""
    unique: dict[str, None] = {}
    for name in cells[0] + [""] * (max(map(len, cells)) - len(cells[0])):
        while name in unique:
            name += "\0"
        unique[name] = None
    return list(unique)


def _required_columns(path: Path, columns: list[str], score_column: str) -> tuple[str, str]:
    path_column = find_path_column(str(path), columns)
    if path_column is None:
        raise UserError(
            f"{path}: its first line has no column 'relative_path' but {names_listed(columns)}; "
            "a score file is a CSV with a header such as relative_path,score, or a JSON object"
        )
    score = find_score_column(str(path), columns, score_column)
    if score is None:
        there = names_listed(columns)
        raise UserError(f"{path}: no column '{score_column}'; it has {there}; choose with --score_column")
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
