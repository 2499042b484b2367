"""Cross-validation: whole groups in one fold, honest numbers, and what is near-identical."""

import json
import signal

import numpy as np
import pytest
import torch
from optuna.trial import TrialState
from PIL import Image, ImageEnhance

import src.search.trainer as search_module
from src.common.errors import UserError
from src.common.metrics import METRICS
from src.features import near_duplicates
from src.features.feature_cache import FeatureCache
from src.features.near_duplicates import Signature, group, near_identical_groups
from src.model.config import PredictorConfig
from src.model.file import load_predictor
from src.scores.folds import assign_folds, draw_test, merged
from src.search.dataset import Dataset
from src.search.objective import make_objective
from src.search.search import Search
from src.search.settings import SearchSettings
from tests.search.test_search import content, run, run_on_disk, toy_data
from tests.toys import make_old
from tests.training import make_photos, read_rows, train, use_toys

PATHS = [f"{number}.png" for number in range(60)]
ALL = np.ones(60, dtype=bool)
GIVEN = "--directory=photos", "--feature_extractor_model=toy", "--model_type=ridge"


def test_every_image_has_a_fold_groups_are_whole_and_folds_are_equal():
    groups = np.repeat(np.arange(20), 3)
    folds = assign_folds(PATHS, groups, ALL, 4, seed=1)
    assert np.bincount(folds).tolist() == [15, 15, 15, 15]
    assert all(len(set(folds[groups == g])) == 1 for g in range(20))
    assert (assign_folds(PATHS, groups, ALL, 4, seed=2) != folds).any()
    back = assign_folds(PATHS[::-1], groups[::-1], ALL, 4, seed=1)[::-1]
    assert (back == folds).all()  # the order of the images does not matter


def test_images_that_are_not_used_have_no_fold():
    used = np.arange(60) % 3 > 0
    folds = assign_folds(PATHS, np.arange(60), used, 5, seed=0)
    assert set(folds[~used]) == {-1}
    assert np.bincount(folds[used]).tolist() == [8] * 5


def test_fewer_groups_than_folds_are_refused():
    with pytest.raises(
        UserError, match=r"--folds=5: there are 3 groups of images to put into them; take fewer folds"
    ):
        assign_folds(PATHS, np.repeat(np.arange(3), 20), ALL, 5, seed=0)


def test_groupings_are_merged_by_chains():
    first, second = np.array(["a", "a", "b", "c", "d"]), np.array([1, 2, 2, 3, 4])
    labels = merged(first, second)  # 0-1 by the first, 1-2 by the second
    assert len({*labels[:3]}) == 1
    assert len({*labels}) == 3


def test_the_test_split_is_of_whole_groups_and_keeps_what_is_given():
    groups = np.repeat(np.arange(20), 3)
    test = draw_test(PATHS, [""] * 60, groups, 0.2, seed=1)
    assert test.sum() == 12
    assert all(len(set(test[groups == g])) == 1 for g in range(20))
    given = ["test", "", "train", "train", "", "", *[""] * 54]
    test = draw_test(PATHS, given, groups, 0.0, seed=1)
    assert np.flatnonzero(test).tolist() == [0, 1]


def natural(seed, size=(160, 120)):
    """A picture with broad shapes, as photographs have them."""
    noise = np.random.default_rng(seed).integers(0, 256, (4, 5, 3), dtype=np.uint8)
    return Image.fromarray(noise).resize(size, Image.Resampling.BICUBIC)


def test_copies_in_other_sizes_qualities_and_brightness_are_near_identical_and_other_pictures_are_not(tmp_path):
    one = natural(0)
    one.save(tmp_path / "a.png")
    one.resize((80, 60)).save(tmp_path / "b.jpg", quality=40)
    ImageEnhance.Brightness(one).enhance(1.05).save(tmp_path / "c.png")
    one.crop((2, 2, 158, 118)).save(tmp_path / "d.png")
    names = ["a.png", "b.jpg", "c.png", "d.png", "broken.png"]
    (tmp_path / "broken.png").write_bytes(b"no image")
    for seed in range(1, 30):
        natural(seed).save(tmp_path / f"{seed}.png")
        names.append(f"{seed}.png")
    for name, fill in (("red.png", "red"), ("blue.png", "blue")):  # their hashes are equal, their colours not
        Image.new("RGB", (40, 40), fill).save(tmp_path / name)
        names.append(name)
    found = near_identical_groups(tmp_path, names, FeatureCache(tmp_path / "cache"))
    assert len(set(found[:4])) == 1
    assert len(set(found)) == len(names) - 3


