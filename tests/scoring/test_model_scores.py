"""Model scores beside scores, what is left out, and which images count as seen."""

import argparse
import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from src.common.errors import UserError
from src.features.feature_cache import FeatureCache
from src.model.config import PredictorConfig
from src.model.file import save_predictor
from src.model.network import Predictor
from src.scores.scorefile import read_scorefile
from src.scores.split import assign_split
from src.scoring.model_scores import (
    ModelScores,
    find_split,
    keep_scored,
    read_model_scores,
    read_split,
    score_with,
    score_with_all,
)
from src.scoring.models import load_models
from tests.toys import ToyExtractor, make_gallery

ARGUMENTS = argparse.Namespace(
    seed=42,
    eval_pick_seed=None,
    fraction_for_eval=0.25,
    fraction_for_test=0.0,
    ignore_existing_split=False,
    split=None,
)


@pytest.fixture
def table(tmp_path):
    rows = "".join(f"{number:02}.png,{number}\n" for number in range(40))
    (tmp_path / "scores.csv").write_text("relative_path,score\n" + rows, encoding="utf-8")
    return read_scorefile(tmp_path / "scores.csv")


def model(table, **metadata):
    about = {"n_images": "40", "fraction_for_eval": "0.25", "fraction_for_test": "0.1", **metadata}
    return ModelScores("m", table.scores, table.scores, metadata=about)


def test_the_split_is_the_one_the_models_training_drew_whatever_the_arguments_say(table, tmp_path):
    split, said = find_split(ARGUMENTS, tmp_path, table, [model(table, eval_pick_seed="5")])
    assert split.tolist() == assign_split(table.paths, table.splits, 0.25, 0.1, 5).tolist()
    assert said == "The split is drawn as in training"


def test_what_any_of_several_models_trained_on_is_train(table, tmp_path):
    both = [model(table, eval_pick_seed="5"), model(table, eval_pick_seed="6")]
    split, _ = find_split(ARGUMENTS, tmp_path, table, both)
    drawn = [assign_split(table.paths, table.splits, 0.25, 0.1, seed) for seed in (5, 6)]
    assert set(np.flatnonzero(split == "train")) == set(np.flatnonzero((drawn[0] == "train") | (drawn[1] == "train")))


def test_how_several_splits_become_one_is_said(table, tmp_path):
    first, second = model(table, eval_pick_seed="5"), model(table, fraction_for_eval="0", fraction_for_test="0.35")
    first = replace(first, name="first")
    second = replace(second, name="second", metadata={**second.metadata, "eval_pick_seed": "5"})
    split, said = find_split(ARGUMENTS, tmp_path, table, [first, second])
    own = [assign_split(table.paths, table.splits, *shares, 5) for shares in ((0.25, 0.1), (0.0, 0.35))]
    seen, tested = (own[0] == "train") | (own[1] == "train"), (own[0] == "eval") & (own[1] == "test")
    assert np.array_equal(split == "eval", ~seen & (own[0] == "eval"))
    assert np.array_equal(split == "test", ~seen & (own[0] == "test"))
    assert tested.any()
    assert "counts as train if any model trained on it, else as eval if any was chosen on it, else as test" in said
    assert f"(of {(split == 'eval').sum()} eval images {tested.sum()} are of the test split of second)" in said
    assert find_split(ARGUMENTS, tmp_path, table, [first, first])[1] == "The split is drawn as in training"


@pytest.fixture
def split_table(tmp_path):
    """40 images, all with a split, and a function that gives the same as a savefile of training."""
    words = ["eval" if number < 10 else "train" for number in range(40)]

    def make(column, words=words):
        rows = "".join(f"{n:02}.png,{n},{n + 100 * (n == 7)},{word}\n" for n, word in enumerate(words))
        (tmp_path / "scores.csv").write_text(f"relative_path,score,{column},split\n" + rows, encoding="utf-8")
        return read_scorefile(tmp_path / "scores.csv")

    return make


def test_the_column_is_not_taken_for_the_split_of_models_that_were_trained_by_another(split_table, tmp_path):
    table = split_table("note")
    column = (table.splits, "The split is the column of scores.csv")
    for about in ({}, {"ignore_existing_split": "False"}):
        split, said = find_split(ARGUMENTS, tmp_path, table, [model(table, **about)])
        assert (split.tolist(), said) == column
    drawn = assign_split(table.paths, table.splits, 0.25, 0.1, 5, ignore_existing=True)
    anew = model(table, ignore_existing_split="True", eval_pick_seed="5")
    split, said = find_split(ARGUMENTS, tmp_path, table, [anew])
    assert (split.tolist(), said) == (drawn.tolist(), "The split is drawn as in training")
    split, _ = find_split(ARGUMENTS, tmp_path, table, [model(table), anew])
    assert np.array_equal(split == "train", (np.array(table.splits) == "train") | (drawn == "train"))
    folds = model(table, folds="5", test_images=json.dumps(["01.png", "30.png"]))
    split, _ = find_split(ARGUMENTS, tmp_path, table, [folds])
    assert np.flatnonzero(split == "test").tolist() == [1, 30]
    assert (split == "train").sum() == 38


def test_the_option_counts_for_scores_that_say_nothing_of_their_training(split_table, tmp_path):
    table = split_table("note")
    unknown = ModelScores("file", table.scores, table.scores)
    assert find_split(ARGUMENTS, tmp_path, table, [unknown])[0].tolist() == table.splits
    ignoring = argparse.Namespace(**{**vars(ARGUMENTS), "ignore_existing_split": True})
    drawn = assign_split(table.paths, table.splits, 0.25, 0.0, 42, ignore_existing=True)
    assert find_split(ignoring, tmp_path, table, [unknown])[0].tolist() == drawn.tolist()


