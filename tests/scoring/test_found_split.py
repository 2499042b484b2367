"""Which images count as seen by the models."""

import json
from dataclasses import replace

import numpy as np
import pytest

from src.common.errors import UserError
from src.scores.scorefile import read_scorefile
from src.scores.settings import SplitSettings
from src.scores.split import assign_split
from src.scoring.found_split import find_split, read_split
from src.scoring.model_scores import ModelScores
from src.scoring.settings import LookSettings


@pytest.fixture
def table(tmp_path):
    rows = "".join(f"{number:02}.png,{number}\n" for number in range(40))
    (tmp_path / "scores.csv").write_text("relative_path,score\n" + rows, encoding="utf-8")
    return read_scorefile(tmp_path / "scores.csv")


def model(table, **metadata):
    about = {"n_images": "40", "fraction_for_eval": "0.25", "fraction_for_test": "0.1", **metadata}
    return ModelScores("m", table.scores, table.scores, metadata=about)


def test_the_split_is_the_one_the_models_training_drew_whatever_the_arguments_say(table, tmp_path):
    split, said = find_split(tmp_path, table, [model(table, eval_pick_seed="5")], LookSettings())
    assert split.tolist() == assign_split(table.paths, table.splits, 0.25, 0.1, 5).tolist()
    assert said == "The split is drawn as in training"


def test_what_any_of_several_models_trained_on_is_train(table, tmp_path):
    both = [model(table, eval_pick_seed="5"), model(table, eval_pick_seed="6")]
    split, _ = find_split(tmp_path, table, both, LookSettings())
    drawn = [assign_split(table.paths, table.splits, 0.25, 0.1, seed) for seed in (5, 6)]
    assert set(np.flatnonzero(split == "train")) == set(np.flatnonzero((drawn[0] == "train") | (drawn[1] == "train")))


def test_how_several_splits_become_one_is_said(table, tmp_path):
    first, second = model(table, eval_pick_seed="5"), model(table, fraction_for_eval="0", fraction_for_test="0.35")
    first = replace(first, name="first")
    second = replace(second, name="second", metadata={**second.metadata, "eval_pick_seed": "5"})
    split, said = find_split(tmp_path, table, [first, second], LookSettings())
    own = [assign_split(table.paths, table.splits, *shares, 5) for shares in ((0.25, 0.1), (0.0, 0.35))]
    seen, tested = (own[0] == "train") | (own[1] == "train"), (own[0] == "eval") & (own[1] == "test")
    assert np.array_equal(split == "eval", ~seen & (own[0] == "eval"))
    assert np.array_equal(split == "test", ~seen & (own[0] == "test"))
    assert tested.any()
    assert "counts as train if any model trained on it, else as eval if any was chosen on it, else as test" in said
    assert f"(of {(split == 'eval').sum()} eval images {tested.sum()} are of the test split of second)" in said
    assert find_split(tmp_path, table, [first, first], LookSettings())[1] == "The split is drawn as in training"


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
        split, said = find_split(tmp_path, table, [model(table, **about)], LookSettings())
        assert (split.tolist(), said) == column
    drawn = assign_split(table.paths, table.splits, 0.25, 0.1, 5, ignore_existing=True)
    anew = model(table, ignore_existing_split="True", eval_pick_seed="5")
    split, said = find_split(tmp_path, table, [anew], LookSettings())
    assert (split.tolist(), said) == (drawn.tolist(), "The split is drawn as in training")
    split, _ = find_split(tmp_path, table, [model(table), anew], LookSettings())
    assert np.array_equal(split == "train", (np.array(table.splits) == "train") | (drawn == "train"))
    folds = model(table, folds="5", test_images=json.dumps(["01.png", "30.png"]))
    split, _ = find_split(tmp_path, table, [folds], LookSettings())
    assert np.flatnonzero(split == "test").tolist() == [1, 30]
    assert (split == "train").sum() == 38


def test_the_option_counts_for_scores_that_say_nothing_of_their_training(split_table, tmp_path):
    table = split_table("note")
    unknown = ModelScores("file", table.scores, table.scores)
    assert find_split(tmp_path, table, [unknown], LookSettings())[0].tolist() == table.splits
    ignoring = LookSettings(drawn=SplitSettings(ignore_existing_split=True))
    drawn = assign_split(table.paths, table.splits, 0.25, 0.0, 42, ignore_existing=True)
    assert find_split(tmp_path, table, [unknown], ignoring)[0].tolist() == drawn.tolist()


def test_the_savefile_of_a_training_that_drew_anew_holds_the_split_that_was_used(split_table, tmp_path):
    table = split_table("model_score")
    about = {"ignore_existing_split": "True", "eval_pick_seed": "5", "n_images": "50"}
    own = np.arange(40.0) + 100 * (np.arange(40) == 7)
    for scores, is_own in ((own, True), (own + 1e-4, True), (table.scores, False)):
        split, said = find_split(tmp_path, table, [replace(model(table, **about), scores=scores)], LookSettings())
        assert (split.tolist() == table.splits) == is_own
        assert ("column" in said) == is_own


def test_a_doubt_about_the_split_is_said(table, tmp_path):
    _, said = find_split(tmp_path, table, [model(table, n_images="50")], LookSettings())
    assert "trained with 50 images and now there are 40" in said
    _, said = find_split(tmp_path, table, [ModelScores("file", table.scores, table.scores)], LookSettings())
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


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (
            '{"train": ["00.png"], "eval": ["01.png", "./00.png"]}',
            "00.png is in train and in eval; take it out of one",
        ),
        ('{"train": ["00.png"], "test": ["01.png"], "train": ["01.png"]}', "01.png is in test and in train"),
        ('{"00.png": "train", "01.png": "eval", "00.png": "test"}', "00.png is in train and in test"),
        (
            "relative_path,split\n00.png,train\nsub/../00.png,train\n.\\00.png,eval\n",
            "00.png is in train and in eval",
        ),
        ('{"train": [["00.png"]]}', "is no image's name; each split is a list of names"),
        ('{"train":' * 100_000, r"s\.json: not a score file \(nested too deeply"),
        ("[" * 100_000, "nested too deeply"),
        ("{}", "names no image"),
        ("", "empty"),
    ],
)
def test_a_split_file_that_contradicts_itself_or_is_none_is_refused(tmp_path, content, said):
    (tmp_path / "s.json").write_text(content, encoding="utf-8")
    with pytest.raises(UserError, match=said):
        read_split(tmp_path / "s.json", ["00.png", "01.png"])


def test_an_image_may_stand_in_one_split_twice(tmp_path):
    (tmp_path / "s.json").write_text('{"train": ["00.png", "./00.png"], "eval": []}', encoding="utf-8")
    assert read_split(tmp_path / "s.json", ["00.png"]).tolist() == ["train"]


def test_a_wrong_split_is_said(tmp_path):
    (tmp_path / "s.json").write_text('{"00.png": "evil"}', encoding="utf-8")
    with pytest.raises(UserError, match="there is a split 'evil'; a split is one of train, eval, test"):
        read_split(tmp_path / "s.json", ["00.png"])
    (tmp_path / "s.json").write_text('{"other.png": "eval"}', encoding="utf-8")
    with pytest.raises(UserError, match="names none of the 1 images"):
        read_split(tmp_path / "s.json", ["00.png"])
