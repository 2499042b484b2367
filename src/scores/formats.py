"""Score files as text: CSV and JSON <-> one Document that forgets nothing. docs/score-files.md describes them."""

import re
import sys
from collections.abc import Collection
from pathlib import Path

from ..common import UserError, write_text
from .csv_format import parse_csv, to_csv
from .document import HOW_TO_MAKE_ONE, Document, lines_listed, listing, shown
from .json_format import parse_json, to_json


def read_document(path: Path, score_column: str) -> tuple[Document, list[str]]:
    """Read a file as JSON if it begins like one, else as CSV; and sentences on what is odd in it.

    Raises UserError if it is missing or neither, names no image, or has no `score_column`.
    """
    text, problems = _decode(path)
    if text.lstrip("\ufeff \t\r\n")[:1] in ("{", "["):
        return parse_json(path, text.lstrip("\ufeff"), score_column), problems
    return parse_csv(path, text, score_column, problems), problems


def write_document(path: Path, document: Document, chosen: Collection[int]) -> None:
    """Replace `path` atomically, as CSV or JSON by its ending; what a CSV has no place for is named on stderr.

    chosen: the rows to keep where a JSON can hold only one of those that name the same image.
    """
    if path.suffix.lower() not in (".csv", ".json"):
        raise UserError(f"{path}: the name of a score file must end in .csv or .json")
    text = to_csv(document) if path.suffix.lower() == ".csv" else to_json(document, chosen)
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
        f"{path.name}: not UTF-8 in {lines_listed(odd)}, read byte by byte; if images there are not found, "
        "save it again as 'CSV UTF-8'"
    ]


def _decode_utf16(path: Path, data: bytes) -> str:
    try:
        return "\ufeff" + data.decode("utf-16")
    except UnicodeDecodeError:
        raise UserError(f"{path}: begins as UTF-16 but is damaged; save it again as 'CSV UTF-8'")
