"""The training script, run as a person runs it; in this process where nothing depends on that."""

import csv
import json
import os
import re
import signal
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image
from safetensors import safe_open

from src.choosing.from_choices import is_from_choices, write_model
from src.model.file import load_predictor
from src.options.option import TRAIN
from tests import ROOT
from tests.forks import run
from tests.forks import start as start_python
from tests.training import train, train_once
from tests.waiting import wait_for

QUICK = (
    "--model_type=mlp",
    "--feature_extractor_model=efficientnet-lite0",
    "--trials=3",
    "--max_train_epochs=6",
    "--min_batch_size=8",
    "--max_batch_size=16",
    "--max_first_layer_size=30",
    "--max_second_layer_size=20",
)
DEMO = f"@{ROOT / 'arguments-example.txt'}"
STRANGE_NAMES = ("a, b.png", 'sub folder/quote".png' if os.name != "nt" else "sub folder/quote'.png", "ünï/日本.PNG")


def start(folder, *words):
    """Start the training script in `folder`, where db.sqlite goes, as another process: seconds for its imports."""
    command = [sys.executable, str(ROOT / TRAIN), *QUICK, *words]
    environment = {**os.environ, "PYTHONIOENCODING": "utf-8", "OMP_NUM_THREADS": "1"}
    return start_python(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=folder,
        text=True,
        encoding="utf-8",
        env=environment,
    )


