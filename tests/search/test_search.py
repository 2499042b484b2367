"""The search on a data set small enough to know the answer."""

import contextlib
import json
import math
import signal
import sqlite3
import subprocess
import sys

import numpy as np
import optuna
import pytest
import torch
from optuna.trial import TrialState
from safetensors import safe_open

from src.common.errors import UserError
from src.common.metrics import METRICS
from src.common.names import METRIC_NAMES
from src.model.config import PredictorConfig
from src.model.file import load_predictor
from src.model.training import TrainingData, train
from src.options.command_line import parse_arguments
from src.options.groups.search import search_settings
from src.options.option import TRAIN
from src.options.settings import settings_of
from src.search.dataset import Dataset
from src.search.objective import make_objective
from src.search.run_files import RunFiles
from src.search.search import Search
from src.search.settings import StudySettings, TrainingSettings
from src.search.study import open_study
from src.search.trainer import configure
from tests import ROOT
from tests.forks import start
from tests.waiting import wait_for

SCORE_METRICS = [name for name in METRIC_NAMES if name != "choices"]  # that needs comparisons: test_choices.py
QUICK = (
    "--model_type=mlp",
    "--name=toy",
    "--max_train_epochs=8",
    "--min_batch_size=20",
    "--max_first_layer_size=40",
    "--max_second_layer_size=20",
)