def test_the_savefile_of_a_training_that_drew_anew_holds_the_split_that_was_used(split_table, tmp_path):
    table = split_table("model_score")
    about = {"ignore_existing_split": "True", "eval_pick_seed": "5", "n_images": "50"}
    own = np.arange(40.0) + 100 * (np.arange(40) == 7)
    for scores, is_own in ((own, True), (own + 1e-4, True), (table.scores, False)):
        split, said = find_split(ARGUMENTS, tmp_path, table, [replace(model(table, **about), scores=scores)])
        assert (split.tolist() == table.splits) == is_own
        assert ("column" in said) == is_own


def test_a_doubt_about_the_split_is_said(table, tmp_path):
    _, said = find_split(ARGUMENTS, tmp_path, table, [model(table, n_images="50")])
    assert "trained with 50 images and now there are 40" in said
    _, said = find_split(ARGUMENTS, tmp_path, table, [ModelScores("file", table.scores, table.scores)])
    assert "as far as is known" in said


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.json", json.dumps({"train": ["01.png"], "eval": ["00.png", "02.png"]})),
        ("b.json", json.dumps({"01.png": "train", "00.png": "eval", "02.png": "Eval"})),
        (
            "c.json",
            json.dumps({"01.png": {"split": "train"}, "00.png": {"split": "eval"}, "02.png": {"split": "eval"}}),
        ),
        ("d.csv", "relative_path,split\n01.png,train\n00.png,eval\n02.png,eval\n"),
    ],
)
def test_a_split_file_has_several_forms(tmp_path, name, content):
    (tmp_path / name).write_text(content, encoding="utf-8")
    assert read_split(tmp_path / name, ["00.png", "01.png", "02.png", "03.png"]).tolist() == [
        "eval",
        "train",
        "eval",
        "",
    ]


def test_a_wrong_split_is_said(tmp_path):
    (tmp_path / "s.json").write_text('{"00.png": "evil"}', encoding="utf-8")
    with pytest.raises(UserError, match="there is a split 'evil'; a split is one of train, eval, test"):
        read_split(tmp_path / "s.json", ["00.png"])
    (tmp_path / "s.json").write_text('{"other.png": "eval"}', encoding="utf-8")
    with pytest.raises(UserError, match="names none of the 1 images"):
        read_split(tmp_path / "s.json", ["00.png"])


def test_model_scores_are_used_only_where_no_model_is_named(table, tmp_path, capsys):
    (tmp_path / "model.safetensors").write_bytes(b"no model")
    (tmp_path / "a.csv").write_text("relative_path,score\n" + "05.png,7\n", encoding="utf-8")
    cache = FeatureCache(tmp_path / "cache")
    given = argparse.Namespace(modelpath=[], model=[], model_scores="a.csv", device="cpu", extract_batch_size=4)
    [found] = score_with_all(given, tmp_path, table, cache)
    assert (found.name, np.flatnonzero(~np.isnan(found.scores)).tolist(), found.scores[5]) == ("a", [5], 7)
    for change in ({"model_scores": None}, {"model": ["model.safetensors"]}):
        with pytest.raises(UserError, match=r"model\.safetensors"):
            score_with_all(argparse.Namespace(**{**vars(given), **change}), tmp_path, table, cache)
    assert capsys.readouterr().err == "note: --model_scores=a.csv is left out, as a --model is given\n"


@pytest.mark.parametrize("name", ["model_scores.csv", "scores_of_a_model.csv"])
def test_what_is_wrong_with_model_scores_is_said_whatever_the_file_is_called(table, tmp_path, name):
    (tmp_path / name).write_text("relative_path,rating\n00.png,3\n", encoding="utf-8")
    with pytest.raises(UserError, match="no column 'score'; it has relative_path, rating"):
        read_model_scores(tmp_path / name, table.paths)
    (tmp_path / name).write_text("relative_path,score\n00.png,3\n", encoding="utf-8")
    assert read_model_scores(tmp_path / name, table.paths).scores[0] == 3
    (tmp_path / name).write_bytes(b"\0")
    with pytest.raises(UserError, match="not a text file"):
        read_model_scores(tmp_path / name, table.paths)


@pytest.fixture
def toy(tmp_path, monkeypatch):
    """Eight images, the third broken, and a model file of the toy extractor."""
    paths = make_gallery(tmp_path / "photos", 8)
    (tmp_path / "photos" / paths[2]).write_bytes(b"broken")
    monkeypatch.setattr("src.scoring.models.load_extractor", lambda *_: ToyExtractor())
    torch.manual_seed(0)
    identity = ToyExtractor().identity
    config = PredictorConfig("toy", (0,), "join", (3,), (4, 4), extractor_identity=identity)
    save_predictor(tmp_path / "m.safetensors", Predictor(config), {})
    return tmp_path, paths, FeatureCache(tmp_path / "cache")


def test_an_image_that_cannot_be_read_is_left_out_with_its_reason(toy):
    folder, paths, cache = toy
    [model] = load_models([folder / "m.safetensors"], [], "cpu")
    found = score_with(model, folder / "photos", paths, cache, 4)
    assert np.isnan(found.scores).tolist() == [place == 2 for place in range(8)]
    rows = "".join(f"{path},1\n" for path in paths)
    (folder / "s.csv").write_text("relative_path,score\n" + rows, encoding="utf-8")
    table, kept, notes = keep_scored(read_scorefile(folder / "s.csv"), [found])
    assert table.paths == [path for place, path in enumerate(paths) if place != 2]
    assert len(kept[0].scores) == len(kept[0].inputs) == 7
    assert kept[0].scores == pytest.approx(model.predictor.predict(torch.from_numpy(kept[0].inputs))[0])
    assert paths[2] in notes[0]
    assert "not an image" in notes[0]