@pytest.fixture(scope="session")
def photos(tmp_path_factory):
    """40 images; the more red, the higher the score. The first run fills the feature cache for all tests."""
    folder = tmp_path_factory.mktemp("here")
    generator = np.random.default_rng(0)
    names = [*STRANGE_NAMES, *(f"{number:02}.jpg" for number in range(37))]
    rows = []
    for name in names:
        colour = generator.integers(0, 256, 3)
        noise = generator.integers(-20, 20, (60, 80, 3))
        path = folder / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.clip(colour + noise, 0, 255).astype(np.uint8)).save(path)
        rows.append([name, f"{colour[0] / 25.5:.2f}", "kept", "toy", 0.5])
    with (folder / "photos" / "scores.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([["relative_path", "score", "note", "assisted_by", "score_error"], *rows])
    return folder


@pytest.fixture(scope="session")
def finished(photos):
    """What one whole run with a savefile printed."""
    words = "--directory=photos", "--savefile=out.csv", "--fraction_for_test=0.2", "--details"
    return train_once(photos, *QUICK, *words)


@pytest.fixture
def train_here(photos, monkeypatch, capsys):
    """Run the training script in this process; gives what it printed, or its error where a `code` is expected."""

    def run_it(*words, folder=photos, quick=QUICK, code=0):
        monkeypatch.chdir(folder)
        return train(monkeypatch, capsys, *words, quick=quick, code=code)

    return run_it


def content(path):
    with safe_open(path, "np") as file:
        return {key: file.get_tensor(key).tobytes() for key in file.keys()}  # noqa: SIM118


def test_no_trials_only_prepare_the_features(train_here, tmp_path):
    output = train_here("--directory=photos", "--trials=0", f"--modelpath={tmp_path / 'a.safetensors'}")
    assert "The features of 40 images are ready" in output
    assert not (tmp_path / "a.safetensors").exists()


def test_a_run_ends_with_the_statistics_of_the_model_on_disk(photos, finished):
    lines = finished.splitlines()
    for name, count in (("Train", 22), ("Eval", 10), ("Test", 8), ("All", 40)):
        found = [line for line in lines if re.match(rf"{name} *: +{count} images, db score ", line)]
        assert len(found) == 1
    for name in ("this model", "ridge regression on the same features", "mean of the train scores"):
        assert any(line.startswith(name) for line in lines)
    assert any(
        line.startswith("Of 100 pairs of eval images, which it was not trained on, it orders ") for line in lines
    )
    assert "Next, to see what it misjudges:" in lines[-4]
    assert f"--directory={photos / 'photos'}" in lines[-1]
    assert any(
        re.match(r"The network is (better|worse) than ridge regression by 0\.\d{3} Spearman", line) for line in lines
    )
    assert (
        sum(line.startswith("      eval images, with the scores' errors counted: spearman 0.") for line in lines) == 1
    )
    assert sum(line.startswith("Take care: features of toy assisted these scores") for line in lines) == 1
    assert load_predictor(photos / "photos" / "model.safetensors")[1]["scores_assisted_by"] == "toy"
    assert (photos / "db.sqlite").exists()
    with (photos / "photos" / "out.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    scores, model_scores = (np.array([float(row[key]) for row in rows]) for key in ("score", "model_score"))
    line = next(line for line in lines if line.startswith("All "))
    assert f"db score {scores.mean():>6.3f} +/- {scores.std():.2f}" in line
    assert f"model score {model_scores.mean():>6.3f} +/- {model_scores.std():.2f}" in line


def test_without_details_the_end_is_a_sentence_a_table_and_no_p_values(train_here):
    output = train_here("--directory=photos", "--fraction_for_test=0.3", "--modelpath=end.safetensors", "--database=")
    end = output[output.index("Of 100 pairs of test images") :]
    assert "(p=" not in end
    assert "Best is trial" not in end
    assert re.search(r"^test images \(12\) +AB  Spearman  +mse$", end, re.MULTILINE)
    assert end.count("Take care: ") == 1


def test_the_savefile_keeps_every_column_and_adds_model_score_and_split(photos, finished):
    with (photos / "photos" / "out.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["relative_path", "score", "note", "assisted_by", "score_error", "model_score", "split"]
    assert {row["note"] for row in rows} == {"kept"}
    assert {row["relative_path"] for row in rows} > set(STRANGE_NAMES)
    assert [row["split"] for row in rows].count("eval") == 10


def test_the_arguments_written_beside_the_model_give_the_same_model_again(photos, finished, train_here):
    written = photos / "photos" / "model.arguments.txt"
    first = content(photos / "photos" / "model.safetensors")
    text = written.read_text(encoding="utf-8")
    assert "--hidden_states_used=0,1,2,3\n" in text
    assert "--hidden_states_mode=join\n" in text
    assert "--eval_pick_seed=42\n" in text
    output = train_here(f"@{written}", "--modelpath=again.safetensors", quick=())
    assert content(photos / "again.safetensors") == first
    assert re.search(r"Study 'photos-\d+'", output)


def test_the_model_file_says_how_it_was_made(photos, finished):
    predictor, metadata = load_predictor(photos / "photos" / "model.safetensors")
    assert predictor.config.hidden_states_used == (0, 1, 2, 3)
    assert predictor.config.widths == (1280, 1152, 320, 192)
    assert metadata["study"] == "photos"
    assert metadata["n_images"] == "40"


def test_everything_may_be_trained_on_where_the_full_set_decides(train_here, tmp_path):
    model = f"--modelpath={tmp_path / 'a.safetensors'}"
    output = train_here("--directory=photos", model, "--fraction_for_eval=0", "--set_for_scoring=full", "--trials=1")
    assert "Split: 40 train, 0 eval, 0 test" in output
    assert "too few eval images to compare" in output


def test_a_broken_image_is_listed_with_its_reason_and_left_out(photos, train_here, tmp_path):
    (tmp_path / "photos").mkdir()
    for path in sorted((photos / "photos").glob("*.jpg"))[:20]:
        (tmp_path / "photos" / path.name).write_bytes(path.read_bytes())
    (tmp_path / "photos" / "00.jpg").write_bytes(b"\xff\xd8 not really")
    (tmp_path / "photos" / "scores.csv").write_bytes((photos / "photos" / "scores.csv").read_bytes())
    output = train_here("--directory=photos", "--trials=1", "--details", folder=tmp_path)
    assert re.search(r"1 image could not be read, left out:\n  00.jpg: \w+.*\n\nNext, ", output)
    assert "20 of 40 images in scores.csv are not in" in output
    assert re.search(r"All : +19 images", output)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "--directory is missing"),
        (("--directory=nowhere",), "--directory=nowhere: no such folder"),
        (("--directory=photos", "--scores=none.csv"), "none.csv"),
        (("--directory=photos", "--score_column=beauty"), "beauty"),
        (("--directory=photos", "--savefile=out.txt"), "--savefile=out.txt: must end with .csv or .json"),
        (("--directory=photos", "--model=a.pth"), "--model=a.pth: a model file ends with .safetensors"),
        (("--directory=photos", "--hidden_states_used=99"), "hidden state 99 does not exist"),
        (("--directory=photos", "--hidden_states_mode=average"), "different widths can only be joined"),
        (("--directory=photos", "--weight_hidden_states", "--hidden_states_mode=join"), "take one of them out"),
        (("--directory=photos", "--fixed_hidden_state_weights=1,2"), "4 hidden states are used, so it needs 4, or 5"),
        (("--directory=photos", "--loss_model=wmse"), "wmse needs a column 'weight'"),
        (("--directory=photos", "--metric_for_scoring=nll"), "use --loss_model=nll with it"),
        (("--directory=photos", "--fraction_for_eval=0.6", "--fraction_for_test=0.5"), "leave no image to train on"),
        (
            ("--directory=photos", "--fraction_for_eval=0"),
            "--set_for_scoring=eval: it holds 0 images, and at least 2",
        ),
        (("--directory=photos", "--resume", "--name=never"), "there is no study 'never'"),
        (("--directory=photos", "--server=on", "--database="), "needs a --database that is a file"),
        (("--directory=photos", "--feature_extractor_model=nobody/nothing"), "nobody/nothing"),
        (("--directory=photos", "--device=mps"), "--device=mps: this machine"),
    ],
)
def test_what_is_wrong_is_said_in_one_line_and_exit_code_2(finished, train_here, words, message):
    last = train_here(*words, code=2).splitlines()[-1]
    assert last.startswith("error: ")
    assert message in last


