"""--worker and --collect: who may join a study, and where the best model of all comes from."""

import atexit
import shutil
import threading

import numpy as np
import pytest

from src.common.errors import UserError
from src.model.file import load_predictor
from src.options.command_line import parse_arguments
from src.options.groups.search import search_settings
from src.options.option import TRAIN
from src.options.settings import settings_of
from src.search import study as studying
from src.search import trainer as searching
from src.search.likeness import FEATURES, are_alike, summary
from src.search.objective import make_objective
from src.search.run_files import RunFiles
from src.search.search import Search
from src.search.settings import SearchSettings, StudySettings
from src.search.study import open_study
from src.search.worker_files import worker_model
from tests.search.test_search import QUICK, run_on_disk, toy_data

ABOUT = {"loss_model": "mse", FEATURES: summary(np.eye(20))}


def join(url, about=ABOUT, **how):
    return open_study(StudySettings("faces", url, worker=True, **how), SearchSettings(), "minimize", about)


def test_a_worker_waits_for_the_study_and_joins_it(tmp_path, monkeypatch):
    monkeypatch.setattr(studying, "WAITING_SECONDS", 0.05)
    url, joined = f"sqlite:///{tmp_path}/db.sqlite", []
    thread = threading.Thread(target=lambda: joined.append(join(url).study_name))
    thread.start()
    open_study(StudySettings("faces", url), SearchSettings(), "minimize", ABOUT)
    thread.join(20)
    assert joined == ["faces"]


@pytest.mark.parametrize(
    ("about", "message"),
    [
        ({"loss_model": "ab"}, "loss_model was mse and is ab now"),
        ({FEATURES: summary(np.eye(20)[::-1] * 2 - 1)}, "the features of the images are others here"),
    ],
)
def test_a_worker_of_another_kind_is_refused(tmp_path, about, message):
    url = f"sqlite:///{tmp_path}/db.sqlite"
    open_study(StudySettings("faces", url), SearchSettings(), "minimize", ABOUT)
    with pytest.raises(UserError, match=f"--worker: study 'faces': .*{message}"):
        join(url, ABOUT | about)


def test_what_can_not_be_joined_or_collected_is_said(tmp_path):
    with pytest.raises(UserError, match="--worker: --database is empty"):
        join("")
    settings = StudySettings("faces", f"sqlite:///{tmp_path}/db.sqlite", collect=True)
    with pytest.raises(UserError, match=r"--collect: there is no database .*db.sqlite; give its --database"):
        open_study(settings, SearchSettings(), "minimize", ABOUT)


def test_features_that_are_rounded_otherwise_are_alike_and_those_of_other_pixels_are_not():
    features = np.random.default_rng(0).standard_normal((50, 300)).astype(np.float32)
    assert are_alike(summary(features), summary(features.astype(np.float16)))
    assert not are_alike(summary(features), summary(features[::-1]))
    assert not are_alike(summary(features), summary(features[:, ::-1]))
    assert not are_alike(summary(features), "nonsense")


def search(folder, path, is_worker, *words):
    """One process of a search on a journal, with a model file of its own."""
    arguments = parse_arguments(TRAIN, "", [*QUICK, f"--database=journal://{folder}/journal.log", *words])
    settings, data = search_settings(arguments), toy_data()
    objective = make_objective(settings, data, True)
    asked = settings_of(StudySettings, arguments)
    study = open_study(asked, settings, objective.direction, {"objective": objective.name})
    files = RunFiles(path, data, {}, study)
    assert Search(settings, objective, files, is_worker=is_worker).run()
    return study, files


@pytest.mark.parametrize("is_shared", [True, False])
def test_the_best_that_a_worker_found_is_collected_or_trained_once_more(tmp_path, monkeypatch, is_shared):
    monkeypatch.setattr(studying, "own_seed", lambda seed: seed + 1)  # else another in every process
    model = tmp_path / "model.safetensors"
    search(tmp_path, model, False, "--trials=1")
    own = worker_model(model)
    study, files = search(tmp_path, own, True, "--trials=8", "--worker")
    best = study.best_trial.number
    assert best > 0  # by the seed
    assert list(files.kept()) == [best]
    if not is_shared:
        shutil.rmtree(own.parent)
    trained = []
    train = searching.train
    monkeypatch.setattr(searching, "train", lambda *words: trained.append(1) or train(*words))
    _, files = search(tmp_path, model, False, "--trials=8", "--collect")
    assert load_predictor(model)[1]["trial"] == str(best)
    assert len(trained) == (0 if is_shared else 1)


@pytest.mark.parametrize("finds", [False, True])
def test_a_worker_that_finds_nothing_leaves_no_folder(tmp_path, monkeypatch, finds):
    ends = []
    monkeypatch.setattr(atexit, "register", lambda *end: ends.append(end))
    own = worker_model(tmp_path / "model.safetensors")
    if finds:
        own.touch()
    for function, *words in ends:
        function(*words)
    assert list(tmp_path.iterdir()) == ([own.parent.parent] if finds else [])
    assert own.exists() == finds


def test_one_process_by_itself_searches_as_ever_on_a_journal(tmp_path):
    study, _ = search(tmp_path, tmp_path / "a.safetensors", False, "--trials=4")
    (tmp_path / "b").mkdir()
    other, *_ = run_on_disk(tmp_path / "b")
    assert [trial.params for trial in study.trials] == [trial.params for trial in other.trials]
