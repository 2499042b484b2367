"""docs/style-folders.md is what the code is: its tables of options, its commands, its pictures."""

import re
import shlex

import pytest

from src.options import to_text
from studies.style_folders.options import COMMANDS, read_command
from tests import ROOT

PAGE = ROOT / "docs" / "style-folders.md"


def table(command):
    """The Markdown table of one sub-command's options."""
    lines = [f"### {command}", "", "| option | meaning | allowed | default |", "| --- | --- | --- | --- |"]
    for option in COMMANDS[command].options:
        allowed = "" if option.kind.metavar == "TEXT" and "not empty" in option.kind.allowed else option.kind.allowed
        default = "" if option.default is None else f"`{to_text(option.default)}`"
        lines.append(f"| `--{option.dest}` | {option.help} | {allowed} | {default} |")
    return "\n".join(lines)


@pytest.mark.parametrize("command", COMMANDS)
def test_the_table_of_a_sub_commands_options_is_the_one_the_code_would_write(command):
    assert table(command) in PAGE.read_text(encoding="utf-8"), f"docs/style-folders.md should hold:\n{table(command)}"


def test_every_command_on_the_page_is_understood():
    blocks = "\n".join(re.findall(r"^```\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL))
    lines = re.findall(r"^python studies/style_folders\.py (.*)$", blocks.replace("\\\n", " "), re.MULTILINE)
    assert {read_command(shlex.split(line)).command for line in lines} == set(COMMANDS)


def test_the_pages_pictures_are_small():
    pictures = re.findall(r"!\[[^]]+\]\(([^)]+)\)", PAGE.read_text(encoding="utf-8"))
    assert len(pictures) >= 3
    assert all((ROOT / "docs" / name).stat().st_size < 300_000 for name in pictures)
