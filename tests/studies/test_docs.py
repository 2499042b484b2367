"""The studies' pages are what the code is: their tables of options, their commands, their pictures."""

import re
import shlex

import pytest

from src.options import to_text
from studies.feature_decoder import options as feature_decoder
from studies.style_folders import options as style_folders
from tests import ROOT

STUDIES = {"style-folders": style_folders.STUDY, "feature-decoder": feature_decoder.STUDY}


def text_of(page):
    return (ROOT / "docs" / f"{page}.md").read_text(encoding="utf-8")


def table(study, command):
    """The Markdown table of one sub-command's options."""
    lines = [f"### {command}", "", "| option | meaning | allowed | default |", "| --- | --- | --- | --- |"]
    for option in study.commands[command].options:
        allowed = "" if option.kind.metavar == "TEXT" and "not empty" in option.kind.allowed else option.kind.allowed
        default = "" if option.default is None else f"`{to_text(option.default)}`"
        lines.append(f"| `--{option.dest}` | {option.help} | {allowed} | {default} |")
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("page", "command"), [(page, command) for page, study in STUDIES.items() for command in study.commands]
)
def test_the_table_of_a_sub_commands_options_is_the_one_the_code_would_write(page, command):
    wanted = table(STUDIES[page], command)
    assert wanted in text_of(page), f"docs/{page}.md should hold:\n{wanted}"


@pytest.mark.parametrize("page", STUDIES)
def test_every_command_on_the_page_is_understood(page):
    study = STUDIES[page]
    blocks = "\n".join(re.findall(r"^```\n(.*?)^```", text_of(page), re.MULTILINE | re.DOTALL))
    lines = re.findall(rf"^python {re.escape(study.script)} (.*)$", blocks.replace("\\\n", " "), re.MULTILINE)
    assert {study.read_command(shlex.split(line)).command for line in lines} == set(study.commands)


@pytest.mark.parametrize("page", STUDIES)
def test_the_pages_pictures_are_small(page):
    pictures = re.findall(r"!\[[^]]+\]\(([^)]+)\)", text_of(page))
    assert len(pictures) >= 3
    assert all((ROOT / "docs" / name).stat().st_size < 300_000 for name in pictures)
