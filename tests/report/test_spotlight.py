"""What Spotlight is given, and, where `make spotlight` has been run, that it serves it."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import urllib.request
from pathlib import Path

import numpy as np
import pytest

import aesthetic_spotlight
from src.common import errors
from src.options.option import SPOTLIGHT
from src.report.spotlight_data import FEATURES, TABLE, columns, write_data
from src.scores.scorefile import read_scorefile
from src.scoring.model_scores import ModelScores
from tests import ROOT
from tests.toys import make_gallery

INSTALLED = (ROOT / ".venv-spotlight").exists()


@pytest.fixture
def results(tmp_path):
    """Six images; the model turns the order of the scores round."""
    paths = make_gallery(tmp_path / "photos", 6)
    rows = "".join(f"{path},{place}\n" for place, path in enumerate(paths))
    (tmp_path / "photos" / "scores.csv").write_text("relative_path,score\n" + rows, encoding="utf-8")
    reversed_ = "".join(f"{path},{-place}\n" for place, path in enumerate(paths))
    (tmp_path / "photos" / "model.csv").write_text("relative_path,model_score\n" + reversed_, encoding="utf-8")
    return tmp_path


def test_the_columns_are_those_promised_and_images_are_whole_paths(results):
    table = read_scorefile(results / "photos" / "scores.csv")
    model = ModelScores("m", -table.scores, np.full(6, np.nan), np.ones((6, 2, 3), np.float32))
    split = np.array(["eval"] * 6)
    found = columns(results / "photos", table, [model], split)
    assert list(found)[2:] == ["score", "model_score", "error", "rank", "model_rank", "rank_error", "split"]
    assert found["rank_error"] == [-5, -3, -1, 1, 3, 5]
    assert all(Path(image).is_file() for image in found["image"])
    write_data(results, results / "photos", table, [model], split)
    assert json.loads((results / TABLE).read_text(encoding="utf-8")) == found
    assert np.load(results / FEATURES).shape == (6, 6)


def test_without_its_environment_one_sentence_says_how_to_make_it(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(aesthetic_spotlight, "ROOT", tmp_path)
    monkeypatch.setattr(sys, "argv", [SPOTLIGHT, "--directory=anything"])
    with pytest.raises(SystemExit):
        errors.run(aesthetic_spotlight.main)
    assert "make it with 'make spotlight'" in capsys.readouterr().err.splitlines()[-1]


def test_a_port_where_somebody_answers_is_refused_before_anything_is_scored():
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(errors.UserError, match=f"--port={port}: a program answers there already; .*--port=0"):
            aesthetic_spotlight.check_port(port)
    aesthetic_spotlight.check_port(port)
    aesthetic_spotlight.check_port(0)


@pytest.mark.skipif(not INSTALLED or os.name == "nt", reason="run `make test-spotlight`, which installs it")
def test_spotlight_answers_on_its_port_and_serves_the_data(results):
    words = ["--directory=photos", "--model_scores=model.csv", "--include_train_split", "--port=0", "--no_browser"]
    command = [sys.executable, str(ROOT / SPOTLIGHT), *words]
    process = subprocess.Popen(command, cwd=results, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    stop = threading.Timer(240, process.kill)
    stop.start()
    try:
        lines = []
        while not lines or not re.search(r"http://127\.0\.0\.1:\d+/", lines[-1]):
            lines.append(process.stdout.readline())
            assert lines[-1], "".join(lines)
        address = re.search(r"http://127\.0\.0\.1:\d+/", lines[-1])[0]
        with urllib.request.urlopen(address, timeout=30) as answer:
            assert b"<html" in answer.read()
        with urllib.request.urlopen(f"{address}api/table/", timeout=60) as answer:
            table = json.load(answer)
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(timeout=60)
        stop.cancel()
    found = {column["name"]: column["values"] for column in table["columns"]}
    assert sorted(found["score"]) == [0, 1, 2, 3, 4, 5]
    assert sorted(found["rank_error"]) == [-5, -3, -1, 1, 3, 5]
    assert next(column for column in table["columns"] if column["name"] == "image")["dtype"]["name"] == "Image"
    with pytest.raises(OSError, match="refused"):
        urllib.request.urlopen(address, timeout=5)
