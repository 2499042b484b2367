"""A search by several processes is the search of one, and nobody's end loses a trial or leaves a process behind."""

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import optuna
import pytest
from optuna.trial import TrialState

from src.model.file import load_predictor
from src.search.known_good import known_good
from src.search.objective import make_objective
from src.search.run_files import RunFiles
from src.search.search import Search
from src.search.settings import MetaparameterRanges, SearchSettings
from src.search.study import make_sampler
from src.search.team import Team
from src.search.trainer import Trainer, TryOut
from src.search.unseen import FOLDS, OfFold
from tests import ROOT
from tests.forks import start
from tests.search.test_search import content, run, run_on_disk, toy_data
from tests.waiting import wait_for

METAPARAMETERS = {
    "train_epochs": 3,
    "batch_size": 20,
    "first_layer_size": 9,
    "second_layer_size": 5,
    "components": 4,
    "warmup_ratio": 0.1,
    "log_lr": -2.5,
    "dropout": 0.1,
    "input_dropout": 0.1,
    "output_dropout": 0.0,
}


def trainer():
    data = toy_data()
    settings = SearchSettings()
    return Trainer(settings.training, make_objective(settings, data, True), data)


def values(study):
    return [(trial.params, trial.value) for trial in study.trials]


@pytest.mark.script
def test_a_team_finds_what_one_process_finds(tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    one = run_on_disk(tmp_path / "one", "--jobs=1", "--trials=20", "--max_components=4", "--min_components=4")
    two = run_on_disk(tmp_path / "two", "--jobs=2", "--trials=20", "--max_components=4", "--min_components=4")
    assert values(one[0]) == values(two[0])
    assert content(one[1].path) == content(two[1].path)
    assert {trial.state for trial in two[0].trials} == {TrialState.COMPLETE, TrialState.PRUNED}


@pytest.mark.parametrize(("asked", "left", "jobs"), [(None, 9, 1), (None, 20, 2), (5, 20, 5), (5, 3, 3)])
def test_only_a_number_that_was_not_asked_for_goes_by_the_trials(tmp_path, monkeypatch, asked, left, jobs):
    monkeypatch.setattr("src.search.search.available_cores", lambda: 4)
    known, settings = trainer(), SearchSettings(jobs=asked)
    study = optuna.create_study()
    search = Search(settings, known.objective, RunFiles(tmp_path / "model.safetensors", known.data, {}, study))
    assert search._jobs(left) == jobs


def test_side_by_side_trials_are_those_one_by_one(tmp_path):
    for name in ("one", "four"):
        (tmp_path / name).mkdir()
    words = "--trials=8", "--sampler=random"
    one, four = (
        run(tmp_path / name, *words, f"--parallel_trials={count}") for name, count in (("one", 1), ("four", 4))
    )
    for (params, value), (others, other) in zip(values(one[0]), values(four[0]), strict=True):
        assert params == others
        assert value == pytest.approx(other, rel=1e-3)


@pytest.mark.parametrize("sampler", ["tpe", "CmaEs", "gp", "QMC", "random"])
def test_what_was_begun_when_others_came_is_not_lost(tmp_path, monkeypatch, sampler):
    try_out = Trainer.try_out

    def others_come(known, trials, *more):
        if not study.trials:
            study.add_trial(optuna.trial.create_trial(value=9.0))
        return try_out(known, trials, *more)

    monkeypatch.setattr(Trainer, "try_out", others_come)
    study = optuna.create_study(storage=f"sqlite:///{tmp_path / 'db.sqlite'}", sampler=make_sampler(sampler, 1))
    ranges = MetaparameterRanges(train_epochs=(1, 2), batch_size=(20, 40))
    settings = SearchSettings(trials=8, sampler=sampler, ranges=ranges)
    data = toy_data()
    objective = make_objective(settings, data, True)
    files = RunFiles(tmp_path / "model.safetensors", data, {}, study)
    assert Search(settings, objective, files).run()
    assert {trial.state for trial in study.trials} <= {TrialState.COMPLETE, TrialState.PRUNED}
    assert len(study.trials) == 8
    good = known_good(settings.ranges, len(data.rows("train")))
    assert [{name: trial.params[name] for name in good[0]} for trial in study.trials[1 : 1 + len(good)]] == good


@pytest.mark.script
def test_a_trial_of_a_killed_process_is_given_back_and_the_others_go_on(capsys):
    known, task = trainer(), TryOut(METAPARAMETERS)
    team = Team(1, known, 4)
    (process,) = (helper.process for helper in team._helpers)
    try:
        assert team.give({0: task}) == set()  # it is not ready
        assert team.collect(patient=True) == ({}, set())
        assert team.give({0: task, 1: task, 2: task}) == {0, 1}
        done, lost = team.collect(patient=True)
        assert not lost
        (found,) = done.values()
        assert found.metrics == known.try_out([task])[0].metrics
        process.kill()
        process.join()
        done, lost = {}, set()
        while team.size:
            now, gone = team.collect(patient=True)
            done, lost = done | now, lost | gone
        assert set(done) | lost == {1}
        assert "was ended from outside" in capsys.readouterr().err
        assert not Path(team._shared.name).exists()
        assert team.give({2: task}) == set()
    finally:
        team.close()


@pytest.mark.script
@pytest.mark.parametrize("is_killed", [False, True])
def test_folds_are_shared_and_each_is_done_once_whoever_is_killed(is_killed):
    known, members = trainer(), [METAPARAMETERS, {**METAPARAMETERS, "log_lr": -2.0}]
    tasks = {fold: OfFold(fold, members, 0, process=True) for fold in range(FOLDS)}
    alone, ours = dict(Team(0, known, 0).through(tasks, known)), []

    class Counted(Trainer):
        def train(self, *given):
            ours.append(given)
            return super().train(*given)

    team = Team(1, known, 4)
    try:
        team.collect(patient=True)  # it is ready
        found = []
        for each in team.through(tasks, Counted(known.settings, known.objective, known.data)):
            found.append(each)
            if is_killed and len(found) == 1:
                team._helpers[0].process.kill()
    finally:
        team.close()
    assert sorted(fold for fold, _ in found) == list(range(FOLDS))
    assert is_killed or len(ours) < FOLDS * len(members)
    for fold, said in found:
        for name in ("rows", "networks", "errors", "process"):
            np.testing.assert_allclose(getattr(said, name), getattr(alone[fold], name), rtol=1e-6)


@pytest.mark.script
def test_what_training_raises_in_a_process_is_raised_here():
    team = Team(1, trainer(), 0)
    try:
        team.collect(patient=True)
        team.give({0: TryOut({})})
        with pytest.raises(KeyError, match="first_layer_size"):
            team.collect(patient=True)
    finally:
        team.close()


@pytest.mark.script
@pytest.mark.skipif(sys.platform == "win32", reason="processes are looked up in /proc")
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_however_a_search_is_ended_no_process_stays(tmp_path, how):
    code = (
        "import sys; from pathlib import Path; sys.path.insert(0, '.')\n"
        "import tests.search.test_search as t\n"
        "if __name__ == '__main__': t.run_on_disk(Path(sys.argv[1]), '--trials=100000', '--jobs=2')"
    )
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    words, environment = [sys.executable, "-c", code, str(tmp_path)], {**os.environ, "TMPDIR": str(scratch)}
    process = start(words, cwd=ROOT, stderr=subprocess.DEVNULL, env=environment)
    try:
        wait_for(lambda: any(scratch.iterdir()))  # the features, until the other process has them open
        wait_for(lambda: (tmp_path / "model.safetensors").exists() and not any(scratch.iterdir()))
        children = _children(process.pid)
    finally:
        process.send_signal(how)
        process.wait()
    assert children
    assert not any(scratch.iterdir())
    wait_for(lambda: not any(Path(f"/proc/{child}").exists() for child in children))
    study = optuna.load_study(study_name="toy", storage=f"sqlite:///{tmp_path / 'db.sqlite'}")
    assert {trial.state for trial in study.trials} <= {TrialState.COMPLETE, TrialState.PRUNED}
    assert load_predictor(tmp_path / "model.safetensors")[1]["trial"] == str(study.best_trial.number)


def _children(pid):
    """Processes that it started, without those that only look after memory."""
    found = []
    for folder in Path("/proc").iterdir():
        with contextlib.suppress(OSError, IndexError):
            parent = (folder / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()[1]
            if parent == str(pid) and "spawn_main" in (folder / "cmdline").read_text(encoding="utf-8"):
                found.append(folder.name)
    return found