def test_the_hash_agrees_with_the_definition_written_out():
    image = natural(3)
    small = np.asarray(image.convert("L").resize((32, 32), Image.Resampling.LANCZOS), dtype=float)
    k, n = np.arange(8)[:, None], np.arange(32)[None]
    cosines = np.cos(np.pi * k * (2 * n + 1) / 64)  # DCT-II
    lowest = cosines @ small @ cosines.T
    bits = np.where(lowest > np.median(lowest), 1, -1)
    assert (Signature().prepare(image)[:64].reshape(8, 8) == bits).all()


def test_grouping_by_brightness_finds_what_comparing_everything_finds(monkeypatch):
    generator = np.random.default_rng(0)
    centres = np.concatenate([generator.choice([-1, 1], (40, 64)), generator.integers(0, 256, (40, 48))], axis=1)
    signatures = np.repeat(centres, 8, axis=0).astype(np.float32)
    signatures[:, :64] *= np.where(generator.random((320, 64)) < 0.08, -1, 1)
    signatures[:, 64:] += generator.normal(0, 7, (320, 48))
    bits = (64 - signatures[:, :64] @ signatures[:, :64].T) / 2
    colours = np.abs(signatures[:, None, 64:] - signatures[None, :, 64:]).mean(axis=2)
    near = (bits <= 10) & (colours <= 10)
    reached = np.linalg.matrix_power(near.astype(float), 1) > 0
    while (further := (reached.astype(float) @ near) > 0).sum() > reached.sum():
        reached = further
    monkeypatch.setattr(near_duplicates, "BLOCK", 50)
    labels = group(signatures)
    assert 40 < len(set(labels)) < 300
    assert ((labels[:, None] == labels[None]) == reached).all()


def test_no_unchanged_image_is_opened_again(tmp_path, monkeypatch):
    natural(0).save(tmp_path / "a.png")
    natural(1).save(tmp_path / "b.png")
    make_old(tmp_path)
    first = near_identical_groups(tmp_path, ["a.png", "b.png"], FeatureCache(tmp_path / "cache"))
    for function in ("open_image", "content_of"):
        monkeypatch.setattr(f"src.features.extraction.{function}", lambda *of: pytest.fail(f"{of} was opened"))
    again = near_identical_groups(tmp_path, ["a.png", "b.png"], FeatureCache(tmp_path / "cache"))
    assert (again == first).all()
    assert again.max() < 2  # an image that can't be read would have a number from 2 on


def folded(count=5):
    data = toy_data()
    test = data.split == "test"
    folds = assign_folds([str(row) for row in range(80)], np.arange(80), ~test, count, seed=3)
    split = np.where(test, "test", "train")
    return Dataset(data.config, data.inputs, data.scores, data.weights, split, folds)


def held_out(folder, data, trials):
    """What a search with these trials has for scores of images by networks that had not seen them; and its search."""
    short = "--min_train_epochs=2", "--max_train_epochs=3"
    _, files, _ = run(folder, "--folds=5", f"--trials={trials}", *short, data=data)
    settings = SearchSettings(trials)
    search = Search(settings, make_objective(settings, data, True), files)
    assert search.run()  # nothing is left to try
    predictor, metadata = load_predictor(files.path)
    return search.held_out(predictor), files.study, predictor, metadata


