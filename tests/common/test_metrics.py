"""Metrics against arithmetic a reader can do, and against scipy, scikit-learn and torch."""

import math
import time
import warnings

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from src.common.metrics import (
    ENOUGH,
    METRICS,
    Screens,
    ab,
    accuracy,
    correlations,
    expected_order,
    mse,
    nll,
    pearson,
    spearman,
    wmse,
)


@pytest.fixture(autouse=True)
def _quiet():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def pairs_in_the_same_order(truth, predicted):
    """AB by its definition: every pair looked at."""
    points = []
    for i in range(len(truth)):
        for j in range(i):
            if truth[i] != truth[j]:
                order = np.sign(truth[i] - truth[j]) * np.sign(predicted[i] - predicted[j])
                points.append((order + 1) / 2)
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


@pytest.mark.parametrize("count", [10, 30, 900])
@pytest.mark.parametrize("tied", [False, True])
def test_correlations_and_p_values_agree_with_scipy(count, tied):
    draw = np.random.default_rng(count)
    truth = draw.normal(size=count)
    predicted = truth + draw.normal(size=count)
    if tied:
        truth, predicted = np.round(truth), np.round(predicted * 2)
    ours = correlations(truth, predicted)
    rank, linear = scipy.stats.spearmanr(truth, predicted), scipy.stats.pearsonr(truth, predicted)
    assert ours.spearman == pytest.approx(rank.statistic, abs=1e-12)
    assert ours.pearson == pytest.approx(linear.statistic, abs=1e-12)
    assert ours.spearman_p == pytest.approx(rank.pvalue, rel=1e-6)
    assert ours.pearson_p == pytest.approx(linear.pvalue, rel=1e-6)


@pytest.mark.parametrize("count", [3, 5, 6])
@pytest.mark.parametrize("tied", [False, True])
def test_p_values_of_few_images_are_those_of_scipys_permutation_test(count, tied):
    draw = np.random.default_rng(count)
    truth = draw.normal(size=count)
    predicted = truth + draw.normal(size=count)
    if tied:
        predicted[1] = predicted[0]
    ours = correlations(truth, predicted)

    def strength(statistic):
        # The absolute value, as scipy's own two-sided test doubles the smaller side.
        return scipy.stats.permutation_test(
            (predicted,),
            lambda order: abs(statistic(truth, order).statistic),
            permutation_type="pairings",
            n_resamples=np.inf,
            alternative="greater",
        ).pvalue

    assert ours.spearman_p == pytest.approx(strength(scipy.stats.spearmanr), abs=1e-12)
    assert ours.pearson_p == pytest.approx(strength(scipy.stats.pearsonr), abs=1e-12)


def test_five_images_in_order_are_no_miracle():
    ours = correlations([1, 2, 3, 4, 5], [5.1, 4, 3, 2, 1])
    assert (ours.spearman, ours.spearman_p) == pytest.approx((-1, 2 / 120))
    assert correlations(range(9), range(9)).spearman_p == pytest.approx(2 / math.factorial(9))


def test_p_values_of_strong_correlations_stay_above_zero_like_scipys():
    draw = np.random.default_rng(0)
    truth = draw.normal(size=900)
    ours = correlations(truth, truth + 0.8 * draw.normal(size=900))
    assert 0 < ours.pearson_p < 1e-100


def test_p_values_need_three_images():
    assert np.isnan(correlations([1, 2], [1, 2]).spearman_p)
    assert correlations([1, 2], [1, 2]).pearson == 1


def test_pearson_survives_huge_and_tiny_numbers():
    assert pearson([1e300, -1e300, 0], [1, -1, 0]) == pytest.approx(1)
    assert pearson([1e-300, 2e-300, 3e-300], [1, 2, 3]) == pytest.approx(1)


def test_spearman_ignores_the_scale_and_pearson_does_not():
    truth = np.arange(1, 20)
    assert spearman(truth, np.exp(truth)) == pytest.approx(1)
    assert pearson(truth, np.exp(truth)) < 0.8


def test_accuracy_counts_images_on_the_same_side_of_the_divider():
    assert accuracy([1, 2, 3, 4], [0, 5, 5, 5], 2.5) == 0.75
    assert accuracy([2.5], [2.4], 2.5) == 1  # equal to the divider is below it


