"""The page of all options, docs/options.md, written from the tables that the scripts read them by."""

from .files import to_text
from .option import Group, Option
from .table import GROUPS

OPENING = """# Options

Any option may stand in an argument file, one a line, or on the command line, where later words override earlier ones.
[arguments-example.txt](../arguments-example.txt) explains each. One file serves all scripts: each takes what is its
own, and its `--help` says what that is. A mistyped option stops the script and names the nearest; so does one that is
typed and would do nothing without another, such as `--stars` without `--write_xmp`. In a file it may wait.

This page is written by `make docs` from the tables in `src/options`."""


def options_page() -> str:
    """The whole page in Markdown: an opening, then a heading and a table for each group."""
    return "\n\n".join([OPENING, *(_section(group) for group in GROUPS)]) + "\n"


def _section(group: Group) -> str:
    head = [f"## {group.title}", "", "| option | meaning | allowed | default |", "| --- | --- | --- | --- |"]
    return "\n".join([*head, *(_row(option) for option in group.options)])


def _row(option: Option) -> str:
    names = ", ".join(f"`{name}`" for name in option.names)
    allowed = "" if option.kind.metavar == "TEXT" else option.kind.allowed
    return f"| {names} | {option.help} | {allowed} | {_default(option)} |"


def _default(option: Option) -> str:
    if option.default is None:
        return ""
    text = to_text(option.default)
    return f"`{text}`" if text else "empty"
