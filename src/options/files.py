"""Argument files: one option a line; `#` begins a comment line; a line `@other.txt` reads another file.

The other file is found from where the first one lies. Later words override earlier ones.
"""

import argparse
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from ..common import UserError, write_text
from .table import groups_of

# An option and its value, with "=" or white space between; the value may hold anything.
LINE = re.compile(r"(?P<name>-[\w-]+)(?:\s*=\s*|\s+)?(?P<value>.*)", re.DOTALL)


class Word(NamedTuple):
    """One word of the command line, and where it was read: "" for the command line, else "file, line 3: "."""

    text: str
    where: str


def argument_folders(command_line: Sequence[str]) -> tuple[Path, ...]:
    """The folders of the argument files that a command line names."""
    return tuple(dict.fromkeys(Path(word[1:]).parent for word in command_line if word.startswith("@")))


def expand(words: Sequence[str]) -> list[Word]:
    """Put the lines of argument files in the place of the `@file` words."""
    expanded = []
    for word in words:
        if word.startswith("@"):
            expanded += _read_file(Path(word[1:]), ())
        else:
            expanded.append(Word(word, ""))
    return expanded


def write_arguments(path: Path, script: str, arguments: argparse.Namespace) -> None:
    """Write the arguments a run really used, as a file that `@` loads again."""
    lines = [f'# The arguments that {script} used. Run it again with: python {script} "@{path.as_posix()}"']
    for group in groups_of(script):
        lines += ["", f"# {group.title}"]
        for option in group.options:
            value, write = getattr(arguments, option.dest), option.kind.write or to_text
            values = value if script in option.repeatable else [] if value is None else [value]
            lines += [f"--{option.dest}={write(one)}" for one in values] or [f"#--{option.dest}="]
    write_text(path, "\n".join(lines) + "\n")


def to_text(value: object) -> str:
    """A value as it is written in an argument file."""
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, list | tuple):
        return ",".join(to_text(item) for item in value)
    return str(value)


def _read_file(path: Path, parents: tuple[Path, ...]) -> list[Word]:
    try:
        if path.resolve() in parents:
            raise UserError(f"@{path}: names itself, directly or through other files; take one of the @ lines out")
        text = path.read_text(encoding="utf-8-sig")
    except UserError:
        raise
    except OSError as error:
        said = f"can't be read ({error.strerror}); name an existing argument file after @"
        raise UserError(f"@{str(path)[:300]}: {said}")
    except UnicodeDecodeError:
        raise UserError(f"@{path}: is not UTF-8 text; in Notepad choose Save as, Encoding UTF-8")
    except ValueError as error:  # a NUL
        raise UserError(f"@{str(path)!a}: is no name of a file ({error}); name an argument file after @")
    words = []
    for number, line in enumerate(text.splitlines(), 1):
        words += _read_line(line.strip(), f"{path}, line {number}: ", path, (*parents, path.resolve()))
    return words


def _read_line(line: str, where: str, path: Path, parents: tuple[Path, ...]) -> list[Word]:
    if not line or line.startswith("#"):
        return []
    if line.startswith("@"):
        return _read_file(path.parent / line[1:].strip(), parents)
    match = LINE.fullmatch(line)
    if not match:
        raise UserError(f"{where}'{line}' is no option; options begin with --, comments with #")
    bare = match["name"] == line
    return [Word(line if bare else f"{match['name']}={match['value']}", where)]