def test_squared_errors_by_hand():
    assert mse([1, 2], [2, 4]) == 2.5
    assert wmse([1, 2], [2, 4], [3, 1]) == pytest.approx((3 * 1 + 1 * 4) / 4)
    assert wmse([1, 2], [2, 4], [7, 7]) == mse([1, 2], [2, 4])


def test_nll_equals_torchs_gaussian_loss():
    torch = pytest.importorskip("torch")
    draw = np.random.default_rng(5)
    truth, predicted, sigma = draw.normal(size=(3, 50))
    sigma[:3] = 0.0, 1e-4, -2.0
    variance = torch.tensor(sigma**2)
    expected = torch.nn.GaussianNLLLoss()(torch.tensor(predicted), torch.tensor(truth), variance).item()
    assert nll(truth, predicted, sigma) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("name", METRICS)
def test_nothing_to_measure_is_nan_without_a_warning(name):
    assert np.isnan(METRICS[name].function([], []))


@pytest.mark.parametrize("name", ["ab", "spearman", "pearson"])
def test_constant_scores_order_nothing(name):
    function = METRICS[name].function
    assert np.isnan(function([0.1] * 10, np.arange(10)))
    assert np.isnan(function([1], [1]))
    if name != "ab":  # a predictor that says the same of all is right half of the time
        assert np.isnan(function(np.arange(10), [0.1] * 10))


@pytest.mark.parametrize("name", METRICS)
def test_a_prediction_that_is_not_a_number_makes_every_metric_nan(name):
    assert np.isnan(METRICS[name].function([1, 2, 3], [1, np.nan, 3], sigma=[1, 1, 1]))


@pytest.mark.parametrize("name", METRICS)
def test_infinite_predictions_give_no_warning(name):
    METRICS[name].function([1, 2, 3], [1, np.inf, -np.inf], sigma=[1, np.inf, 0])


@pytest.mark.parametrize("name", METRICS)
def test_lists_of_different_length_are_refused(name):
    with pytest.raises(ValueError, match=r"same length.*\(3,\) and \(2,\)"):
        METRICS[name].function([1, 2, 3], [1, 2], sigma=[1, 2], weights=[1, 2])


# Of 41 images in rising order, the later one of neighbours ten apart was chosen.
SCREENS = Screens(np.stack([np.arange(31), np.arange(10, 41)], axis=1), np.tile([0.0, 1.0], (31, 1)))


@pytest.mark.parametrize("name", METRICS)
def test_every_metric_says_truly_which_direction_is_better(name):
    truth = np.linspace(-1, 1, 41)
    noise = np.random.default_rng(1).normal(size=41)
    good, bad = (
        METRICS[name].function(
            truth, truth + scale * noise, weights=np.ones(41), sigma=np.full(41, 0.5), screens=SCREENS
        )
        for scale in (0.1, 2)
    )
    assert (good < bad) == (METRICS[name].direction == "minimize")


def test_metrics_without_weights_or_divider_take_equal_ones_and_the_median():
    assert METRICS["wmse"].function([1, 2], [2, 4]) == 2.5
    assert METRICS["accuracy"].function([1, 2, 3, 4], [0, 0, 9, 9]) == 1
    assert METRICS["accuracy"].function([1, 2, 3, 4], [0, 0, 9, 9], divider=3.5) == 0.75
    assert np.isnan(METRICS["nll"].function([1, 2], [1, 2]))


def test_a_mistyped_argument_of_a_metric_is_refused():
    with pytest.raises(TypeError, match="weight"):
        METRICS["wmse"].function([1, 2], [1, 2], weight=[1, 1])


@pytest.mark.parametrize(("images", "close"), [(200, 0.005), (3 * ENOUGH, 0.008)])
def test_the_expected_order_is_that_of_draws_from_the_errors(images, close):
    rng = np.random.default_rng(0)
    truth, error = rng.normal(size=images), rng.uniform(0.2, 1, images)
    predicted = np.round(truth + rng.normal(size=images), 1)  # some are tied
    drawn = [rng.normal(truth, error) for _ in range(200)]
    found = expected_order(truth, error, predicted)
    assert found.spearman == pytest.approx(
        np.mean([scipy.stats.spearmanr(d, predicted)[0] for d in drawn]), abs=close
    )
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
