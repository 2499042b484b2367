"""Studies: opened, numbered, resumed, refused; samplers, pruners and the dashboard."""

import re
import subprocess
import sys
import urllib.request

import optuna
import pytest
from optuna.trial import TrialState

from src.common.errors import UserError
from src.options.command_line import parse_arguments
from src.options.groups.search import search_settings
from src.options.option import TRAIN
from src.options.settings import settings_of
from src.search.settings import SearchSettings, StudySettings
from src.search.storage import shown_database
from src.search.study import dashboard, make_pruner, make_sampler, open_storage, open_study, quiet
from tests.training import make_photos, train, use_toys

ABOUT = {"loss_model": "mse", "images, scores and split": "abc"}


def open_with(tmp_path, *words, about=ABOUT):
    database = f"--database=sqlite:///{tmp_path / 'db.sqlite'}"
    arguments = parse_arguments(TRAIN, "", ["--name=faces", database, *words])
    return open_study(settings_of(StudySettings, arguments), search_settings(arguments), "minimize", about)


def test_a_name_that_is_taken_gets_a_number(tmp_path):
    assert [open_with(tmp_path).study_name for _ in range(3)] == ["faces", "faces-2", "faces-3"]


def test_resume_goes_on_with_the_newest_of_the_name(tmp_path):
    for _ in range(2):
        open_with(tmp_path).add_trial(optuna.trial.create_trial(value=1.0))
    study = open_with(tmp_path, "--resume")
    assert (study.study_name, len(study.trials)) == ("faces-2", 1)


def test_resume_without_a_study_names_those_there_are(tmp_path):
    open_with(tmp_path, "--name=cats")
    with pytest.raises(UserError, match=r"no study 'faces' in /\S*db.sqlite \(there: cats\)"):
        open_with(tmp_path, "--resume")


def test_resume_with_another_loss_is_refused(tmp_path):
    open_with(tmp_path)
    with pytest.raises(
        UserError, match="study 'faces': loss_model was mse and is ab now, so its trials can't be compared"
    ):
        open_with(tmp_path, "--resume", about={**ABOUT, "loss_model": "ab"})


def test_images_that_came_since_are_no_other_pixels(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    use_toys(monkeypatch)
    make_photos(tmp_path, 40)
    scores = tmp_path / "photos" / "scores.csv"
    whole = scores.read_text(encoding="utf-8")
    scores.write_text("".join(whole.splitlines(keepends=True)[:-3]), encoding="utf-8")
    train(monkeypatch, capsys, "--database=sqlite:///db.sqlite")
    scores.write_text(whole, encoding="utf-8")
    said = train(monkeypatch, capsys, "--database=sqlite:///db.sqlite", "--resume", code=2)
    assert "your images, their scores, the split or the choices have changed since" in said


def test_a_study_of_another_program_is_not_resumed(tmp_path):
    theirs = optuna.create_study(storage=f"sqlite:///{tmp_path / 'db.sqlite'}", study_name="faces")
    theirs.add_trial(optuna.trial.create_trial(value=1.0))
    with pytest.raises(UserError, match="is not one of this toolkit's"):
        open_with(tmp_path, "--resume")


@pytest.mark.parametrize("said", [{}, {"loss_model": "mse"}])
def test_a_study_that_was_killed_while_it_began_is_resumed(tmp_path, said):
    begun = optuna.create_study(storage=f"sqlite:///{tmp_path / 'db.sqlite'}", study_name="faces")
    for key, value in said.items():
        begun.set_user_attr(key, value)
    study = open_with(tmp_path, "--resume")
    assert (study.study_name, study.user_attrs) == ("faces", ABOUT)


def test_a_trial_that_a_killed_run_left_is_tried_again(tmp_path):
    study = open_with(tmp_path)
    trial = study.ask()
    number = trial.suggest_float("dropout", 0, 0.8)
    resumed = open_with(tmp_path, "--resume")
    assert resumed.trials[0].state == TrialState.FAIL
    assert resumed.ask().suggest_float("dropout", 0, 0.8) == number


def test_a_database_that_cannot_be_opened_is_said_in_one_line(tmp_path):
    for url in (f"sqlite:///{tmp_path}/none/db.sqlite", "nonsense", "mysqlx://a/b"):
        with pytest.raises(UserError, match=r"--database=.*can't be opened \(.*such as sqlite:///db.sqlite") as error:
            open_study(StudySettings("a", url), SearchSettings(), "minimize", ABOUT)
        assert "\n" not in str(error.value)


@pytest.mark.parametrize("port", ["port", "5432x", ""])
def test_no_password_is_shown_where_the_rest_of_a_url_is_wrong_either(port):
    database = f"postgresql://me:sec/r@et@server:{port}/db"
    with pytest.raises(UserError, match=re.escape("me:***@server")) as error:
        open_study(StudySettings("a", database), SearchSettings(), "minimize", ABOUT)
    assert "et@" not in f"{error.value} {shown_database(database)}"


def test_a_url_of_postgresql_without_its_driver_is_said_with_the_right_one_and_no_password_is_shown(tmp_path):
    with pytest.raises(UserError, match=r"such as postgresql\+psycopg://user@host/name would be right") as error:
        open_study(StudySettings("a", "postgres://me:secret@server/db"), SearchSettings(), "minimize", ABOUT)
    assert "secret" not in str(error.value)
    assert "me:***@server" in str(error.value)


def test_an_error_without_a_word_is_said_by_its_type(monkeypatch):
    def fails(_):
        raise RuntimeError

    monkeypatch.setattr("optuna.storages.get_storage", fails)
    with pytest.raises(UserError, match=r"can't be opened \(RuntimeError\)"):
        open_storage("redis://")


def test_an_empty_database_is_in_memory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    study = open_study(StudySettings("faces", ""), SearchSettings(), "maximize", ABOUT)
    assert study.direction == optuna.study.StudyDirection.MAXIMIZE
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["tpe", "CmaEs", "gp", "random", "QMC"])
def test_every_sampler_searches_and_repeats_itself(name, recwarn):
    def values():
        study = optuna.create_study(sampler=make_sampler(name, 7))
        study.optimize(lambda trial: trial.suggest_float("x", 0, 1) + trial.suggest_int("n", 1, 9), n_trials=12)
        return [trial.value for trial in study.trials]

    quiet()
    first = values()
    assert first == values()
    assert len(set(first)) > 8
    assert not [warning for warning in recwarn if "optuna" in str(warning.filename)]


