"""Features for assisted ratings: whose, of which images, and the process that gets them."""

import multiprocessing.connection
import os
import signal
import threading
import time
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from src.common.errors import UserError
from src.features.extraction import extract_features
from src.features.feature_cache import FeatureCache
from src.ratings import assistance
from src.ratings.assistance import Assistance, Assistant, Task, choose_extractor, find_assistance
from src.ratings.similarity import Similarity
from tests.toys import ToyExtractor, make_gallery, make_image

pytestmark = pytest.mark.script  # each of them starts another process

BOTH = "embedded"


@pytest.fixture
def task(tmp_path):
    paths = make_gallery(tmp_path / "images", 6)
    ids = {10 * number + 5: path for number, path in enumerate(paths)}
    return Task(tmp_path / "images", ids, tmp_path / "cache", "toy", None, "cpu", False, 16)


@pytest.fixture
def extractors(monkeypatch):
    """Stand-ins: toy, and the embedded one; any other is not on this machine."""

    def load(name, device="auto", fp16=False):
        if name.removeprefix("fast:") in ("toy", BOTH, *assistance.EMBEDDED):
            return ToyExtractor(name)
        raise UserError(f"extractor {name!r}: no such folder")

    monkeypatch.setattr(assistance, "load_extractor", load)


def cache_features(task, paths, name="toy"):
    cache = FeatureCache(task.cache)
    extract_features(task.directory, paths, ToyExtractor(name), (0, 1), cache, progress=False)


@pytest.mark.parametrize(("cached", "expected"), [(0, BOTH), (2, BOTH), (3, "toy")])
def test_the_extractor_asked_for_is_used_once_half_of_its_features_are_cached(task, extractors, cached, expected):
    cache_features(task, list(task.images.values())[:cached])
    extractor, states = choose_extractor(task, FeatureCache(task.cache))
    assert (extractor.name, states) == (expected, (0, 1))


def test_an_extractor_that_is_not_on_this_machine_or_has_no_such_hidden_state_is_not_waited_for(task, extractors):
    cache_features(task, list(task.images.values()))
    cache = FeatureCache(task.cache)
    assert choose_extractor(replace(task, feature_extractor_model="far/away"), cache)[0].name == BOTH
    assert choose_extractor(replace(task, hidden_states_used=(7,)), cache)[0].name == BOTH


def test_hidden_states_are_those_asked_for_of_the_extractor_asked_for_and_no_others(task, extractors):
    cache_features(task, list(task.images.values()))
    cache = FeatureCache(task.cache)
    assert choose_extractor(replace(task, hidden_states_used=(1,)), cache)[1] == (1,)
    assert choose_extractor(replace(task, feature_extractor_model="far/away", hidden_states_used=(1,)), cache)[1] == (
        0,
        1,
    )
    embedded = replace(task, feature_extractor_model="efficientnet-lite0", hidden_states_used=(1,))
    assert choose_extractor(embedded, cache)[1] == (1,)
    fast = replace(embedded, feature_extractor_model="fast:efficientnet-lite0")
    assert (choose_extractor(fast, cache)[0].name, choose_extractor(fast, cache)[1]) == (
        fast.feature_extractor_model,
        (1,),
    )


def test_images_of_like_colour_are_alike_and_one_that_cannot_be_read_is_left_out(task, extractors):
    for path, fill in zip(task.images.values(), [(250, 0, 0), (0, 0, 250), (0, 250, 0), (240, 9, 9)], strict=False):
        make_image(task.directory / path, fill)
    broken = task.images[45]
    (task.directory / broken).write_bytes(b"no picture")
    found = find_assistance(task)
    assert found.extractor == BOTH
    assert found.similarity.images.tolist() == [5, 15, 25, 35, 55]
    assert list(found.unreadable) == [broken]
    alike = found.similarity.vectors @ found.similarity.vectors.T
    assert np.argmax(alike[0, 1:]) == 2
    vectors = found.similarity.of(np.array([45, 55]))  # still rated, by its own choices
    assert (vectors[0] == 0).all()


def test_hidden_states_weigh_alike_in_what_assists(task, extractors, monkeypatch):
    seen = {}
    monkeypatch.setattr(assistance, "make_similarity", lambda _, features, **more: seen.update(more, of=features))
    find_assistance(task)
    blocks = ToyExtractor("toy")([ToyExtractor("toy").prepare(Image.new("RGB", (8, 8)))], (0, 1))
    assert seen["widths"] == [block.shape[1] for block in blocks.values()]
    assert seen["of"].shape == (6, sum(seen["widths"]))


def test_without_a_readable_image_there_is_nothing_to_assist(task, extractors):
    for path in task.images.values():
        (task.directory / path).write_bytes(b"no picture")
    with pytest.raises(UserError, match="none of the 6 images can be read"):
        find_assistance(task)


# --- the process; what it does must be found by name in it ---


def finds(task):
    assert os.environ["HF_HUB_OFFLINE"] == "1"
    assert os.nice(0) >= 10
    return Assistance("toy", Similarity(np.array([1, 2]), np.zeros((2, 0))), {"a.png": "broken"})


def refuses(task):
    raise UserError("there is no extractor")


def fails(task):
    raise ValueError("a mistake of ours")


def dies(task):
    os._exit(9)


def is_ended_from_outside(task):
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(60)


def takes_long(task):
    os.kill(os.getppid(), signal.SIGUSR1)
    time.sleep(60)


def report(find, task):
    told = []
    assistant = Assistant(task, find)
    assistant.report(told.append, told.append)
    assistant.wait()
    assistant.close()
    return told


def test_another_process_finds_and_what_it_found_is_reported_once(task):
    (found,) = report(finds, task)
    assert (found.extractor, found.unreadable, found.similarity.images.tolist()) == (
        "toy",
        {"a.png": "broken"},
        [1, 2],
    )


@pytest.mark.parametrize(
    ("find", "said"),
    [
        (refuses, "there is no extractor"),
        (fails, "ValueError: a mistake of ours"),
        (is_ended_from_outside, "the process that reads them was ended from outside (SIGTERM)"),
        (dies, "the process that reads them ended with 9; is there enough memory?"),
    ],
)
def test_whatever_goes_wrong_there_is_reported(task, find, said, monkeypatch):
    monkeypatch.setattr(assistance, "END_SECONDS", 0.1)
    assert report(find, task) == [said]


def test_a_process_that_was_ended_together_with_the_scorer_is_no_news(task):
    told = []
    assistant = Assistant(task, is_ended_from_outside)
    assistant.report(told.append, told.append)
    multiprocessing.connection.wait([assistant._process.sentinel])  # not join: two threads that do lose the exit code
    assistant.close()
    assert told == []


def test_closing_ends_the_process_at_once_and_reports_nothing(task):
    begun, told = threading.Event(), []
    before = signal.signal(signal.SIGUSR1, lambda number, frame: begun.set())
    try:
        assistant = Assistant(task, takes_long)
        assistant.report(told.append, told.append)
        assert begun.wait(60)
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert assistant.busy
    start = time.monotonic()
    assistant.close()
    assert time.monotonic() - start < 10
    assert not assistant.busy
    assert told == []


def test_without_a_task_there_is_no_process_and_nothing_to_come():
    assistant = Assistant(None)
    assistant.report(pytest.fail, pytest.fail)
    assert not assistant.busy
    assistant.wait()
    assistant.close()
