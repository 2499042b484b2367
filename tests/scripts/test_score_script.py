"""aesthetic_score_from_model.py, run as a person runs it; the image model is a toy."""

import csv
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import aesthetic_score_from_model as script
from src.common import UserError, errors
from src.model.config import PredictorConfig, arrange
from src.model.file import load_predictor, save_predictor
from src.model.network import Predictor
from src.options.option import SCORE
from src.scoring import handing_on
from src.scoring import models as scoring
from src.scoring.xmp import EMPTY
from src.scoring.xmp_packet import OURS
from tests import ROOT
from tests.forks import start as start_python
from tests.toys import ToyExtractor, make_gallery, make_image, make_old
from tests.waiting import wait_for

# Runs the script with the toy in the place of the real image models; the argument is the seconds of a batch.
WITH_TOY = """
import sys; sys.path.insert(0, {root!r})
from src.common import errors
from src.scoring import models as scoring
from tests.toys import ToyExtractor
import aesthetic_score_from_model as script
scoring.load_extractor = lambda *_: ToyExtractor(seconds={seconds})
sys.argv[0] = "score"
errors.run(script.main)
"""


def make_model(path, seed=0, channels=1, identity="toy 1", **about):
    """A predictor of the toy's features whose score is about the amount of red, from 0 to 10."""
    import torch

    torch.manual_seed(seed)
    config = PredictorConfig(
        "toy", (0, 1), "join", (3, 3), (8, 8), output_channels=channels, extractor_identity=identity
    )
    predictor = Predictor(config)
    quantiles = {"train_score_quantiles": np.linspace(-0.5, 0.5, 101).tolist()}
    save_predictor(path, predictor, {**quantiles, **about})  # about may also change what the config says
    return path


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder of 12 images and a model, and the toy in the place of every extractor."""
    make_gallery(tmp_path / "photos", 12)
    make_old(tmp_path / "photos")
    make_model(tmp_path / "photos" / "model.safetensors")
    monkeypatch.chdir(tmp_path)
    toys = []
    monkeypatch.setattr(scoring, "load_extractor", lambda *_: toys.append(ToyExtractor()) or toys[-1])
    return tmp_path


def score(capsys, *words):
    """Output and notes of one run in this process."""
    capsys.readouterr()
    sys.argv = [SCORE, "-d", "photos", *words]
    script.main()
    captured = capsys.readouterr()
    return captured.out, captured.err


def rows(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def expected_scores(folder, model="model.safetensors"):
    """{path: model score} by a loop of the test's own."""
    predictor, _ = load_predictor(folder / "photos" / model)
    result = {}
    for path in sorted((folder / "photos").rglob("*.png")):
        colour = (np.asarray(Image.open(path), dtype=np.float32).mean(axis=(0, 1)) / 255).astype(np.float16)
        square = (np.asarray(Image.open(path), dtype=np.float32).mean(axis=(0, 1)) / 255) ** 2
        states = {0: colour[None].astype(np.float32), 1: square[None].astype(np.float16).astype(np.float32)}
        value = predictor.predict(arrange(states, (0, 1), "join"))[0][0]
        result[path.relative_to(folder / "photos").as_posix()] = float(value)
    return result


def test_the_csv_has_every_image_in_order_with_score_and_percentile(here, capsys):
    _, notes = score(capsys, "-o", "out.csv")
    written, expected = rows(here / "out.csv"), expected_scores(here)
    assert list(written[0]) == ["relative_path", "model_score", "percentile"]
    assert [row["relative_path"] for row in written] == sorted(expected)
    for row in written:
        value = expected[row["relative_path"]]
        assert float(row["model_score"]) == pytest.approx(value, abs=1e-5)
        # The train images' scores are evenly spread from -0.5 to 0.5.
        assert float(row["percentile"]) == pytest.approx(np.clip((value + 0.5) * 100, 0, 100), abs=0.01)
    assert "12 images scored" in notes


def test_scores_again_come_from_the_cache_without_opening_an_image_and_new_ones_cost_themselves(
    here, capsys, monkeypatch
):
    assert "12 through the image model" in score(capsys, "-o", "a.csv")[1]
    with monkeypatch.context() as closed:
        for function in ("open_image", "content_of"):
            closed.setattr(f"src.features.extraction.{function}", lambda *of: pytest.fail(f"{of} was opened"))
        assert " 0 through the image model" in score(capsys, "-o", "b.csv")[1]
    assert (here / "a.csv").read_bytes() == (here / "b.csv").read_bytes()
    make_image(here / "photos" / "new.png", (1, 2, 3))
    assert " 1 through the image model" in score(capsys, "-o", "b.csv")[1]
    assert len(rows(here / "b.csv")) == 13


def test_more_images_than_a_chunk_give_the_same_scores(here, capsys, monkeypatch):
    score(capsys, "-o", "a.csv")
    monkeypatch.setattr(scoring, "CHUNK", 5)
    shutil.rmtree(here / "photos" / ".aesthetic_cache")
    score(capsys, "-o", "b.csv")
    for one, other in zip(rows(here / "a.csv"), rows(here / "b.csv"), strict=True):
        assert one["relative_path"] == other["relative_path"]
        assert float(one["model_score"]) == pytest.approx(float(other["model_score"]), rel=1e-5)


