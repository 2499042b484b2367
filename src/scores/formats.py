"""Score files as text: CSV and JSON <-> one Document that forgets nothing. docs/score-files.md describes them."""

import csv
import io
import json
import re
import sys
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from ..common import UserError, write_text

PATH_COLUMNS = ("relative_path", "relative_filepath", "path", "file")  # of these the first that a CSV has
HOW_TO_MAKE_ONE = "make one with aesthetic_ab_scorer.py, or write a CSV with the columns relative_path,score"


@dataclass(frozen=True)
class Document:
    """Everything that a score file holds.

    columns: in the file's order. rows: one {column: value} each, text in a CSV, any JSON value in a JSON.
    keys: each row's image, spelled as in the file; "" where a row names none.
    path_column: None in a JSON, where the key is the path. top: what a JSON holds beside its records.
    The second column of a name has a NUL after its name here, as a dict holds a name once.
    """

    name: str
    columns: list[str]
    rows: list[dict[str, Any]]
    keys: list[str]
    path_column: str | None
    score_column: str = "score"
    top: dict[str, Any] = field(default_factory=dict)
    delimiter: str = ","
    newline: str = "\n"
    start: str = ""  # the byte-order mark, where there was one
    decimal_comma: bool = False

    def column(self, name: str) -> str:
        """The column whose name is `name` but for white space around it; `name` itself where there is none."""
        return next((column for column in self.columns if column.strip() == name), name)


def read_document(path: Path, score_column: str) -> tuple[Document, list[str]]:
    """Read a file as JSON if it begins like one, else as CSV; and sentences on what is odd in it.

    Raises UserError if it is missing or neither, names no image, or has no `score_column`.
    """
    text, problems = _decode(path)
    if text.lstrip("\ufeff \t\r\n")[:1] in ("{", "["):
        return _parse_json(path, text.lstrip("\ufeff"), score_column), problems
    return _parse_csv(path, text, score_column, problems), problems


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


def write_document(path: Path, document: Document, chosen: Collection[int]) -> None:
    """Replace `path` atomically, as CSV or JSON by its ending; what a CSV has no place for is named on stderr.

    chosen: the rows to keep where a JSON can hold only one of those that name the same image.
    """
    if path.suffix.lower() not in (".csv", ".json"):
        raise UserError(f"{path}: the name of a score file must end in .csv or .json")
    text = _to_csv(document) if path.suffix.lower() == ".csv" else _to_json(document, chosen)
    try:
        write_text(path, text)
    except UnicodeEncodeError as error:
        where = shown(text[max(0, error.start - 40) : error.end])
        raise UserError(f"{path}: '{where}' can't be written in UTF-8; rename that image or write a .json")
    lost = [name for name, value in document.top.items() if name != "ImageRecords" and value]
    if lost and path.suffix.lower() == ".csv":
        print(
            f"note: {path}: a CSV has no place for {listing(lost)} of {document.name}; a .json has", file=sys.stderr
        )


def normal(key: str) -> str:
    """A path as we name images: "/" between folders, no "./", nothing doubled."""
    parts = key.replace("\\", "/").split("/")
    return ("/" if parts[0] == "" and len(parts) > 1 else "") + "/".join(
        part for part in parts if part not in ("", ".")
    )


def shown(name: str) -> str:
    """A name as any terminal can print it, on one line."""
    text = name.encode("utf-8", "backslashreplace").decode("utf-8")
    return "".join(letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in text)


def listing(names: Iterable[object], most: int = 3) -> str:
    """The first few names and, if there are more, an ellipsis."""
    words = [shown(str(name)) for name in names]
    return ", ".join(words[:most] + ["…"] * (len(words) > most))


