"""Score files as JSON <-> Document: ImageRecords, lists and lines of records, and the older forms of predecessors."""

import json
import re
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from typing import Any

from ..common import UserError
from .document import (
    HOW_TO_MAKE_ONE,
    PATH_COLUMNS,
    Document,
    find_path_column,
    find_score_column,
    lines_listed,
    names_listed,
    normal,
    number,
    shown,
    taken_for,
)

ODD = "nested too deeply, or a number of thousands of digits"


class _Object(dict[str, Any]):
    """A JSON object which also knows its pairs, as a name may stand there twice."""

    pairs: list[tuple[str, Any]] | None = None


def _object(pairs: list[tuple[str, Any]]) -> _Object:
    result = _Object(pairs)
    if len(result) < len(pairs):
        result.pairs = pairs
    return result


def is_lines(path: Path, text: str) -> bool:
    """Whether this is one JSON object a line; of a single line only the file's name tells."""
    first, _, rest = text.lstrip().partition("\n")
    with suppress(ValueError, RecursionError):
        return isinstance(content := json.loads(first), dict) and (
            bool(rest.strip()) or (path.suffix.lower() == ".jsonl" and "ImageRecords" not in content)
        )
    return False


def parse_json(path: Path, text: str, score_column: str, problems: list[str]) -> Document:
    content = _load(path, text, 1)
    if isinstance(content, list) and content and all(isinstance(part, _Object) for part in content):
        return _of_records(path, content, score_column, "list", problems)
    records = content.get("ImageRecords", content) if isinstance(content, _Object) else None
    if not isinstance(records, _Object):
        raise UserError(f'{path}: its images are no JSON object; right would be {{"a.png": 0.5}} or ImageRecords')
    if records is not content:
        _refuse_doubles(path, content)
    pairs = [(key, value) for key, value in records.pairs or records.items() if key != "#meta#"]
    if not pairs:
        raise UserError(f"{path}: names no image; {HOW_TO_MAKE_ONE}")
    rows = [_record(path, value) for _, value in pairs]
    columns = list(dict.fromkeys(name for row in rows for name in row))
    score = _score_column(path, columns, score_column)
    top = {"ImageRecords": None, "Metadata": content.get("#meta#", {})} if records is content else dict(content)
    document = Document(path.name, columns, rows, [key for key, _ in pairs], None, score, top, "records")
    problems += taken_for(document, score_column)
    _report_nameless(document, problems)
    return document


def parse_lines(path: Path, text: str, score_column: str, problems: list[str]) -> Document:
    """One record a line, as data sets have them (metadata.jsonl)."""
    lines = [(place, line) for place, line in enumerate(text.split("\n"), 1) if line.strip()]
    records = [_load(path, line, place) for place, line in lines]
    for (place, _), record in zip(lines, records, strict=True):
        if not isinstance(record, _Object):
            right = '{"file_name": "a.png", "score": 1}'
            raise UserError(f"{path}, line {place}: no JSON object; right would be {right}")
    return _of_records(path, records, score_column, "lines", problems, "\r\n" if "\r\n" in text else "\n")


def _of_records(
    path: Path, records: list[_Object], score_column: str, form: str, problems: list[str], newline: str = "\n"
) -> Document:
    """Records that name their image themselves."""
    for record in records:
        _refuse_doubles(path, record)
    columns = list(dict.fromkeys(name for record in records for name in record))
    path_column = find_path_column(str(path), columns)
    if path_column is None:
        raise UserError(f"{path}: no record has 'file_name'; they have {names_listed(columns)}; {HOW_TO_MAKE_ONE}")
    score = _score_column(path, [name for name in columns if name != path_column], score_column)
    keys = [key if isinstance(key := record.get(path_column), str) else "" for record in records]
    if not any(keys):
        raise UserError(f"{path}: names no image; {HOW_TO_MAKE_ONE}")
    rows = [dict(record) for record in records]
    document = Document(path.name, columns, rows, keys, path_column, score, {}, form, newline=newline)
    problems += taken_for(document, score_column)
    _report_nameless(document, problems)
    return document


