"""What is there before a search, and what a blend makes of it."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest
import torch

from src.common import Screens, UserError, mse, spearman
from src.model import Blend, Predictor, PredictorConfig, fit_gaussian_process, load_predictor, networks_of
from src.ratings import Choices, hyperparameters
from src.scores import BalanceSettings, Groups
from src.search import (
    ObjectiveSettings,
    SearchSettings,
    StudySettings,
    TrainingSettings,
    best_of,
    open_study,
    search_networks,
    write_first,
)
from src.search.baseline import baselines
from src.search.blending import shares
from src.search.dataset import Dataset
from src.search.first_results import First, first_results
from src.search.objective import better, make_objective
from src.search.processes import fit_process
from src.search.run import Run
from src.search.run_files import RunFiles
from src.search.settings import MetaparameterRanges
from src.search.unseen import parts_of

QUICK = MetaparameterRanges(
    train_epochs=(2, 3), batch_size=(16, 32), first_layer_size=(8, 16), second_layer_size=(8, 16), log_lr=(-2.5, -2)
)
LONGER = replace(QUICK, train_epochs=(5, 10), batch_size=(8, 16))  # where networks are to add something


def bent_data(n=120, seed=2, folds=None):
    """A taste that is no straight line, so that the Gaussian process is better than ridge regression."""
    generator = np.random.default_rng(seed)
    x = generator.normal(size=(n, 6)).astype(np.float32)
    scores = 5 + np.sin(2 * x[:, 0]) + x[:, 1] ** 2 + 0.1 * generator.normal(size=n)
    split = np.where(np.arange(n) % 3 == 2, "eval", "train")
    if folds:
        split, folds = np.full(n, "train"), np.arange(n) % folds
    config = PredictorConfig("toy", (0,), "join", (6,), (1, 1), extractor_identity="toy-1")
    return Dataset(config, torch.from_numpy(x), scores, np.ones(n), split, folds)


def run_of(data, ranges=QUICK, **training):
    settings = SearchSettings(trials=3, ranges=ranges, training=TrainingSettings(**training), ensemble=2)
    objective = make_objective(settings, data, has_weights=True)
    firsts = first_results(data, objective, settings.training, settings.seed)
    held_out = {first.name: first.held_out for first in firsts}
    about = {"model_type": "mlp", "baselines": baselines(data, held_out)}
    return Run(data, objective, firsts, held_out, about, {}, settings.seed), settings


def files_of(run, settings, folder):
    study = open_study(StudySettings("toy", ""), settings, run.objective.direction, {"objective": run.objective.name})
    return RunFiles(folder / "model.safetensors", run.data, run.about, study)


def test_ridge_regression_and_a_gaussian_process_are_there_and_the_better_one_is_on_disk(tmp_path):
    run, settings = run_of(bent_data())
    files = files_of(run, settings, tmp_path)
    write_first(best_of(run.objective, run.firsts), run, files)
    predictor, metadata = load_predictor(files.path)
    assert [first.name for first in run.firsts] == ["ridge", "gp"]
    assert metadata["model_type"] == metadata["kind"] == "gp"
    assert predictor.has_error
    rows = run.data.rows("eval")
    scores, _ = predictor.predict(run.data.inputs)
    assert run.firsts[1].value == pytest.approx(mse(run.data.scores[rows], scores[rows]), rel=1e-5)
    assert run.firsts[1].value < run.firsts[0].value / 2


def test_where_the_taste_is_a_straight_line_ridge_regression_may_be_the_better_one(tmp_path):
    data = bent_data()
    data = replace(data, scores=(data.inputs[:, 0] + 0.5 * data.inputs[:, 1]).double().numpy())
    run, settings = run_of(data)
    files = files_of(run, settings, tmp_path)
    write_first(best_of(run.objective, run.firsts), run, files)
    assert load_predictor(files.path)[1]["model_type"] == "ridge"


def test_anything_beats_what_is_undefined_and_that_nothing():
    objective = run_of(bent_data())[0].objective
    assert better(objective, 0.1, 0.2)
    assert better(objective, 0.1, np.nan)
    assert not better(objective, np.nan, 0.1)
    assert not better(objective, np.nan, np.nan)
    up = replace(objective, metric="spearman")
    assert better(up, 0.2, 0.1)
    none = np.zeros(1)
    low, high = (First(name, None, value, none, none, {}) for name, value in (("ridge", 0.1), ("gp", 0.2)))
    assert best_of(up, [low, high]).name == "gp"
    assert best_of(objective, [low, high]).name == "ridge"


def test_with_folds_each_image_is_scored_by_a_process_that_did_not_see_it():
    data = bent_data(60, folds=3)
    run, settings = run_of(data)
    first = run.firsts[1]
    for part in data.parts():
        rows, others = part.rows("eval"), part.rows("train")
        own = fit_gaussian_process(data.config, data.inputs[others], data.scores[others], seed=settings.training.seed)
        np.testing.assert_allclose(first.held_out[rows], own.predict(data.inputs[rows])[0], atol=1e-4)


def test_hidden_states_that_training_weighs_have_no_first_result():
    data = bent_data()
    config = replace(data.config, hidden_states_mode="weight", hidden_states_used=(0, 1), widths=(3, 3))
    assert run_of(replace(data, config=config, inputs=data.inputs.view(-1, 2, 3)))[0].firsts == ()


def test_networks_replace_what_was_there_first(tmp_path):
    run, settings = run_of(bent_data())
    files = files_of(run, settings, tmp_path)
    write_first(best_of(run.objective, run.firsts), run, files)
    found, finished = search_networks(settings, run, files, blend=False)
    assert finished
    assert found.metadata["model_type"] == "mlp"
    assert "kind" not in found.metadata


def test_a_blend_has_the_share_that_folds_give_and_the_networks_of_the_best_trials(tmp_path, monkeypatch):
    monkeypatch.setattr("src.search.blending.shares", lambda *_: (0.25, 1.5))
    monkeypatch.setattr("src.search.blending.better", lambda *_: True)
    run, settings = run_of(bent_data())
    run.about["model_type"] = "blend"
    files = files_of(run, settings, tmp_path)
    write_first(best_of(run.objective, run.firsts), run, files)
    found, _ = search_networks(settings, run, files, blend=True)
    assert isinstance(found.predictor, Blend)
    assert len(networks_of(found.predictor)) == 2
    assert float(found.metadata["blend_share"]) == 0.25
    np.testing.assert_array_equal(found.held_out, found.predictor.predict(run.data.inputs)[0])
    again, _ = search_networks(settings, run, files, blend=True)  # resumed: nothing is left to try
    np.testing.assert_array_equal(again.held_out, found.held_out)


def test_a_blend_that_is_worse_at_the_end_than_what_was_there_first_does_not_replace_it(tmp_path):
    generator = np.random.default_rng(3)
    x = generator.normal(size=(90, 6)).astype(np.float32)
    data = replace(bent_data(90), inputs=torch.from_numpy(x), scores=5 + x @ np.arange(6.0))  # a straight line
    run, settings = run_of(data)
    run.about["model_type"] = "blend"
    files = files_of(run, settings, tmp_path)
    best = best_of(run.objective, run.firsts)
    write_first(best, run, files)
    found, finished = search_networks(settings, run, files, blend=True)
    assert (finished, best.name, found.metadata["model_type"]) == (True, "ridge", "ridge")
    np.testing.assert_array_equal(found.held_out, best.held_out)
    assert json.loads(found.metadata["metrics"])["eval_mse"] == pytest.approx(best.value)


@pytest.mark.parametrize("blend", [True, False])
def test_the_bar_compares_the_first_results_with_what_has_to_beat_them(tmp_path, capsys, monkeypatch, blend):
    monkeypatch.setattr("src.search.training.weigh", lambda *_: None)
    run, settings = run_of(bent_data())
    files = files_of(run, settings, tmp_path)
    write_first(best_of(run.objective, run.firsts), run, files)
    search_networks(settings, run, files, blend)
    said, beat = capsys.readouterr().err, f", to beat {run.firsts[1].value:.4f}"
    networks = files.study.best_value
    value = re.search(rf"{'blend.s' if blend else 'best'} eval_mse ([\d.]+){beat}\]", said)[1]
    assert (float(value) == pytest.approx(networks, abs=1e-4)) != blend
    assert ("best eval_mse" in said) != blend


def test_with_folds_the_bar_of_a_blend_compares_nothing(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("src.search.training.weigh", lambda *_: None)
    run, settings = run_of(bent_data(60, folds=3))
    search_networks(settings, run, files_of(run, settings, tmp_path), blend=True)
    said = capsys.readouterr().err
    assert re.search(r"best network's eval_mse [\d.]+\]", said)
    assert "to beat" not in said


def test_percentiles_are_among_scores_of_train_images_of_which_the_process_did_not_know(tmp_path):
    run, settings = run_of(bent_data())
    files, data, process = files_of(run, settings, tmp_path), run.data, run.firsts[1].predictor
    network = Predictor(replace(data.config, layers=(4, 3), dropouts=(0.0, 0.0, 0.0)))
    files.write(Blend(process, network, 0.25), {})
    quantiles = json.loads(load_predictor(files.path)[1]["train_score_quantiles"])
    assert process.unseen_rows.tolist() == data.rows("train").tolist()
    others, _ = network.predict(data.inputs[data.rows("train")])
    np.testing.assert_allclose(
        quantiles[::50], np.quantile(0.25 * process.unseen + 0.75 * others, [0, 0.5, 1]), rtol=1e-6
    )
    residuals = data.scores[data.rows("train")] - process.unseen
    seen = data.scores[data.rows("train")] - process.predict(data.inputs[data.rows("train")])[0]
    assert np.std(residuals) > 2 * np.std(seen)


def test_where_networks_add_nothing_the_process_alone_is_the_model_and_resuming_goes_on(tmp_path, monkeypatch):
    run, settings = run_of(bent_data())
    run.about["model_type"] = "blend"
    files = files_of(run, settings, tmp_path)
    monkeypatch.setattr("src.search.blending.shares", lambda *_: (1.0, 1.0))
    for _ in range(2):
        found, _ = search_networks(settings, run, files, blend=True)
        assert (found.metadata["model_type"], found.metadata["kind"]) == ("gp", "gp")
        np.testing.assert_array_equal(found.held_out, run.firsts[1].held_out)


def test_a_blend_with_folds_says_of_each_image_what_both_say_that_did_not_see_it(tmp_path):
    run, settings = run_of(bent_data(60, folds=3), LONGER)
    run.about["model_type"] = "blend"
    files = files_of(run, settings, tmp_path)
    write_first(best_of(run.objective, run.firsts), run, files)
    found, _ = search_networks(settings, run, files, blend=True)
    assert isinstance(found.predictor, Blend)
    seen, _ = found.predictor.predict(run.data.inputs)
    assert mse(run.data.scores, seen) < mse(run.data.scores, found.held_out)
    assert mse(run.data.scores, found.held_out) <= run.firsts[1].value * 1.001


def test_ctrl_c_before_the_first_trial_leaves_what_was_there_first(tmp_path, monkeypatch):
    run, settings = run_of(bent_data())
    files = files_of(run, settings, tmp_path)
    write_first(best_of(run.objective, run.firsts), run, files)

    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("src.search.trainer.Trainer.try_out", stop)
    for blend in (False, True):
        found, finished = search_networks(settings, run, files, blend)
        assert (finished, found.metadata["model_type"]) == (False, "gp")
        np.testing.assert_array_equal(found.held_out, run.firsts[1].held_out)


def test_ctrl_c_while_weighing_leaves_both_half_and_half(tmp_path, monkeypatch):
    run, settings = run_of(bent_data())
    files = files_of(run, settings, tmp_path)
    write_first(best_of(run.objective, run.firsts), run, files)

    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("src.search.training.weigh", stop)
    monkeypatch.setattr("src.search.search.better", lambda *_: True)
    found, finished = search_networks(settings, run, files, blend=True)
    assert not finished
    assert found.predictor.share == 0.5


def test_a_blend_that_is_worse_than_what_was_there_is_not_written(tmp_path, monkeypatch):
    run, settings = run_of(bent_data())
    files = files_of(run, settings, tmp_path)
    write_first(best_of(run.objective, run.firsts), run, files)
    monkeypatch.setattr("src.search.search.better", lambda *_: False)
    monkeypatch.setattr("src.search.training.weigh", lambda *_: files.found(lambda _: (np.zeros(1), np.zeros(1))))
    found, _ = search_networks(settings, run, files, blend=True)
    assert found.metadata["model_type"] == "gp"


def test_the_share_is_that_of_least_squares_with_100_images_more_that_call_both_alike():
    generator = np.random.default_rng(0)
    scores = generator.normal(size=200)
    process, networks = scores + generator.normal(size=200), scores + 2 * generator.normal(size=200)
    share, factor = shares(scores, process, networks)
    apart = process - networks
    prior = np.full(300, np.sqrt(np.mean(apart**2)))
    wanted = np.linalg.lstsq(
        np.concatenate([apart, prior])[:, None], np.concatenate([scores - networks, prior / 2]), rcond=None
    )[0][0]
    assert share == pytest.approx(wanted)
    blend = share * process + (1 - share) * networks
    assert factor == pytest.approx(np.sqrt(mse(scores, blend) / mse(scores, process)))
    assert shares(scores, scores, networks)[1] == 1.0
    assert shares(scores, networks, scores)[0] == pytest.approx(300 / 500 / 2)
    assert shares(scores, process, process)[0] == 1.0
    assert shares(scores[:2], process[:2], networks[:2])[0] == pytest.approx(0.5, abs=0.05)


def test_without_folds_the_train_split_is_parted_in_four_and_eval_and_test_stay_out():
    data = bent_data()
    parts = parts_of(data, 0)
    together = np.concatenate([part.rows("eval") for part in parts])
    assert sorted(together) == data.rows("train").tolist()
    for part in parts:
        assert sorted([*part.rows("eval"), *part.rows("train")]) == data.rows("train").tolist()


def difference(data, **settings):
    """How far the scores of a process with these settings lie from those of a plain one."""
    plain = fit_process(TrainingSettings(), replace(data, errors=None, groups=None)).predict(data.inputs)[0]
    return np.abs(fit_process(TrainingSettings(**settings), data).predict(data.inputs)[0] - plain).max()


def test_weights_count_for_wmse_alone_and_errors_for_all():
    data = replace(bent_data(), weights=np.where(np.arange(120) % 2, 0.05, 1.0))
    assert difference(data) == 0
    assert difference(data, loss_model="wmse") > 0.01
    assert difference(replace(data, errors=np.where(np.arange(120) % 2, 3.0, 0.1))) > 0.01


def test_balanced_images_count_as_often_as_they_are_repeated():
    data = replace(bent_data(), groups=Groups((np.arange(120) > 20).astype(int), ["few", "many"]))
    assert difference(data, balance=BalanceSettings(balance="max")) > 0.01


@pytest.mark.parametrize("loss", ["ab", "choices"])
def test_orders_are_learnt_through_ratings_of_choices_on_the_scale_of_the_scores(monkeypatch, loss):
    for grid in ("VARIANCES", "SHARES"):  # whose evidence is worked out at each point
        monkeypatch.setattr(hyperparameters, grid, getattr(hyperparameters, grid)[1::2])
    data = bent_data(200)
    generator = np.random.default_rng(0)
    shown = np.array([generator.choice(200, 2, replace=False) for _ in range(2000)])
    won = data.scores[shown] == data.scores[shown].max(axis=1, keepdims=True)
    data = replace(data, choices=Choices(Screens(shown, won.astype(float)), np.arange(200)))
    scores, errors = fit_process(TrainingSettings(loss_model=loss), data).predict(data.inputs)
    rows = data.rows("eval")
    assert spearman(data.scores[rows], scores[rows]) > 0.7
    assert abs(scores[rows].mean() - data.scores[rows].mean()) < 0.5
    assert (errors > 0).all()


def test_the_objective_may_be_any_metric(tmp_path):
    data = bent_data()
    settings = SearchSettings(objective=ObjectiveSettings(metric_for_scoring="spearman"))
    objective = make_objective(settings, data, has_weights=False)
    ridge, process = first_results(data, objective, TrainingSettings(), 0)
    assert best_of(objective, (ridge, process)) is process
    with pytest.raises(UserError):
        make_objective(SearchSettings(objective=ObjectiveSettings(metric_for_scoring="wmse")), data, False)
    with pytest.raises(UserError, match=r"a score of 1e\+20 is more than models can count in"):
        make_objective(settings, replace(data, scores=data.scores + 1e20), has_weights=False)
