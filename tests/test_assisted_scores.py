"""Scores that features assisted say so, wherever a model is measured by them."""

import numpy as np

from src.assisted_scores import assisted_by, caution, column
from src.scorefile import read_scorefile, write_scorefile


def table(folder, text):
    (folder / "scores.csv").write_text(text, encoding="utf-8")
    return read_scorefile(folder / "scores.csv")


def test_only_scored_images_name_the_extractor_and_reading_the_file_again_finds_it(tmp_path):
    scores = table(tmp_path, "relative_path,score\na.png,1\nb.png,2\n")
    new = column(scores, "efficientnet-lite0", np.array([True, False]))
    assert new == {"assisted_by": ["efficientnet-lite0", None]}
    write_scorefile(tmp_path / "scores.csv", scores, new)
    assert (tmp_path / "scores.csv").read_text(encoding="utf-8").splitlines()[1:] == [
        "a.png,1,efficientnet-lite0",
        "b.png,2,",
    ]
    assert assisted_by(read_scorefile(tmp_path / "scores.csv")) == "efficientnet-lite0"


def test_without_assistance_there_is_no_column_and_an_old_one_is_emptied(tmp_path):
    plain = table(tmp_path, "relative_path,score\na.png,1\n")
    assert column(plain, "", np.array([True])) == {}
    assert assisted_by(plain) == ""
    before = table(tmp_path, "relative_path,score,assisted_by\na.png,1,toy\n")
    assert column(before, "", np.array([True])) == {"assisted_by": [None]}


def test_all_extractors_are_named_and_no_caution_is_given_without_one(tmp_path):
    scores = table(tmp_path, "relative_path,score,assisted_by\na.png,1,toy\nb.png,2,clip\nc.png,3,\n")
    assert assisted_by(scores) == "clip, toy"
    assert "features of clip, toy assisted these scores" in caution("clip, toy")
    assert caution("") == ""
