"""Argument files and command lines of any letters: settings, or one sentence."""

import string

from hypothesis import given
from hypothesis import strategies as st

from src.common.errors import UserError
from src.options.command_line import parse_arguments
from src.options.files import write_arguments
from src.options.option import SCRIPTS, TRAIN
from src.options.table import GROUPS
from tests.fuzz.outcomes import BOUNDED, outcome

NAMES = [name for group in GROUPS for option in group.options for name in option.names]
VALUES = st.one_of(
    st.text(max_size=12),
    st.text(string.digits + ".,;-+eE_", max_size=8),
    st.sampled_from(
        ["--", "-", "on", "off", "nan", "inf", "1e999", "9" * 5000, "(" * 3000, "a\0b", "0,2;1", "@", "=", "~"]
    ),
)
LINES = st.one_of(
    st.builds("{}={}".format, st.sampled_from(NAMES), VALUES),
    st.sampled_from(NAMES),
    st.builds("--{}".format, st.text(max_size=10)),
    st.text(max_size=20),
)
WORDS = st.lists(LINES.filter(lambda line: "help" not in line and line != "-h"), max_size=4)


@BOUNDED
@given(st.sampled_from(SCRIPTS), WORDS)
def test_any_command_line_is_read_or_refused(script, words):
    outcome(lambda: parse_arguments(script, "", words))


@BOUNDED
@given(
    WORDS, st.sampled_from(["\n", "\r\n", "\r", "\x85"]), st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "cp1252"])
)
def test_any_argument_file_is_read_or_refused_and_one_that_is_read_comes_back(tmp_path, words, newline, encoding):
    path = tmp_path / "arguments.txt"
    path.write_bytes(newline.join(words).encode(encoding, "replace"))
    arguments = outcome(lambda: parse_arguments(TRAIN, "", [f"@{path}"]))
    if arguments is None or isinstance(arguments, UserError):
        return
    write_arguments(tmp_path / "again.txt", TRAIN, arguments)
    assert parse_arguments(TRAIN, "", [f"@{tmp_path / 'again.txt'}"]) == arguments


@BOUNDED
@given(st.binary(max_size=60))
def test_any_bytes_are_an_argument_file_or_refused(tmp_path, data):
    path = tmp_path / "arguments.txt"
    path.write_bytes(data)
    outcome(lambda: parse_arguments(TRAIN, "", [f"@{path}"]))