def test_an_outfile_does_not_write_over_a_persons_scores(here, capsys, monkeypatch):
    for name, text in (
        ("mine.csv", "relative_path,score,comparisons\n0000.png,1,3\n"),
        ("mine.json", '{"0000.png": 1}'),
        ("taste.csv", "relative_path,taste\n0000.png,1\n"),
    ):
        (here / name).write_text(text, encoding="utf-8")
        monkeypatch.setattr(sys, "argv", [SCORE, "-d", "photos", "-o", name, "--score_column=taste"])
        with pytest.raises(SystemExit):
            errors.run(script.main)
        column = "taste" if name == "taste.csv" else "score"
        assert f"--outfile={name}: holds scores in '{column}' that would be lost" in capsys.readouterr().err
        assert (here / name).read_text(encoding="utf-8") == text


def test_without_outfile_a_table_best_first_is_printed(here, capsys):
    output, _ = score(capsys, "--top=3", "--bottom=2")
    expected = expected_scores(here)
    best = sorted(expected, key=expected.get, reverse=True)
    lines = output.splitlines()
    assert lines[0].split() == ["model_score", "percentile", "relative_path"]
    assert [line.split()[-1] for line in lines[1:]] == best[:3] + best[-2:]


def test_json_and_parquet_hold_the_same_as_csv(here, capsys):
    for name in ("a.csv", "a.json", "a.parquet"):
        score(capsys, "-o", name)
    written = rows(here / "a.csv")
    records = json.loads((here / "a.json").read_text(encoding="utf-8"))["ImageRecords"]
    assert [(path, record["model_score"]) for path, record in records.items()] == [
        (row["relative_path"], float(row["model_score"])) for row in written
    ]
    table = pytest.importorskip("pyarrow.parquet").read_table(here / "a.parquet").to_pylist()
    assert [{name: str(value) for name, value in row.items()} for row in table] == written


def test_a_model_may_be_called_like_a_column(here, capsys):
    parquet = pytest.importorskip("pyarrow.parquet")
    make_model(here / "photos" / "passes.safetensors")
    for name in ("a.csv", "a.parquet"):
        score(capsys, "-m", "passes.safetensors", "-m", "model.safetensors", "--threshold=0", "-o", name)
    table = parquet.read_table(here / "a.parquet").to_pylist()
    assert [{name: str(value) for name, value in row.items()} for row in table] == rows(here / "a.csv")


