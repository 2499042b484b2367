"""Choosing among scored images."""

import numpy as np
import pytest

from src.common.errors import UserError
from src.scoring.models import Scored
from src.scoring.selection import choose, find_wanted, matching, ranks
from src.scoring.settings import SelectionSettings


class Threshold:
    """As much of a Model as choosing needs."""

    def __init__(self, threshold):
        self.threshold, self.gate = threshold, None


def chosen(images, **wanted):
    return choose(images, SelectionSettings(**wanted)).tolist()


def scored(*scores, thresholds=(None,)):
    values = np.array(scores, dtype=float).reshape(len(scores), len(thresholds))
    paths, none = [f"{i}.png" for i in range(len(scores))], values * np.nan
    return Scored([Threshold(t) for t in thresholds], paths, values, none, none)


def test_any_of_the_regular_expressions_chooses_by_path():
    paths = ["a/1.png", "a/2.png", "b/1.png"]
    assert matching(paths, None) == paths
    assert matching(paths, [r"^a/", r"b/1"]) == paths
    assert matching(paths, [r"/2\."]) == ["a/2.png"]


def test_minimum_and_maximum_include_their_ends():
    assert chosen(scored(1, 2, 3, 4), minimum_score=2, maximum_score=3) == [1, 2]


def test_limits_are_met_by_scores_as_they_are_written():
    score = float(np.float32(5.473693))  # 5.473692893981934, which is written as 5.473693
    images = scored(5.4, score, 5.5, thresholds=(5.473693,))
    assert chosen(images, minimum_score=5.473693) == [1, 2]
    assert chosen(images, only_passed=True) == [1, 2]
    score = float(np.float32(5.2056446))  # a little more than that
    assert chosen(scored(5.2, score, 5.3), maximum_score=5.2056446) == [0, 1]
    assert chosen(images, minimum_score=1e300) == []


def test_top_and_bottom_count_among_what_the_limits_leave_and_never_choose_twice():
    images = scored(5, 1, 4, 2, 3)
    assert chosen(images, top=2) == [0, 2]
    assert chosen(images, bottom=2) == [1, 3]
    assert chosen(images, top=1, bottom=1) == [0, 1]
    assert chosen(images, minimum_score=2, bottom=1) == [3]
    assert chosen(images, top=4, bottom=4) == [0, 1, 2, 3, 4]
    assert chosen(scored(), top=3) == []


def test_only_passed_wants_every_models_threshold_reached():
    images = scored((1, 0), (1, 1), (0, 1), thresholds=(1, 0.5))
    assert images.passed().tolist() == [[True, False], [True, True], [False, True]]
    assert chosen(images, only_passed=True) == [1]


def test_ranks_begin_at_one_and_ties_keep_their_order():
    assert ranks(np.array([1.0, 3, 3, 2])).tolist() == [4, 1, 2, 3]


def test_where_images_may_come_later_there_need_be_none(tmp_path):
    assert find_wanted(tmp_path, ["a"], may_come=True) == ([], [])
    with pytest.raises(UserError, match="there are no images; name the folder"):
        find_wanted(tmp_path, ["a"], may_come=False)
