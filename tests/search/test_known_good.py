"""What a new search tries first fits the number of images and the ranges that are asked for."""

from src.search.known_good import GOOD, fitted, known_good
from src.search.settings import MetaparameterRanges
from tests.search.test_search import run, run_on_disk


def test_more_images_take_fewer_passes_for_as_many_steps():
    few, many = fitted(GOOD[0], 200), fitted(GOOD[0], 2000)
    assert few["train_epochs"] == 46  # 653 steps of 14 images: 9,142, or 45.7 passes over 200
    assert many["train_epochs"] == 5
    assert fitted(GOOD[0], 10**6)["train_epochs"] == 1
    assert {**few, "train_epochs": 5} == many


def test_they_keep_to_the_ranges_and_are_not_tried_twice():
    ranges = MetaparameterRanges(train_epochs=(3, 4), batch_size=(5, 5), log_lr=(-2.0, -2.0), dropout=(0.1, 0.1))
    found = known_good(ranges, 500)
    for name in found[0]:
        low, high = getattr(ranges, name)
        assert all(low <= one[name] <= high for one in found)
    fixed = MetaparameterRanges(**dict.fromkeys(found[0], (0.5, 0.5)))
    assert len(known_good(fixed, 500)) == 1


def test_a_new_study_begins_with_them_and_a_resumed_one_goes_on(tmp_path):
    study, best, _ = run_on_disk(tmp_path, "--trials=2")
    expected = known_good_of(best.data)
    assert [{name: trial.params[name] for name in expected[0]} for trial in study.trials] == expected[:2]
    study, _, _ = run_on_disk(tmp_path, "--trials=6", "--resume")
    assert len(study.trials) == 6
    later = [{name: trial.params[name] for name in expected[0]} for trial in study.trials[2:]]
    assert expected[0] not in later


def test_with_a_pruner_too(tmp_path):
    study, best, _ = run(tmp_path, "--trials=2", "--pruner=median")
    expected = known_good_of(best.data)
    assert {name: study.trials[0].params[name] for name in expected[0]} == expected[0]


def known_good_of(data):
    """In the ranges of `tests.search.test_search.QUICK`."""
    ranges = MetaparameterRanges(
        train_epochs=(5, 8), batch_size=(20, 100), first_layer_size=(10, 40), second_layer_size=(10, 20)
    )
    return known_good(ranges, len(data.rows("train")))
