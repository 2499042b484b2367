"""A model's estimates: trained on, never measured by, and named."""

import numpy as np
import pytest

from src.common.errors import UserError
from src.scores.estimates import estimated, estimates_note
from src.scores.scorefile import read_scorefile
from src.scores.settings import SplitSettings
from src.scores.split import draw_split
from tests.scores.test_folds import natural
from tests.training import make_photos, read_rows, train, use_toys


def table(folder, marks, splits=None):
    splits = splits or [""] * len(marks)
    rows = [f"{i:02}.png,{i},{mark},{split}" for i, (mark, split) in enumerate(zip(marks, splits, strict=True))]
    path = folder / "scores.csv"
    path.write_text("\n".join(["relative_path,score,estimated,split", *rows]) + "\n", encoding="utf-8")
    return read_scorefile(path)


def test_marks_are_read_in_every_spelling(tmp_path):
    marks = ["1", "1.0", "true", "yes", "", "0", "0.0", "False", "no"]
    assert estimated(table(tmp_path, marks)).tolist() == [True] * 4 + [False] * 5


def test_estimates_are_train_and_the_fractions_are_of_the_others(tmp_path):
    scores = table(tmp_path, [""] * 40 + ["1"] * 160)
    split = draw_split(SplitSettings(0.25, 0.25, 7), scores.paths, scores.splits, ~estimated(scores))
    assert (split[40:] == "train").all()
    assert [(split == name).sum() for name in ("eval", "test")] == [10, 10]


def test_an_estimate_is_train_whatever_the_file_says(tmp_path):
    scores = table(tmp_path, ["1", "", "", ""], ["eval", "eval", "train", "test"])
    split = draw_split(SplitSettings(0.25, 0.25), scores.paths, scores.splits, ~estimated(scores))
    assert split.tolist() == ["train", "eval", "train", "test"]


def test_estimates_are_named_and_nothing_else_is_refused(tmp_path):
    assert estimates_note(table(tmp_path, ["", "0"])) == ""
    assert "scores.csv: 1 score estimated by a model" in estimates_note(table(tmp_path, ["", "1"]))
    assert estimates_note(table(tmp_path, ["", "1", "1"])).endswith("in neither eval nor test: 01.png, 02.png")
    with pytest.raises(UserError, match=r"scores\.csv: all 2 scores are a model's own estimates"):
        estimates_note(table(tmp_path, ["1", "1"]))
    assert np.isnan(read_scorefile(tmp_path / "scores.csv").scores).sum() == 0


@pytest.mark.parametrize("words", [(), ("--folds=4",)])
def test_training_says_so_and_measures_by_the_others(tmp_path, monkeypatch, capsys, words):
    monkeypatch.chdir(tmp_path)
    use_toys(monkeypatch)
    make_photos(tmp_path, picture=natural, estimated=[1 if i < 15 else "" for i in range(60)])
    said = train(monkeypatch, capsys, "--savefile=out.csv", "--details", *words)
    assert "scores.csv: 15 scores estimated by a model (column estimated), trained on" in said
    rows = read_rows(tmp_path / "photos" / "out.csv")
    guesses = [row for row in rows if row["estimated"] == "1"]
    assert len(guesses) == 15
    assert {row["split"] for row in guesses} == {"train"}
    if words:
        assert {row["fold"] for row in guesses} == {"-1"}
        assert {row["fold"] for row in rows if row["estimated"] != "1"} == {"0", "1", "2", "3"}
        assert "   45 images" in next(line for line in said.splitlines() if line.startswith("Folds:"))
    else:
        assert sum(row["split"] == "eval" for row in rows) == round(0.25 * 45)
