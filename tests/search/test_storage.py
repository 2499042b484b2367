"""Where studies are kept: files by their whole path, none made by what only looks, several processes at once."""

import subprocess
import sys
from importlib.util import find_spec

import pytest

from src.common.errors import UserError
from src.search import storage
from src.search.settings import SearchSettings, StudySettings
from src.search.storage import database_file, existing_storage, open_storage, shown_database
from src.search.study import open_study
from tests import ROOT, grpc_proxy
from tests.forks import start

OPEN = """
import sys
from src.search.settings import SearchSettings, StudySettings
from src.search.study import open_study
print(open_study(StudySettings("faces", sys.argv[1]), SearchSettings(), "minimize", {}).study_name)
"""


@pytest.mark.script
def test_three_runs_at_once_on_a_new_database_have_a_study_each(tmp_path):
    command = [sys.executable, "-c", OPEN, f"sqlite:///{tmp_path / 'db.sqlite'}"]
    runs = [start(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    assert sorted(run.communicate(timeout=60)[0].strip() for run in runs) == ["faces", "faces-2", "faces-3"]
    assert [path.name for path in tmp_path.iterdir()] == ["db.sqlite"]


def test_files_are_named_by_their_whole_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert database_file("sqlite:///db.sqlite") == tmp_path / "db.sqlite"
    assert shown_database("sqlite:///db.sqlite") == str(tmp_path / "db.sqlite")
    assert shown_database("") == "memory"
    assert database_file("sqlite://") is None
    assert "secret" not in shown_database("postgresql://me:secret@127.0.0.1/studies")
    assert shown_database("nonsense") == "nonsense"


@pytest.mark.parametrize("resume", [True, False])
def test_what_only_looks_makes_no_file_and_points_to_one_elsewhere(tmp_path, monkeypatch, capsys, resume):
    (tmp_path / "here").mkdir()
    (tmp_path / "photos").mkdir()
    other = tmp_path / "photos" / "db.sqlite"
    open_storage(f"sqlite:///{other}")
    monkeypatch.chdir(tmp_path / "here")
    settings = StudySettings("faces", resume=resume, other_folders=(tmp_path / "photos",))
    there = f"there is one in {other}: --database=sqlite:///{other}"
    if not resume:
        open_study(settings, SearchSettings(), "minimize", {})
        assert f"note: {tmp_path / 'here' / 'db.sqlite'} is a new database; {there}" in capsys.readouterr().err
        return
    with pytest.raises(UserError, match="--resume: there is no database") as error:
        open_study(settings, SearchSettings(), "minimize", {})
    assert there in str(error.value)
    assert list((tmp_path / "here").iterdir()) == []


def test_studies_in_memory_are_gone():
    with pytest.raises(UserError, match="--study: --database is empty, and studies in memory are gone"):
        existing_storage("", "--study")


@pytest.mark.script
@pytest.mark.skipif(bool(grpc_proxy.missing()), reason=grpc_proxy.missing())
def test_a_search_and_its_workers_meet_behind_a_proxy(tmp_path):
    with grpc_proxy.before(f"sqlite:///{tmp_path / 'db.sqlite'}") as url:
        about = {"loss_model": "mse"}
        study = open_study(StudySettings("faces", url), SearchSettings(), "minimize", about)
        worker = open_study(StudySettings("faces", url, worker=True), SearchSettings(), "minimize", about)
        study.enqueue_trial({"x": 0.25})
        worker.optimize(lambda trial: trial.suggest_float("x", 0, 1), 1)
        assert [trial.value for trial in study.trials] == [0.25]
        with pytest.raises(UserError, match=r"--worker: study 'faces': .*loss_model was mse and is ab now"):
            open_study(StudySettings("faces", url, worker=True), SearchSettings(), "minimize", {"loss_model": "ab"})
    assert [study.study_name for study in open_storage(f"sqlite:///{tmp_path / 'db.sqlite'}").get_all_studies()] == [
        "faces"
    ]


def test_grpc_where_nobody_is_or_without_its_packages_is_a_sentence(monkeypatch):
    if find_spec("grpc"):
        monkeypatch.setattr(storage, "ANSWER_SECONDS", 0.1)
        for address in ("grpc://127.0.0.1", "grpc://:1", "grpc://server:port"):
            with pytest.raises(UserError, match=r"it is written grpc://host:port, such as grpc://127"):
                open_storage(address)
        with pytest.raises(UserError, match=r"--database=grpc://127.0.0.1:1: can't be opened \(nobody answers at"):
            open_storage("grpc://127.0.0.1:1")
    monkeypatch.setitem(sys.modules, "grpc", None)
    with pytest.raises(
        UserError, match=r"grpc:// needs grpcio and protobuf: pip install -r requirements-postgres.txt"
    ):
        open_storage("grpc://127.0.0.1:1")