def toy_data(n=80):
    generator = torch.Generator().manual_seed(2)
    inputs = torch.randn(n, 6, generator=generator)
    scores = (inputs[:, 0] + 0.5 * inputs[:, 1]).double().numpy()
    split = np.array(["train"] * (n // 2) + ["eval"] * (n // 4) + ["test"] * (n - n // 2 - n // 4))
    config = PredictorConfig("toy", (0,), "join", (6,), (1, 1), extractor_identity="toy-1")
    return Dataset(config, inputs, scores, np.linspace(0.5, 2, n), split)


def run(folder, *words, data=None, has_weights=True):
    """A whole search as the script does it; gives the study, the best model's keeper, and whether it was finished.

    The study is in memory: many times as fast as a file, which `run_on_disk` has, for what is resumed.
    """
    data = data or toy_data()
    arguments = parse_arguments(TRAIN, "", [*QUICK, "--database=", "--trials=4", *words])
    settings = search_settings(arguments)
    objective = make_objective(settings, data, has_weights)
    study = open_study(
        settings_of(StudySettings, arguments), settings, objective.direction, {"objective": objective.name}
    )
    files = RunFiles(folder / "model.safetensors", data, {}, study)
    return study, files, Search(settings, objective, files).run()


def run_on_disk(folder, *words, **options):
    return run(folder, f"--database=sqlite:///{folder / 'db.sqlite'}", *words, **options)


def content(path):
    """All a model file says, without the order of its metadata, which safetensors leaves to chance."""
    with safe_open(path, "np") as file:
        return file.metadata(), {key: file.get_tensor(key).tobytes() for key in file.keys()}  # noqa: SIM118


def test_the_model_on_disk_is_that_of_the_best_trial(tmp_path):
    study, best, finished = run_on_disk(tmp_path)
    predictor, metadata = load_predictor(best.path)
    assert finished
    assert metadata["trial"] == str(study.best_trial.number)
    model_scores, _ = predictor.predict(best.data.inputs)
    rows = best.data.rows("eval")
    assert np.mean((model_scores[rows] - best.data.scores[rows]) ** 2) == pytest.approx(study.best_value, rel=1e-6)
    assert study.best_value == min(trial.value for trial in study.trials)


def test_the_same_arguments_and_seed_give_the_same_file(tmp_path):
    for name in ("a", "b", "c"):
        (tmp_path / name).mkdir()
    first, second, other = (run(tmp_path / name, f"--seed={seed}") for name, seed in (("a", 1), ("b", 1), ("c", 2)))
    assert content(first[1].path) == content(second[1].path)
    assert [trial.value for trial in first[0].trials] != [trial.value for trial in other[0].trials]


def test_every_metric_of_every_subset_is_an_attribute_of_the_trial(tmp_path):
    study, best, _ = run(tmp_path, "--loss_model=nll", "--trials=1")
    attributes = study.trials[0].user_attrs
    assert {f"{subset}_{metric}" for subset in ("train", "eval", "full") for metric in SCORE_METRICS} == set(
        attributes
    )
    assert all(math.isfinite(value) for value in attributes.values())
    predictor, _ = load_predictor(best.path)
    model_scores, errors = predictor.predict(best.data.inputs)
    rows = best.data.rows("eval")
    truth, weights, divider = best.data.scores[rows], best.data.weights[rows], np.median(best.data.scores)
    known = {"weights": weights, "sigma": errors[rows], "divider": divider}
    for name in SCORE_METRICS:
        metric = METRICS[name]
        assert attributes[f"eval_{name}"] == pytest.approx(metric.function(truth, model_scores[rows], **known))


def test_full_is_everything_but_the_test_split(tmp_path):
    data = toy_data()
    assert len(data.rows("full")) == 60
    assert set(data.split[data.rows("full")]) == {"train", "eval"}
    study, _, _ = run(tmp_path, "--trials=1")
    assert not [name for name in study.trials[0].user_attrs if name.startswith("test")]


def test_metrics_can_be_left_out(tmp_path):
    study, _, _ = run(tmp_path, "--trials=1", "--calculate_ab=off", "--calculate_wmse=off")
    assert {"eval_ab", "eval_wmse"}.isdisjoint(study.trials[0].user_attrs)
    assert "eval_spearman" in study.trials[0].user_attrs


@pytest.mark.parametrize("metric", SCORE_METRICS)
def test_every_metric_can_decide_in_its_own_direction(tmp_path, metric):
    loss = "nll" if metric == "nll" else "mse"
    study, best, _ = run(tmp_path, f"--metric_for_scoring={metric}", f"--loss_model={loss}", "--trials=4")
    values = [trial.value for trial in study.trials]
    assert study.best_value == (min(values) if METRICS[metric].direction == "minimize" else max(values))
    assert load_predictor(best.path)[1]["trial"] == str(study.best_trial.number)


@pytest.mark.parametrize("subset", ["train", "full", "test"])
def test_other_subsets_can_decide(tmp_path, subset):
    study, best, _ = run(tmp_path, f"--set_for_scoring={subset}", "--trials=2")
    rows = best.data.rows(subset)
    model_scores, _ = load_predictor(best.path)[0].predict(best.data.inputs)
    assert np.mean((model_scores[rows] - best.data.scores[rows]) ** 2) == pytest.approx(study.best_value, rel=1e-5)


def test_accuracy_divider_is_used(tmp_path):
    data = toy_data()
    study, best, _ = run(tmp_path, "--trials=1", "--accuracy_divider=1.0")
    rows = data.rows("eval")
    model_scores, _ = load_predictor(best.path)[0].predict(data.inputs)
    expected = np.mean((model_scores[rows] > 1.0) == (data.scores[rows] > 1.0))
    assert study.trials[0].user_attrs["eval_accuracy"] == pytest.approx(expected)


def test_a_pruner_gives_up_trials_and_they_count(tmp_path):
    study, best, _ = run(tmp_path, "--trials=10", "--pruner=median", "--sampler=random", "--min_train_epochs=8")
    states = [trial.state for trial in study.trials]
    assert len(states) == 10
    assert TrialState.PRUNED in states
    assert load_predictor(best.path)[1]["trial"] == str(study.best_trial.number)


def test_equal_minimum_and_maximum_fix_a_value(tmp_path):
    study, _, _ = run(
        tmp_path, "--min_dropout=0.3", "--max_dropout=0.3", "--min_train_epochs=7", "--max_train_epochs=7"
    )
    assert {(trial.params["dropout"], trial.params["train_epochs"]) for trial in study.trials} == {(0.3, 7)}


def test_of_equal_trials_the_earlier_are_the_best(tmp_path):
    words = ["dropout=0", "input_dropout=0", "output_dropout=0", "train_epochs=7", "batch_size=20", "log_lr=-3"]
    words += ["first_layer_size=9", "second_layer_size=9", "warmup_ratio=0.1"]
    fixed = [f"--{end}_{word}" for word in words for end in ("min", "max")]
    study, best, _ = run(tmp_path, *fixed, "--ensemble=2", "--trials=4")
    assert len({trial.value for trial in study.trials}) == 1
    assert json.loads(load_predictor(best.path)[1]["trials"]) == [0, 1]


def test_resume_counts_the_trials_that_are_there(tmp_path):
    run_on_disk(tmp_path, "--trials=3")
    study, _, _ = run_on_disk(tmp_path, "--trials=5", "--resume")
    assert len(study.trials) == 5
    study, _, _ = run_on_disk(tmp_path, "--trials=5", "--resume")
    assert len(study.trials) == 5


def test_resume_makes_a_lost_or_foreign_model_again(tmp_path):
    _, best, _ = run_on_disk(tmp_path)
    original = content(best.path)
    best.path.unlink()
    run_on_disk(tmp_path, "--resume")
    assert content(best.path) == original
    best.path.write_bytes(b"something else")
    run_on_disk(tmp_path, "--resume")
    assert content(best.path) == original


def test_ctrl_c_keeps_the_best_so_far(tmp_path, monkeypatch):
    import src.search.trainer as search

    real, calls = search.train_population, []

    def interrupted(*arguments):
        calls.append(1)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return real(*arguments)

    monkeypatch.setattr(search, "train_population", interrupted)
    study, best, finished = run_on_disk(tmp_path)
    assert not finished
    assert load_predictor(best.path)[1]["trial"] == str(study.best_trial.number)
    monkeypatch.setattr(search, "train_population", real)
    study, best, finished = run_on_disk(tmp_path, "--resume")
    assert finished
    assert sum(trial.state == TrialState.COMPLETE for trial in study.trials) == 4


@pytest.mark.parametrize("trials", [1, 4])
def test_a_model_file_that_is_held_open_for_a_while_does_not_end_the_search(tmp_path, monkeypatch, capsys, trials):
    import src.search.run_files as run_files

    real, refusals = run_files.save_predictor, [1]

    def held_open(*arguments):
        if refusals:
            raise UserError(f"{refusals.pop()}: can't be written")
        real(*arguments)

    monkeypatch.setattr(run_files, "save_predictor", held_open)
    study, best, finished = run(tmp_path, f"--trials={trials}")
    assert finished
    assert load_predictor(best.path)[1]["trial"] == str(study.best_trial.number)
    assert "note: 1: can't be written; the search goes on, and tries again" in capsys.readouterr().err


def test_a_model_file_that_can_never_be_written_is_an_error_at_the_end(tmp_path, monkeypatch):
    def held_open(*_):
        raise UserError("model: can't be written")

    monkeypatch.setattr("src.search.run_files.save_predictor", held_open)
    with pytest.raises(UserError, match="model: can't be written"):
        run_on_disk(tmp_path)
    monkeypatch.undo()
    study, best, _ = run_on_disk(tmp_path, "--resume")
    assert len(study.trials) == 4
    assert load_predictor(best.path)[1]["trial"] == str(study.best_trial.number)


@pytest.mark.script
def test_kill_9_leaves_a_usable_ensemble_and_a_study_to_resume(tmp_path):  # one model: test_kill_campaign.py
    code = (
        "import sys; from pathlib import Path; sys.path.insert(0, '.')\n"
        "import tests.search.test_search as t\n"
        "t.run_on_disk(Path(sys.argv[1]), '--trials=1000', '--server=off', '--ensemble=3')"
    )
    words = [sys.executable, "-c", code, str(tmp_path)]
    process = start(words, cwd=ROOT, stderr=subprocess.DEVNULL)
    wait_for(lambda: process.poll() is not None or _trials_done(tmp_path / "db.sqlite") >= 5)
    assert process.poll() is None, "it ended before it could be killed"
    process.kill()
    assert process.wait() == -signal.SIGKILL if sys.platform != "win32" else True
    assert math.isfinite(load_predictor(tmp_path / "model.safetensors")[0].predict(toy_data().inputs)[0].sum())
    before = optuna.load_study(study_name="toy", storage=f"sqlite:///{tmp_path / 'db.sqlite'}")
    done = len(before.trials)
    assert {trial.state for trial in before.trials} <= {TrialState.COMPLETE, TrialState.PRUNED}
    study, best, finished = run_on_disk(tmp_path, f"--trials={done + 3}", "--resume", "--ensemble=3")
    assert finished
    assert len(study.trials) == done + 3
    assert list(best.kept()) == [trial.number for trial in alone(study, 3)]


def _trials_done(path):
    """0 while the other process has not made its study."""
    if not path.exists():
        return 0
    with contextlib.closing(sqlite3.connect(path)) as connection:
        try:
            return connection.execute("SELECT COUNT(*) FROM trials WHERE state = 'COMPLETE'").fetchone()[0]
        except sqlite3.OperationalError:  # there is no table yet, or it is being written
            return 0


@pytest.mark.parametrize("words", [["--loss_model=wmse"], ["--metric_for_scoring=wmse"]])
def test_wmse_needs_weights(tmp_path, words):
    with pytest.raises(UserError, match="wmse needs a column 'weight' in the score file; add one, or use mse"):
        run(tmp_path, *words, has_weights=False)


def test_nll_needs_a_network_that_knows_its_error(tmp_path):
    with pytest.raises(UserError, match="use --loss_model=nll with it"):
        run(tmp_path, "--metric_for_scoring=nll")


@pytest.mark.parametrize("loss", ["mse", "nll", "ab"])
def test_of_train_images_that_all_have_one_score_nothing_is_learnt(tmp_path, loss):
    data = toy_data()
    data.scores[data.split == "train"] = 2.5
    with pytest.raises(UserError, match=r"^40 train images have one score, 2\.5, and nothing can be learnt of that"):
        run(tmp_path, f"--loss_model={loss}", data=data)


def test_an_empty_subset_cannot_decide(tmp_path):
    data = toy_data()
    data.split[data.split == "test"] = "train"
    with pytest.raises(UserError, match=r"--set_for_scoring=test: it holds 0 images, and at least 2 are needed"):
        run(tmp_path, "--set_for_scoring=test", data=data)


def test_a_metric_that_is_never_defined_is_said(tmp_path):
    data = toy_data()
    data.scores[data.rows("eval")] = 1.0
    with pytest.raises(UserError, match="eval_spearman could not be computed in any trial, so there is no model"):
        run(tmp_path, "--metric_for_scoring=spearman", "--trials=2", data=data)


def test_ctrl_c_before_the_first_trial_is_said(tmp_path, monkeypatch):
    def interrupted(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr("src.search.trainer.train_population", interrupted)
    with pytest.raises(UserError, match="stopped before the first trial was finished, so there is no model yet"):
        run(tmp_path)


def test_normalised_weights_have_mean_one(tmp_path):
    from src.search.dataset import train_data

    settings = TrainingSettings(loss_model="wmse", normalise_weights=True)
    assert float(train_data(settings, toy_data()).weights.mean()) == pytest.approx(1.0)
    plain = train_data(TrainingSettings(), toy_data())
    assert plain.weights.numpy() == pytest.approx(np.linspace(0.5, 2, 80)[:40])


def test_an_earlier_model_is_kept_aside(tmp_path):
    _, best, _ = run(tmp_path, "--trials=1")
    original = best.path.read_bytes()
    assert best.keep_previous(resumed=True) is None
    assert best.keep_previous(resumed=False) == tmp_path / "model.previous.safetensors"
    assert (tmp_path / "model.previous.safetensors").read_bytes() == original


def alone(study, count):
    """The best trials, the best first, and of equals the earlier."""
    done = [trial for trial in study.trials if trial.state == TrialState.COMPLETE]
    return sorted(done, key=lambda trial: (trial.value, trial.number))[:count]


def test_an_ensemble_is_the_mean_of_the_best_trials_and_its_metrics_are_its_own(tmp_path):
    study, best, _ = run(tmp_path, "--ensemble=3")
    predictor, metadata = load_predictor(best.path)
    chosen = alone(study, 3)
    assert json.loads(metadata["trials"]) == [trial.number for trial in chosen]
    assert metadata["trial"] == str(study.best_trial.number)
    scores, errors = predictor.predict(best.data.inputs)
    each = []
    for trial in chosen:  # trained once more, from what the study says
        config, training = configure(trial.params, TrainingSettings(), best.data.config)
        each.append(train(config, training, train_data_of(best.data)).predict(best.data.inputs)[0])
    assert scores == pytest.approx(np.mean(each, axis=0), abs=1e-5)
    assert errors == pytest.approx(np.std(each, axis=0), abs=1e-5)
    rows = best.data.rows("eval")
    measured = np.mean((scores[rows] - best.data.scores[rows]) ** 2)
    assert json.loads(metadata["metrics"])["eval_mse"] == pytest.approx(measured, rel=1e-5)
    assert json.loads(metadata["single_best_metrics"])["eval_mse"] == study.best_value


def train_data_of(data):
    rows = torch.from_numpy(data.rows("train"))
    scores, weights = (torch.tensor(values, dtype=torch.float32)[rows] for values in (data.scores, data.weights))
    return TrainingData(data.inputs[rows], scores, weights)


@pytest.mark.parametrize("second", [2, 1])
def test_a_resumed_search_makes_the_ensemble_as_large_as_is_asked_now(tmp_path, second):
    run_on_disk(tmp_path, f"--ensemble={3 - second}", "--trials=3")
    study, best, _ = run_on_disk(tmp_path, f"--ensemble={second}", "--trials=4", "--resume")
    predictor, metadata = load_predictor(best.path)
    numbers = [trial.number for trial in alone(study, second)]
    assert json.loads(metadata.get("trials", f"[{metadata['trial']}]")) == numbers
    assert predictor.has_error == (second > 1)


def test_a_resumed_ensemble_takes_its_members_from_the_file(tmp_path, monkeypatch):
    _, best, _ = run_on_disk(tmp_path, "--ensemble=3", "--trials=4")
    before = content(best.path)
    monkeypatch.setattr("src.search.trainer.train_population", None)  # whoever trained now would fail
    run_on_disk(tmp_path, "--ensemble=3", "--trials=4", "--resume")
    assert content(best.path) == before
