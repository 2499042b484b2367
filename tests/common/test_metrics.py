"""Metrics against arithmetic a reader can do, and against torch; and what holds for each of them."""

import numpy as np
import pytest

from src.common.metrics import METRICS, Screens, accuracy, mse, nll, wmse

pytestmark = pytest.mark.filterwarnings("error")


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