def test_a_trials_value_is_the_mean_over_folds_of_networks_that_had_not_seen_them(tmp_path):
    data = folded()
    (scores, errors), study, predictor, metadata = held_out(tmp_path, data, 2)
    assert np.isnan(errors).all()
    values = [METRICS["mse"].function(data.scores[data.folds == k], scores[data.folds == k]) for k in range(5)]
    assert study.best_value == pytest.approx(np.mean(values), rel=1e-5)
    assert json.loads(metadata["metrics"])["eval_mse"] == pytest.approx(study.best_value)
    # The model that is kept is another: of all images but those of test, and test images have its scores.
    own, _ = predictor.predict(data.inputs)
    assert (scores[data.split == "test"] == own[data.split == "test"]).all()
    assert (scores[data.split != "test"] != own[data.split != "test"]).all()
    assert predictor.config.score_mean == pytest.approx(data.scores[data.split != "test"].mean(), rel=1e-5)


def test_after_ctrl_c_the_held_out_scores_are_still_had(tmp_path, monkeypatch):
    real, calls = search_module.train, []

    def interrupted(*arguments):
        calls.append(1)
        if len(calls) == 8:  # the first trial trains 5 networks for its value and one to keep
            signal.raise_signal(signal.SIGINT)
        return real(*arguments)

    monkeypatch.setattr(search_module, "train", interrupted)
    data, finished = folded(), []
    whole = Search.run
    monkeypatch.setattr(Search, "run", lambda search: finished.append((search, whole(search))))
    _, best, _ = run(tmp_path, "--folds=5", data=data)
    [(search, complete)] = finished
    try:
        scores, _ = search.held_out(load_predictor(best.path)[0])
    except KeyboardInterrupt:  # which would end all tests
        pytest.fail("Ctrl-C counts twice")
    assert (complete, len(calls)) == (False, 13)
    assert np.isfinite(scores).all()


def test_scores_of_a_fold_do_not_move_what_is_held_out_of_it(tmp_path):
    data = folded()
    changed = Dataset(data.config, data.inputs, data.scores.copy(), data.weights, data.split, data.folds)
    changed.scores[data.folds == 2] += 50.0
    found = []
    for name, some in (("a", data), ("b", changed)):
        (tmp_path / name).mkdir()
        found.append(held_out(tmp_path / name, some, 1)[0][0])
    same = found[0] == found[1]
    assert same[data.folds == 2].all()
    assert not same[(data.folds != 2) & (data.folds >= 0)].any()
    assert all(set(part.rows("train")).isdisjoint(part.rows("eval")) for part in data.parts())
    assert sorted(np.concatenate([part.rows("eval") for part in data.parts()])) == data.rows("full").tolist()


def test_no_analysis_is_named_next_where_no_image_is_left_for_it(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    use_toys(monkeypatch)
    make_photos(tmp_path, 40)
    for words, looks in ((), False), (("--fraction_for_test=0.2",), True):
        said = train(monkeypatch, capsys, "--folds=4", *words, quick=GIVEN)
        assert ("aesthetic_data_analysis.py" in said) == looks
        assert "aesthetic_score_from_model.py" in said


def test_resume_works_with_folds_and_makes_a_lost_model_again(tmp_path):
    run_on_disk(tmp_path, "--folds=5", "--trials=2", data=folded())
    study, best, _ = run_on_disk(tmp_path, "--folds=5", "--trials=3", "--resume", data=folded())
    assert sum(trial.state == TrialState.COMPLETE for trial in study.trials) == 3
    original = content(best.path)
    best.path.unlink()
    run_on_disk(tmp_path, "--folds=5", "--trials=3", "--resume", data=folded())
    assert content(best.path) == original


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--pruner=median",), "--pruner=median looks at one; use --pruner=none"),
        (("--set_for_scoring=full",), "--set_for_scoring=full can't be; leave it out"),
    ],
)
def test_what_does_not_go_with_folds_is_refused(tmp_path, words, message):
    with pytest.raises(UserError, match=message):
        run(tmp_path, "--folds=5", *words, data=folded())


def test_a_fold_of_one_image_is_refused(tmp_path):
    with pytest.raises(UserError, match="a fold has a single image, and 2 are needed; take fewer folds"):
        run(tmp_path, "--folds=40", data=folded(40))


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    use_toys(monkeypatch)
    return tmp_path


