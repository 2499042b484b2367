"""AB and the expected order against their definitions, scipy, and draws."""

import time

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from src.common.correlation import spearman
from src.common.order import ENOUGH, ab, expected_order

pytestmark = pytest.mark.filterwarnings("error")


def pairs_in_the_same_order(truth, predicted):
    """AB by its definition: every pair looked at."""
    points = []
    for i in range(len(truth)):
        for j in range(i):
            if truth[i] != truth[j]:
                above = (truth[i] - truth[j]) * (predicted[i] - predicted[j])
                points.append(1 if above > 0 else 0 if above < 0 else 0.5)
    return np.mean(points) if points else np.nan


def test_ab_counts_pairs_by_hand():
    # pairs: 1-2 right, 1-3 right, 2-3 wrong
    assert ab([1, 2, 3], [10, 30, 20]) == pytest.approx(2 / 3)
    assert ab([1, 2, 3], [1, 2, 3]) == 1
    assert ab([1, 2, 3], [3, 2, 1]) == 0


def test_ab_leaves_out_pairs_tied_in_truth_and_halves_those_tied_in_predicted():
    assert ab([1, 1, 2], [5, 7, 6]) == 0.5  # 1-2 is no pair, one right, one wrong
    assert ab([1, 2], [5, 5]) == 0.5
    assert ab([1, 1, 2, 2], [3, 3, 3, 4]) == pytest.approx(3 / 4)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.integers(-4, 4), st.integers(-4, 4)), min_size=1, max_size=25))
def test_ab_agrees_with_a_loop_over_all_pairs(scores):
    truth, predicted = map(list, zip(*scores, strict=True))
    assert ab(truth, predicted) == pytest.approx(pairs_in_the_same_order(truth, predicted), nan_ok=True)


@pytest.mark.parametrize("levels", [3, 10, 100])
def test_ab_agrees_with_scipys_somers_d_on_ties(levels):
    draw = np.random.default_rng(levels)
    truth, predicted = draw.integers(0, levels, (2, 200))
    assert ab(truth, predicted) == pytest.approx((scipy.stats.somersd(truth, predicted).statistic + 1) / 2, abs=1e-12)


def test_ab_agrees_with_scipys_kendall_tau_on_100_000_images_in_under_a_second():
    draw = np.random.default_rng(3)
    truth = draw.normal(size=100_000)
    predicted = truth + draw.normal(size=100_000)
    start = time.process_time()
    result = ab(truth, predicted)
    seconds = time.process_time() - start
    assert result == pytest.approx((scipy.stats.kendalltau(truth, predicted).statistic + 1) / 2, abs=1e-12)
    assert seconds < 1


@pytest.mark.parametrize(("images", "close"), [(200, 0.005), (3 * ENOUGH, 0.008)])
def test_the_expected_order_is_that_of_draws_from_the_errors(images, close):
    rng = np.random.default_rng(0)
    truth, error = rng.normal(size=images), rng.uniform(0.2, 1, images)
    predicted = np.round(truth + rng.normal(size=images), 1)  # some are tied
    drawn = [rng.normal(truth, error) for _ in range(100)]
    found = expected_order(truth, error, predicted)
    spearmans = scipy.stats.spearmanr([*drawn, predicted], axis=1).statistic[-1, :-1]
    assert found.spearman == pytest.approx(np.mean(spearmans), abs=close)
    assert found.ab == pytest.approx(np.mean([ab(d, predicted) for d in drawn]), abs=close)


def test_the_expected_order_of_certain_scores_is_their_order():
    truth, predicted = np.array([3.0, 1, 2, 5]), np.array([1.0, 2, 2, 9])
    found = expected_order(truth, np.zeros(4), predicted)
    assert found.spearman == pytest.approx(spearman(truth, predicted))
    assert found.ab == pytest.approx(ab(truth, predicted))
    for case in (([1], [0], [1]), ([1, 2], [1, 1], [3, 3]), ([1, 2], [1, np.nan], [1, 2]), ([], [], [])):
        assert np.isnan(expected_order(*case)).all()
    with pytest.raises(ValueError, match="same length"):
        expected_order([1, 2], [1], [1, 2])
