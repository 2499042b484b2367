"""Scores that features assisted say so, wherever a model is measured by them."""

import numpy as np
import pytest
from scipy.stats import norm

from src.report.text import errors_counted_line
from src.scores.assisted import assisted_by, caution, column, errors_counted
from src.scores.scorefile import read_scorefile, write_scorefile


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
    assert "features of clip and toy assisted these scores" in caution(scores)
    assert "errors counted" not in caution(scores)
    together = table(tmp_path, "relative_path,score,assisted_by\na.png,1,efficientnet-lite0__efficientnet-lite2\n")
    assert "features of efficientnet-lite0 and efficientnet-lite2 assisted these scores" in caution(together)
    assert caution(table(tmp_path, "relative_path,score\na.png,1\n")) == ""


def test_with_the_scores_errors_counted_less_agreement_is_left(tmp_path):
    head, names = "relative_path,score,assisted_by,score_error\n", "abcdef"
    text = head + "".join(
        f"{name}.png,{i},toy,{error}\n" for i, (name, error) in enumerate(zip(names, "012222", strict=True))
    )
    scores, model, rows = table(tmp_path, text), np.arange(6.0), np.array([2, 3, 4, 5])
    found = errors_counted(scores, model, rows).expected
    above = norm.cdf(np.arange(4)[:, None] - np.arange(4), scale=np.sqrt(8))
    ranks = np.arange(4) - 1.5
    assert found.spearman == pytest.approx(np.sum(ranks * (above.sum(axis=1) - 2)) / np.sum(ranks**2))
    assert found.ab == pytest.approx(np.mean([above[i, j] for i in range(4) for j in range(i)]))
    assert errors_counted(scores, model, np.arange(2)).expected.spearman == pytest.approx(2 * norm.cdf(1) - 1)
    assert "Go by those with the scores' errors counted" in caution(scores)
    assert errors_counted(scores, np.zeros(6), rows) is None
    for change in (("toy", ""), ("score_error", "other"), (",2\n", ",\n"), (",2\n", ",-1\n")):
        assert errors_counted(table(tmp_path, text.replace(*change)), model, rows) is None, change
    some = errors_counted(table(tmp_path, text.replace("2,toy,2", "2,toy,")), model, rows)
    assert (some.images, some.of) == (3, 4)
    assert some.expected == errors_counted(scores, model, rows[1:]).expected
    assert errors_counted_line(some).endswith("% (3 of 4 images have one)")