@pytest.mark.parametrize("name", ["median", "percentile", "hyperband", "successive_halving"])
def test_every_pruner_gives_up_hopeless_trials(name):
    def objective(trial):
        for epoch in range(1, 51):
            trial.report(float(trial.number), epoch)  # each trial worse than all before
            if trial.should_prune():
                raise optuna.TrialPruned
        return float(trial.number)

    study = optuna.create_study(sampler=make_sampler("random", 1), pruner=make_pruner(name))
    study.optimize(objective, n_trials=30)
    assert len(study.get_trials(states=(TrialState.PRUNED,))) > 5


@pytest.mark.script
def test_the_dashboard_serves_the_study_and_ends_with_the_block(tmp_path):
    open_with(tmp_path)
    with dashboard("on", f"sqlite:///{tmp_path / 'db.sqlite'}") as address:
        assert address.startswith("http://127.0.0.1:")
        with urllib.request.urlopen(f"{address}api/studies", timeout=30) as answer:
            assert b"faces" in answer.read()
    with dashboard("on", f"sqlite:///{tmp_path / 'db.sqlite'}", study=1) as address:
        assert address.endswith("/dashboard/studies/1")
        with urllib.request.urlopen(address, timeout=30) as answer:
            assert b"<html" in answer.read()
    with pytest.raises(OSError):  # noqa: PT011
        urllib.request.urlopen(address, timeout=5)


@pytest.mark.parametrize(
    ("platform", "expected"), [("win32", {"creationflags": 0x208}), ("linux", {"start_new_session": True})]
)
def test_a_daemon_is_cut_off_from_the_terminal_on_each_system(tmp_path, monkeypatch, platform, expected):
    def start(_, **how):
        assert how == {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, **expected}
        raise InterruptedError

    open_with(tmp_path)
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setattr(subprocess, "DETACHED_PROCESS", 0x8, raising=False)
    monkeypatch.setattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0x200, raising=False)
    monkeypatch.setattr(subprocess, "Popen", start)
    with pytest.raises(InterruptedError), dashboard("daemon", f"sqlite:///{tmp_path / 'db.sqlite'}"):
        pass


def test_without_a_database_there_is_no_dashboard():
    with pytest.raises(UserError, match="needs a --database that is a file"), dashboard("on", ""):
        pass
    with dashboard("off", "") as address:
        assert address is None