def number(value: Any, decimal_comma: bool = False) -> float | None:
    """A finite number, also where it stands as text; else None."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    if isinstance(value, str):
        value = value.strip().replace("_", "?")  # Python reads 1_0 as ten; no score file means that
        if decimal_comma and re.fullmatch(r"[+-]?\d*,\d+", value):
            value = value.replace(",", ".")
    try:
        result = float(value)
    except (ValueError, OverflowError):
        return None
    return result if abs(result) < float("inf") else None


def _decode(path: Path) -> tuple[str, list[str]]:
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise UserError(f"{path}: no such score file; {HOW_TO_MAKE_ONE}")
    except OSError as error:
        raise UserError(f"{path}: can't be read ({error.strerror}); a score file is a CSV or JSON file")
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):  # Excel's "Unicode text"
        return _decode_utf16(path, data), []
    if b"\0" in data:
        raise UserError(f"{path}: not a text file; a score file is CSV or JSON in UTF-8")
    text = data.decode("utf-8", "surrogateescape")
    odd = [place for place, line in enumerate(text.split("\n"), 1) if re.search("[\udc80-\udcff]", line)]
    if not odd:
        return text, []
    return text, [
        f"{path.name}: not UTF-8 in {_lines(odd)}, read byte by byte; if images there are not found, "
        "save it again as 'CSV UTF-8'"
    ]


def _decode_utf16(path: Path, data: bytes) -> str:
    try:
        return "\ufeff" + data.decode("utf-16")
    except UnicodeDecodeError:
        raise UserError(f"{path}: begins as UTF-16 but is damaged; save it again as 'CSV UTF-8'")


def _lines(numbers: Sequence[int]) -> str:
    return f"{len(numbers)} line{'s' * (len(numbers) > 1)} ({listing(numbers)})"


def _parse_csv(path: Path, text: str, score_column: str, problems: list[str]) -> Document:
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
            f"{path.name}: more or fewer cells than the header in {_lines(uneven)}; quote names with commas"
        )
    nameless = [line for line, key in zip(lines[1:], keys, strict=True) if not key]
    if nameless:
        problems.append(f"{path.name}: no image named in {_lines(nameless)}; not used")
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
    """The header, as wide as the widest row, each name once: a repeated one gets NULs, which `_to_csv` takes off."""
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


class _Object(dict[str, Any]):
    """A JSON object which also knows its pairs, as a name may stand there twice."""

    pairs: list[tuple[str, Any]] | None = None


def _object(pairs: list[tuple[str, Any]]) -> _Object:
    result = _Object(pairs)
    if len(result) < len(pairs):
        result.pairs = pairs
    return result


def _parse_json(path: Path, text: str, score_column: str) -> Document:
    try:
        content = json.loads(text, object_pairs_hook=_object)
    except json.JSONDecodeError as error:
        raise UserError(f"{path}, line {error.lineno}: not JSON ({error.msg})")
    except (RecursionError, ValueError):
        raise UserError(f"{path}: not a score file (nested too deeply, or a number of thousands of digits)")
    records = content.get("ImageRecords", content) if isinstance(content, _Object) else None
    if not isinstance(records, _Object):
        raise UserError(f'{path}: its images are no JSON object; right would be {{"a.png": 0.5}} or ImageRecords')
    pairs = [(key, value) for key, value in records.pairs or records.items() if key != "#meta#"]
    if not pairs:
        raise UserError(f"{path}: names no image; {HOW_TO_MAKE_ONE}")
    rows = [_record(value) for _, value in pairs]
    columns = list(dict.fromkeys(name for row in rows for name in row))
    if score_column not in columns:
        names = listing(columns, most=40)[:400]
        raise UserError(f"{path}: no record has '{score_column}'; they have {names}; choose with --score_column")
    top = {"ImageRecords": None, "Metadata": content.get("#meta#", {})} if records is content else dict(content)
    return Document(path.name, columns, rows, [key for key, _ in pairs], None, score_column, top)


def _record(value: Any) -> dict[str, Any]:
    """An image's record, also from the older forms: a score, or [score, comparisons]."""
    if isinstance(value, dict):
        return dict(value)
    values = value if isinstance(value, list) else [value]
    names = ["score", "comparisons", *(f"value_{place + 1}" for place in range(2, len(values)))]
    return dict(zip(names, values, strict=False))


def _to_csv(document: Document) -> str:
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


def _to_json(document: Document, chosen: Collection[int]) -> str:
    records: dict[str, dict[str, Any]] = {}
    for place, (key, row) in enumerate(zip(document.keys, document.rows, strict=True)):
        if document.path_column is not None:
            key, row = normal(key), _typed(document, row)
        if key and (key not in records or place in chosen):
            records[key] = row if "relative_filepath" in row else {"relative_filepath": normal(key), **row}
    top = document.top or {"ImageRecords": None, "Metadata": {}}
    return json_text({**top, "ImageRecords": records}, indent=2) + "\n"


def json_text(value: Any, indent: int | None = None) -> str:
    """JSON in the letters themselves; undecodable bytes of a name, for which UTF-8 has no form, as escapes."""
    text = json.dumps(value, indent=indent, ensure_ascii=False)
    return re.sub("[\ud800-\udfff]", lambda match: f"\\u{ord(match[0]):04x}", text)


def _typed(document: Document, row: dict[str, Any]) -> dict[str, Any]:
    """A CSV row as a JSON record: no empty cells, and numbers where nothing is lost by it."""
    always = (document.score_column, document.column("weight"))
    record: dict[str, Any] = {}
    for name, value in row.items():
        if value in ("", None) or name == document.path_column:
            continue
        parsed = number(value, document.delimiter != ",")
        if isinstance(value, str) and parsed is not None:
            whole = int(parsed) if parsed.is_integer() else parsed
            value = next((n for n in (whole, parsed) if str(n) == value), parsed if name in always else value)
        record[name.strip("\0 ") or f"column_{document.columns.index(name) + 1}"] = value
    return record
