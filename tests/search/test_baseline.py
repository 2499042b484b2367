"""The ridge baseline and the standardisation it shares with the network."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import RidgeCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import src.search.baseline as baseline
from src.common.scaling import standardisation
from src.model.config import PredictorConfig
from src.model.file import load_predictor, save_predictor
from src.search.dataset import Dataset


def toy(n=120, width=6):
    generator = np.random.default_rng(1)
    inputs = 5 + 3 * generator.normal(size=(n, width)).astype(np.float32)
    scores = inputs[:, 0] - 2 * inputs[:, 1] + generator.normal(size=n)
    return inputs, scores, np.where(np.arange(n) % 4 == 0, "eval", "train")


def test_ridge_is_that_of_scikit_learn_on_the_train_split():
    inputs, scores, split = toy()
    train = split == "train"
    model = make_pipeline(StandardScaler(), RidgeCV(np.logspace(0, 6, 25))).fit(inputs[train], scores[train])
    found = baseline.ridge_scores(inputs, scores, split, seed=0)
    assert found == pytest.approx(model.predict(inputs), rel=1e-4)


def test_ridge_does_not_look_at_the_scores_of_the_eval_split():
    inputs, scores, split = toy()
    changed = np.where(split == "eval", 1000.0, scores)
    first, second = (baseline.ridge_scores(inputs, values, split, seed=0) for values in (scores, changed))
    assert first.tolist() == second.tolist()


def test_stacked_hidden_states_are_put_side_by_side():
    inputs, scores, split = toy()
    stacked = inputs.reshape(len(inputs), 2, 3)
    assert baseline.ridge_scores(stacked, scores, split, 0) == pytest.approx(
        baseline.ridge_scores(inputs, scores, split, 0)
    )


def test_of_very_many_rows_a_part_is_used(monkeypatch):
    monkeypatch.setattr(baseline, "MOST_ROWS", 50)
    inputs, scores, split = toy()
    predicted = baseline.ridge_scores(inputs, scores, split, seed=3)
    assert predicted.shape == scores.shape
    assert np.corrcoef(predicted, scores)[0, 1] > 0.9


def test_standardisation_is_mean_and_deviation_but_not_under_a_tenth_of_the_median_one():
    features = np.array([[0, 10, 0, 7], [2, 30, 0.001, 7], [4, 50, 0, 7]], np.float32)
    shift, scale = standardisation(features)
    assert shift == pytest.approx([2, 30, 0.001 / 3, 7])
    deviations = [np.sqrt(8 / 3), np.sqrt(800 / 3)]
    floor = 0.1 * (deviations[0] + 0.001 * np.sqrt(2) / 3) / 2  # the median of four is between the middle two
    assert scale == pytest.approx([*deviations, floor, floor], rel=1e-4)


def test_constant_features_are_divided_by_one():
    assert standardisation(np.full((3, 2), 5.0))[1].tolist() == [1, 1]


@pytest.mark.parametrize("mode", ["join", "average"])
def test_ridge_as_a_predictor_gives_ridges_scores(tmp_path, mode):
    inputs, scores, split = toy()
    ridge = baseline.fit_ridge(inputs, scores, split, seed=0)
    widths = (2, 4) if mode == "join" else (6, 6)
    predictor = baseline.ridge_predictor(
        ridge, PredictorConfig("toy", (0, 1), mode, widths, (3, 3), output_channels=2)
    )
    save_predictor(tmp_path / "ridge.safetensors", predictor, {})
    loaded, metadata = load_predictor(tmp_path / "ridge.safetensors")
    found, errors = loaded.predict(torch.from_numpy(inputs))
    assert found == pytest.approx(baseline.ridge_scores(inputs, scores, split, seed=0), abs=1e-4)
    assert np.isnan(errors).all()
    assert metadata["layers"] == "[]"
    assert set(loaded.state_dict()) == {"main_process.1.weight", "main_process.1.bias"}


def test_beyond_2000_rows_its_scores_are_those_of_all_components(monkeypatch):
    generator = np.random.default_rng(0)
    x = (
        generator.normal(size=(300, 20)) @ generator.normal(size=(20, 60)) + generator.normal(size=(300, 60))
    ).astype("f")
    scores, split = x[:, :5].sum(axis=1) + generator.normal(size=300), np.full(300, "train")
    whole = baseline.ridge_scores(x, scores, split, seed=0)
    monkeypatch.setattr(baseline, "WHOLE_UP_TO", 200)
    monkeypatch.setattr(baseline, "COMPONENTS", 50)
    assert np.corrcoef(whole, baseline.ridge_scores(x, scores, split, seed=0))[0, 1] > 0.99
    monkeypatch.setattr(baseline, "COMPONENTS", 10)
    assert np.corrcoef(whole, baseline.ridge_scores(x, scores, split, seed=0))[0, 1] < 0.99


def dataset(scores, split, folds=None, inputs=None):
    config = PredictorConfig("toy", (0,), "join", (6,), (1, 1))
    inputs = torch.zeros(len(scores), 6) if inputs is None else torch.from_numpy(inputs)
    return Dataset(config, inputs, scores, np.ones(len(scores)), split, folds)


def test_with_folds_ridge_scores_each_image_by_the_other_folds():
    inputs, scores, _ = toy()
    folds = np.arange(len(scores)) % 3 - (np.arange(len(scores)) >= 90) * 10  # the last 30 are test images
    folds = np.maximum(folds, -1)
    split = np.where(folds < 0, "test", "train")
    found = baseline.held_out_ridge(dataset(scores, split, folds, inputs), 0)
    for k in range(3):
        others = (folds >= 0) & (folds != k)
        model = make_pipeline(StandardScaler(), RidgeCV(np.logspace(0, 6, 25))).fit(inputs[others], scores[others])
        assert found[folds == k] == pytest.approx(model.predict(inputs[folds == k]), rel=1e-4)


def test_baselines_are_measured_on_the_eval_images_against_the_mean_of_train():
    scores, split = np.array([1.0, 3.0, 4.0, 8.0]), np.array(["train", "train", "eval", "eval"])
    found = baseline.baselines(dataset(scores, split), {"ridge": np.array([0.0, 0.0, 5.0, 6.0])})
    assert found["ridge"] == {"eval_mse": 2.5, "eval_spearman": 1.0, "eval_ab": 1.0}
    assert found["mean"] == {"eval_mse": 20.0, "eval_ab": 0.5}  # (4 - 2)^2 and (8 - 2)^2; no order
    assert baseline.baselines(dataset(scores, np.array(["train"] * 4)), {"ridge": scores}) == {
        "ridge": {},
        "mean": {},
    }
