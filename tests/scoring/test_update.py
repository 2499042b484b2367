"""Filling a score file with estimates."""

import csv
import io
import json

import numpy as np
import pytest

from src.common.errors import UserError
from src.scoring.update import fill, find, fit_rescaling, read_table, write_filled


def test_the_estimate_has_the_mean_and_deviation_of_the_scores():
    rescaling = fit_rescaling(np.array([1.0, 3.0]), np.array([10.0, 30.0]))
    assert rescaling(np.array([10.0, 20.0, 40.0])).tolist() == [1.0, 2.0, 4.0]
    for number in ("2.0000", "1.0000", "20.0000", "10.0000", "0.1000"):
        assert number in str(rescaling)


@pytest.mark.parametrize(
    ("scores", "model", "message"),
    [
        ([1.0], [1.0], "1 image has both"),
        ([2.0, 2.0], [1.0, 2.0], "the scores of the 2 images that have both are all equal"),
        ([1.0, 2.0], [1.0, 1.0], "the model scores of the 2 images that have both are all equal"),
    ],
)
def test_no_scale_is_said(scores, model, message):
    with pytest.raises(UserError, match=message):
        fit_rescaling(np.array(scores), np.array(model))


def test_existing_scores_stay_to_the_letter_and_only_gaps_are_filled(tmp_path):
    path = tmp_path / "scores.csv"
    path.write_text('relative_path,score,note\na.png,1.50,"x, y"\nb.png,,\nc.png,-0.5,\ngone.png,,kept\n', newline="")
    table, problems = read_table(path, "score", ["a.png", "b.png", "c.png", "new.png"])
    model = {"a.png": 3.0, "b.png": 2.0, "c.png": 1.0, "new.png": 5.0}
    scores, estimated, _ = fill(table, model)
    write_filled(tmp_path / "new.csv", table, scores, estimated)
    rows = list(csv.reader(io.StringIO((tmp_path / "new.csv").read_text())))
    assert rows == [
        ["relative_path", "score", "note", "estimated"],
        ["a.png", "1.50", "x, y", ""],
        ["b.png", "0.5", "", "1"],
        ["c.png", "-0.5", "", ""],
        ["gone.png", "", "kept", ""],
        ["new.png", "3.5", "", "1"],
    ]
    assert any("gone.png" in problem for problem in problems)


@pytest.mark.parametrize("scale", [1e-300, 1e-7, 1.0, 1e7, 1e200, 1e300])
@pytest.mark.parametrize("mean", [0.0, 1000.0])
def test_estimates_have_as_many_digits_as_tell_them_apart_on_any_scale(tmp_path, scale, mean):
    scores = {"a.png": (mean + 1) * scale, "b.png": (mean + 2) * scale}
    path = tmp_path / "scores.csv"
    path.write_text("relative_path,score\n" + "".join(f"{name},{score!r}\n" for name, score in scores.items()))
    model = {"a.png": 1.0, "b.png": 2.0, "c.png": 4.0, "d.png": 1.1234567}
    table, _ = read_table(path, "score", list(model))
    filled, estimated, rescaling = fill(table, model)
    write_filled(path, table, filled, estimated)
    written = dict(line.split(",")[:2] for line in path.read_text().splitlines()[1:])
    assert float(written["c.png"]) == pytest.approx((mean + 4) * scale, rel=1e-12)
    assert float(written["d.png"]) / scale - mean == pytest.approx(1.1234567, rel=1e-5)
    assert f"standard deviation {0.5 * scale:.5g}" in str(rescaling) or scale == 1


def test_estimates_beyond_all_numbers_are_refused(tmp_path):
    (tmp_path / "scores.csv").write_text("relative_path,score\na.png,1e307\nb.png,1.7e308\n")
    model = {"a.png": 1.0, "b.png": 2.0, "c.png": 4.0}
    table, _ = read_table(tmp_path / "scores.csv", "score", list(model))
    with pytest.raises(UserError, match=r"estimates .* no number can hold"):
        fill(table, model)


def test_a_second_time_keeps_the_marks_of_the_first(tmp_path):
    path = tmp_path / "scores.json"
    records = {"a.png": {"score": 1}, "b.png": {"score": 2}, "c.png": {}}
    path.write_text(json.dumps({"ImageRecords": records}))
    model = {"a.png": 1.0, "b.png": 2.0, "c.png": 3.0, "d.png": 4.0}
    for images in (["a.png", "b.png", "c.png"], ["a.png", "b.png", "c.png", "d.png"]):
        table, _ = read_table(path, "score", images)
        scores, estimated, _ = fill(table, model)
        write_filled(path, table, scores, estimated)
    written = json.loads(path.read_text())["ImageRecords"]
    assert [written[name]["score"] for name in sorted(written)] == [1, 2, 3.0, 4.0]
    assert [written[name].get("estimated") for name in sorted(written)] == [None, None, 1, 1]


def test_estimates_are_made_anew_and_do_not_count_for_the_scale(tmp_path):
    path = tmp_path / "scores.csv"
    path.write_text("relative_path,score,estimated\na.png,1,\nb.png,3,0\nc.png,99,1\n", newline="")
    table, _ = read_table(path, "score", ["a.png", "b.png", "c.png"])
    scores, filled, rescaling = fill(table, {"a.png": 10.0, "b.png": 30.0, "c.png": 20.0})
    assert (scores.tolist(), filled.tolist(), rescaling.images) == ([1.0, 3.0, 2.0], [False, False, True], 2)
    write_filled(path, table, scores, filled)
    assert path.read_text() == "relative_path,score,estimated\na.png,1,\nb.png,3,0\nc.png,2.0,1\n"


def test_a_score_file_that_is_not_there_is_said(tmp_path):
    with pytest.raises(UserError, match="no such score file"):
        find("none.csv", tmp_path)