@pytest.fixture(scope="module")
def interrupted(photos, finished, tmp_path_factory):
    """A run stopped by Ctrl-C as soon as it had a trial's model: its words, exit code, output and errors."""
    if os.name == "nt":
        pytest.skip("Windows has no SIGINT for another process")
    model = tmp_path_factory.mktemp("interrupted") / "a.safetensors"
    words = ("--directory=photos", "--name=interrupted", f"--modelpath={model}", "--model_type=mlp")
    process = start(photos, *words, "--trials=500")
    # Before the first trial the better one of ridge regression and the Gaussian process lies there.
    wait_for(lambda: process.poll() is not None or (model.exists() and "trial" in load_predictor(model)[1]))
    process.send_signal(signal.SIGINT)
    output, problems = process.communicate(timeout=180)
    return words, process.returncode, output, problems


def test_ctrl_c_ends_with_the_statistics_of_the_best_so_far(interrupted):
    _, code, output, problems = interrupted
    assert code == 130, problems
    assert "Traceback" not in problems
    assert re.search(r"Stopped by Ctrl-C after \d+ of 500 trials; go on with --resume", output)
    assert re.search(r"^this model +\d\d\.\d\d %", output, re.MULTILINE)


def test_resume_goes_on_where_ctrl_c_stopped(interrupted, train_here):
    words, _, output, _ = interrupted
    trials = int(re.search(r"after (\d+) of", output)[1])
    assert "Study 'interrupted'" in train_here(*words, f"--trials={trials + 2}", "--resume")


def test_weights_and_nll_and_given_splits_go_all_the_way(photos, train_here):
    with (photos / "photos" / "scores.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    with (photos / "photos" / "weighted.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["relative_path", "score", "weight", "split"])
        for number, row in enumerate(rows):
            split = "eval" if number % 3 == 0 else "train"
            writer.writerow([row["relative_path"], row["score"], 1 + number % 2, split])
    words = ("--directory=photos", "--scores=weighted.csv", "--trials=2", "--modelpath=other.safetensors")
    assert "26 train, 14 eval, 0 test" in train_here(*words, "--loss_model=wmse", "--normalise_weights")
    assert "--normalise_weights=on" in (photos / "other.arguments.txt").read_text(encoding="utf-8")
    uncertain = train_here(*words, "--loss_model=nll", "--savefile=uncertain.json", "--ignore_existing_split")
    assert "30 train, 10 eval, 0 test" in uncertain
    assert '"error"' in (photos / "photos" / "uncertain.json").read_text(encoding="utf-8")
    assert "kept as other.previous.safetensors" in uncertain


def test_a_model_of_choices_does_not_take_the_place_of_the_one_that_was_trained_before(photos, train_here):
    """As in a second round: train, choose, train again, compare the two that were trained."""
    path, previous = photos / "second.safetensors", photos / "second.previous.safetensors"
    words = ("--directory=photos", "--model_type=gp", "--modelpath=second.safetensors")
    train_here(*words)
    trained = path.read_bytes()
    write_model(path, load_predictor(path)[0], {"made_from": "choices"})
    assert is_from_choices(path)
    printed = train_here(*words)
    assert "second.safetensors was the A/B scorer's model of your choices; this run's takes its place." in printed
    assert not is_from_choices(path)
    assert previous.read_bytes() == trained
    assert "kept as second.previous.safetensors" in train_here(*words)


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    """The folder of gallery/, drawn and with its features as the demo does it, but for 90 images of 300."""
    folder = tmp_path_factory.mktemp("demo")
    draw = [sys.executable, str(ROOT / "examples" / "sample_gallery.py"), "gallery", "--images=90"]
    assert run(draw, cwd=folder).returncode == 0
    assert "The features of 90 images are ready" in train_once(folder, DEMO, "--trials=0")
    return folder


def test_the_demo_finds_the_imaginary_persons_taste(sample):
    printed = train_once(sample, DEMO, "--trials=7")  # of 40; behind the file, as the later word counts
    assert "--trials=7\n" in (sample / "gallery" / "model.arguments.txt").read_text(encoding="utf-8")
    assert float(re.search(r"^this model +[\d.]+ % +(-?[\d.]+)", printed, re.MULTILINE)[1]) >= 0.7


def test_ridge_alone_may_be_the_model(photos, train_here):
    words = ("--model=ridge.safetensors", "--model_type=ridge", "--report=ridge.html", "--details")
    output = train_here("--directory=photos", *words)
    predictor, metadata = load_predictor(photos / "photos" / "ridge.safetensors")
    assert (predictor.config.layers, metadata["model_type"]) == ((), "ridge")
    assert json.loads(metadata["metrics"])["eval_mse"] == pytest.approx(
        json.loads(metadata["baselines"])["ridge"]["eval_mse"], rel=1e-3
    )
    assert "Ridge regression with penalty" in output
    page = (photos / "photos" / "ridge.html").read_text(encoding="utf-8")
    assert "ridge regression on the same features" in page
    assert "mean of the train scores" in page