def test_parquet_without_pyarrow_is_one_sentence(here, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(errors.UserError, match="Parquet needs pyarrow; run: pip install pyarrow"):
        score(capsys, "-o", "a.parquet")


def test_two_models_have_a_column_each_and_mark_who_passes(here, capsys):
    make_model(here / "photos" / "second.safetensors", seed=1, channels=2)
    first, second = expected_scores(here), expected_scores(here, "second.safetensors")
    limits = [sorted(scores.values())[5] - 1e-4 for scores in (first, second)]
    words = ["-m", "model.safetensors", "-m", "second.safetensors"]
    words += [f"--threshold={limit}" for limit in limits]
    score(capsys, *words, "-o", "out.csv")
    written = rows(here / "out.csv")
    assert list(written[0])[1:] == [
        *("model_score_model", "percentile_model", "passes_model"),
        *("model_score_second", "percentile_second", "error_second", "passes_second"),
    ]
    for row in written:
        assert row["passes_model"] == str(int(first[row["relative_path"]] >= limits[0]))
        assert row["passes_second"] == str(int(second[row["relative_path"]] >= limits[1]))
        assert float(row["error_second"]) > 0
    score(capsys, *words, "--only_passed", "--copy_to=both")
    both = {path for path in first if first[path] >= limits[0] and second[path] >= limits[1]}
    assert {row["source"] for row in rows(here / "both" / "scores.csv")} == both
    assert {row["passes_model"] + row["passes_second"] for row in rows(here / "both" / "scores.csv")} <= {"11"}


def test_models_of_different_extractors_are_scored_by_their_own(here, capsys, monkeypatch):
    class Dark(ToyExtractor):
        def __call__(self, prepared, hidden_states):
            return {k: 0 * features for k, features in super().__call__(prepared, hidden_states).items()}

    made = {"toy": ToyExtractor("toy"), "dark": Dark("dark")}
    monkeypatch.setattr(scoring, "load_extractor", lambda name, *_: made[name])
    make_model(here / "photos" / "dark.safetensors", seed=1, identity="dark 1", feature_extractor_model="dark")
    (here / "photos" / "broken.png").write_bytes(b"no image")
    score(capsys, "-m", "model.safetensors", "-m", "dark.safetensors", "-o", "out.csv")
    (here / "photos" / "broken.png").unlink()
    expected, written = expected_scores(here), rows(here / "out.csv")
    assert len(written) == 12
    assert {row["model_score_dark"] for row in written} == {written[0]["model_score_dark"]}
    for row in written:
        assert float(row["model_score_model"]) == pytest.approx(expected[row["relative_path"]], abs=1e-5)
    assert sum(made["toy"].batches) == sum(made["dark"].batches) == 12


def test_a_model_on_the_command_line_replaces_that_of_the_argument_file(here, capsys):
    shutil.copy(here / "photos" / "model.safetensors", here / "other.safetensors")
    (here / "arguments.txt").write_text("--model=none.safetensors\n--modelpath=nowhere.safetensors\n--trials=3\n")
    score(capsys, "@arguments.txt", "-m", "other.safetensors", "-o", "out.csv")
    with pytest.raises(errors.UserError, match="nowhere"):
        score(capsys, "@arguments.txt")


def test_unreadable_images_are_listed_and_left_out(here, capsys):
    (here / "photos" / "broken.png").write_bytes(b"no image")
    _, notes = score(capsys, "-o", "out.csv")
    assert re.search(r"1 image could not be read, left out:\n  broken.png: not an image", notes)
    assert len(rows(here / "out.csv")) == 12


@pytest.mark.parametrize(
    ("directory", "words", "message"),
    [
        ("empty", (), r"empty: there are no images; name the folder of your images with --directory"),
        (
            "photos",
            ("--regex=^none", "--regex=nil"),
            r"--regex=\^none --regex=nil: finds none of the 12 images in photos",
        ),
        ("broken", (), r"broken: none of 1 images can be read"),
    ],
)
def test_where_nothing_can_be_scored_it_is_said_and_what_was_written_before_stays(
    here, directory, words, message, capsys
):
    (here / "empty").mkdir()
    (here / "broken").mkdir()
    (here / "broken" / "a.png").write_bytes(b"no image")
    (here / "out.csv").write_text("of yesterday")
    with pytest.raises(errors.UserError, match=message):
        score(capsys, "-d", directory, "-m", "photos/model.safetensors", "-o", "out.csv", *words)
    assert (here / "out.csv").read_text() == "of yesterday"
    assert ("a.png: not an image" in capsys.readouterr().err) == (directory == "broken")


def test_where_none_is_chosen_the_outfile_has_its_header_alone(here, capsys):
    for name in ("out.csv", "out.json", "out.parquet"):
        score(capsys, "-o", name, "--minimum_score=99", "--write_xmp", "--copy_to=c")
    assert rows(here / "out.csv") == []
    assert json.loads((here / "out.json").read_text())["ImageRecords"] == {}


def test_copies_of_an_image_are_not_said_to_come_from_the_cache(here, capsys):
    shutil.copy(here / "photos" / "0000.png", here / "photos" / "copy.png")
    said = score(capsys, "-o", "a.csv")[1]
    assert "13 images scored" in said
    assert "12 through the image model, the others known from the cache or as copies of others;" in said
    make_image(here / "photos" / "new.png", (1, 2, 3))
    score(capsys, "-o", "a.csv")
    shutil.rmtree(here / "photos" / ".aesthetic_cache")
    (here / "photos" / "copy.png").unlink()
    assert "13 through the image model; 13 chosen" in score(capsys, "-o", "a.csv")[1]


def test_one_threshold_counts_for_all_models(here, capsys):
    make_model(here / "photos" / "second.safetensors", seed=1)
    two = ["-m", "model.safetensors", "-m", "second.safetensors"]
    limit = f"--threshold={np.median(list(expected_scores(here, 'second.safetensors').values()))}"
    score(capsys, *two, limit, "-o", "one.csv")
    score(capsys, *two, limit, limit, "-o", "each.csv")
    assert (here / "one.csv").read_bytes() == (here / "each.csv").read_bytes()
    assert {row["passes_second"] for row in rows(here / "one.csv")} == {"0", "1"}


@pytest.mark.skipif(sys.platform != "linux", reason="only there a name may be any bytes")
def test_a_name_that_parquet_can_not_hold_is_said_before_anything_is_scored(here, capsys):
    shutil.copy(here / "photos" / "0000.png", os.fsencode(here / "photos") + b"/\xff.png")
    with pytest.raises(errors.UserError, match=r"--outfile=a\.parquet: Parquet can't hold .*rename \S*ff\.png, or"):
        score(capsys, "-o", "a.parquet")
    assert not (here / "photos" / ".aesthetic_cache" / "shards").exists()
    score(capsys, "-o", "a.csv")
    assert len((here / "a.csv").read_bytes().splitlines()) == 14


def test_a_dry_run_prints_the_plan_and_does_nothing(here, capsys):
    (here / "photos" / "scores.csv").write_text("relative_path,score\n0000.png,1\nmore/0001.png,2\n")
    before = sorted(here.rglob("*"))
    words = ("--top=2", "--move_to=best", "--write_xmp", "--update_scores=scores.csv", "--dry_run")
    output, _ = score(capsys, *words, "--cache_directory=photos/.aesthetic_cache")
    assert [path for path in sorted(here.rglob("*")) if ".aesthetic_cache" not in str(path)] == before
    assert output.count("would move ") == 2
    assert len(re.findall(r"^\*+ +would go into photos.*\.png\.xmp$", output, re.MULTILINE)) == 2
    assert "10 estimates would go into" in output


def test_moved_images_are_named_by_rank_and_are_gone_from_the_folder(here, capsys):
    expected = expected_scores(here)
    best = sorted(expected, key=expected.get, reverse=True)
    score(capsys, "--top=2", "--move_to=best")
    names = [f"0000{i + 1}_{expected[path]:.3f}_{Path(path).name}" for i, path in enumerate(best[:2])]
    assert sorted(path.name for path in (here / "best").iterdir()) == sorted([*names, "scores.csv"])
    table = rows(here / "best" / "scores.csv")
    assert [(row["relative_path"], row["source"], row["rank"]) for row in table] == [
        (names[0], best[0], "1"),
        (names[1], best[1], "2"),
    ]
    assert not (here / "photos" / best[0]).exists()


@pytest.mark.parametrize("way", ["copy", "move", "link"])
@pytest.mark.parametrize("target", ["best", "photos/best"])
def test_what_was_interrupted_and_is_asked_for_again_ends_as_if_it_never_was(here, capsys, monkeypatch, way, target):
    expected = expected_scores(here)
    best = sorted(expected, key=expected.get, reverse=True)
    for path in expected:
        (here / "photos" / path).with_suffix(".txt").write_text(path)
    words, act, calls = ("--top=8", f"--{way}_to={target}"), handing_on._carry, []

    def interrupted(*arguments):
        calls.append(arguments)
        if len(calls) == 5:
            raise KeyboardInterrupt
        act(*arguments)

    monkeypatch.setattr(handing_on, "_carry", interrupted)
    with pytest.raises(KeyboardInterrupt):
        score(capsys, *words)
    assert len(list((here / target).glob("*.png"))) == 4
    assert " -> " in score(capsys, *words, "--dry_run")[0]
    score(capsys, *words)
    names = [f"0000{i + 1}_{expected[path]:.3f}_{Path(path).stem}" for i, path in enumerate(best[:8])]
    both = [name + ending for name in names for ending in (".png", ".txt")]
    assert sorted(path.name for path in (here / target).iterdir()) == sorted([*both, "scores.csv"])
    assert [row["source"] for row in rows(here / target / "scores.csv")] == best[:8]
    left = {path for path in best if (here / "photos" / path).exists()}
    assert left == set(best[8:] if way == "move" else best)
    again = score(capsys, *words)[0]
    assert len(list((here / target).glob("*.png"))) == (12 if way == "move" else 8)
    assert way == "move" or f"0 images {handing_on.DONE[way]} to {target}, 8 were there already." in again


def test_who_was_not_chosen_is_nothing_done_with_when_a_move_goes_on(here, capsys, monkeypatch):
    expected = expected_scores(here)
    best = sorted(expected, key=expected.get, reverse=True)[:4]
    words, act = ("--top=4", "--move_to=best", "--write_xmp", "--outfile=all.csv"), handing_on._carry

    def interrupted(way, step, done):
        if step.path == best[2]:
            raise KeyboardInterrupt
        act(way, step, done)

    monkeypatch.setattr(handing_on, "_carry", interrupted)
    with pytest.raises(KeyboardInterrupt):
        score(capsys, *words)
    monkeypatch.setattr(handing_on, "_carry", act)
    listed = (here / "all.csv").read_bytes()
    assert "all.csv stays as it is: the move that goes on had written it" in score(capsys, *words)[1]
    assert [row["source"] for row in rows(here / "best" / "scores.csv")] == best
    assert len(list((here / "best").glob("*.png"))) == 4
    assert not list((here / "photos").glob("*.xmp"))
    assert (here / "all.csv").read_bytes() == listed


def test_a_move_of_all_images_that_was_killed_at_its_end_is_ended(here, capsys, monkeypatch):
    monkeypatch.setattr(handing_on, "end_move", lambda folder: None)
    score(capsys, "--move_to=best")
    monkeypatch.undo()
    monkeypatch.chdir(here)
    monkeypatch.setattr(scoring, "load_extractor", lambda *_: ToyExtractor())
    assert "0 images moved to best" in score(capsys, "--move_to=best")[0]
    assert len(list((here / "best").iterdir())) == 13
    with pytest.raises(errors.UserError, match="there are no images"):
        score(capsys, "--move_to=best")


def test_siblings_are_in_the_plan_of_a_dry_run(here, capsys):
    (here / "photos" / "0000.txt").write_text("caption")
    output, _ = score(capsys, "--move_to=best", "--filename_format=new_{name}", "--dry_run")
    assert f"would move 0000.png -> {Path('best/new_0000.png')}\n  with 0000.txt -> new_0000.txt\n" in output
    assert "with" not in score(capsys, "--move_to=best", "--with_siblings=off", "--dry_run")[0]
    assert not (here / "best").exists()


def test_update_scores_writes_beside_unless_told_otherwise_and_prints_the_formula(here, capsys):
    path = here / "photos" / "scores.csv"
    text = "relative_path,score\n0000.png,1.0\nmore/0001.png,2.50\n0002.png,\n"
    path.write_text(text)
    output, _ = score(capsys, "--update_scores=scores.csv")
    assert path.read_text() == text
    written = {row["relative_path"]: row for row in rows(here / "photos" / "scores_new.csv")}
    model = expected_scores(here)
    both = [model["0000.png"], model["more/0001.png"]]
    estimate = 1.75 + (model["0002.png"] - np.mean(both)) * 0.75 / np.std(both)
    assert float(written["0002.png"]["score"]) == pytest.approx(estimate, rel=1e-3)
    assert written["more/0001.png"]["score"] == "2.50"
    assert len(written) == 12
    assert "mean 1.7500, standard deviation 0.7500" in output
    assert f"mean {np.mean(both):.3f}"[:-1] in output
    assert "estimate = 1.7500 + (model score - " in output
    score(capsys, "--update_scores=scores.csv", "--in_place")
    assert len(rows(path)) == 12


def test_a_score_file_behind_a_link_is_itself_filled_in_place(here, capsys):
    itself, link = here / "mine.csv", here / "photos" / "scores.csv"
    itself.write_text("relative_path,score\n0000.png,1.0\nmore/0001.png,2.50\n")
    link.symlink_to(itself)
    score(capsys, "--update_scores=scores.csv", "--in_place")
    assert link.is_symlink()
    assert len(rows(itself)) == 12


def test_stars_go_into_sidecars_and_images_are_not_touched(here, capsys):
    images = {path: path.read_bytes() for path in (here / "photos").rglob("*.png")}
    output, _ = score(capsys, "--write_xmp", "--stars=20,40,60,80")
    assert "12 sidecars written" in output
    for name, value in expected_scores(here).items():
        sidecar = here / "photos" / (name + ".xmp")
        text = re.sub(r"<\?.*?\?>", "", sidecar.read_text(encoding="utf-8"))
        (rating,) = re.findall(r'xmp:Rating="(\d)"', text)
        assert ET.fromstring(text) is not None
        assert int(rating) == 1 + sum(np.clip((value + 0.5) * 100, 0, 100) >= limit for limit in (20, 40, 60, 80))
    assert {path: path.read_bytes() for path in images} == images
    (here / "photos" / "0000.png.xmp").write_text("mine")
    output, notes = score(capsys, "--write_xmp", "--stars=20,40,60,80")
    assert "0000.png.xmp: is not XML" in notes
    assert (here / "photos" / "0000.png.xmp").read_text() == "mine"
    assert "0 sidecars written, 11 had them already" in output


def write_own(here):
    """Ratings that a person gave: a reject, five stars and one star, in three images' sidecars; their text."""
    texts = {}
    for name, rating in (("0000.png", -1), ("0002.png", 5), ("more/0001.png", 1)):
        sidecar = here / "photos" / f"{name}.xmp"
        sidecar.write_text(EMPTY.replace('xmp:Rating="0"', f'xmp:Rating="{rating}"').replace(OURS, "urn:mine"))
        texts[sidecar] = sidecar.read_text()
    return texts


def test_a_persons_own_ratings_stay_and_are_listed(here, capsys):
    texts = write_own(here)
    planned, _ = score(capsys, "--write_xmp", "--dry_run")
    assert len(list(here.rglob("*.xmp"))) == 3
    output, _ = score(capsys, "--write_xmp")
    for said, would in ((output, ""), (planned, "would be ")):
        assert f"Stars: 9 sidecars {would}written, 0 had them already (" in said
        assert "), 3 ratings of your own kept; --overwrite_ratings" in said
        for sidecar, rating in zip(texts, ("-1", "5", "1"), strict=True):
            name = sidecar.relative_to(here)
            assert f"{name}: your rating {rating} {would or 'is '}kept; the model's is " in said
    assert {sidecar: sidecar.read_text() for sidecar in texts} == texts
    assert "0 sidecars written, 9 had them already" in score(capsys, "--write_xmp")[0]


def test_a_persons_own_ratings_are_overwritten_only_when_told_and_then_listed(here, capsys):
    texts = write_own(here)
    planned, _ = score(capsys, "--write_xmp", "--overwrite_ratings", "--dry_run")
    assert {sidecar: sidecar.read_text() for sidecar in texts} == texts
    output, _ = score(capsys, "--write_xmp", "--overwrite_ratings")
    assert "Stars: 12 sidecars would be written, 0 had them already (" in planned
    assert "Stars: 12 sidecars written, 0 had them already (" in output
    assert output.count("is overwritten; the model's is") == planned.count("would be overwritten; ") == 3
    assert "), 3 ratings of your own overwritten." in output
    assert "0 sidecars written, 12 had them already" in score(capsys, "--write_xmp")[0]


def test_a_rating_that_we_wrote_and_the_person_changed_is_the_persons(here, capsys):
    score(capsys, "--write_xmp")
    sidecar = here / "photos" / "0000.png.xmp"
    changed = re.sub(r'xmp:Rating="\d"', 'xmp:Rating="-1"', sidecar.read_text())
    sidecar.write_text(changed)
    output, _ = score(capsys, "--write_xmp", "--stars=1,2,3,4")
    assert "1 rating of your own kept" in output
    assert sidecar.read_text() == changed


def test_images_that_share_a_sidecar_give_it_the_better_rating_once(here, capsys):
    make_image(here / "photos" / "0000.jpg", (1, 2, 3))
    make_old(here / "photos")
    score(capsys, "-o", "out.csv")
    both = [float(row["percentile"]) for row in rows(here / "out.csv") if row["relative_path"].startswith("0000.")]
    between = sum(both) / 2
    words = ("--write_xmp", "--xmp_name=stem", f"--stars=0,0,{between},100")
    assert "Stars: 12 sidecars written" in score(capsys, *words)[0]
    assert 'xmp:Rating="4"' in (here / "photos" / "0000.xmp").read_text()
    assert "Stars: 0 sidecars written, 12 had them already" in score(capsys, *words)[0]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("-o", "out.txt"), "--outfile=out.txt: must end with .csv, .json or .parquet"),
        (("-o", "no/out.csv"), "there is no folder no; make it first"),
        (("-m", "none.safetensors"), "--model=none.safetensors: no such model in photos"),
        (("-m", "a.ckpt"), "a model file ends with .safetensors"),
        (("--copy_to=a", "--move_to=b"), "--copy_to and --move_to: an image can go one way only"),
        (("--copy_to=a", "--filename_format=../{name}"), "a file name holds none of"),
        (("--regex=(",), "--regex=(: must be a regular expression"),
        (("--threshold=1", "--threshold=2"), "--threshold is given 2 times for 1 models"),
        (("--only_passed",), "--only_passed needs a --threshold"),
        (("--in_place",), "--in_place does nothing without --update_scores; add it, or leave --in_place out"),
        (("--dry_run",), "without --copy_to or --move_to or --link_to or --write_xmp or --update_scores"),
        (("--filename_format={name}",), "--filename_format does nothing without --copy_to"),
        (("--stars=1,2,3,4",), "--stars does nothing without --write_xmp"),
        (("--overwrite_ratings",), "--overwrite_ratings does nothing without --write_xmp"),
        (("--xmp_name=stem",), "--xmp_name does nothing without --write_xmp"),
        (("--watch", "--top=3"), "--top needs all images to be there"),
        (("--watch", "--archives"), "--watch waits for files, and sees no images in archives that come"),
        (("--watch", "-o", "out.json"), "so it must end with .csv"),
        (("--update_scores=none.csv",), "no such score file"),
        (("--stars=1,2,3",), "must be four percentiles"),
        (("--stars=90,2,3,4",), "must be four percentiles"),
        (("--copy_to=photos/0000.png",), "is a file; name a folder"),
        (("--write_xmp", "-m", "no_quantiles.safetensors"), "has no train_score_quantiles"),
        (("-m", "other.safetensors"), "other weights or preprocessing"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(here, words, message, monkeypatch, capsys):
    make_model(here / "photos" / "other.safetensors", identity="toy 2")
    make_model(here / "photos" / "no_quantiles.safetensors")
    predictor, _ = load_predictor(here / "photos" / "no_quantiles.safetensors")
    save_predictor(here / "photos" / "no_quantiles.safetensors", predictor, {})
    monkeypatch.setattr(sys, "argv", [SCORE, "-d", "photos", *words])
    with pytest.raises(SystemExit) as end:
        errors.run(script.main)
    assert end.value.code == 2
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("error: ")
    assert message in last


def test_a_model_whose_extractor_cannot_be_had_says_so(tmp_path, monkeypatch):
    path = make_model(tmp_path / "model.safetensors")
    with pytest.raises(errors.UserError, match=r"model\.safetensors: its image model toy can't be had: "):
        scoring.load_models([path])


def test_models_of_one_name_are_told_apart(tmp_path):
    paths = [tmp_path / "a" / "m.safetensors", tmp_path / "b" / "m.safetensors", tmp_path / "n.safetensors"]
    assert scoring.unique_names(paths) == ["a/m", "b/m", "n"]
    assert scoring.unique_names([paths[0], paths[0]]) == ["a/m (1)", "a/m (2)"]


def start(folder, *words, seconds=0.0):
    code = WITH_TOY.format(root=str(ROOT), seconds=seconds)
    environment = {**os.environ, "PYTHONIOENCODING": "utf-8", "PYTHONUNBUFFERED": "1", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", code, *words]
    return start_python(
        command, cwd=folder, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def test_after_kill_9_it_goes_on_where_it_was_and_there_was_never_half_an_outfile(here, tmp_path, capsys):
    make_gallery(tmp_path / "photos", 1000)
    make_old(tmp_path / "photos")
    process = start(tmp_path, "-d", "photos", "-o", "out.csv", seconds=0.08)
    shards = tmp_path / "photos" / ".aesthetic_cache" / "shards"
    wait_for(lambda: process.poll() is not None or len(list(shards.glob("*.safetensors"))) >= 2)
    assert process.poll() is None, "it ended before it could be killed"
    process.kill()
    process.communicate()
    assert not (tmp_path / "out.csv").exists()
    _, notes = score(capsys, "-d", "photos", "-o", "out.csv")
    new = int(re.search(r"(\d+) through the image model", notes)[1])
    assert 0 < new <= 1000 - 512
    assert len(rows(tmp_path / "out.csv")) == 1000
    assert not list(tmp_path.glob("*.part")) + list(tmp_path.glob(".*.part"))


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGINT for another process")
def test_watch_scores_what_appears_waits_for_half_files_and_stops_on_ctrl_c(tmp_path):
    make_gallery(tmp_path / "photos", 3)
    make_model(tmp_path / "photos" / "model.safetensors")
    process = start(tmp_path, "-d", "photos", "-o", "out.csv", "--watch", "--link_to=good", "--minimum_score=-9")
    out = tmp_path / "out.csv"
    wait_for(lambda: out.exists() and len(rows(out)) == 3)
    time.sleep(0.3)
    (tmp_path / "photos" / "bad.png").write_text("no image")
    whole = make_image(tmp_path / "elsewhere.png", (9, 8, 7), (40, 40)).read_bytes()
    with (tmp_path / "photos" / "half.png").open("wb", buffering=0) as file:
        file.write(whole[:60])
        (tmp_path / "photos" / "new folder").mkdir()
        (tmp_path / "photos" / "new folder" / "whole.png").write_bytes(whole)
        wait_for(lambda: len(rows(out)) == 4)
        time.sleep(1.5)
        assert [row["relative_path"] for row in rows(out)][3:] == ["new folder/whole.png"]
        file.write(whole[60:])
    wait_for(lambda: len(rows(out)) == 5)
    wait_for(lambda: (tmp_path / "good" / "scores.csv").read_text().count("whole.png") == 2)
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    output, notes = process.communicate(timeout=60)
    assert process.returncode == 0, notes
    assert "Traceback" not in notes
    assert notes.endswith("Stopped.\n")
    assert (
        len(re.findall(r"^note: bad\.png: not an image.*; not scored unless it changes$", notes, re.MULTILINE)) == 1
    )
    names = [line.split()[-1] for line in output.splitlines() if "linked" not in line]
    assert names[-2:] == ["folder/whole.png", "half.png"]
    assert "1 image linked to good; see scores.csv there." in output
    assert "0 images linked to good, 1 were there already." in output  # half.png has the content of whole.png
    written = rows(out)
    assert written[3]["model_score"] == written[4]["model_score"]


@pytest.fixture
def watching(here, capsys, monkeypatch):
    """Runs the script with --watch, and calls `act`, given what handles new images, where it would wait for them."""

    def run(act, *words):
        monkeypatch.setattr("src.scoring.watch.keep_watching", lambda folder, seen, handle, *_: act(handle))
        return score(capsys, "--watch", *words)

    return run


def test_the_good_ones_of_those_that_come_are_moved_on_each_by_its_own_score(here, watching):
    expected = expected_scores(here)
    limit = sorted(expected.values())[9]  # three of twelve reach it
    photos, good = here / "photos", here / "photos" / "good"

    def act(handle):
        there = {path: (photos / path).exists() for path in expected}
        assert there == {path: value < limit for path, value in expected.items()}
        colour = Image.open(next(good.glob(f"{max(expected.values()):.3f}_*"))).getpixel((0, 0))
        for size, name in enumerate(("new.png", "twin.png"), 20):
            make_image(photos / name, colour, (size, size))
        (photos / "new.txt").write_text("a caption")
        assert handle(["new.png", min(expected, key=expected.get)]) == {}
        assert handle(["twin.png", *(f"good/{path.name}" for path in good.glob("*.png"))]) == {}

    watching(act, f"--minimum_score={limit}", "--move_to=photos/good")
    table = rows(good / "scores.csv")
    assert list(table[0]) == ["relative_path", "source", "model_score", "percentile"]
    assert [row["source"] for row in table][3:] == ["new.png", "twin.png"]
    assert [path.name for path in good.glob("scores*")] == ["scores.csv"]
    assert {path.name for path in good.glob("*.png")} == {row["relative_path"] for row in table}
    assert f"{max(expected.values()):.3f}_new.txt" in {path.name for path in good.iterdir()}
    assert not (photos / "new.png").exists()


def test_what_was_half_written_of_a_table_is_ended_before_more_is_added(here, watching):
    watching(lambda handle: None, "--copy_to=good")
    table = here / "good" / "scores.csv"
    table.write_bytes(table.read_bytes() + b"half")
    make_image(here / "photos" / "new.png")
    watching(lambda handle: handle(["new.png"]), "--copy_to=good")
    assert table.read_text().splitlines()[-1].split(",")[1] == "new.png"
    assert len(list((here / "good").glob("*.png"))) == 13


def test_an_outfile_that_was_taken_away_begins_with_its_head_again(here, watching):
    def act(handle):
        (here / "out.csv").unlink()
        for name in ("new.png", "newer.png"):
            make_image(here / "photos" / name)
            handle([name])

    watching(act, "-o", "out.csv")
    assert [row["relative_path"] for row in rows(here / "out.csv")] == ["new.png", "newer.png"]


def test_ranks_of_images_that_come_are_nobodys(here, watching):
    with pytest.raises(errors.UserError, match=r"--filename_format=.*no \{rank\}"):
        watching(None, "--copy_to=good", "--filename_format={rank}_{name}")


def test_a_page_is_kept_up_to_date_while_images_come_and_go(here, watching):
    def shown():
        text = (here / "new.html").read_text(encoding="utf-8")
        return json.loads(re.search(r'id="about">(.*?)</script>', text)[1])

    def act(handle):
        assert (len(shown()["paths"]), shown()["reload"]) == (12, True)
        (here / "photos" / "0000.png").unlink()
        make_image(here / "photos" / "0002.png", (0, 0, 0))
        make_image(here / "photos" / "new.png")
        assert handle(["0002.png", "new.png"]) == {}
        assert set(shown()["paths"]) == {*expected_scores(here)}
        assert len(list((here / "new.thumbnails").iterdir())) == 12
        assert dict(zip(shown()["paths"], shown()["scores"], strict=True)) == pytest.approx(
            expected_scores(here), abs=1e-4
        )

    watching(act, "--gallery=new.html")


def test_watching_an_empty_folder_begins_with_an_empty_table(here, capsys, monkeypatch):
    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("src.scoring.watch.Watch.step", stop)
    (here / "empty").mkdir()
    _, notes = score(capsys, "-d", "empty", "-m", "photos/model.safetensors", "-o", "out.csv", "--watch")
    assert (here / "out.csv").read_text() == "relative_path,model_score,percentile\n"
    assert notes.endswith("Watching empty; Ctrl-C stops.\nmodel_score  percentile  relative_path\nStopped.\n")


def test_the_page_shows_the_chosen_and_a_list_of_the_picked_copies_those(here, capsys):
    out, _ = score(capsys, "--gallery=new.html", "--top=5")
    assert f"5 images, best first: {here / 'new.html'}" in out
    about = json.loads(re.search(r'id="about">(.*?)</script>', (here / "new.html").read_text(encoding="utf-8"))[1])
    expected = expected_scores(here)
    assert about["paths"] == sorted(expected, key=expected.get, reverse=True)[:5]
    assert about["images"] == "photos/"
    (here / "picked.txt").write_text("\n".join(about["paths"][1:3]), encoding="utf-8")
    out, _ = score(capsys, "--list=picked.txt", "--copy_to=picked", "--filename_format={name}")
    assert {path.name for path in (here / "picked").glob("*.png")} == {
        Path(path).name for path in about["paths"][1:3]
    }
    assert "2 images copied" in out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--gallery=new.txt"], "a page ends with .html"),
        (["--gallery=none/new.html"], "there is no folder"),
        (["--gallery=new.html", "--move_to=best"], "--gallery shows images where they are"),
        (["--list=none.txt"], "--list=none.txt: can't be read"),
        (["--list=none.txt", "--watch"], "--list needs all images to be there"),
    ],
)
def test_a_page_or_list_that_can_not_be_is_refused_before_anything_is_scored(here, capsys, words, said):
    with pytest.raises(errors.UserError, match=re.escape(said)):
        score(capsys, *words)


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_shards_put_together_are_what_one_process_writes(here, capsys, suffix):
    Path("photos/000 broken.png").write_bytes(b"no image")
    score(capsys, "-o", f"whole{suffix}")
    for number in (3, 1, 2):
        score(capsys, "-o", f"out{suffix}", f"--shard={number}/3")
    out, _ = score(capsys, "-o", f"out{suffix}", "--merge")
    assert out == f"out{suffix}: 12 rows of 3 shards; 1 image could not be read.\n"
    if suffix == ".csv":
        whole, merged = rows(Path("whole.csv")), rows(Path("out.csv"))
    else:
        import pyarrow.parquet

        whole, merged = (pyarrow.parquet.read_table(f"{name}.parquet").to_pylist() for name in ("whole", "out"))
    assert [row["relative_path"] for row in merged] == [row["relative_path"] for row in whole]
    for name in ("model_score", "percentile"):  # networks round otherwise in batches of other sizes
        assert [float(row[name]) for row in merged] == pytest.approx([float(row[name]) for row in whole], abs=1e-2)


def test_a_shard_that_is_there_is_not_scored_again_and_one_may_be_empty(here, capsys, monkeypatch):
    for number in range(1, 41):  # 12 images: some have none
        score(capsys, "-o", "out.csv", f"--shard={number}/40")
    monkeypatch.setattr(scoring, "load_models", lambda *_: pytest.fail("a model was loaded"))
    out, _ = score(capsys, "-o", "out.csv", "--shard=1/40")
    assert out == "out.shard-1-of-40.csv is there already, with all that --shard=1/40 asks for.\n"
    assert score(capsys, "-o", "out.csv", "--merge")[0].startswith("out.csv: 12 rows of 40 shards")


def test_shards_of_a_list_are_what_the_list_names(here, capsys):
    names = [path.relative_to("photos").as_posix() for path in Path("photos").rglob("*.png")][:7]
    Path("list.csv").write_text(
        "n,relative_path\n" + "".join(f"1,{name}\n" for name in [*names, names[0], "gone.png"])
    )
    for number in (1, 2):
        score(capsys, "-o", "out.csv", "--list=list.csv", f"--shard={number}/2")
    score(capsys, "-o", "out.csv", "--merge")
    assert [row["relative_path"] for row in rows(Path("out.csv"))] == sorted(names)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--shard=1/2", "-o", "out.json"], "--shard: needs an --outfile that ends with .csv or .parquet"),
        (["--shard=1/2"], "--shard does nothing without --outfile"),
        (["--shard=1/2", "-o", "out.csv", "--top=3"], "--top needs all images, and --shard=1/2 knows its own"),
        (["--shard=3/2", "-o", "out.csv"], "--shard=3/2: must be a part and their number, such as 1/64"),
        (["--merge"], "--merge does nothing without --outfile"),
    ],
)
def test_what_shards_can_not_do_is_said(here, capsys, words, message):
    with pytest.raises(UserError, match=re.escape(message)):
        score(capsys, *words)


