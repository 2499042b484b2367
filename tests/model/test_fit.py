"""One predictor from arrays: it learns, is what training gives, its file can be scored with, and what is refused."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from src.common.errors import UserError
from src.common.metrics import spearman
from src.features.in_memory import extract
from src.model.config import PredictorConfig, arrange
from src.model.file import load_predictor, save_predictor
from src.model.fit import fit_gp, fit_predictor
from src.model.training import TrainingConfig, TrainingData, train
from tests.toys import ToyExtractor, colour

QUICK = {"layers": (16, 8), "epochs": 5, "device": "cpu"}


def colours(count=60):
    """Features of pictures by the toy, and scores: the redder, the higher, from 0 to 10."""
    pictures = [np.full((4, 4, 3), colour(i), np.uint8) for i in range(count)]
    return extract(pictures, ToyExtractor()), np.array([colour(i)[0] / 25.5 for i in range(count)])


FEATURES, SCORES = colours()


def test_it_learns_and_new_images_are_scored_on_the_scale_of_the_scores():
    predictor = fit_predictor({k: block[:40] for k, block in FEATURES.items()}, SCORES[:40], device="cpu")
    scores, errors = predictor.predict({k: block[40:] for k, block in FEATURES.items()})
    assert spearman(SCORES[40:], scores) > 0.9
    assert np.abs(scores - SCORES[40:]).mean() < 1.5
    assert np.isnan(errors).all()


@pytest.mark.parametrize("loss", ["mse", "ab", "nll"])
def test_it_is_what_training_gives_for_this_configuration(loss):
    found = fit_predictor(
        FEATURES, SCORES, batch_size=16, learning_rate=1e-2, warmup_ratio=0.2, loss=loss, seed=5, **QUICK
    )
    config = PredictorConfig("", (0, 1), "join", (3, 3), (16, 8), (0.2, 0.2, 0.0), 2 if loss == "nll" else 1)
    data = TrainingData(arrange(FEATURES, (0, 1), "join"), torch.tensor(SCORES).float(), torch.ones(60))
    same = train(config, TrainingConfig(5, 16, -2.0, -3.0, 0.2, loss, 5), data)
    assert found.config == same.config
    for name, tensor in same.state_dict().items():
        torch.testing.assert_close(found.state_dict()[name], tensor, rtol=0, atol=0)
    assert np.isfinite(found.predict(FEATURES)[1]).all() == (loss == "nll")


def test_weights_say_how_much_an_image_counts():
    scores = np.where(np.arange(60) < 30, SCORES, 100.0)
    weights = np.where(np.arange(60) < 30, 1.0, 0.0)
    predictor = fit_predictor(FEATURES, scores, weights=weights, **QUICK)
    near = np.abs(predictor.predict(FEATURES)[0][:30] - scores[:30]).mean()
    without = fit_predictor(FEATURES, scores, **QUICK)
    assert near < np.abs(without.predict(FEATURES)[0][:30] - scores[:30]).mean()
    assert predictor.about["loss_model"] == "wmse"


@pytest.mark.parametrize("mode", ["join", "average", "weight"])
def test_hidden_states_are_put_together_as_asked_for(mode):
    predictor = fit_predictor(FEATURES, SCORES, hidden_states_mode=mode, **QUICK)
    assert predictor.config.hidden_states_mode == mode
    np.testing.assert_array_equal(
        predictor.predict(FEATURES)[0], predictor.predict(arrange(FEATURES, (0, 1), mode))[0]
    )


def test_one_array_is_hidden_state_0_and_the_order_of_states_does_not_matter_later():
    predictor = fit_predictor(FEATURES[0], SCORES, **QUICK)
    assert predictor.config.hidden_states_used == (0,)
    np.testing.assert_array_equal(predictor.predict(FEATURES[0])[0], predictor.predict(FEATURES)[0])
    both = fit_predictor(FEATURES, SCORES, **QUICK)
    turned = dict(reversed(FEATURES.items()))
    np.testing.assert_array_equal(both.predict(turned)[0], both.predict(FEATURES)[0])


def test_lists_of_whole_numbers_do_and_a_head_may_be_linear():
    predictor = fit_predictor(FEATURES[0].tolist(), [round(score) for score in SCORES], layers=(), device="cpu")
    assert predictor.config.layers == ()
    assert predictor.config.dropouts == (0.0,)
    assert fit_predictor(FEATURES, SCORES, layers=[9], device="cpu").config.dropouts == (0.2, 0.0)


def test_the_same_arguments_give_the_same_predictor_whatever_else_draws_random_numbers():
    torch.manual_seed(1)
    first = fit_predictor(FEATURES, SCORES, **QUICK)
    state = torch.random.get_rng_state()
    torch.manual_seed(2)
    second = fit_predictor(FEATURES, SCORES, **QUICK)
    np.testing.assert_array_equal(first.predict(FEATURES)[0], second.predict(FEATURES)[0])
    assert (fit_predictor(FEATURES, SCORES, seed=1, **QUICK).predict(FEATURES)[0] != first.predict(FEATURES)[0]).any()
    torch.manual_seed(1)
    assert torch.equal(torch.random.get_rng_state(), state)


def test_its_file_says_all_that_scoring_needs(tmp_path):
    extractor = ToyExtractor()
    extractor.fp16, extractor.aim_batch_norm = True, "batch"
    predictor = fit_predictor(FEATURES, SCORES, extractor=extractor, seed=3, **QUICK)
    save_predictor(tmp_path / "m.safetensors", predictor, {"mine": [1, 2]})
    loaded, metadata = load_predictor(tmp_path / "m.safetensors")
    assert loaded.config == predictor.config
    assert (loaded.config.extractor_identity, loaded.config.fp16_features) == ("toy 1", True)
    assert loaded.config.aim_batch_norm == "batch"
    assert (metadata["mine"], metadata["model_seed"], metadata["n_images"]) == ("[1, 2]", "3", "60")
    np.testing.assert_array_equal(loaded.predict(FEATURES)[0], predictor.predict(FEATURES)[0])
    quantiles = np.fromstring(metadata["train_score_quantiles"][1:-1], sep=",")
    np.testing.assert_allclose(quantiles, np.percentile(predictor.predict(FEATURES)[0], range(101)), atol=1e-6)


def test_an_extractors_own_way_of_putting_states_together_is_taken():
    extractor = ToyExtractor()
    extractor.default_hidden_states_mode = "weight"
    assert fit_predictor(FEATURES, SCORES, extractor=extractor, **QUICK).config.hidden_states_mode == "weight"
    assert fit_predictor(FEATURES, SCORES, extractor="toy", **QUICK).config.feature_extractor_model == "toy"


def test_a_predictor_that_knows_no_extractor_is_not_saved(tmp_path):
    predictor = fit_predictor(FEATURES, SCORES, **QUICK)
    with pytest.raises(UserError, match=r"m\.safetensors: not written, .* give fit_predictor extractor="):
        save_predictor(str(tmp_path / "m.safetensors"), predictor)
    with pytest.raises(UserError, match=r"m\.pth: a model file ends with \.safetensors"):
        save_predictor(tmp_path / "m.pth", fit_predictor(FEATURES, SCORES, extractor="toy", **QUICK))
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_printed_and_nothing_written(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    fit_predictor(FEATURES, SCORES, extractor=ToyExtractor(), **QUICK)
    assert list(tmp_path.iterdir()) == []
    assert capfd.readouterr() == ("", "")


NAN = np.where(np.arange(60) < 2, np.nan, SCORES)


@pytest.mark.parametrize(
    ("features", "scores", "options", "said"),
    [
        ({}, SCORES, {}, "features: there are none; give {hidden state: (N, W)}, or one array (N, W)"),
        (
            FEATURES[0][0],
            SCORES,
            {},
            "features: hidden state 0: has the shape (3,); it must be (N, W), a row for each",
        ),
        (
            {0: FEATURES[0], 1: FEATURES[1][:9]},
            SCORES,
            {},
            "features: the rows are 60 of hidden state 0, 9 of hidden",
        ),
        ("abc", SCORES, {}, "features: hidden state 0: is no array of numbers; it must be (N, W), a row for each"),
        ({2: FEATURES[0] + np.inf}, SCORES, {}, "features: hidden state 2: 60 of 60 rows hold what is no finite"),
        (FEATURES, SCORES[:5], {}, "scores: have the shape (5,); the features are of 60 images, so give (60,)"),
        (FEATURES, NAN, {}, "scores: 2 of 60 are no finite numbers; leave those images out"),
        (FEATURES, ["good"] * 60, {}, "scores: are no numbers; give one for each of the 60 images"),
        (FEATURES[0][:1], [1], {}, "scores: there are 1; at least 2 images are needed"),
        (FEATURES, SCORES, {"weights": [1]}, "weights: have the shape (1,); the features are of 60 images"),
        (FEATURES, SCORES, {"weights": SCORES - 5}, "weights: must be 0 or more, and one at least above 0"),
        (FEATURES, SCORES, {"weights": SCORES, "loss": "ab"}, "weights: count in loss mse alone, and the loss is ab"),
        (FEATURES, SCORES, {"loss": "choices"}, "loss='choices': must be one of mse, ab, nll"),
        (FEATURES, np.ones(60), {"loss": "ab"}, "loss='ab' learns from pairs of different scores, and all are 1"),
        (FEATURES, SCORES, {"epochs": 0}, "epochs=0: must be a whole number from 1"),
        (FEATURES, SCORES, {"batch_size": 2.0}, "batch_size=2.0: must be a whole number from 1"),
        (FEATURES, SCORES, {"layers": (0, 3)}, "layers=0: must be a whole number from 1"),
        (FEATURES, SCORES, {"layers": 64}, "layers=64: must be a list of sizes, such as (200, 50)"),
        ({"0": FEATURES[0]}, SCORES, {}, "features: '0' is no hidden state; they are whole numbers from 0"),
        ({-1: FEATURES[0]}, SCORES, {}, "features: -1 is no hidden state; they are whole numbers from 0"),
        (FEATURES, SCORES, {"dropouts": 0.2}, "dropouts=0.2: must be a list of numbers, one more than the hidden"),
        (FEATURES, SCORES, {"dropouts": (0.1, 0.2)}, "dropouts: are 2 for 2 hidden layers; give 3"),
        (FEATURES, SCORES, {"dropouts": (0.1, 0.2, 1.0)}, "dropouts=1.0: must be a number from 0 to 0.99"),
        (FEATURES, SCORES, {"learning_rate": 0}, "learning_rate=0: must be a number from 1e-10 to 10"),
        (FEATURES, SCORES, {"warmup_ratio": 2}, "warmup_ratio=2: must be a number from 0 to 1"),
        (FEATURES, SCORES, {"seed": -1}, "seed=-1: must be a whole number from 0"),
        (FEATURES, SCORES, {"high_end_fix": "on"}, "a predictor needs high_end_fix of none, fixed, variable"),
        (FEATURES, SCORES, {"hidden_states_mode": "mean"}, "--hidden_states_mode=mean: must be one of join, average"),
        (FEATURES, SCORES, {"extractor": 5}, "extractor: is a int; give what load_extractor gives, or its name"),
    ],
)
def test_what_does_not_fit_is_said_in_one_sentence(capfd, features, scores, options, said):
    with pytest.raises(UserError) as caught:
        fit_predictor(features, scores, **{"device": "cpu", **options})
    assert str(caught.value).startswith(said)
    assert "\n" not in str(caught.value)
    assert capfd.readouterr() == ("", "")


def test_training_that_runs_away_is_said(monkeypatch):
    with pytest.raises(UserError, match="ran away to infinite numbers; give a lower learning_rate"):
        fit_predictor(FEATURES[0] * 1e30, SCORES * 1e37, learning_rate=10, **QUICK)


def test_a_state_that_is_missing_or_of_another_width_is_said():
    predictor = fit_predictor(FEATURES, SCORES, extractor="toy", **QUICK)
    with pytest.raises(UserError, match="there is no hidden state 1; the model takes 0, 1 of toy, and 0 are given"):
        predictor.predict(FEATURES[0])
    with pytest.raises(UserError, match="the model takes 3 features, and toy gives 2: it was made for another image"):
        predictor.predict({0: FEATURES[0], 1: FEATURES[1][:, :2]})


def test_both_rates_are_taken_as_they_are():
    fixed = fit_predictor(FEATURES, SCORES, hidden_states_mode="weight", weight_learning_rate=1e-10, **QUICK)
    assert fixed.weight[0].weight.tolist()[0] == pytest.approx([0.5, 0.5], abs=1e-5)
    moved = fit_predictor(FEATURES, SCORES, hidden_states_mode="weight", weight_learning_rate=0.1, **QUICK)
    assert moved.weight[0].weight.tolist()[0] != pytest.approx([0.5, 0.5], abs=1e-2)
    assert moved.about["metaparameters"]["log_weight_lr"] == pytest.approx(-1)
    assert replace(moved.config, score_mean=0.0) == replace(fixed.config, score_mean=0.0)
    assert math.isclose(moved.config.score_mean, SCORES.mean(), rel_tol=1e-6)


def test_a_gaussian_process_has_errors_a_file_to_score_with_and_percentiles_of_images_it_had_not_seen(tmp_path):
    predictor = fit_gp(FEATURES, SCORES, extractor=ToyExtractor(), errors=np.full(len(SCORES), np.nan))
    scores, errors = predictor.predict(FEATURES)
    assert spearman(SCORES, scores) > 0.9
    assert (errors > 0).all()
    save_predictor(tmp_path / "gp.safetensors", predictor)
    again, metadata = load_predictor(tmp_path / "gp.safetensors")
    np.testing.assert_array_equal(again.predict(FEATURES)[0], scores)
    assert metadata["model_type"] == "gp"
    quantiles = json.loads(metadata["train_score_quantiles"])
    assert quantiles[0] == pytest.approx(predictor.unseen.min(), abs=1e-6)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"errors": [1.0]}, "errors: have the shape"),
        ({"errors": ["small"] * len(SCORES)}, "errors: are no numbers; give one for each of the 60 images"),
        ({"errors": np.full(len(SCORES), -1.0)}, "errors: must be 0 or more"),
        ({"hidden_states_mode": "weight"}, "--hidden_states_mode=join"),
        ({"weights": np.zeros(len(SCORES))}, "weights: must be 0 or more, and one at least"),
    ],
)
def test_what_does_not_fit_a_gaussian_process_is_one_sentence(wrong, said):
    with pytest.raises(UserError, match=said):
        fit_gp(FEATURES, SCORES, **wrong)
