"""Which images are kept, what two scores become, and what a pick list says: arithmetic that a reader can do."""

import math

import pytest

from tests.comfyui.pack import UserError, module

keeping = module("keeping")
SCORES = [0.5, 2.0, -1.0, 2.0]


@pytest.mark.parametrize(
    ("settings", "kept"),
    [
        ({}, [1, 3, 0, 2]),  # of equal scores the earlier one is better
        ({"k": 1}, [1]),
        ({"k": 3, "order": "ascending"}, [0, 3, 1]),
        ({"k": 3, "order": "original"}, [0, 1, 3]),
        ({"k": 9}, [1, 3, 0, 2]),
        ({"threshold": 0.5}, [1, 3, 0]),
        ({"threshold": 5.0}, []),
        ({"k": 1, "threshold": 0.5, "order": "original"}, [1]),
    ],
)
def test_the_best_are_kept(settings, kept):
    assert keeping.best(SCORES, **settings) == kept


def test_what_has_no_score_is_never_kept():
    assert keeping.best([math.nan, 1.0, math.nan]) == [1]
    assert keeping.others(3, [1]) == [0, 2]


def test_the_least_threshold_is_reached_by_scores_of_any_scale():
    assert keeping.best([-20000.0, -math.inf, math.nan, 1.0]) == [3, 0, 1]


@pytest.mark.parametrize(
    ("rule", "wanted"),
    [
        ("mean", [2.0, -1.0]),
        ("weighted", [1.5, -2.5]),
        ("min", [1.0, -4.0]),
        ("max", [3.0, 2.0]),
        ("difference", [-2.0, 6.0]),
        ("a if b over threshold", [1.0, -4.0]),
    ],
)
def test_two_scores_become_one(rule, wanted):
    assert keeping.combine([1.0, 2.0], [3.0, -4.0], rule, 0.75, 0.0) == pytest.approx(
        wanted if rule != "weighted" else [0.75 * 1 + 0.25 * 3, 0.75 * 2 - 0.25 * 4]
    )


def test_the_older_tools_rules_go_by_their_old_names():
    assert keeping.combine([1.0], [3.0], "max(x,y)", 0.5, 0.0) == [3.0]
    with pytest.raises(
        UserError, match=r"rule 'x\*y': there is none of that name; choose one of mean, weighted, min"
    ):
        keeping.combine([1.0], [3.0], "x*y", 0.5, 0.0)


def test_one_score_stands_for_all_and_other_counts_are_refused():
    assert keeping.combine([1.0], [1.0, 3.0], "mean", 0.5, 0.0) == [1.0, 2.0]
    assert math.isnan(keeping.combine([math.nan], [1.0], "min", 0.5, 0.0)[0])
    with pytest.raises(UserError, match="2 in a and 3 in b"):
        keeping.combine([1.0, 2.0], [1.0, 2.0, 3.0], "mean", 0.5, 0.0)
    with pytest.raises(UserError, match="0 in a and 1 in b"):
        keeping.combine([], [1.0], "mean", 0.5, 0.0)


@pytest.mark.parametrize(("text", "found"), [("4,0", [4, 0]), (" 1 ; 1,2, ", [1, 2]), ("", [])])
def test_a_pick_list_is_read(text, found):
    assert keeping.indexes(text, 5) == found


@pytest.mark.parametrize("text", ["5", "-1", "a", "1.0", "0 1", "²"])
def test_what_is_no_pick_of_these_images_is_refused(text):
    with pytest.raises(UserError, match="is none of these 5 images; give numbers from 0 to 4"):
        keeping.indexes(text, 5)
