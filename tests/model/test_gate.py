"""Two stages: training behind a filter, and scoring with the gate."""

import argparse
import sys

import numpy as np
import pytest

import aesthetic_score_from_model as scoring_script
from src.common import errors
from src.features.feature_cache import FeatureCache
from src.model.file import load_predictor
from src.model.gate import Filter, about_filter, find_filter
from src.options.option import SCORE
from src.scores.scorefile import read_scorefile
from src.scoring.found_split import find_split
from src.scoring.model_scores import score_with
from src.scoring.models import load_models
from src.scoring.settings import LookSettings, ScoringSettings
from tests.scripts.test_score_script import make_model
from tests.training import make_photos, read_rows, train, use_toys

pytestmark = pytest.mark.script


@pytest.fixture
def here(tmp_path, monkeypatch):
    """60 images and a first model."""
    make_photos(tmp_path)
    make_model(tmp_path / "photos" / "first.safetensors", channels=2)
    monkeypatch.chdir(tmp_path)
    use_toys(monkeypatch)
    return tmp_path


def score(monkeypatch, capsys, *words, code=0):
    """Rows of the outfile, and the notes; or the error."""
    monkeypatch.setattr(sys, "argv", [SCORE, "-d", "photos", "-o", "out.csv", *words])
    capsys.readouterr()
    if code:
        with pytest.raises(SystemExit) as end:
            errors.run(scoring_script.main)
        assert end.value.code == code
        return [], capsys.readouterr().err
    scoring_script.main()
    return read_rows(scoring_script.Path("out.csv")), capsys.readouterr().err


def scores_of(here, model):
    paths = sorted(p.relative_to(here / "photos").as_posix() for p in (here / "photos").rglob("*.png"))
    cache = FeatureCache(here / "photos" / ".aesthetic_cache")
    (loaded,) = load_models([here / "photos" / model], ScoringSettings(gate=False, device="cpu"))
    found = score_with(loaded, here / "photos", paths, cache, 16)
    return dict(zip(paths, found.scores.tolist(), strict=True)), dict(zip(paths, found.errors.tolist(), strict=True))


BEHIND = ("--filter_model=first.safetensors", "--model=second.safetensors", "--fraction_for_test=0.2")


def test_only_what_the_filter_passes_is_trained_on_and_the_split_is_that_of_the_first_model(
    here, monkeypatch, capsys
):
    train(monkeypatch, capsys, "--fraction_for_test=0.2", "--savefile=all.csv", "--model=other.safetensors")
    first, _ = scores_of(here, "first.safetensors")
    threshold = float(np.median(list(first.values())))
    output = train(monkeypatch, capsys, *BEHIND, f"--filter_threshold={threshold!r}", "--savefile=behind.csv")
    passed = {path for path, value in first.items() if value >= threshold}
    assert f"{len(passed)} of 60 images pass" in output
    without_filter = {row["relative_path"]: row["split"] for row in read_rows(here / "photos" / "all.csv")}
    split = {r["relative_path"]: r["split"] for r in read_rows(here / "photos" / "behind.csv") if r["split"]}
    assert split == {path: without_filter[path] for path in passed}
    _, metadata = load_predictor(here / "photos" / "second.safetensors")
    assert metadata["filter_model"] == "first.safetensors"
    assert float(metadata["filter_threshold"]) == threshold
    assert (metadata["n_images"], metadata["filter_images"]) == (str(len(passed)), "60")

    # The analysis of all images finds the same split, without a doubt.
    table = read_scorefile(here / "photos" / "scores.csv")
    model = argparse.Namespace(metadata=metadata, name="second")
    found, said = find_split(here, table, [model], LookSettings())
    assert dict(zip(table.paths, found.tolist(), strict=True)) == without_filter
    assert said == "The split is drawn as in training"


