"""How far it is to a good order: what the bar of the page and the words beside it say."""

from dataclasses import replace

import numpy as np
import pytest

from src.ratings import progress_of
from src.ratings.fit import fit_ratings
from src.ratings.log import SKIP, make_log
from src.ratings.progress import Progress

NAN = float("nan")


def log_of(choices, images=10, seconds=NAN, **kinds):
    """Each image against the next one, round and round; the first wins."""
    screens = [(1 + i % images, 1 + (i + 1) % images) for i in range(choices)]
    log = make_log(range(1, images + 1), screens, [a for a, _ in screens], **kinds)
    return replace(log, seconds=np.full(choices, seconds))


def rated(log, order, left):
    return replace(fit_ratings(log), expected_spearman=order, choices_to_good=left)


@pytest.mark.parametrize(
    ("low", "high", "seconds", "order", "said"),
    [
        (20, 45, NAN, NAN, "about 20 to 45 choices left"),
        (1, 1, NAN, NAN, "about 1 choice left"),
        (20, 45, 2.0, 0.7, "0.70 of 0.85 right · about 1 to 2 min left at your pace"),
        (1, 3, 2.0, 0.8449, "0.84 of 0.85 right · about a minute left at your pace"),
        (400, 900, 3.0, -0.1, "0.00 of 0.85 right · about 20 to 45 min left at your pace"),
        (2000, 4500, 3.0, NAN, "about 1.7 to 3.8 hours left at your pace"),
        (0, 0, 3.0, 0.9, "0.90 right · good enough to train a model; more choices sharpen it"),
    ],
)
def test_what_is_left_in_words(low, high, seconds, order, said):
    assert Progress(0.5, low, high, seconds, order).text == said


def test_where_ratings_say_how_right_they_are_it_goes_by_that():
    log = log_of(6, seconds=2.0)
    found = progress_of(log, rated(log, 0.6, 30), 2)
    assert (found.share, found.low, found.high, found.seconds, found.order) == (6 / 36, 11, 62, 2.0, 0.6)
    done = progress_of(log, rated(log, 0.846, 2), 2)
    assert (done.share, done.low, done.high) == (1.0, 0, 0)


def test_early_estimates_are_not_said_and_the_bar_goes_by_the_most_that_may_be_left():
    log = log_of(4)
    found = progress_of(log, rated(log, 0.6, 30), 2)
    assert (found.low, found.high, found.share) == (12, 61, 4 / 65)
    assert np.isnan(found.order)
    assert progress_of(log, rated(log, 0.9, 0), 2).high > 0  # half a choice per image has to be there


def test_else_it_goes_by_comparisons_per_image():
    log = log_of(6)
    found = progress_of(log, fit_ratings(log), 2)
    assert (found.share, found.low, found.high) == (6 / 15, 9, 9)  # 10 images, 3 comparisons each, two a choice
    assert progress_of(log_of(15), fit_ratings(log_of(15)), 2).share == 1.0
    assert progress_of(log_of(0), fit_ratings(log_of(0)), 2).share == 0.0


def test_screens_that_tell_nothing_take_time_too():
    log = log_of(8, seconds=2.0, kinds=[0, SKIP] * 4)
    assert progress_of(log, fit_ratings(log), 2).seconds == 4.0
