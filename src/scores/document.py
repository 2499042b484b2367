"""What a score file holds, whichever its format; and how its names and numbers are spelled."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

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
