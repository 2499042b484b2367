"""classify and predict: what they write, what they can tell apart, and what they do when they are stopped."""

import csv
import json
import threading

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.metrics import accuracy_score, balanced_accuracy_score, f1_score

from src.common import UserError
from studies.common.runs import new_run
from studies.common.weighing import Weighing
from studies.style_folders import classify, predict
from studies.style_folders.judging import confusion_of, drawn, judge, resampled
from tests.studies.conftest import arguments, make_styles, same_weights, stopping_after


def run(root, *words):
    return classify.main(
        arguments("classify", root, "--epochs=4", "--batch_size=8", "--fraction_for_test=0.3", *words)
    )


def table(path):
    with path.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize(
    ("target", "sizes"),
    [
        ("max", (24, 24, 24)),
        ("min", (8, 8, 8)),
        ("mean", (15, 15, 15)),
        ("0.5", (12, 12, 12)),
        ("500", (500, 500, 500)),
        ("none", (24, 12, 8)),
    ],
)
def test_every_style_has_exactly_its_target_and_repeats_differ_by_at_most_one(target, sizes):
    codes = np.repeat([0, 1, 2], [24, 12, 8])
    rows = resampled(codes, np.arange(44), target, 3, "resample")
    assert np.bincount(codes[rows]).tolist() == list(sizes)
    for code in range(3):
        times = np.bincount(rows[codes[rows] == code], minlength=44)[codes == code]
        assert np.ptp(times) <= 1
    other = resampled(codes, np.arange(44), target, 4, "resample")
    assert (target in ("max", "none")) or not np.array_equal(rows, other)


def test_a_target_beyond_memory_is_refused():
    said = r"--resample=1e18: 1000000000000000000 images of each style are more than memory holds; give a smaller one"
    with pytest.raises(UserError, match=said):
        resampled(np.array([0, 1]), np.arange(2), "1e18", 0, "resample")


def test_a_feature_that_the_train_images_hardly_have_does_not_drown_out_the_others_in_a_new_image():
    """The second block is of a thousandth of the first one's size, and weighs alike all the same."""
    x = np.random.default_rng(0).normal(size=(30, 8)).astype(np.float32) * np.repeat([1, 1e-3], 4).astype(np.float32)
    x[:, 3] = np.arange(30) == 0
    x[:, 3] *= 1e-4
    weighing = Weighing(8)
    weighing.fit(x, [4, 4])
    weighed = weighing(torch.from_numpy(np.concatenate([x, np.eye(8, dtype=np.float32)[3:4]]))).numpy()
    usual = weighed[:30, [0, 1, 2, 4, 5, 6, 7]].std(axis=0)
    np.testing.assert_allclose(usual, usual[0], rtol=1e-4)
    assert 8 < weighed[30, 3] / usual[0] < 14  # of a tenth of the others' deviation, not of its own


def test_what_is_refused_leaves_no_output_folder(gallery):
    with pytest.raises(UserError, match="--test_resample=1e18: "):
        run(gallery, "--test_resample=1e18")
    assert not gallery.with_name("gallery_runs").exists()


def test_the_weighted_sampler_draws_styles_equally_often():
    codes = np.repeat([0, 1], [900, 100])
    rows = drawn(codes, np.arange(1000), np.random.default_rng(0))
    assert len(rows) == 1000
    assert abs(int((codes[rows] == 0).sum()) - 500) < 65  # four standard deviations


def test_metrics_are_scikit_learns_also_for_styles_without_images():
    generator = np.random.default_rng(1)
    codes, taken = generator.integers(0, 3, 60), generator.integers(0, 5, 60)
    found = judge(confusion_of(codes, taken, 6))
    both = sorted({*codes, *taken})
    assert found.accuracy == pytest.approx(accuracy_score(codes, taken))
    assert found.macro_f1 == pytest.approx(f1_score(codes, taken, labels=both, average="macro", zero_division=0))
    recalls = [np.mean(taken[codes == code] == code) for code in range(3)]
    assert found.balanced_accuracy == pytest.approx(np.mean(recalls))
    sure = judge(confusion_of(codes, codes, 6))
    assert sure == (1, 1, 1)
    assert balanced_accuracy_score(codes, codes) == 1


@pytest.mark.parametrize("head", ["linear", "mlp", "conv"])
def test_a_head_learns_styles_that_differ_and_writes_what_it_found(gallery, head, drawn_for_real):
    words = ("--size=16", "--learning_rate=0.02", "--dropout=0.1", "--resample=max", "--log")
    folder = run(gallery, f"--head={head}", *words)
    assert folder == gallery.with_name("gallery_runs") / "classify1"
    results = json.loads((folder / "results.json").read_text())
    assert set(results) == {"this network", "logistic regression", "always bars"}
    assert results["this network"]["balanced_accuracy"] > 0.6  # chance 0.33
    assert results["always bars"]["balanced_accuracy"] == pytest.approx(1 / 3)
    written = json.loads((folder / "run.json").read_text())
    assert written["styles"] == {"bars": 0, "dots": 1, "rings": 2}
    assert written["options"]["head"] == head
    history = table(folder / "history.csv")
    assert [row["epoch"] for row in history] == ["1", "2", "3", "4"]
    assert {"loss", "val_accuracy", "val_balanced_accuracy", "val_macro_f1"} <= set(history[0])
    counts = table(folder / "counts.csv")
    assert {row["train, used"] for row in counts} == {max((row["train"] for row in counts), key=int)}
    confusion = np.array([[int(row[name]) for name in written["styles"]] for row in table(folder / "confusion.csv")])
    assert confusion.sum() == list(written["split"].values()).count("test") == len(table(folder / "test.csv"))
    log = (folder / "log1.txt").read_text(encoding="utf-8")
    assert log.startswith("command: classify\n")
    assert "epoch 4 of 4" in log
    for name in ("confusion.png", "history.png"):
        assert Image.open(folder / name).width > 200


