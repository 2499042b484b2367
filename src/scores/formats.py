"""Score files as text: CSV and JSON <-> one Document that forgets nothing. docs/score-files.md describes them."""

import re
from collections.abc import Collection
from pathlib import Path

from ..common import UserError, note, replacing
from .csv_format import parse_csv, to_csv
from .document import HOW_TO_MAKE_ONE, Document, lines_listed, listing, shown
from .json_format import is_lines, parse_json, parse_lines, to_json, to_lines

SUFFIXES = (".csv", ".json", ".jsonl")


def read_document(path: Path, score_column: str) -> tuple[Document, list[str]]:
    """Read a file as JSON if it begins like one, else as CSV; and sentences on what is odd in it, or taken for what.

    Raises UserError if it is missing or neither, names no image, or has no `score_column`.
    """
    text, encoding, problems = _decode(path)
    if text.lstrip("\ufeff \t\r\n")[:1] in ("{", "["):
        parse = parse_lines if is_lines(path, text.lstrip("\ufeff")) else parse_json
        return parse(path, text.lstrip("\ufeff"), score_column, problems), problems
    return parse_csv(path, text, score_column, problems, encoding), problems


def write_document(path: Path, document: Document, chosen: Collection[int]) -> None:
    """Replace `path` atomically, as CSV or JSON by its ending; what a CSV has no place for is named on stderr.

    chosen: the rows to keep where a JSON can hold only one of those that name the same image.
    """
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise UserError(f"{path}: the name of a score file must end in .csv or .json (or .jsonl)")
    try:
        data = _encode(path, document, _text(path, document, chosen))
    except RecursionError:
        raise UserError(f"{path}: {document.name} holds something nested too deeply to be written; take it out")
    with replacing(path) as temporary:
        temporary.write_bytes(data)
    lost = [name for name, value in document.top.items() if name != "ImageRecords" and value]
    if lost and suffix != ".json":
        form = "CSV" if suffix == ".csv" else "JSON of lines"
        said = f"a {form} has no place for {listing(lost)} of {document.name}; a .json has"
        note(f"note: {path}: {said}")


def _text(path: Path, document: Document, chosen: Collection[int]) -> str:
    suffix = path.suffix.lower()
    if suffix == ".csv":
        return to_csv(document)
    if suffix == ".jsonl" or (document.form == "lines" and path.name == document.name):
        return to_lines(document)
    return to_json(document, chosen)


def _encode(path: Path, document: Document, text: str) -> bytes:
    """As the file was; in UTF-8, with a note, where that has no form for a letter that came in."""
    encoding = document.encoding if path.suffix.lower() == ".csv" else "utf-8"
    try:
        if encoding != "utf-8":
            return text.encode(encoding)
    except UnicodeEncodeError as error:
        where = shown(text[error.start : error.start + 20])
        note(f"note: {path}: {encoding} has no form for '{where}'; written in UTF-8")
        text = "\ufeff" + text.lstrip("\ufeff")
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError as error:
        where = shown(text[max(0, error.start - 40) : error.end])
        raise UserError(f"{path}: '{where}' can't be written in UTF-8; rename that image or write a .json")


def _decode(path: Path) -> tuple[str, str, list[str]]:
    """The text, its encoding, and what is odd about that."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise UserError(f"{path}: no such score file; {HOW_TO_MAKE_ONE}")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UserError(f"{shown(str(path))}: can't be read ({reason}); a score file is a CSV or JSON file")
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):  # Excel's "Unicode text"
        return _decode_utf16(path, data)
    if b"\0" in data:
        raise UserError(f"{path}: not a text file; a score file is CSV or JSON in UTF-8")
    text = data.decode("utf-8", "surrogateescape")
    odd = [place for place, line in enumerate(text.split("\n"), 1) if re.search("[\udc80-\udcff]", line)]
    return _decode_other(path, data, text, odd) if odd else (text, "utf-8", [])


def _decode_other(path: Path, data: bytes, text: str, odd: list[int]) -> tuple[str, str, list[str]]:
    """As Windows writes it in much of Europe, unless more of it is UTF-8: then some name has bytes that are none.

    text: read as UTF-8, with surrogates for such bytes.
    """
    hint = "if images there are not found, save it again as 'CSV UTF-8'"
    others = re.findall("[^\0-\x7f]", text)
    if sum("\udc80" <= letter <= "\udcff" for letter in others) > len(others) / 2:
        try:
            decoded = data.decode("cp1252")
        except UnicodeDecodeError:
            pass
        else:
            said = f"{path.name}: not UTF-8 in {lines_listed(odd)}, taken for Windows' cp1252; {hint}"
            return decoded, "cp1252", [said]
    return text, "utf-8", [f"{path.name}: not UTF-8 in {lines_listed(odd)}, read byte by byte; {hint}"]


def _decode_utf16(path: Path, data: bytes) -> tuple[str, str, list[str]]:
    encoding = "utf-16-le" if data[:2] == b"\xff\xfe" else "utf-16-be"
    try:
        return data.decode(encoding), encoding, []
    except UnicodeDecodeError:
        raise UserError(f"{path}: begins as UTF-16 but is damaged; save it again as 'CSV UTF-8'")
