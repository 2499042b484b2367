"""The process that makes models. Nothing here needs torch, which each process would load."""

import os
import threading
import time

import pytest
from tqdm import tqdm

from src.choosing.model_maker import ModelMaker
from src.common.errors import UserError


def quickly(place, wanted):
    yield f"{wanted} at {place}"


def badly(place, wanted):
    raise UserError("the disk is full") if wanted == "first" else ZeroDivisionError("by zero")
    yield


def never(place, wanted):
    time.sleep(60)
    yield


def locks(place, wanted):
    list(tqdm(range(2), disable=True))  # as for the features of the images
    yield str(tqdm.get_lock())


def dies(place, wanted):
    os._exit(7)
    yield


def answers(make, *asked):
    said, told = [], threading.Event()
    maker = ModelMaker("place", lambda answer: (said.append(answer), told.set()), make)
    for one in asked:
        told.clear()
        maker.ask(one)
        assert told.wait(30)
        maker.wait()
        assert not maker.busy
    maker.close()
    return said


@pytest.mark.script
def test_a_process_makes_one_after_the_other_and_survives_what_fails():
    assert answers(quickly, "first", "second") == ["first at place", "second at place"]
    assert answers(badly, "first", "second") == ["the disk is full", "ZeroDivisionError: by zero"]


@pytest.mark.script
def test_a_bar_leaves_no_semaphore_behind_of_which_python_would_warn_at_the_end():
    (lock,) = answers(locks, "first")
    assert "_thread.RLock" in lock


@pytest.mark.script
def test_the_end_of_the_process_is_told_and_closing_does_not_wait_for_its_work():
    assert answers(dies, "first") == ["the process that makes it ended with 7; is there enough memory?"]
    maker = ModelMaker("place", lambda answer: None, never)
    maker.ask("something")
    maker.close()
    maker.ask("more")
    maker.wait()
