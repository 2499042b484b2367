"""The split: fractions, what is given stays, and few change when images are added."""

import numpy as np
import pytest

from src.common.errors import UserError
from src.scores.split import assign_split

PATHS = [f"images/{number}.jpg" for number in range(1000)]
NONE = [""] * 1000


def count(split, name):
    return int((split == name).sum())


def test_fractions_are_met_exactly():
    split = assign_split(PATHS, NONE, 0.25, 0.1, seed=0)
    assert [count(split, name) for name in ("train", "eval", "test")] == [650, 250, 100]


@pytest.mark.parametrize(("images", "expected"), [(5, 1), (7, 2), (11, 3)])
def test_a_fraction_of_few_images_is_rounded_to_the_nearest_number(images, expected):
    assert count(assign_split(PATHS[:images], NONE[:images], 0.25, 0, seed=0), "eval") == expected


def test_the_same_seed_gives_the_same_split_and_another_one_another():
    first = assign_split(PATHS, NONE, 0.25, 0.1, seed=0)
    assert (assign_split(PATHS, NONE, 0.25, 0.1, seed=0) == first).all()
    # 250 of 1000 chosen independently twice share 62.5 on average
    shared = (first == "eval") & (assign_split(PATHS, NONE, 0.25, 0.1, seed=1) == "eval")
    assert 30 < shared.sum() < 100


def test_eval_images_are_spread_evenly_over_the_list():
    split = assign_split(PATHS, NONE, 0.25, 0, seed=3)
    tenths = [count(part, "eval") for part in np.split(split, 10)]
    assert min(tenths) > 8
    assert max(tenths) < 45


def test_the_order_of_the_images_does_not_matter():
    order = np.random.default_rng(0).permutation(1000)
    split = assign_split(PATHS, NONE, 0.25, 0.1, seed=0)
    shuffled = assign_split([PATHS[row] for row in order], NONE, 0.25, 0.1, seed=0)
    assert (shuffled == split[order]).all()


def test_a_tenth_more_images_changes_less_than_a_tenth_of_the_others():
    before = assign_split(PATHS[:900], NONE[:900], 0.25, 0.1, seed=0)
    after = assign_split(PATHS, NONE, 0.25, 0.1, seed=0)[:900]
    assert (before != after).mean() < 0.1


def test_given_splits_stay_and_count_towards_the_fractions():
    given = ["eval"] * 200 + ["train"] * 100 + ["test"] * 10 + [""] * 690
    split = assign_split(PATHS, given, 0.25, 0.1, seed=0)
    assert split[:310].tolist() == given[:310]
    assert [count(split, name) for name in ("train", "eval", "test")] == [650, 250, 100]


def test_more_given_than_the_fraction_is_kept():
    given = ["eval"] * 400 + [""] * 600
    split = assign_split(PATHS, given, 0.25, 0, seed=0)
    assert split.tolist() == ["eval"] * 400 + ["train"] * 600


def test_a_complete_given_split_is_taken_whatever_the_fractions():
    given = ["train", "eval"] * 500
    assert assign_split(PATHS, given, 0.1, 0.3, seed=0).tolist() == given


def test_ignore_existing_draws_all_anew():
    given = ["train"] * 1000
    split = assign_split(PATHS, given, 0.25, 0, seed=0, ignore_existing=True)
    assert (split == assign_split(PATHS, NONE, 0.25, 0, seed=0)).all()


def test_names_of_any_unicode_and_undecodable_bytes_are_drawn():
    names = ["Ω.jpg", "e\u0301.jpg", "bad\udcff.jpg", "\ud83d.jpg"]
    assert count(assign_split(names, [""] * 4, 0.5, 0, seed=0), "eval") == 2


@pytest.mark.parametrize(
    ("for_eval", "for_test", "message"),
    [
        (1.0, 0, r"--fraction_for_eval=1: a fraction must be at least 0 and below 1"),
        (-0.1, 0, r"--fraction_for_eval=-0.1"),
        (float("nan"), 0, r"--fraction_for_eval=nan"),
        (0.25, 25, r"--fraction_for_test=25: a fraction"),
        (0.6, 0.4, r"--fraction_for_eval=0.6 and --fraction_for_test=0.4 leave no image"),
    ],
)
def test_impossible_fractions_are_refused_by_name(for_eval, for_test, message):
    with pytest.raises(UserError, match=message):
        assign_split(PATHS, NONE, for_eval, for_test, seed=0)


def test_a_split_without_train_images_is_refused():
    with pytest.raises(UserError, match=r"no image is left to train on \(0 train, 1000 eval, 0 test\)"):
        assign_split(PATHS, ["eval"] * 1000, 0.25, 0, seed=0)


def test_everything_may_be_trained_on():
    assert set(assign_split(PATHS, NONE, 0, 0, seed=0)) == {"train"}


def test_wrong_calls_are_refused():
    with pytest.raises(ValueError, match="1000 paths but 2 given"):
        assign_split(PATHS, ["", ""], 0.25, 0, seed=0)
    with pytest.raises(ValueError, match="train, eval, test"):
        assign_split(PATHS[:2], ["valid", ""], 0.25, 0, seed=0)