def test_the_script_prints_held_out_numbers_and_test_side_by_side(here, monkeypatch, capsys):
    make_photos(here, picture=natural, theme=[number // 3 for number in range(60)])
    options = (
        "--folds=4",
        "--group_column=theme",
        "--fraction_for_test=0.2",
        "--savefile=out.csv",
        "--loss_model=nll",
        "--details",
    )
    output = train(monkeypatch, capsys, *options)
    rows = read_rows(here / "photos" / "out.csv")
    where = {}
    for row in rows:
        where.setdefault(row["theme"], set()).add((row["split"], row["fold"]))
    assert all(len(found) == 1 for found in where.values())
    assert {row["split"] for row in rows} == {"train", "test"}
    test = [row for row in rows if row["split"] == "test"]
    assert {row["fold"] for row in test} == {"-1"}
    assert all(row["held_out_score"] == row["model_score"] for row in test)
    kept = [row for row in rows if row["split"] == "train"]
    truth, scores = (np.array([float(row[name]) for row in kept]) for name in ("score", "held_out_score"))
    value = METRICS["spearman"].function(truth, scores)
    (line,) = [line for line in output.splitlines() if line.startswith("Folds:") and "images" in line][:1]
    assert f"{len(kept):>5} images" in line
    assert f"spearman {value:.4f}" in line
    lines = output.splitlines()
    (start,) = [place for place, text in enumerate(lines) if "eval (selected on, optimistic)" in text]
    assert lines[start + 1].split() == ["images", str(len(kept)), str(len(test))]
    assert f"{value:.4f} (95 %: " in lines[start + 2]
    _, metadata = load_predictor(here / "photos" / "model.safetensors")
    assert (metadata["folds"], metadata["group_column"]) == ("4", "theme")
    assert json.loads(metadata["test_images"]) == [row["relative_path"] for row in test]


def test_the_analysis_knows_the_test_images_of_a_model_of_folds(here, monkeypatch, capsys):
    import sys

    import aesthetic_data_analysis as analysis

    make_photos(here, picture=natural)
    train(monkeypatch, capsys, "--folds=3", "--fraction_for_test=0.2")
    monkeypatch.setattr(sys, "argv", ["look", "-d", "photos"])
    analysis.main()
    output = capsys.readouterr().out
    assert "12 images of the test split; --include_train_split looks at all 60." in output
    train(monkeypatch, capsys, "--folds=3")
    with pytest.raises(UserError, match="no image is in the eval or test split"):
        analysis.main()


def test_test_stands_beside_eval_without_folds_too(here, monkeypatch, capsys):
    make_photos(here)
    lines = train(monkeypatch, capsys, "--fraction_for_test=0.2", "--details").splitlines()
    (start,) = [place for place, text in enumerate(lines) if "eval (selected on, optimistic)" in text]
    assert lines[start + 1].split() == ["images", "15", "12"]
    (line,) = [line for line in lines if line.startswith("Test: ")][:1]
    spearman = line.split("spearman ")[1].split()[0]
    assert lines[start + 2].split("(95 %")[1].split()[-1] == spearman
    assert "eval (selected" not in train(monkeypatch, capsys)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--group_column=theme",), "says what stays together in --folds; give both"),
        (("--folds=3", "--group_column=thema"), "scores.csv: no column 'thema'; it has relative_path, score"),
        (("--folds=61",), "there are 60 groups of images"),
    ],
)
def test_bad_folds_are_one_sentence(here, monkeypatch, capsys, words, message):
    make_photos(here, picture=natural)
    assert message in train(monkeypatch, capsys, *words, code=2)


def test_parts_share_their_inputs():
    config = PredictorConfig("toy", (0,), "join", (2,), (1, 1))
    inputs, zeros = torch.zeros(4, 2), np.zeros(4)
    data = Dataset(config, inputs, zeros, zeros, np.array(["train"] * 4), np.array([0, 1, 0, 1]))
    assert all(part.inputs is inputs for part in data.parts())
