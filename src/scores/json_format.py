"""Score files as JSON <-> Document: ImageRecords, and the older forms of predecessors."""

import json
import re
from collections.abc import Collection
from pathlib import Path
from typing import Any

from ..common import UserError
from .document import HOW_TO_MAKE_ONE, Document, listing, normal, number


class _Object(dict[str, Any]):
    """A JSON object which also knows its pairs, as a name may stand there twice."""

    pairs: list[tuple[str, Any]] | None = None


def _object(pairs: list[tuple[str, Any]]) -> _Object:
    result = _Object(pairs)
    if len(result) < len(pairs):
        result.pairs = pairs
    return result


def parse_json(path: Path, text: str, score_column: str) -> Document:
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


def to_json(document: Document, chosen: Collection[int]) -> str:
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