def test_predict_names_the_style_of_each_path_with_its_probability(gallery, tmp_path):
    folder = run(gallery, "--learning_rate=0.02", "--dropout=0.1")
    new = make_styles(tmp_path / "new", {"bars": 3, "rings": 3}, first=70)
    (new / "bars" / "broken.png").write_bytes(b"no picture")
    words = (f"--model={folder}", f"--outfile={tmp_path / 'styles.csv'}")
    rows = table(predict.main(arguments("predict", new, *words)))
    assert [row["path"] for row in rows] == [f"{name}/07{i}.png" for name in ("bars", "rings") for i in range(3)]
    assert sum(row["path"].startswith(row["style"]) for row in rows) >= 5
    for row in rows:
        chances = [float(row[f"p({name})"]) for name in ("bars", "dots", "rings")]
        assert sum(chances) == pytest.approx(1, abs=1e-4)
        assert float(row["probability"]) == max(chances)


def test_predict_writes_over_no_image_and_no_score_file(gallery, tmp_path):
    folder, image, scores = run(gallery, "--epochs=1"), gallery / "bars" / "000.png", gallery / "scores.csv"
    scores.write_text("relative_path,score\nbars/000.png,3\n", encoding="utf-8")
    before = image.read_bytes(), scores.read_bytes()
    for path, said in ((image, r"must end with \.csv"), (scores, "holds something else than styles")):
        with pytest.raises(UserError, match=rf"--outfile=.*{path.name}: {said}"):
            predict.main(arguments("predict", gallery, f"--model={folder}", f"--outfile={path}"))
    assert (image.read_bytes(), scores.read_bytes()) == before
    for _ in range(2):  # its own file it writes again
        predict.main(arguments("predict", gallery, f"--model={folder}", f"--outfile={tmp_path / 'styles.csv'}"))


def test_weights_of_another_configuration_are_refused(gallery):
    first, second = run(gallery), run(gallery, "--hidden=7")
    (second / "best.safetensors").write_bytes((first / "best.safetensors").read_bytes())
    with pytest.raises(UserError, match=r"weights of another configuration \(hidden 256, here it is 7\)"):
        predict.main(arguments("predict", gallery, f"--model={second}"))
    (second / "best.safetensors").write_bytes(b"{}")
    with pytest.raises(UserError, match="can't be read as weights"):
        predict.main(arguments("predict", gallery, f"--model={second}"))
    with pytest.raises(UserError, match=r"--model=nowhere: is no output folder with a run\.json"):
        predict.main(arguments("predict", gallery, "--model=nowhere"))


@pytest.mark.parametrize("head", ["mlp", "conv"])
def test_a_run_stopped_by_ctrl_c_goes_on_to_what_it_would_have_become(gallery, tmp_path, monkeypatch, head, capsys):
    words = (f"--head={head}", "--size=16", "--sampler=weighted")
    whole = run(gallery, f"--runs={tmp_path / 'whole'}", *words)
    with monkeypatch.context() as patch:
        stopping_after(patch, 2)
        with pytest.raises(KeyboardInterrupt):
            run(gallery, *words)
    assert "stopped; 2 epochs can be kept; the best of them is" in capsys.readouterr().out
    folder = gallery.with_name("gallery_runs") / "classify1"
    assert (folder / "best.safetensors").is_file()
    assert (folder / "history.png").is_file()
    assert not (folder / "results.json").exists()  # the test images were not looked at
    with pytest.raises(UserError, match=r"classify1 was run with --batch_size=8, not 9; say the same, or leave"):
        run(gallery, "--resume", "--batch_size=9", *words)
    assert run(gallery, "--resume", *words) == folder
    assert same_weights(folder, whole)
    for name in ("history.csv", "results.json", "test.csv", "confusion.csv"):
        assert (folder / name).read_text() == (whole / name).read_text()
    with pytest.raises(UserError, match="is finished; leave --resume out"):
        run(gallery, "--resume", *words)


def test_resume_needs_a_run_and_the_same_images(gallery, monkeypatch):
    with pytest.raises(UserError, match="holds no classify1 or later"):
        run(gallery, "--resume")
    with monkeypatch.context() as patch:
        stopping_after(patch, 1)
        with pytest.raises(KeyboardInterrupt):
            run(gallery)
    make_styles(gallery, {"dots": 1}, first=90)
    with pytest.raises(UserError, match="images came or went since"):
        run(gallery, "--resume")


def test_an_image_that_cannot_be_read_is_named_and_left_out(gallery, capsys):
    (gallery / "dots" / "broken.png").write_bytes(b"no picture")
    folder = run(gallery)
    assert "note: dots/broken.png: " in capsys.readouterr().err
    assert "dots/broken.png" not in json.loads((folder / "run.json").read_text())["split"]
    for path in (gallery / "rings").iterdir():
        path.write_bytes(b"no picture")
    with pytest.raises(UserError, match="no image of the style rings can be read"):
        run(gallery)


def test_output_folders_count_on_from_the_largest_and_two_at_once_get_two(tmp_path):
    for name in ("ae1", "ae3", "ae10", "ae_notes", "classify40"):
        (tmp_path / name).mkdir()
    assert new_run(tmp_path, "ae").name == "ae11"
    made, barrier = [], threading.Barrier(8)

    def make():
        barrier.wait()
        made.append(new_run(tmp_path, "ae").name)

    threads = [threading.Thread(target=make) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(made) == sorted(f"ae{i}" for i in range(12, 20))
