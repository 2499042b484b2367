"""aesthetic_data_analysis.py and the report of training, run as a person runs them."""

import csv
import html
import json
import re
import sys

import numpy as np
import pytest
from PIL import Image

import aesthetic_data_analysis
from src.common import errors
from src.common.order import ab
from src.features.images import content_hash
from src.options.option import LOOK
from src.ratings.database import Comparisons
from tests import training
from tests.scripts.test_scripts import QUICK, photos  # noqa: F401  (photos is a fixture)

COUNT = 30


@pytest.fixture(scope="module")
def gallery(tmp_path_factory):
    """30 images in two folders, scores, two files of model scores, a split: every third image is eval."""
    folder = tmp_path_factory.mktemp("here") / "photos"
    (folder / "cats").mkdir(parents=True)
    generator = np.random.default_rng(0)
    names = [f"{'cats/' if n % 2 else ''}{n:02}.png" for n in range(COUNT)]
    scores = generator.normal(size=COUNT)
    for number, name in enumerate(names):
        Image.new("RGB", (20, 20), (number * 8, 10, 10)).save(folder / name)
    split = ["eval" if n % 3 == 0 else "train" for n in range(COUNT)]
    write(
        folder / "scores.csv",
        ["relative_path", "score", "note"],
        [[n, s, "kept"] for n, s in zip(names, scores, strict=True)],
    )
    good = scores + generator.normal(0, 0.5, COUNT)
    write(folder / "good.csv", ["relative_path", "model_score"], zip(names, good, strict=True))
    parts = {part: [n for n, s in zip(names, split, strict=True) if s == part] for part in ("train", "eval")}
    (folder / "split.json").write_text(json.dumps(parts), encoding="utf-8")
    return folder


def write(path, header, rows):
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, *rows])