def test_with_folds_groups_stay_whole_behind_the_filter_too(here, monkeypatch, capsys):
    theme = [number // 6 for number in range(60)]
    make_photos(here, theme=theme)
    first, _ = scores_of(here, "first.safetensors")
    threshold = sorted(first.values())[15]
    options = ("--folds=3", "--group_column=theme", "--savefile=behind.csv", f"--filter_threshold={threshold!r}")
    train(monkeypatch, capsys, *BEHIND, *options)
    rows = [row for row in read_rows(here / "photos" / "behind.csv") if row["split"]]
    assert len(rows) == 45
    splits = {name: {row["theme"] for row in rows if row["split"] == name} for name in ("test", "train")}
    assert splits["test"]
    assert not splits["test"] & splits["train"]
    # As without a filter, so that what the first model was not trained on tests the second.
    train(monkeypatch, capsys, *options[:2], "--fraction_for_test=0.2", "--savefile=all.csv")
    without_filter = {row["relative_path"]: row["split"] for row in read_rows(here / "photos" / "all.csv")}
    assert all(row["split"] == without_filter[row["relative_path"]] for row in rows)


def test_the_gate_gives_what_fails_the_filters_score_and_error(here, monkeypatch, capsys):
    threshold = float(np.median(list(scores_of(here, "first.safetensors")[0].values())))
    train(monkeypatch, capsys, *BEHIND, f"--filter_threshold={threshold!r}", "--loss_model=nll")
    (first, first_errors), (second, errors_) = (scores_of(here, f"{m}.safetensors") for m in ("first", "second"))
    written, notes = score(monkeypatch, capsys, "-m", "second.safetensors")
    assert list(written[0])[1:] == ["model_score", "percentile", "error", "filter_score", "passes"]
    for row in written:
        path = row["relative_path"]
        fails = first[path] < threshold
        assert float(row["model_score"]) == pytest.approx(first[path] if fails else second[path], abs=1e-5)
        assert float(row["error"]) == pytest.approx(first_errors[path] if fails else errors_[path], abs=1e-5)
        assert float(row["filter_score"]) == pytest.approx(first[path], abs=1e-5)
        assert row["passes"] == str(int(not fails))
    assert f"{sum(value < threshold for value in first.values())} of 60 images fail photos/first" in notes.replace(
        str(here.resolve()) + "/", ""
    ).replace("\\", "/")
    written, notes = score(monkeypatch, capsys, "-m", "second.safetensors", "--gate=off")
    assert "filter_score" not in written[0]
    assert [float(row["model_score"]) for row in written] == pytest.approx(list(second.values()), abs=1e-5)
    assert " fail " not in notes  # the path of the next command has the name of this test


def test_what_fails_the_filter_passes_no_threshold_and_other_models_are_as_they_were(here, monkeypatch, capsys):
    first, _ = scores_of(here, "first.safetensors")
    threshold = float(np.median(list(first.values())))
    train(monkeypatch, capsys, *BEHIND, f"--filter_threshold={threshold!r}")
    models = ("-m", "first.safetensors", "-m", "second.safetensors", "--threshold=-100", "--threshold=-100")
    written, _ = score(monkeypatch, capsys, *models, "--only_passed")
    assert {row["relative_path"] for row in written} == {path for path, value in first.items() if value >= threshold}
    written, _ = score(monkeypatch, capsys, *models)
    assert {row["passes_first"] for row in written} == {"1"}
    assert [float(r["model_score_first"]) for r in written] == pytest.approx(list(first.values()), abs=1e-5)
    assert "filter_score_second" in written[0]
    assert "filter_score_first" not in written[0]


def test_the_gate_moves_with_the_folder_and_a_changed_or_missing_filter_is_refused(here, monkeypatch, capsys):
    train(monkeypatch, capsys, *BEHIND, "--filter_threshold=-100")
    (here / "photos").rename(here / "elsewhere")
    (here / "elsewhere").rename(here / "photos")
    second, first = here / "photos" / "second.safetensors", here / "photos" / "first.safetensors"
    (here / "models").mkdir()
    for path in (first, second):
        path.rename(here / "models" / path.name)
    written, _ = score(monkeypatch, capsys, "--model=models/second.safetensors")
    assert len(written) == 60
    make_model(here / "models" / "first.safetensors", seed=5)
    _, said = score(monkeypatch, capsys, "--model=models/second.safetensors", code=2)
    assert (
        "first.safetensors is no longer the same file; put it back, or score without the filter: --gate=off" in said
    )
    (here / "models" / "first.safetensors").unlink()
    _, said = score(monkeypatch, capsys, "--model=models/second.safetensors", code=2)
    assert "was trained on what first.safetensors passes, and there is no " in said
    assert len(score(monkeypatch, capsys, "--model=models/second.safetensors", "--gate=off")[0]) == 60


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--filter_model=first.safetensors",), "--filter_model=FILE and --filter_threshold=SCORE go together"),
        (("--filter_threshold=1",), "--filter_model=FILE and --filter_threshold=SCORE go together"),
        (("--filter_model=no.safetensors", "--filter_threshold=1"), "--filter_model=no.safetensors: no such model"),
        (("--filter_model=first.safetensors", "--filter_threshold=1000"), "no image has that; the highest is "),
        (
            ("--filter_model=first.safetensors", "--filter_threshold=0", "--model=first.safetensors"),
            "training writes that file; give another --model",
        ),
        (
            ("--filter_model=behind.safetensors", "--filter_threshold=0"),
            "was itself trained behind a filter; give the first of the two models",
        ),
    ],
)
def test_what_can_be_no_filter_is_refused(here, monkeypatch, capsys, words, message):
    make_model(here / "photos" / "behind.safetensors", filter_model="first.safetensors")
    assert message in train(monkeypatch, capsys, *words, code=2)


def test_an_image_that_cannot_be_read_is_listed_once(here, monkeypatch, capsys):
    (here / "photos" / "0000.png").write_bytes(b"no image")
    output = train(monkeypatch, capsys, *BEHIND, "--filter_threshold=-100")
    assert output.count("0000.png") == 1
    assert "59 of 59 images pass" in output


def test_a_converted_model_in_another_folder_still_finds_its_filter(here, monkeypatch):
    photos, target = here / "photos", here / "elsewhere" / "copy.safetensors"
    target.parent.mkdir()
    filter_of_it = Filter(photos / "first.safetensors", 0.5)
    make_model(photos / "second.safetensors", **about_filter(filter_of_it, photos / "second.safetensors"))
    monkeypatch.setattr(sys, "argv", [SCORE, "-m", "photos/second.safetensors", f"--convert={target}"])
    scoring_script.main()
    metadata = load_predictor(target)[1]
    assert metadata["filter_model"] == "../photos/first.safetensors"
    assert find_filter(target, metadata).path.samefile(photos / "first.safetensors")


def test_a_threshold_that_is_no_number_is_refused(here):
    path = here / "photos" / "first.safetensors"
    about = about_filter(Filter(path, 0.5), here / "photos" / "second.safetensors")
    assert find_filter(here / "photos" / "x.safetensors", {**about, "filter_threshold": "0.5"}) == Filter(path, 0.5)
    with pytest.raises(errors.UserError, match="filter_threshold='much', no number; train the model again"):
        find_filter(here / "photos" / "x.safetensors", {**about, "filter_threshold": "much"})
    assert find_filter(path, {}) is None
