"""Command lines: `script.py @arguments.txt --trials=10`, read by the table of options."""

import argparse
import difflib
import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, NoReturn

from ..common import UserError
from .files import Word, expand, to_text
from .idle import check_idle, note_others
from .kinds import Reason
from .option import MODEL_SUFFIXES, Option, names
from .table import GROUPS, groups_of


def parse_arguments(script: str, description: str, command_line: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line (or `command_line`) of one script: one attribute for each of its options.

    Options of the toolkit's other scripts are accepted and left alone, with a note where they were typed. Raises
    UserError for anything else, naming the nearest valid option, and for values that are not allowed.
    """
    words = _without_replaced(script, expand(sys.argv[1:] if command_line is None else command_line))
    _check_letters(words)
    _check_lines(words)
    parser = _parser(script, description)
    texts, unknown = parser.parse_known_args([word.text for word in words])
    if texts.help:
        parser.print_help()
        sys.exit(0)
    _check_names(words, unknown)
    own = [option for group in groups_of(script) for option in group.options]
    arguments = argparse.Namespace(**{o.dest: _read_values(o, getattr(texts, o.dest), words, script) for o in own})
    _check_ranges(arguments)
    check_idle(own, arguments, words)
    note_others(script, words)
    return arguments


def _without_replaced(script: str, words: Sequence[Word]) -> list[Word]:
    """The words without those in files that the command line replaces, where an option may stand several times.

    Of other options the last one counts anyway.
    """
    options = [option for group in GROUPS for option in group.options]
    typed = [word.text for word in words if not word.where]
    replaced = [o for o in options if script in o.repeatable and any(names(text, o) for text in typed)]
    if any(names(text, option) for text in typed for option in options if option.dest == "model"):
        replaced += [option for option in options if option.dest == "modelpath"]  # the other way to name a model
    return [word for word in words if not word.where or not any(names(word.text, o) for o in replaced)]


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        # The one message of argparse that is left: "argument --trials: expected one argument".
        raise UserError(message.removeprefix("argument ").replace("expected one argument", "its value is missing"))


@cache
def _parser(script: str, description: str) -> _Parser:
    parser = _Parser(
        prog=script,
        description=description,
        usage=f'python {script} ["@arguments.txt"] [--option=value ...]',
        epilog="Options may stand in a file, one a line: see arguments-example.txt.",
        allow_abbrev=False,
        add_help=False,
        formatter_class=lambda prog: argparse.HelpFormatter(prog, max_help_position=30, width=110),
    )
    parser.add_argument("-h", "--help", action="store_true", help="show this and exit")
    for group in GROUPS:
        shown = parser.add_argument_group(group.title)
        for option in group.options:
            _add(shown if script in option.scripts else parser, option, script)
    return parser


def _add(group: argparse._ActionsContainer, option: Option, script: str) -> None:
    """Values stay text here; `_read_values` reads them, as it knows where they came from."""
    group.add_argument(
        *option.names,
        dest=option.dest,
        action="append",
        metavar=option.kind.metavar,
        help=_help(option).replace("%", "%%") if script in option.scripts else argparse.SUPPRESS,
        nargs="?" if option.kind.bare else None,
        const=option.kind.bare,
    )


def _help(option: Option) -> str:
    allowed = "" if option.kind.metavar == "TEXT" else f" ({option.kind.allowed})"
    return f"{option.help}{allowed}" + ("" if option.default is None else f" [{to_text(option.default)}]")


def _check_letters(words: Sequence[Word]) -> None:
    for word in words:
        if "\0" in word.text:
            raise UserError(f"{word.where}{ascii(word.text)[:100]}: holds a NUL, which no name and no number has")


def _check_lines(words: Sequence[Word]) -> None:
    """UserError for a line of a file that lacks its value; on the command line the value may be the next word."""
    for word in words:
        option = next((o for group in GROUPS for o in group.options if word.where and word.text in o.names), None)
        if option and option.kind.bare is None:
            raise UserError(
                f"{word.where}{word.text}: its value is missing; write {word.text}=VALUE, or leave it out"
            )


def _check_names(words: Sequence[Word], unknown: Sequence[str]) -> None:
    for text in unknown:
        where = next((word.where for word in words if word.text == text), "")
        name = text.split("=", 1)[0][:200]
        what = (
            f"there is no option {name}"
            if name.startswith("-")
            else f"'{text[:200]}' is no option; options begin with --"
        )
        raise UserError(f"{where}{what}; {_meant(text) or _nearest(name)}")


def _meant(text: str) -> str:
    """What a bare word was to be: a file or a folder that is there. "" where it is none."""
    try:
        path = Path(text)
        if path.is_dir():
            return f"did you mean -d {text}?"
        if path.is_file():
            return f"did you mean {'-m ' if path.suffix.lower() in MODEL_SUFFIXES else '@'}{text}?"
    except (OSError, ValueError):
        pass
    return ""


def _nearest(name: str) -> str:
    known = [name for group in GROUPS for option in group.options for name in option.names]
    nearest = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f"did you mean {nearest[0]}?" if nearest else "--help lists them all"


def _read_values(option: Option, texts: Sequence[str] | None, words: Sequence[Word], script: str) -> Any:
    repeatable = script in option.repeatable
    if texts is None:
        return [] if repeatable else option.default
    values = []
    for text in (text if isinstance(text, str) else "--" for text in texts):  # argparse makes a list of that value
        try:
            values.append(option.kind.read(text))
        except (ValueError, OverflowError, RecursionError) as error:
            found = [word.where for word in words if names(word.text, option) and word.text.endswith(text)]
            where = found[-1] if found else ""
            why = f" ({error})" if isinstance(error, Reason) else ""
            raise UserError(f"{where}{option.names[-1]}={_shown(text)}: must be {option.kind.allowed}{why}")
    return values if repeatable else values[-1]


def _shown(text: str) -> str:
    """A value in one line that any terminal can print."""
    return "".join(letter if letter.isprintable() else "?" for letter in text[:200])


def _check_ranges(arguments: argparse.Namespace) -> None:
    for name, low in vars(arguments).items():
        high = getattr(arguments, f"max_{name[4:]}", None) if name.startswith("min_") else None
        if high is not None and low > high:
            raise UserError(
                f"--{name}={low} is above --max_{name[4:]}={high}; the minimum must not be the larger one"
            )