def read(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def look(gallery, monkeypatch, capsys):
    """Run the script on the gallery in this process; gives what it printed."""

    def run_it(*words, code=0, scores="--model_scores=good.csv"):
        monkeypatch.chdir(gallery.parent)
        monkeypatch.setattr("src.report.analysis.RESAMPLES", training.FEW)
        monkeypatch.setattr(sys, "argv", [LOOK, "--directory=photos", *([scores] if scores else []), *words])
        if code:
            with pytest.raises(SystemExit) as end:
                errors.run(aesthetic_data_analysis.main)
            assert end.value.code == code
        else:
            errors.run(aesthetic_data_analysis.main)
        shown = capsys.readouterr()
        return shown.err if code else shown.out

    return run_it


FORM = (
    r"{}: +{} images, db score +-?\d+\.\d{{3}} \+/- \d+\.\d\d, model score +-?\d+\.\d{{3}} \+/- \d+\.\d\d, "
    r"spearman -?\d\.\d{{4}} \(p= *[\d.e+-]+\), pearson -?\d\.\d{{4}} \(p= *[\d.e+-]+\), AB +\d+\.\d\d%"
)


def test_of_scores_that_features_assisted_the_figures_are_said_to_flatter(gallery, look, tmp_path):
    caution = "Take care: features of toy assisted these scores"
    words = ("--model_scores=good.csv", "--split=split.json", f"--report={tmp_path / 'page.html'}")
    assert caution not in look(*words)
    assert caution not in (tmp_path / "page.html").read_text(encoding="utf-8")
    rows = [[*row.values(), "toy"] for row in read(gallery / "scores.csv")]
    write(gallery / "assisted.csv", ["relative_path", "score", "note", "assisted_by"], rows)
    assert caution in look(*words, scores="--scores=assisted.csv")
    assert caution in (tmp_path / "page.html").read_text(encoding="utf-8")
    write(
        gallery / "assisted.csv",
        ["relative_path", "score", "note", "assisted_by", "score_error"],
        [[*r, 0.7] for r in rows],
    )
    found = look(*words, "--directories", scores="--scores=assisted.csv")
    assert len(re.findall(r"      with the scores' errors counted: spearman \d\.\d{4}, AB \d\d\.\d\d%", found)) == 3
    page = html.unescape((tmp_path / "page.html").read_text(encoding="utf-8"))
    assert re.search(r", or \d\d with the scores' errors counted\. Chance", page)


def test_a_line_for_the_eval_split_and_one_for_each_subset(look):
    lines = look("--directories", r"--regex=^0", "--regex=cats", "--confidence").splitlines()
    for name, count in ((r"All ", 10), (r"\^0  ", 2), ("cats", 5), (r"\.   ", 5)):
        if count > 2:
            assert [line for line in lines if re.fullmatch(FORM.format(name, count), line)], name
    assert "^0  :     2 images, too few for statistics (3 are needed)" in lines
    first, *others = [line for line in lines if "intervals" in line]
    assert re.match(r" +95 % intervals: spearman .* to .*, AB .*% to .*%$", first)
    assert others == 3 * ["      95 % intervals: none, 5 images are too few (10 are needed)"]
    assert re.search(r"The split is that of .*split.json", "\n".join(lines))


def test_the_train_split_is_looked_at_on_request(look):
    assert re.search(r"^All : +30 images", look("--include_train_split"), re.MULTILINE)


def test_a_split_column_of_another_score_file_and_a_split_file_count(look, gallery):
    rows = read(gallery / "scores.csv")
    cells = [[row["relative_path"], row["score"], "eval" if n < 7 else "test"] for n, row in enumerate(rows)]
    write(gallery / "own.csv", ["relative_path", "score", "split"], cells)
    assert re.search(r"^All : +7 images", look("--scores=own.csv", "--split=own.csv"), re.MULTILINE)


def test_scores_model_scores_and_differences_are_saved(look, gallery):
    look("--save_scores_and_errors=all.csv", "--save_model_scorefile=m.json", "--save_error_scorefile=e.csv")
    rows, errors_ = read(gallery / "all.csv"), read(gallery / "e.csv")
    assert list(rows[0]) == ["relative_path", "score", "note", "model_score", "model_error", "split"]
    for row, error in zip(rows, errors_, strict=True):
        expected = float(row["model_score"]) - float(row["score"])
        assert float(row["model_error"]) == pytest.approx(expected)
        assert float(error["score"]) == pytest.approx(expected)
    again = look("--scores=m.json", "--include_train_split")
    assert "pearson 1.0000" in again


def test_no_save_option_writes_over_a_persons_scores(look, gallery):
    write(gallery / "mine.csv", ["relative_path", "score", "split"], [["00.png", 1, "eval"], ["02.png", 2, "eval"]])
    write(gallery / "other.csv", ["relative_path", "score"], [["00.png", 3]])
    before = {name: (gallery / name).read_bytes() for name in ("scores.csv", "mine.csv", "other.csv")}
    lost = "holds scores in 'score' that would be lost; name another file"
    for option in ("--save_model_scorefile", "--save_error_scorefile"):
        for name in ("scores.csv", "other.csv"):
            assert f"{option}=photos/{name}: {lost}" in look(f"{option}={name}", code=2)
    assert lost in look(
        "--save_model_scorefile=mine.csv", "--include_train_split", scores="--scores=mine.csv", code=2
    )
    assert lost in look("--save_scores_and_errors=other.csv", code=2)
    assert before == {name: (gallery / name).read_bytes() for name in before}
    words = ("--save_scores_and_errors=again.csv", "--save_model_scorefile=n.json", "--save_error_scorefile=f.csv")
    look(*words)
    look(*words)  # what they wrote themselves they may write again
    (gallery / "kept.csv").write_bytes(before["scores.csv"])
    look("--save_scores_and_errors=kept.csv", "--model_scores=good.csv", scores="--scores=kept.csv")
    kept = [{name: row[name] for name in ("relative_path", "score", "note")} for row in read(gallery / "kept.csv")]
    assert kept == read(gallery / "scores.csv")


def test_choices_are_held_against_the_model(look, gallery):
    names = [row["relative_path"] for row in read(gallery / "scores.csv")]
    model = np.array([float(row["model_score"]) for row in read(gallery / "good.csv")])
    evals = list(range(0, COUNT, 3))
    with Comparisons(gallery / "comparisons.sqlite", "me") as database:
        ids = database.register({name: content_hash(gallery / name) for name in names}).ids
        pairs = [(a, b) for a in evals for b in evals if a < b]
        made = [database.add_choice([ids[names[a]], ids[names[b]]], ids[names[a]], 1.0) for a, b in pairs]
        database.add_choice([ids[names[0]], ids[names[1]]], ids[names[0]], 1.0)  # the second is a train image
        first = [ids[names[place]] for place in pairs[0]]
        database.add_choice(first, first[1], 1.0, repeat_of=made[0])
    try:
        shown = look()
    finally:
        (gallery / "comparisons.sqlite").unlink()
    hits = round(ab(-np.arange(len(evals)), model[evals]) * len(pairs)) + (model[0] < model[3])
    share = 100 * hits / (len(pairs) + 1)
    assert f"{len(pairs) + 1} pairs of {len(pairs) + 1} comparisons; AB of the model {share:.2f} %" in shown
    assert "the same image won again in 0 of 1" in shown


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--regex=(",), "anything (missing ), unterminated subpattern at position 0)"),
        (("--report=report.txt",), "--report=report.txt: must end with .html"),
        (("--report=none/report.html",), "there is no folder photos/none"),
        (("--plots=photos",), "--plots=photos: is in photos, where plots would count as images"),
        (("--plots=photos/new/plots",), "name another folder"),
        (("--split=none.json",), "--split=none.json: no such file"),
        (("--split=scores.csv",), "scores.csv"),
        (("--model=none.safetensors",), "no such model"),
        (("--model_scores=scores.json",), "scores.json"),
        (("--comparisons=none.sqlite",), "there is no photos"),
        (("--study=list",), "--model_scores does nothing beside --study; leave one of them out"),
        (("--threshold=1", "--threshold=2"), "--threshold is given 2 times for 1 models"),
        (("--save_error_scorefile=e.txt",), "must end with .csv or .json"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(look, words, message):
    last = look(*words, code=2).splitlines()[-1]
    assert last.startswith("error: ")
    assert message in last


@pytest.mark.parametrize("words", [("--study=list", "--study_csv=t.csv"), ("--study=gallery",)])
def test_an_export_needs_a_study_and_a_file(look, words):
    last = look(*words, code=2, scores=None).splitlines()[-1]
    assert "--study=NAME and --study_csv=FILE go together" in last


@pytest.mark.parametrize("words", [("--comparisons=none.sqlite",), ("--threshold=1", "--threshold=2")])
def test_what_can_be_known_before_is_said_before_images_are_looked_at(look, monkeypatch, words):
    monkeypatch.setattr("src.scores.scored_images.read_scored_images", lambda *_: pytest.fail("too late"))
    assert words[0].split("=")[0] in look(*words, code=2)


def test_without_a_model_and_model_scores_it_is_said(look):
    assert "--model=model.safetensors: no such model in photos" in look(code=2, scores=None)


@pytest.fixture(scope="module")
def trained(photos):  # noqa: F811
    """Two models of the same split, the second trained with --report; the folder, and what the first run printed."""
    words = [*QUICK, "--directory=photos", "--trials=1", "--max_train_epochs=5"]
    printed = training.train_once(photos, *words, "--model=first.safetensors", "--details")
    training.train_once(photos, *words, "--model=second.safetensors", "--report=trained.html")
    return photos, printed


def test_training_writes_the_report(trained):
    page = (trained[0] / "photos" / "trained.html").read_text(encoding="utf-8")
    assert page.count("<svg") >= 4
    assert page.count("Eval split") == page.count("All that was looked at: Eval split") == 1
    assert "data:image/jpeg" in page
    assert "The search" in page


def test_models_are_compared_on_the_split_that_training_drew(trained, monkeypatch, capsys):
    folder, printed = trained
    monkeypatch.chdir(folder)
    arguments = folder / "photos" / "first.arguments.txt"
    models = ["-m", "first.safetensors", "-m", "second.safetensors"]  # they override the one of the file
    monkeypatch.setattr(sys, "argv", [LOOK, f"@{arguments}", *models, "--threshold=5"])
    aesthetic_data_analysis.main()
    shown = capsys.readouterr().out
    assert "10 images of the eval split" in shown
    assert "Spearman more than first" in shown
    assert "passed" in shown
    assert shown.splitlines()[-2] == "Next, to score images:"
    line = next(line for line in printed.splitlines() if line.startswith("Eval:"))  # of the model on disk
    assert line.removeprefix("Eval:") in shown.replace("All :", "")


def test_a_model_of_its_own_error_is_held_to_it(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    training.use_toys(monkeypatch)
    training.make_photos(tmp_path)
    training.train(monkeypatch, capsys, "--loss_model=nll", "--fraction_for_eval=0.5", "--savefile=out.csv")
    monkeypatch.setattr(sys, "argv", ["look", "-d", "photos", "--report=report.html"])
    aesthetic_data_analysis.main()
    lines = capsys.readouterr().out.splitlines()
    rows = [row for row in training.read_rows(tmp_path / "photos" / "out.csv") if row["split"] == "eval"]
    score, model_score, error = (np.array([float(r[k]) for r in rows]) for k in ("score", "model_score", "error"))
    distance = np.abs(score - model_score) / error
    (line,) = [line for line in lines if "Within one error of the model score:" in line]
    assert f": {np.mean(distance <= 1):.0%} (68 % is right); within two: {np.mean(distance <= 2):.0%} (95 %)." in line
    (expected,) = [line for line in lines if line.strip().startswith("Expected errors in 6 groups:")]
    smallest = np.sort(error)[:5]
    assert f": {np.sqrt(np.mean(smallest**2)):.3g}, " in expected
    page = (tmp_path / "photos" / "report.html").read_text(encoding="utf-8")
    assert "Expected and real errors" in page
    assert "error that it makes" in page
