"""The words that training ends with."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import Ridge

from src.model import PredictorConfig
from src.ratings import Share
from src.report.headline import headline, with_oneself
from src.report.more_images import Growth, _ridge, growth, more_images
from src.scores import Counted
from src.scores.assisted import Expected
from src.search import Dataset
from tests.training import FEW

SCORES = np.arange(20.0)


@pytest.fixture(autouse=True)
def few_resamples(monkeypatch):
    monkeypatch.setattr("src.report.analysis.RESAMPLES", FEW)


def test_the_first_sentence_is_about_a_hundred_pairs():
    said = SCORES.copy()
    said[[0, 1]] = said[[1, 0]]  # one of 190 pairs is wrong
    text = headline(SCORES, said, {"ridge": -SCORES, "gp": SCORES}, 0, "eval images")
    assert text.startswith(
        "Of 100 pairs of eval images, which it was not trained on, it orders 99 as you do (95 %: 9"
    )
    assert text.endswith("; ridge regression orders 0, a Gaussian process 100.")


def test_few_images_have_no_interval_and_no_order_no_sentence():
    assert "95 %" not in headline(SCORES[:5], SCORES[:5], {}, 0, "eval images")
    assert headline(np.ones(20), SCORES, {}, 0, "eval images") == ""


def test_scores_that_features_assisted_have_the_cautious_figure_too():
    text = headline(SCORES, SCORES, {}, 0, "eval images", Counted(Expected(0.7, 0.75), 20, 20))
    assert text.endswith("orders 100 as you do (95 %: 100 to 100), or 75 with the scores' errors counted.")


def test_oneself_is_only_spoken_of_after_enough_repeats():
    assert with_oneself(None) == with_oneself(Share(10, 19)) == ""
    assert with_oneself(Share(18, 21)) == "You agree with yourself in 86 (21 hidden repeats)."


@pytest.mark.parametrize(
    ("found", "text"),
    [
        (Growth(100), ""),
        (Growth(100, 2.0, 0.5), "40 more images would add about 1."),  # sqrt(2) times as many
        (Growth(1000, 1.0, 0.2), "1000 more images would add about 1."),
        (Growth(1000, 0.5, 0.1), "Twice as many images would add about 0.5."),
        (Growth(1000, 0.1, 0.1), "More images of this kind would hardly add anything."),
        (Growth(40, 1.0, 2.0), "Whether more images would add to it can't be told from so few."),
    ],
)
def test_so_many_more_images_bring_one_more_pair(found, text):
    assert more_images(found) == text


def data_of(count, noise, folds=None, width=40):
    generator = np.random.default_rng(1)
    inputs = generator.normal(size=(count, width)).astype(np.float32)
    scores = inputs @ generator.normal(size=width) / np.sqrt(width) + noise * generator.normal(size=count)
    split = np.where(np.arange(count) % 4 == 0, "eval", "train")
    config = PredictorConfig("toy", (0,), "join", (width,), (1, 1))
    return Dataset(config, torch.from_numpy(inputs), scores, np.ones(count), split, folds)


def test_images_help_where_there_is_more_to_learn_and_not_where_there_is_nothing():
    learns = growth(data_of(160, 0.5), 30.0, 0)
    assert learns.images == 120
    assert learns.gain > 3 * learns.error
    nothing = growth(data_of(160, 100.0), 30.0, 0)
    assert abs(nothing.gain) < 3 * nothing.error


def test_few_images_say_nothing_and_test_images_are_not_looked_at():
    assert np.isnan(growth(data_of(40, 0.5), 30.0, 0).gain)
    data = data_of(200, 0.5)
    data.split[:40] = "test"
    before = growth(data, 30.0, 0)
    data.scores[:40] = 1000.0
    assert growth(data, 30.0, 0) == before


def test_the_folds_of_a_run_are_its_own():
    folds = np.arange(160) % 2
    data = data_of(160, 0.5, folds)
    data.split[:] = "train"
    assert growth(data, 30.0, 0).images == 80


def test_ridge_regression_in_its_dual_form_is_scikit_learns():
    generator = np.random.default_rng(2)
    x, scores = generator.normal(size=(30, 8)), generator.normal(size=30)
    train, rows = np.arange(20), np.arange(20, 30)
    expected = Ridge(alpha=3.0).fit(x[train], scores[train]).predict(x[rows])
    np.testing.assert_allclose(_ridge(x @ x.T, scores, train, rows, 3.0), expected, atol=1e-8)
