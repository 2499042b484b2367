"""The score file of the A/B scorer: which one is written, and what is in it afterwards."""

import csv

import numpy as np
import pytest

from src.common.errors import UserError
from src.scores.chosen import ChosenScores, begun_at, chosen_file, is_behind, is_chosen, write_chosen
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


def test_a_persons_stars_stay_beside_the_scores_and_count_for_images_never_compared(tmp_path):
    path = tmp_path / "scores.csv"
    path.write_text(f"File_Name,Stars\n{tmp_path}/c.png,3\n{tmp_path}/a.png,5\n", encoding="utf-8")
    assert is_behind(path, "score", ["a.png", "c.png"], np.array([1, 0]), tmp_path)
    write_chosen(path, "score", chosen(scores=(1.0, NAN, NAN)), tmp_path)
    assert [(row["File_Name"], row["Stars"], row["score"]) for row in rows(path)] == [
        (f"{tmp_path}/c.png", "3", "3"),
        (f"{tmp_path}/a.png", "5", "1.0"),
        ("b.png", "", ""),
    ]
    assert read_scorefile(path, "score", tmp_path).scores.tolist()[:2] == [3, 1]


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


def begun(share, comparisons=(5, 1, 0)):
    names = ["m.safetensors", "m.safetensors", "m.safetensors"]
    numbers = np.array([1.0, 0.5, -1.0]), np.array([0.1, 0.2, NAN]), np.array(comparisons)
    return ChosenScores(["a.png", "b.png", "c.png"], *numbers, "", names, np.array(share))


def test_scores_that_began_at_a_models_are_marked_until_they_are_choice_by_half(tmp_path):
    path = tmp_path / "scores.csv"
    write_chosen(path, "score", begun((0.5, 0.4996, 0.7)))  # the last was never compared, whatever neighbours say
    assert [(row["began_at"], row["choice_share"], row["estimated"]) for row in rows(path)] == [
        ("m.safetensors", "0.5", ""),
        ("m.safetensors", "0.5", "1"),
        ("m.safetensors", "0.7", "1"),
    ]
    assert begun_at(read_scorefile(path)) == ["m.safetensors"] * 3
    write_chosen(path, "score", begun((0.9, 0.9, 0.9), (9, 9, 9)))
    assert [row["estimated"] for row in rows(path)] == ["", "", ""]
    write_chosen(path, "score", chosen())  # by a log in which nothing began at a model's
    assert {(row["began_at"], row["choice_share"], row["estimated"]) for row in rows(path)} == {("", "", "")}


def test_scores_that_the_file_had_of_images_never_compared_stay_as_they_stand_with_their_mark(tmp_path):
    path = tmp_path / "scores.csv"
    write_chosen(path, "score", chosen())
    text = path.read_text(encoding="utf-8").splitlines()
    text = [f"{text[0]},estimated", f"{text[1]},", "b.png,0.2500,0,,1", f"{text[3]},"]
    path.write_text("\n".join(text) + "\n", encoding="utf-8")  # as --update_scores leaves it
    write_chosen(path, "score", chosen())
    assert [(row["score"], row["estimated"]) for row in rows(path)] == [("1.0", ""), ("0.2500", "1"), ("-1.0", "")]
    compared = ChosenScores(["b.png"], np.array([0.7]), np.array([0.1]), np.array([1]), "")
    write_chosen(path, "score", compared)
    assert [(row["score"], row["estimated"]) for row in rows(path)][1] == ("0.7", "")
    undone = ChosenScores(["b.png"], np.array([NAN]), np.array([NAN]), np.array([0]), "")
    write_chosen(path, "score", undone)  # what only an undone choice said doesn't stay
    assert rows(path)[1]["score"] == ""


@pytest.mark.parametrize(("cell", "name"), [("1", "a model"), ("1.0", "a model"), ("", ""), ("0", ""), ("0.0", "")])
def test_an_estimate_of_a_model_that_the_file_does_not_name_is_one_too(tmp_path, cell, name):
    path = tmp_path / "scores.csv"
    path.write_text(f"relative_path,score,estimated\na.png,1,{cell}\n", encoding="utf-8")
    assert begun_at(read_scorefile(path)) == [name]


def test_a_file_is_behind_too_where_it_counts_what_was_taken_back(tmp_path):
    path, names = tmp_path / "scores.csv", ["a.png", "b.png", "c.png"]
    write_chosen(path, "score", chosen())  # 2, 0, 0
    assert is_behind(path, "score", names, np.array([1, 0, 0]), np.array([1, 1, 0]))
    assert is_behind(path, "score", names, np.array([1, 3, 3]), np.array([1, 0, 0]))
    assert not is_behind(path, "score", names, np.array([2, 0, 0]), np.array([1, 1, 0]))
    assert not is_behind(path, "score", names, np.array([0, 0, 0]), np.array([1, 1, 0]))  # another rater's


def test_a_file_is_behind_where_it_counts_fewer_comparisons_and_never_where_it_counts_more(tmp_path):
    path, names = tmp_path / "scores.csv", ["a.png", "b.png", "c.png"]
    assert not is_behind(path, "score", names, np.array([0, 0, 0]))
    assert is_behind(path, "score", names, np.array([1, 1, 0]))
    write_chosen(path, "score", chosen())  # 2, 0, 0
    assert not is_behind(path, "score", names, np.array([2, 0, 0]))
    assert is_behind(path, "score", names, np.array([3, 1, 0]))
    assert not is_behind(path, "score", names, np.array([0, 5, 5]))  # another rater's
    path.write_text("relative_path,score\na.png,1\n", encoding="utf-8")
    assert is_behind(path, "score", names, np.array([1, 1, 0]))
    assert not is_behind(path, "score", names, np.array([0, 0, 0]))
