"""Signs of life: bars where there are steps, seconds where there are none."""

import re
import time

import pytest

from src.common.notes import notes_kept
from src.common.waiting import Steps, counted, working


@pytest.fixture
def quick(monkeypatch):
    """Signs of life at once, and often."""
    monkeypatch.setattr("src.common.waiting.AFTER_SECONDS", 0.05)
    monkeypatch.setattr("src.common.waiting.DRAWN_EACH", 0.02)


def bars(text):
    """(what, done, of how many) of every bar that was drawn."""
    return [
        (what, int(done), int(of))
        for what, done, of in re.findall(r"\r([^\r:]+): +\d+%\|[^|]*\| (\d+)/(\d+) \[", text)
    ]


def test_what_lasts_is_said_and_what_does_not_is_not(capsys, request):
    with working("Loading"):
        pass
    assert capsys.readouterr().err == ""
    request.getfixturevalue("quick")
    with working("Loading"):
        time.sleep(0.15)
    assert capsys.readouterr().err == "Loading ...\n"


def test_on_a_terminal_the_seconds_are_counted_and_gone_at_the_end(capsys, quick, monkeypatch):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    with working("Loading"):
        time.sleep(0.15)
    said = capsys.readouterr().err
    assert said.startswith("\rLoading ... ")
    assert re.search(r"\r +\r$", said)


def test_steps_are_a_bar_which_says_how_many_of_how_many_and_is_gone_at_the_end(capsys, quick):
    for _ in counted(range(4), "Counting"):
        time.sleep(0.06)
    said = capsys.readouterr().err
    drawn = bars(said)
    assert {(what, of) for what, _, of in drawn} == {("Counting", 4)}
    assert [done for _, done, _ in drawn] == sorted(done for _, done, _ in drawn)
    assert drawn[-1][1] >= 2
    assert said.split("\r")[-2].strip() == ""


def test_steps_done_in_no_time_have_no_bar(capsys):
    assert list(counted(range(3), "Counting")) == [0, 1, 2]
    assert capsys.readouterr().err == ""


def test_the_bar_appears_once_another_thread_knows_the_steps_and_stays_when_they_are_over(capsys, quick, monkeypatch):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    steps = Steps()
    with working("Fitting", steps):
        time.sleep(0.15)
        assert list(steps.through([(1, 2), (3, 4)])) == [(1, 2), (3, 4)]
        steps.begin(5)
        steps.advance()
        time.sleep(0.15)
        steps.begin(0)
        time.sleep(0.1)
    said = capsys.readouterr().err
    assert said.startswith("\rFitting ... 0 s")
    assert bars(said)[-1] == ("Fitting", 1, 5)


def test_nothing_is_said_in_a_library_call(capsys, quick):
    with notes_kept():
        for _ in counted(range(2), "Counting"):
            time.sleep(0.1)
    assert capsys.readouterr().err == ""
