"""What a score file holds, whichever its format; and how its names and numbers are spelled."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..common import UserError

# Of these the first that a file has names its images; the first two without a word.
PATH_COLUMNS = ("relative_path", "relative_filepath", "path", "file", "file_name", "filename", "image", "image_path")
SCORE_COLUMNS = ("score", "rating", "stars")  # likewise where "score" is asked for
HOW_TO_MAKE_ONE = "make one with aesthetic_ab_scorer.py, or write a CSV with the columns relative_path,score"


@dataclass(frozen=True)
class Document:
    """Everything that a score file holds.

    columns: in the file's order. rows: one {column: value} each, text in a CSV, any JSON value in a JSON.
    keys: each row's image, spelled as in the file; "" where a row names none. folders: how the images' folder is
    spelled, with "/": an absolute key below one of them is a path from there on.
    form: csv; records, JSON with a record for each image by its path; list, JSON of records; lines, one such a line.
    path_column: None in `records`, where the key is the path. top: what a JSON holds beside its records.
    The second column of a name has a NUL after its name here, as a dict holds a name once.
    encoding: of a CSV: utf-8, cp1252, utf-16-le, utf-16-be. start: what stands before its header: a byte-order mark,
    a line "sep=;".
    """

    name: str
    columns: list[str]
    rows: list[dict[str, Any]]
    keys: list[str]
    path_column: str | None
    score_column: str = "score"
    top: dict[str, Any] = field(default_factory=dict)
    form: str = "csv"
    delimiter: str = ","
    newline: str = "\n"
    start: str = ""
    encoding: str = "utf-8"
    decimal_comma: bool = False
    folders: tuple[str, ...] = ()

    @property
    def reads_commas(self) -> bool:
        """Whether 4,90 is a number here."""
        return self.decimal_comma or self.delimiter != ","

    def column(self, name: str) -> str:
        """The column of this name, see `find_column`; `name` itself where there is none."""
        return find_column(self.name, self.columns, name) or name

    def image(self, key: str) -> str:
        """The image that a key names: a `normal` path, from the images' folder on where it lies below that."""
        path = normal(key)
        starts = (f"{folder.rstrip('/')}/" for folder in self.folders)
        return next((path[len(start) :] for start in starts if path.startswith(start)), path)


def find_column(where: str, columns: Iterable[str], name: str) -> str | None:
    """The column of this name but for white space around it, else but for case too; None where there is none.

    UserError where several are: one would be read, and perhaps another be written or read by the next program.
    """
    known = [(column, column.strip("\0 \t")) for column in columns]
    for same in (str, str.casefold):
        found = [column for column, plain in known if same(plain) == same(name)]
        if len(found) > 1:
            raise UserError(
                f"{where}: {len(found)} columns are called '{shown(name)}', and which one counts can't be told; "
                "rename the others"
            )
        if found:
            return found[0]
    return None


def find_path_column(where: str, columns: Iterable[str]) -> str | None:
    """The column that names the images, None where none does."""
    known = list(columns)
    return next((found for name in PATH_COLUMNS if (found := find_column(where, known, name))), None)


def find_score_column(where: str, columns: Iterable[str], name: str) -> str | None:
    """The column of the scores, `name`; where that is "score", one of the other names that people give it too."""
    known = list(columns)
    names = SCORE_COLUMNS if name == SCORE_COLUMNS[0] else (name,)
    return next((found for one in names if (found := find_column(where, known, one))), None)


def taken_for(document: Document, score_column: str) -> list[str]:
    """A sentence on which columns were taken for image and score, where that is not what they are called."""
    words = []
    path, score = (document.path_column or "").strip("\0 \t"), document.score_column.strip("\0 \t")
    if document.path_column is not None and path not in PATH_COLUMNS[:2]:
        words.append(f"column '{shown(path)}' names the images")
    if score != score_column:
        words.append(f"column '{shown(score)}' is taken for the {shown(score_column)}")
    return [f"{document.name}: {' and '.join(words)}"] if words else []


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


def names_listed(columns: Iterable[str]) -> str:
    """Columns for a message: up to 40 names, 400 letters."""
    return listing((name.strip("\0 ") for name in columns if name.strip("\0 ")), most=40)[:400]


def lines_listed(numbers: Sequence[int]) -> str:
    return f"{len(numbers)} line{'s' * (len(numbers) > 1)} ({listing(numbers)})"


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
