"""What values options may have: how each kind is read, and the words for what is allowed."""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..common import read_states, write_states


class Reason(ValueError):
    """A ValueError whose text tells a person what is wrong."""


@dataclass(frozen=True)
class Kind:
    """How a value is read: `read` raises ValueError; `allowed` ends the sentence "must be ...".

    bare: what an option means that stands alone, where it may.
    """

    read: Callable[[str], Any]
    allowed: str = ""
    metavar: str = "TEXT"
    bare: str | None = None
    write: Callable[[Any], str] | None = None  # where a value is not written as others of its type are


def _plain(text: str) -> str:
    """Python reads 1_0 as ten; nobody means that."""
    if "_" in text:
        raise ValueError(text)
    return text


def whole(low: int, high: int | None = None) -> Kind:
    """A whole number from low to high."""
    allowed = f"a whole number from {low}" + ("" if high is None else f" to {high}")
    return Kind(lambda text: _between(int(_plain(text)), low, high), allowed, "N")


def number(low: float | None = None, high: float | None = None) -> Kind:
    """A number from low to high."""
    limits = ("" if low is None else f" from {low:g}") + ("" if high is None else f" to {high:g}")
    return Kind(lambda text: _between(_finite(text), low, high), "a number" + limits, "X")


def _finite(text: str) -> float:
    value = float(_plain(text))
    if not math.isfinite(value):
        raise ValueError(text)
    return value


def choice(*values: str, bare: str | None = None) -> Kind:
    """One of these words, in any case."""

    def read(text: str) -> str:
        return next(value for value in values if value.lower() == text.lower())

    return Kind(lambda text: _or_value_error(read, text), "one of " + ", ".join(values), "WORD", bare)


def _or_value_error(read: Callable[[str], str], text: str) -> str:
    try:
        return read(text)
    except StopIteration:
        raise ValueError(text)


def _between(value: Any, low: Any, high: Any) -> Any:
    if value != value or (low is not None and value < low) or (high is not None and value > high):
        raise ValueError(value)
    return value


def _filled(text: str) -> str:
    if not text:
        raise ValueError(text)
    return text


def _on_off(text: str) -> bool:
    if text.lower() in ("on", "true", "yes", "1"):
        return True
    if text.lower() in ("off", "false", "no", "0"):
        return False
    raise ValueError(text)


def _regular_expression(text: str) -> str:
    try:
        re.compile(text)
    except (re.error, OverflowError) as error:
        raise Reason(error)
    except RecursionError:
        raise Reason("nested too deeply")
    return text


def _stars(text: str) -> tuple[float, ...]:
    values = tuple(_between(float(part), 0, 100) for part in text.split(","))
    if len(values) != 4 or sorted(values) != list(values):
        raise ValueError(text)
    return values


def _balance(text: str) -> str:
    if text.lower() in ("none", "mean", "max", "min"):
        return text.lower()
    if not (0 < float(text) < float("inf") and ("." in text or float(text) == int(text))):
        raise ValueError(text)
    return text


def _words(text: str) -> str:
    if not text.isprintable():  # letters that the file system has and Unicode hasn't, and what no terminal shows
        raise ValueError(text)
    return _filled(text)


WORDS = Kind(_words, "a text in UTF-8, in one line, that is not empty")
TEXT = Kind(_filled, "a text that is not empty")
ANY_TEXT = Kind(str)
REGEX = Kind(_regular_expression, "a regular expression, where \\( is a bracket, \\. a dot, .* anything")
ON_OFF = Kind(_on_off, "on or off", "on|off", bare="on")
STATES = Kind(
    read_states,
    "different whole numbers from 0 with commas between, such as 0,2,5; of several image models, with ; between the "
    "models, such as 0,2;1",
    "N,N,...",
    write=write_states,
)
NUMBERS = Kind(
    lambda text: tuple(_finite(part) for part in text.split(",")), "numbers with commas between", "X,X,..."
)
BALANCE = Kind(
    _balance, "none, mean, max, min, a fraction of the largest group such as 0.5, or a count such as 200", "SIZE"
)
STARS = Kind(_stars, "four percentiles from 0 to 100, rising, where 2, 3, 4 and 5 stars begin", "A,B,C,D")
