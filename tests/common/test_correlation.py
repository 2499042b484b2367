"""Correlations and their p-values against scipy, and against arithmetic a reader can do."""

import math

import numpy as np
import pytest
import scipy.stats

from src.common.correlation import correlations, pearson, spearman, spearman_among

pytestmark = pytest.mark.filterwarnings("error")


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


@pytest.mark.parametrize("count", [3, 4, 5])
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


@pytest.mark.parametrize("tied", [False, True])
def test_spearman_among_drawn_rows_is_that_of_scipy(tied):
    draw = np.random.default_rng(5)
    truth, predicted = draw.normal(size=(2, 60))
    if tied:
        truth, predicted = np.round(truth), np.round(predicted * 2)
    among = spearman_among(truth, predicted)
    for _ in range(5):
        rows = draw.integers(0, 60, 60)
        assert among(rows) == pytest.approx(scipy.stats.spearmanr(truth[rows], predicted[rows]).statistic, abs=1e-12)
    assert np.isnan(spearman_among([1, 2, np.nan], [1, 2, 3])(np.array([0, 2])))
    assert spearman_among([1, 2, np.nan], [1, 2, 3])(np.array([0, 1])) == 1
