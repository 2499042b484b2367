"""The score file of the A/B scorer: which one is written, and what is in it afterwards."""

import csv

import numpy as np
import pytest

from src.common.errors import UserError
from src.scores.chosen import ChosenScores, chosen_file, is_chosen, write_chosen
from src.scores.scorefile import read_scorefile

NAN = np.nan


def chosen(paths=("a.png", "b.png", "c.png"), scores=(1.0, NAN, -1.0), assisted_by=""):
    return ChosenScores(list(paths), np.array(scores), np.array([0.1, NAN, NAN]), np.array([2, 0, 0]), assisted_by)


def rows(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_the_file_named_is_written_or_the_one_that_is_there_or_a_new_csv(tmp_path):
    assert chosen_file(tmp_path, "mine.csv") == tmp_path / "mine.csv"
    assert chosen_file(tmp_path, None) == tmp_path / "scores.csv"
    (tmp_path / "scores.json").write_text("{}", encoding="utf-8")
    assert chosen_file(tmp_path, None) == tmp_path / "scores.json"


@pytest.mark.parametrize(
    ("name", "said"),
    [("a.txt", r"--scores=a\.txt: must end with"), ("none/a.csv", r"--scores=.*none/a\.csv: there is no")],
)
def test_a_file_that_can_not_be_written_is_refused_at_once(tmp_path, name, said):
    with pytest.raises(UserError, match=said):
        chosen_file(tmp_path, name)


def test_a_new_file_holds_every_image_and_no_score_of_those_that_have_none(tmp_path):
    write_chosen(tmp_path / "scores.csv", "score", chosen())
    assert rows(tmp_path / "scores.csv") == [
        {"relative_path": "a.png", "score": "1.0", "comparisons": "2", "score_error": "0.1"},
        {"relative_path": "b.png", "score": "", "comparisons": "0", "score_error": ""},
        {"relative_path": "c.png", "score": "-1.0", "comparisons": "0", "score_error": ""},
    ]
    assert is_chosen(read_scorefile(tmp_path / "scores.csv"))


def test_what_a_file_held_stays_and_one_that_was_not_ours_is_kept_as_it_was_once(tmp_path, capsys):
    path, text = tmp_path / "scores.csv", "relative_path,liking,note\nc.png,7,third\nelsewhere.png,5,gone\n"
    path.write_text(text, encoding="utf-8")
    assert not is_chosen(read_scorefile(path, "liking"))
    for assisted_by in ("toy", ""):
        write_chosen(path, "liking", chosen(assisted_by=assisted_by))
    assert [(row["relative_path"], row["liking"], row["note"], row["comparisons"]) for row in rows(path)] == [
        ("c.png", "-1.0", "third", "0"),
        ("elsewhere.png", "5", "gone", ""),
        ("a.png", "1.0", "", "2"),
        ("b.png", "", "", "0"),
    ]
    assert {row["assisted_by"] for row in rows(path)} == {""}
    assert (tmp_path / "scores.before_choosing.csv").read_text(encoding="utf-8") == text
    assert capsys.readouterr().out == "What scores.csv held before is kept as scores.before_choosing.csv.\n"
