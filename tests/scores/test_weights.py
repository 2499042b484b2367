"""Images of uncertain score count for less in training."""

from dataclasses import replace

import numpy as np
import pytest
import torch

import aesthetic_predictor_training as script
from src.common.errors import UserError
from src.features.extraction import Features
from src.features.feature_cache import FeatureCache
from src.model.config import PredictorConfig
from src.model.training import train
from src.options.command_line import parse_arguments
from src.options.groups.search import search_settings
from src.options.option import TRAIN
from src.options.settings import settings_of
from src.options.training import output_paths
from src.scores.scorefile import new_table, read_scorefile
from src.scores.settings import SplitSettings
from src.scores.weights import check_loss, error_weights, weights_of
from src.search.dataset import Dataset, train_data
from src.search.objective import Objective
from src.search.run import about, comparable
from src.search.settings import TrainingSettings
from src.search.trainer import configure
from tests.toys import ToyExtractor


def table(folder, errors, header="relative_path,score,score_error"):
    rows = [f"{number}.png,{number},{error}" for number, error in enumerate(errors)]
    path = folder / "scores.csv"
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return read_scorefile(path)


def test_weights_are_one_over_error_squared_plus_median_squared_with_mean_1_over_the_train_split(tmp_path):
    train_split = np.array([True, True, True, False])
    weights, said = error_weights(table(tmp_path, [1, 2, 3, 100]), train_split)
    plain = 1 / (np.array([1.0, 2.0, 3.0, 100.0]) ** 2 + 2.0**2)
    assert weights == pytest.approx(plain / plain[:3].mean())
    assert said[0].startswith(f"Images are weighted by their score_error: from {weights[2]:.2f} to {weights[0]:.2f}")
    assert len(said) == 1


def test_images_without_an_error_are_named_and_weigh_as_the_typical_one(tmp_path):
    weights, said = error_weights(table(tmp_path, [1, "", 3, 2, "x", 0]), np.ones(6, dtype=bool))
    assert weights[[1, 4, 5]] == pytest.approx(np.full(3, weights[3]))
    assert "3 images have no score_error above 0, weighed as the typical one: 1.png, 4.png, 5.png" in said[1]


def test_equal_errors_weigh_nothing(tmp_path):
    assert error_weights(table(tmp_path, [0.7] * 5), np.ones(5, dtype=bool))[0] == pytest.approx(np.ones(5))


def test_a_score_file_without_errors_is_refused_with_what_is_missing(tmp_path):
    with pytest.raises(UserError, match=r"scores.csv: --weight_by_error needs a column score_error, .* score, sd"):
        error_weights(table(tmp_path, [1, 2], "relative_path,score,sd"), np.ones(2, dtype=bool))
    with pytest.raises(UserError, match="no image to train on has a score_error above 0"):
        error_weights(table(tmp_path, [1, ""]), np.array([False, True]))


@pytest.mark.parametrize("loss", ["ab", "nll"])
def test_losses_that_cannot_be_weighted_are_refused(loss):
    with pytest.raises(
        UserError, match=f"--weight_by_error needs a loss that weighs images, mse or wmse, not {loss}"
    ):
        check_loss(loss)


def dataset(error_weights):
    """Scores that follow the first feature, but for the last 20 images of train, where they are reversed."""
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(120, 4, generator=generator)
    scores = inputs[:, 0].double().numpy().copy()
    scores[40:60] *= -5
    config = PredictorConfig("toy", (0,), "join", (4,), (1, 1), extractor_identity="toy-1")
    split = np.repeat(["train", "eval"], 60)
    return Dataset(config, inputs, scores, np.linspace(0.5, 2, 120), split, error_weights=error_weights)


def arguments(*words):
    parsed = parse_arguments(TRAIN, "", list(words))
    parsed.model_seed = 0
    return parsed


def compared(given, scores, data, metric):
    return comparable(scores, data, Objective(metric, "eval", (metric,), 0.0), search_settings(given))


def test_a_search_trains_on_the_error_weights_and_with_wmse_on_both():
    errors = np.linspace(1, 3, 120)
    data = dataset(errors)
    on = train_data(TrainingSettings(weight_by_error=True), data)
    both = train_data(TrainingSettings("wmse", weight_by_error=True), data)
    assert on.weights.numpy() == pytest.approx(errors[:60], rel=1e-6)
    assert both.weights.numpy() == pytest.approx(errors[:60] * data.weights[:60], rel=1e-6)


