"""Groups of one size, evenly repeated, and only in the train split."""

import numpy as np
import pytest
import torch

from src.model.file import load_predictor
from src.model.training import train as train_network
from src.model.training import train_population
from src.scores.balance import Groups, balance_table, balanced, group_size, score_bins
from src.scores.settings import BalanceSettings
from src.search import trainer as search
from src.search.dataset import Dataset, train_data
from src.search.settings import TrainingSettings
from tests.search.test_search import content, run, toy_data
from tests.training import make_photos, train, use_toys

CODES = np.repeat([0, 1, 2], [70, 20, 10])


@pytest.mark.parametrize(
    ("target", "size"),
    [("mean", 33), ("max", 70), ("min", 10), ("0.5", 35), ("1.0", 70), ("1", 1), ("45", 45), ("0.001", 1)],
)
def test_every_group_has_the_wanted_size(target, size):
    rows = balanced(CODES, target, seed=0)
    assert np.bincount(CODES[rows]).tolist() == [size] * 3
    assert group_size(np.array([70, 20, 10]), target) == size


def test_a_mean_size_is_rounded_to_the_nearest_number():
    assert [group_size(np.array(sizes), "mean") for sizes in ([70, 20, 11], [70, 20, 9])] == [34, 33]


def test_repeats_are_even_and_reductions_random_by_seed():
    counts = np.bincount(balanced(CODES, "45", seed=0), minlength=100)
    assert set(counts[:70]) == {0, 1}
    assert set(counts[70:90]) == {2, 3}
    assert set(counts[90:]) == {4, 5}
    assert (counts[90:] == 5).sum() == 5
    other = np.bincount(balanced(CODES, "45", seed=1), minlength=100)
    assert (counts[:70] != other[:70]).any()
    assert (counts[70:90] != other[70:90]).any()
    assert balanced(CODES, "45", seed=0).tolist() == np.repeat(np.arange(100), counts).tolist()


def test_score_bins_are_steps_of_one_width():
    groups = score_bins(np.array([0.0, 0.9, 1.0, 5.5, 10.0]), 10)
    assert groups.codes.tolist() == [0, 0, 1, 5, 9]
    assert groups.names[1] == "1 to 2"
    assert score_bins(np.array([3.0, 3.0]), 4).codes.tolist() == [3, 3]


def test_the_table_counts_images_those_used_and_repeats():
    cells = balance_table(Groups(CODES, ["a", "b", "c"]), np.arange(100), "40", 0)
    assert cells[1:] == [
        ["a", "70", "40", "40"],
        ["b", "20", "20", "40"],
        ["c", "10", "10", "40"],
        ["all", "100", "70", "120"],
    ]


def grouped(folds=None):
    data = toy_data()
    codes = (np.arange(80) % 40 >= 30).astype(int)  # in train: 30 of 0, 10 of 1
    return Dataset(data.config, data.inputs, data.scores, data.weights, data.split, folds, Groups(codes, ["a", "b"]))


@pytest.mark.parametrize("loss", ["mse", "wmse", "ab", "nll"])
def test_only_the_train_split_is_balanced_with_every_loss(tmp_path, monkeypatch, loss):
    seen = []

    def spy(configs, train_data, *others):
        seen.append(train_data)
        return train_population(configs, train_data, *others)

    monkeypatch.setattr(search, "train_population", spy)
    data = grouped()
    run(tmp_path, "--balance=max", f"--loss_model={loss}", "--trials=1", data=data)
    (used,) = seen
    repeated = np.sort(np.concatenate([np.arange(30), np.repeat(np.arange(30, 40), 3)]))
    assert torch.equal(used.inputs, data.inputs[torch.from_numpy(repeated)])
    assert used.weights.numpy() == pytest.approx(data.weights[repeated])
    assert used.scores.numpy() == pytest.approx(data.scores[repeated], rel=1e-6)


def test_each_fold_is_balanced(tmp_path, monkeypatch):
    sizes = []

    def spy(config, training, train_data, *others):
        sizes.append(len(train_data.scores))
        return train_network(config, training, train_data, *others)

    monkeypatch.setattr(search, "train", spy)
    folds = np.where(np.arange(80) < 40, np.arange(80) % 2, -1)
    data = grouped(folds)
    data.split[:] = np.where(folds < 0, "test", "train")
    run(tmp_path, "--balance=5", "--folds=2", "--trials=1", data=data)
    assert sizes == [10, 10, 10]  # two folds, and the model


def test_weights_are_normalised_over_what_is_trained_on():
    settings = TrainingSettings("wmse", normalise_weights=True, balance=BalanceSettings("max"))
    weights = train_data(settings, grouped()).weights
    assert len(weights) == 60
    assert float(weights.mean()) == pytest.approx(1.0)


def test_the_same_seed_gives_the_same_model(tmp_path):
    for name in ("a", "b", "c"):
        (tmp_path / name).mkdir()
    words = ("--balance=7", "--trials=1", "--model_seed=1")
    first, second = (run(tmp_path / name, *words, data=grouped())[1] for name in ("a", "b"))
    other = run(tmp_path / "c", *words, "--balance=8", data=grouped())[1]
    assert content(first.path)[1] == content(second.path)[1]
    assert content(first.path)[1] != content(other.path)[1]


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    use_toys(monkeypatch)
    make_photos(tmp_path, kind=["cat"] * 45 + [""] * 15)
    return tmp_path


@pytest.mark.parametrize(
    ("by", "names"),
    [("folder", {".", "more"}), ("kind", {"cat", "(empty)"}), ("score", {"0 to 4.765", "4.765 to 9.529"})],
)
def test_counts_before_and_after_are_printed(here, monkeypatch, capsys, by, names):
    output = train(monkeypatch, capsys, "--balance=max", f"--balance_by={by}", "--balance_bins=2", "--trials=1")
    lines = output.splitlines()
    (start,) = [place for place, line in enumerate(lines) if line.startswith("group ")]
    rows = {line.split("  ")[0].strip(): line.split()[-3:] for line in lines[start + 1 : start + 4]}
    assert {*rows} == {*names, "all"}
    assert sum(int(rows[name][0]) for name in names) == int(rows["all"][0]) == 45
    assert len({rows[name][2] for name in names}) == 1
    _, metadata = load_predictor(here / "photos" / "model.safetensors")
    assert metadata["balance"] == f"balanced to max by {by}" + " in 2 steps" * (by == "score")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--balance_by=folder",), "--balance_by=folder: does nothing without --balance; give both"),
        (("--balance=max", "--balance_by=art"), "scores.csv: no column 'art'; it has relative_path, score, kind"),
        (("--balance=0",), "--balance=0: must be none, mean, max, min, a fraction of the largest group such as 0.5"),
        (("--balance=most",), "--balance=most: must be none, mean"),
        (("--balance=-0.5",), "--balance=-0.5: must be"),
        (("--balance=nan",), "--balance=nan: must be"),
    ],
)
def test_bad_balance_is_one_sentence(here, monkeypatch, capsys, words, message):
    assert message in train(monkeypatch, capsys, *words, code=2)


def test_a_study_is_not_resumed_with_another_balance(here, monkeypatch, capsys):
    database = "--database=sqlite:///db.sqlite"
    train(monkeypatch, capsys, database, "--balance=max", "--trials=1")
    said = train(monkeypatch, capsys, database, "--balance=min", "--resume", code=2)
    assert "loss_model was mse, balanced to max by score in 10 steps and is mse, balanced to min" in said