def _report_nameless(document: Document, problems: list[str]) -> None:
    nameless = [place for place, key in enumerate(document.keys, 1) if not key]
    if nameless:
        named = lines_listed(nameless).replace("line", "record")
        problems.append(f"{document.name}: no image named in {named}; not used")


def _load(path: Path, text: str, line: int) -> Any:
    """line: that at which the text begins in its file."""
    try:
        return json.loads(text, object_pairs_hook=_object)
    except json.JSONDecodeError as error:
        raise UserError(f"{path}, line {line + error.lineno - 1}: not JSON ({error.msg})")
    except (RecursionError, ValueError):
        raise UserError(f"{path}: not a score file ({ODD})")


def _refuse_doubles(path: Path, record: _Object) -> None:
    """UserError where a name stands in it twice: one of the two would be lost."""
    if record.pairs:
        names = [name for name, _ in record.pairs]
        double = next(name for name in names if names.count(name) > 1)
        raise UserError(f"{path}: '{shown(double)[:60]}' stands twice in one object; take one of them out")


def _score_column(path: Path, columns: list[str], score_column: str) -> str:
    found = find_score_column(str(path), columns, score_column)
    if found is None:
        there = names_listed(columns)
        raise UserError(f"{path}: no record has '{score_column}'; they have {there}; choose with --score_column")
    return found


def _record(path: Path, value: Any) -> dict[str, Any]:
    """An image's record, also from the older forms: a score, or [score, comparisons]."""
    if isinstance(value, _Object):
        _refuse_doubles(path, value)
        return dict(value)
    values = value if isinstance(value, list) else [value]
    names = ["score", "comparisons", *(f"value_{place + 1}" for place in range(2, len(values)))]
    return dict(zip(names, values, strict=False))


def to_json(document: Document, chosen: Collection[int]) -> str:
    if document.form == "list":
        return json_text(document.rows, indent=2) + "\n"
    records: dict[str, dict[str, Any]] = {}
    for place, (key, row) in enumerate(zip(document.keys, _typed_rows(document), strict=True)):
        if document.path_column is not None:
            key = normal(key)
        if (key or document.form == "records") and (key not in records or place in chosen):
            records[key] = row if "relative_filepath" in row else {"relative_filepath": normal(key), **row}
    top = document.top or {"ImageRecords": None, "Metadata": {}}
    return json_text({**top, "ImageRecords": records}, indent=2) + "\n"


def to_lines(document: Document) -> str:
    """A record a line, each of which names its image."""
    rows = _typed_rows(document)
    if document.form not in ("lines", "list"):
        name = (document.path_column or PATH_COLUMNS[0]).strip("\0 \t")  # the one that counts when it is read again
        double = PATH_COLUMNS[:2] if document.form == "records" else ()
        others = [{key: value for key, value in row.items() if key not in double} for row in rows]
        rows = [{name: normal(key), **row} for key, row in zip(document.keys, others, strict=True)]
    return "".join(json_text(row) + document.newline for row in rows)


def json_text(value: Any, indent: int | None = None) -> str:
    """JSON in the letters themselves; undecodable bytes of a name, for which UTF-8 has no form, as escapes."""
    text = json.dumps(value, indent=indent, ensure_ascii=False)
    return re.sub("[\ud800-\udfff]", lambda match: f"\\u{ord(match[0]):04x}", text)


def _typed_rows(document: Document) -> list[dict[str, Any]]:
    if document.form != "csv":
        return document.rows
    always = (document.score_column, document.column("weight"))
    return [_typed(document, row, always) for row in document.rows]


def _typed(document: Document, row: dict[str, Any], always: tuple[str, ...]) -> dict[str, Any]:
    """A CSV row as a JSON record: no empty cells, and numbers where nothing is lost by it, and in these columns."""
    record: dict[str, Any] = {}
    for name, value in row.items():
        if value in ("", None) or name == document.path_column:
            continue
        parsed = number(value, document.reads_commas)
        if isinstance(value, str) and parsed is not None:
            whole = int(parsed) if parsed.is_integer() else parsed
            value = next((n for n in (whole, parsed) if str(n) == value), parsed if name in always else value)
        record[name.strip("\0 ") or f"column_{document.columns.index(name) + 1}"] = value
    return record