def test_images_that_weigh_next_to_nothing_do_not_spoil_what_the_others_teach():
    parameters = {"train_epochs": 40, "batch_size": 60, "first_layer_size": 30, "second_layer_size": 20}
    parameters |= {"log_lr": -2.0, "warmup_ratio": 0.0, "input_dropout": 0.0, "dropout": 0.0, "output_dropout": 0.0}
    certain = np.ones(120)
    certain[40:60] = 1e-4
    agreement = []
    for weights in (certain, None):
        data, given = dataset(weights), TrainingSettings(weight_by_error=weights is not None, model_seed=0)
        config, training = configure(parameters, given, data.config)
        predicted, _ = train(config, training, train_data(given, data)).predict(data.inputs)
        agreement.append(np.corrcoef(predicted[60:], data.scores[60:])[0, 1])
    assert agreement[0] > 0.9 > agreement[1]


def test_the_script_weights_images_says_so_and_its_trials_are_not_mixed_with_unweighted_ones(tmp_path, capsys):
    scores = table(tmp_path, [1, 2, 3, "", 2, 1, 3, 2])
    features = Features(scores.paths, {0: np.random.default_rng(0).normal(size=(8, 3)).astype(np.float32)}, {})
    found = {}
    for word in ("on", "off"):
        given = arguments(f"--weight_by_error={word}", "--fraction_for_eval=0.25", "--hidden_states_used=0")
        given.hidden_states_mode, given.eval_pick_seed = "join", 1
        data = script.make_dataset(given, tmp_path, scores, features, ToyExtractor(), FeatureCache(tmp_path / "c"))
        settings = search_settings(given)
        said, split = capsys.readouterr().out, settings_of(SplitSettings, given)
        found[word] = data, said, compared(given, scores, data, "mse"), about(scores, data, settings, split)
    data, said, *_ = found["on"]
    errors = np.array([1, 2, 3, np.nan, 2, 1, 3, 2])
    assert np.array_equal(data.error_weights, weights_of(errors, data.split == "train"))
    assert "Images are weighted by their score_error: from" in said
    assert "1 image has no score_error above 0, weighed as the typical one: 3.png" in said
    assert found["off"][0].error_weights is None
    assert found["off"][1] == ""
    assert found["on"][2] != found["off"][2]
    assert found["on"][3]["weight_by_error"] is True
    assert "weight_by_error" not in found["off"][3]


@pytest.mark.parametrize(
    ("words", "change", "objective"),
    [
        (("--loss_model=wmse",), "weights", "wmse"),
        ((), "weights", "wmse"),
        (("--weight_by_error",), "error_weights", "mse"),
        (("--loss_model=wmse",), "--normalise_weights", "wmse"),
        ((), "--accuracy_divider=1", "accuracy"),
        (("--hidden_states_used=0,1",), "--fixed_hidden_state_weights=1,2", "mse"),
    ],
)
def test_what_a_trials_value_depends_on_keeps_studies_apart(tmp_path, words, change, objective):
    scores, data = table(tmp_path, [1] * 120), dataset(np.ones(120) if "--weight_by_error" in words else None)
    other, more = data, ()
    if change.startswith("--"):
        more = (change,)
    else:
        other = replace(data, **{change: np.linspace(1, 2, 120)})
    before = compared(arguments(*words), scores, data, objective)
    assert compared(arguments(*words), scores, data, objective) == before
    after = compared(arguments(*words, *more), scores, other, objective)
    assert after.keys() == before.keys()
    assert sum(after[key] != before[key] for key in before) == 1


def test_what_no_trials_value_depends_on_does_not():
    given, more = arguments(), arguments("--accuracy_divider=1")
    more.normalise_weights = True
    scores, data = new_table([f"{i}.png" for i in range(120)]), dataset(None)
    other = replace(data, weights=np.linspace(1, 2, 120))
    assert compared(given, scores, data, "mse") == compared(more, scores, other, "mse")


def test_the_script_refuses_a_loss_that_cannot_be_weighted_before_anything_is_read(tmp_path):
    with pytest.raises(UserError, match="not ab"):
        output_paths(arguments("--weight_by_error", "--loss_model=ab"), tmp_path)
    output_paths(arguments("--loss_model=ab"), tmp_path)