def test_archives_are_scored_where_they_are_and_stay_there(here, capsys):
    shutil.make_archive("more", "zip", "photos", "more")
    Path("more.zip").rename("photos/more.zip")
    score(capsys, "-o", "out.csv", "--archives")
    found = {row["relative_path"]: row["model_score"] for row in rows(Path("out.csv"))}
    assert len(found) == 12 + 6
    assert found["more.zip/more/0001.png"] == found["more/0001.png"]
    with pytest.raises(UserError, match=r"--copy_to: more.zip/more/0001.png is in an archive or a store"):
        score(capsys, "--archives", "--copy_to=best")


def test_a_remote_folder_is_scored_into_a_remote_file(here, capsys):
    fsspec = pytest.importorskip("fsspec", reason="fsspec is not installed")
    system = fsspec.filesystem("memory")
    system.put("photos", "/photos", recursive=True)
    model = Path("photos/model.safetensors").resolve()
    words = [SCORE, "-d", "memory://photos", f"--modelpath={model}", "-o", "memory://results/scores.csv"]
    sys.argv = words
    script.main()
    assert "Scores are in memory://results/scores.csv\n" in capsys.readouterr().err
    remote = list(csv.DictReader(io.StringIO(system.cat_file("/results/scores.csv").decode())))
    score(capsys, "-o", "here.csv")
    known = {row["relative_path"]: float(row["model_score"]) for row in rows(Path("here.csv"))}
    found = {row["relative_path"].removeprefix("memory:///photos/"): float(row["model_score"]) for row in remote}
    assert found == pytest.approx(known, abs=1e-4)
    Path("list.txt").write_text("\n".join(row["relative_path"] for row in remote), encoding="utf-8")
    _, notes = score(capsys, "--list=list.txt", "-o", "here.csv")
    assert "here.csv" in notes
    assert "Next, to copy" not in notes  # it would be refused
    for more, message in (
        (["--shard=1/2"], "shards, --watch and --engine=ray need a folder of this machine"),
        (["-o", "memory://results/scores.txt"], "memory://results/scores.txt: must end with .csv, .json or .parquet"),
        (
            ["--list=s3://bucket/list.txt"],
            "s3://bucket/list.txt: is an address, and a list is a file of this machine",
        ),
    ):
        sys.argv = [*words, *more]
        with pytest.raises(UserError, match=message):
            script.main()
    sys.argv = [SCORE, "--merge", "-o", "memory://results/scores.csv"]
    with pytest.raises(UserError, match="--merge puts files of this machine together"):
        script.main()
