"""The high-end fix: two networks, of which the second speaks where the first finds an image good."""

import re
from dataclasses import replace

import numpy as np
import pytest
import torch

from src.model.config import PredictorConfig
from src.model.file import load_predictor, save_predictor
from src.model.network import Predictor, fold_scaling
from src.model.training import TrainingConfig, TrainingData, train
from tests import ROOT
from tests.search.test_search import run, toy_data

DOCS = (ROOT / "docs" / "high-end-fix.md").read_text(encoding="utf-8")
CONFIG = PredictorConfig("toy", (0,), "join", (6,), (8, 5), high_end_fix="fixed")
TRAINING = TrainingConfig(train_epochs=14, batch_size=32, log_lr=-1.5, log_weight_lr=-1.7, warmup_ratio=0.1)
INPUTS = 3 + 2 * torch.randn(64, 6, generator=torch.Generator().manual_seed(1))
FIXES = ("fixed", "variable")


def made(fix, channels=1):
    torch.manual_seed(4)
    return Predictor(replace(CONFIG, high_end_fix=fix, output_channels=channels)).eval()


def by_hand(predictor, inputs, weight):
    """primary + high_end * weight(primary) * 0.5, from the weights alone; (N, C) in float64."""

    def network(name):
        x = inputs.double()
        for i in (1, 4, 7):
            x = x @ state[f"main_process.{name}.{i}.weight"].double().T + state[f"main_process.{name}.{i}.bias"]
            x = x.relu() if i < 7 else x
        return x

    state = predictor.state_dict()
    primary = network("primary")
    return primary + network("high_end") * weight(primary[:, :1]) * 0.5


@pytest.mark.parametrize("fix", FIXES)
@pytest.mark.parametrize("channels", [1, 2])
def test_both_forms_begin_as_primary_plus_high_end_times_one_plus_tanh(fix, channels):
    predictor = made(fix, channels)
    expected = by_hand(predictor, INPUTS, lambda p: 1 + torch.tanh(5 * (p - 0.6)))
    with torch.no_grad():
        assert predictor(INPUTS).numpy() == pytest.approx(expected.numpy(), abs=1e-5)


@pytest.mark.parametrize("channels", [1, 2])
def test_folding_gives_the_same_scores_from_raw_features(channels):
    predictor = made("variable", channels)
    shift, scale = INPUTS.mean(0), INPUTS.std(0)
    with torch.no_grad():
        before = predictor((INPUTS - shift) / scale)
    fold_scaling(predictor, shift, scale, 1000.0, 30.0)
    predictor.config = replace(predictor.config, score_deviation=30.0)
    scores, errors = predictor.predict(INPUTS)
    assert scores == pytest.approx((1000 + 30 * before[:, 0]).numpy(), abs=0.01)
    if channels == 2:
        assert errors == pytest.approx(30 * (torch.nn.functional.softplus(before[:, 1]) + 1e-3).numpy(), rel=1e-4)


def test_folding_a_scale_of_zero_leaves_the_mean():
    predictor = made("fixed")
    fold_scaling(predictor, INPUTS.mean(0), INPUTS.std(0), 7.0, 0.0)
    assert predictor.predict(INPUTS)[0] == pytest.approx(7.0)


def data():
    """Scores of about 500, which 6 features determine."""
    scores = 500 + 20 * (INPUTS[:, 0] - INPUTS[:, 1])
    return TrainingData(INPUTS, scores, torch.ones(len(scores)))


@pytest.mark.parametrize("fix", FIXES)
@pytest.mark.parametrize("loss", ["mse", "wmse", "ab", "nll"])
def test_every_loss_learns_with_it_on_the_scale_of_the_scores(fix, loss):
    config = replace(CONFIG, high_end_fix=fix, output_channels=2 if loss == "nll" else 1)
    scores, errors = train(config, replace(TRAINING, loss_model=loss), data()).predict(INPUTS)
    assert np.corrcoef(scores, data().scores)[0, 1] > 0.85
    assert scores.mean() == pytest.approx(500, abs=25)
    assert np.isnan(errors).all() == (loss != "nll")


def weights(fix, **changes):
    """The four numbers of weight_fn after training, on the standardised scale."""
    predictor = train(replace(CONFIG, high_end_fix=fix), replace(TRAINING, **changes), data())
    slope, place, factor, added = (p.item() for p in predictor.main_process.weight_fn.parameters())
    mean, deviation = predictor.config.score_mean, predictor.config.score_deviation
    return [slope * deviation, place + slope * mean, factor, added]


def test_the_fixed_weight_stays_and_the_variable_one_is_trained_at_log_weight_lr():
    assert weights("fixed") == pytest.approx([5, -3, 1, 1], abs=1e-3)
    assert weights("variable", log_weight_lr=-9.0) == pytest.approx([5, -3, 1, 1], abs=1e-3)
    assert abs(np.array(weights("variable")) - [5, -3, 1, 1]).max() > 0.02


@pytest.mark.parametrize("fix", FIXES)
def test_it_is_saved_and_loaded_with_its_weight(tmp_path, fix):
    save_predictor(tmp_path / "m.safetensors", made(fix), {})
    loaded, metadata = load_predictor(tmp_path / "m.safetensors")
    assert metadata["high_end_fix"] == fix
    assert loaded.predict(INPUTS)[0].tolist() == made(fix).predict(INPUTS)[0].tolist()


def test_a_search_with_it_asks_for_the_weights_rate_only_where_there_is_something_to_train(tmp_path):
    for fix, asked in (("fixed", False), ("variable", True)):
        (tmp_path / fix).mkdir()
        fixed = replace(toy_data(), config=replace(toy_data().config, high_end_fix=fix))
        study, best, _ = run(tmp_path / fix, "--trials=2", data=fixed)
        assert ("log_weight_lr" in study.trials[0].params) == asked
        assert load_predictor(best.path)[0].config.high_end_fix == fix


def test_the_curve_of_the_docs_is_that_of_the_code():
    rows = re.findall(r"^\| (-?[\d.]+) \| ([\d.]+) \| ", DOCS, re.MULTILINE)
    assert len(rows) >= 6
    weight_fn = made("fixed").main_process.weight_fn
    for p, share in rows:
        with torch.no_grad():
            assert float(weight_fn(torch.tensor([[float(p)]]))) / 2 == pytest.approx(float(share), abs=6e-4)
