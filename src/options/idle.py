"""Options that do nothing as things stand: refused where they were typed; in a file, for many runs, they may wait."""

import argparse
from collections.abc import Collection, Sequence

from ..common import UserError, note
from .files import Word, to_text
from .option import Option, names
from .table import GROUPS


def check_idle(options: Sequence[Option], arguments: argparse.Namespace, words: Sequence[Word]) -> None:
    """UserError for an option typed on the command line that does nothing without another, or beside it.

    options: the script's own.
    """
    given = {option.dest for option in options if getattr(arguments, option.dest) not in (option.default, [])}
    typed = _typed(options, words)
    for option in (option for option in options if option.dest in typed & given):
        needs = [need for need in option.needs if hasattr(arguments, _name(need))]
        if needs and not any(_is_met(need, given, arguments) for need in needs):
            needed = " or ".join(f"--{need}" for need in needs)
            raise UserError(f"--{option.dest} does nothing without {needed}; add it, or leave --{option.dest} out")
        beside = [other for other in option.idle_with if hasattr(arguments, _name(other))]
        beside += [o.dest for o in options if o.alone is not None and option.dest not in (o.dest, *o.alone)]
        if found := next((other for other in beside if _is_met(other, given, arguments)), None):
            raise UserError(f"--{option.dest} does nothing beside --{found}; leave one of them out")


def note_others(script: str, words: Sequence[Word]) -> None:
    """Who types an option of another script hears that nothing comes of it; in a shared file it may stand."""
    others = [option for group in GROUPS for option in group.options if script not in option.scripts]
    typed = _typed(others, words)
    for option in (option for option in others if option.dest in typed):
        note(f"note: {option.names[-1]} is for {', '.join(sorted(option.scripts))}; here it does nothing")


def _typed(options: Sequence[Option], words: Sequence[Word]) -> set[str]:
    texts = [word.text for word in words if not word.where]
    return {option.dest for option in options if any(names(text, option) for text in texts)}


def _name(condition: str) -> str:
    return condition.partition("=")[0]


def _is_met(condition: str, given: Collection[str], arguments: argparse.Namespace) -> bool:
    """condition: an option that must be given, or option=value that must be so."""
    name, _, value = condition.partition("=")
    return to_text(getattr(arguments, name)) == value if value else name in given
