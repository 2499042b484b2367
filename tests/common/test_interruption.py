"""Ctrl-C comes through in safe blocks only."""

import signal

import pytest

from src.common.interruption import Interruption


def test_in_a_safe_block_it_comes_at_once():
    interruption = Interruption()
    with interruption.listening(), pytest.raises(KeyboardInterrupt), interruption.safe():
        signal.raise_signal(signal.SIGINT)


def test_elsewhere_it_waits_for_the_next_safe_block():
    interruption, reached = Interruption(), []
    with interruption.listening():
        signal.raise_signal(signal.SIGINT)
        reached.append("after the write")
        with pytest.raises(KeyboardInterrupt), interruption.safe():
            reached.append("never")
    assert reached == ["after the write"]


def test_an_island_in_a_safe_block_is_finished_first():
    interruption, reached = Interruption(), []
    with interruption.listening(), interruption.safe():
        with interruption.safe(False):
            signal.raise_signal(signal.SIGINT)
            reached.append("written")
        with pytest.raises(KeyboardInterrupt), interruption.safe():
            pass
    assert reached == ["written"]


def test_afterwards_ctrl_c_is_what_it_was_before():
    before = signal.getsignal(signal.SIGINT)
    with Interruption().listening():
        assert signal.getsignal(signal.SIGINT) != before
    assert signal.getsignal(signal.SIGINT) == before
