"""The layer sweep: on features whose best layer is known, and as the script runs it."""

import sys
import weakref
from math import isnan, nan
from xml.etree import ElementTree

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr
from sklearn.linear_model import RidgeCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import aesthetic_predictor_training
from src.common import errors
from src.common.errors import UserError
from src.features.extraction import extract_features, fill_cache
from src.features.extractors.several import SeveralExtractors
from src.features.feature_cache import FeatureCache
from src.model.config import PredictorConfig
from src.options.option import TRAIN
from src.report import plots
from src.report.layer_sweep import Layer, best_of, check_eval, check_extractor, lines, measure, report_layers, sweep
from src.search.dataset import Dataset
from src.search.settings import TrainingSettings
from src.search.trainer import train_again
from tests.toys import ToyExtractor, make_gallery, make_old

PARAMETERS = {
    "train_epochs": 12,
    "batch_size": 10,
    "first_layer_size": 20,
    "second_layer_size": 10,
    "warmup_ratio": 0.1,
    "log_lr": -1.8,
    "dropout": 0.0,
    "input_dropout": 0.0,
    "output_dropout": 0.0,
}


def toy(n=120):
    """Three layers of different widths; the score is in layer 1, half hidden in layer 2, and not in layer 0."""
    generator = np.random.default_rng(3)
    scores = generator.normal(size=n)
    states = {
        0: generator.normal(size=(n, 4)).astype(np.float32),
        1: np.c_[scores, generator.normal(size=(n, 2))].astype(np.float32),
        2: np.c_[scores + generator.normal(size=n), generator.normal(size=n)].astype(np.float32),
    }
    config = PredictorConfig("toy", (0, 2), "join", (4, 2), (1, 1))
    inputs = torch.from_numpy(np.concatenate([states[0], states[2]], axis=1))
    split = np.array(["train", "train", "eval"] * (n // 3))
    return states, Dataset(config, inputs, scores, np.ones(n), split)


def test_each_layer_has_the_spearman_of_scikit_learns_ridge_on_the_eval_images():
    states, data = toy()
    train, held_out = data.split == "train", data.split == "eval"
    layers = sweep(states.items(), data, seed=0)
    assert [(layer.states, layer.width) for layer in layers] == [((0,), 4), ((1,), 3), ((2,), 2)]
    for layer, features in zip(layers, states.values(), strict=True):
        machine = make_pipeline(StandardScaler(), RidgeCV(np.logspace(0, 6, 25)))
        predicted = machine.fit(features[train], data.scores[train]).predict(features[held_out])
        assert layer.ridge == pytest.approx(spearmanr(predicted, data.scores[held_out]).statistic, abs=0.002)
        assert isnan(layer.network)
    assert best_of(layers).states == (1,)


def test_the_network_of_a_trial_is_trained_on_each_layer_alone():
    states, data = toy()
    seen = []

    def train(one):
        seen.append((one.config.hidden_states_used, one.config.hidden_states_mode, tuple(one.inputs.shape)))
        return train_again(PARAMETERS, TrainingSettings(model_seed=1), one)

    layers = sweep(states.items(), data, 0, train)
    assert seen == [((0,), "join", (120, 4)), ((1,), "join", (120, 3)), ((2,), "join", (120, 2))]
    networks = [layer.network for layer in layers]
    assert networks[1] > 0.9 > networks[2] > 0.3 > networks[0]
    assert best_of(layers) is layers[1]
    assert sweep([(1, states[1])], data, 0, train)[0].network == networks[1]  # the same seed


def test_what_is_used_now_is_measured_as_it_is():
    states, data = toy()
    together = measure(data, 0)
    assert (together.states, together.width) == ((0, 2), 6)
    joined = np.concatenate([states[0], states[2]], axis=1)
    [alone] = sweep([(7, joined)], data, 0)
    assert together.ridge == alone.ridge


def test_one_layer_is_in_memory_at_a_time():
    states, data = toy()
    read = []

    def one_by_one():
        for state, features in states.items():
            assert not any(before() is not None for before in read)
            copies = [features.copy()]
            read.append(weakref.ref(copies[0]))
            yield state, copies.pop()

    assert len(sweep(one_by_one(), data, 0)) == 3


def test_the_table_marks_the_best_and_says_what_to_do_next():
    layers = [Layer((0,), 4, 0.5), Layer((1,), 3, 0.8), Layer((2,), 2, 0.7)]
    text = "\n".join(lines(layers, Layer((0, 2), 6, 0.6), 225))
    assert "Spearman on the 225 eval images" in text
    assert [line.split() for line in text.splitlines()[1:6]] == [
        ["hidden", "state", "width", "ridge"],
        ["0", "4", "0.5000"],
        ["1", "3", "0.8000", "best"],
        ["2", "2", "0.7000"],
        ["0,2", "6", "0.6000", "used", "now"],
    ]
    assert "Hidden state 1 is the best by itself, 0.800 (95 %: give or take 0.05)." in text
    assert "Next: --hidden_states_used=1, or it with others" in text


@pytest.mark.parametrize(
    ("used", "advice"),
    [
        ((0, 2), "it is not among them. Next: try --hidden_states_used=0,1,2."),
        ((1, 0), "Next: keep --hidden_states_used=1,0."),
    ],
)
def test_where_several_layers_are_better_together_they_are_kept_or_joined_by_the_best(used, advice):
    layers = [Layer((0,), 4, 0.5, 0.6), Layer((1,), 3, 0.4, 0.7)]
    assert lines(layers, Layer(used, 6, 0.1, 0.75), 50)[-1].endswith(advice)


def test_the_networks_numbers_decide_where_there_are_any():
    layers = [Layer((0,), 4, 0.9, 0.6), Layer((1,), 3, 0.4, 0.7)]
    assert best_of(layers).states == (1,)
    assert "0.9000   0.6000\n" in "\n".join(lines(layers, Layer((0,), 4, 0.9, 0.65), 50))


def test_layers_without_a_number_are_shown_and_never_the_best():
    layers = [Layer((0,), 4, nan), Layer((1,), 3, 0.4)]
    assert best_of(layers).states == (1,)
    text = lines([Layer((0,), 4, nan)], Layer((0,), 4, nan), 50)
    assert text[-1] == "No layer has a Spearman: are all scores of the eval images the same?"


def test_too_few_eval_images_are_refused():
    _, data = toy(24)
    with pytest.raises(UserError, match="on the eval images: 8 are there, and 10 are needed; raise --fraction_for_"):
        check_eval(data)


def test_all_layers_go_through_the_network_once(tmp_path):
    paths = make_gallery(tmp_path / "photos", 12)
    make_old(tmp_path / "photos")
    extractor, cache = ToyExtractor(), FeatureCache(tmp_path / "cache")
    fill_cache(tmp_path / "photos", paths, extractor, cache, 5)
    assert sum(extractor.batches) == 12
    for state in (0, 1):
        assert extract_features(tmp_path / "photos", paths, extractor, [state], cache).extracted == 0
    assert sum(extractor.batches) == 12


def test_an_image_that_disappears_meanwhile_is_no_shift_of_rows(tmp_path):
    paths = make_gallery(tmp_path, 30)
    scores, split = np.arange(30.0), np.array(["train", "eval"] * 15)
    config = PredictorConfig("toy", (0,), "join", (3,), (1, 1))
    data = Dataset(config, torch.zeros(30, 3), scores, np.ones(30), split)
    (tmp_path / paths[4]).unlink()
    cache = FeatureCache(tmp_path / "cache")
    with pytest.raises(UserError, match=rf"{paths[4]}: could be read before and can't now; start again"):
        report_layers(tmp_path, paths, ToyExtractor(), cache, data, tmp_path / "model.safetensors", 16, 42)


def test_the_picture_is_an_svg_beside_the_model_from_the_first_layer_to_the_last():
    ridge, network = [0.5, 0.8, 0.7], [0.6, 0.9, nan]
    figure = plots.layer_plot(plots.ON_WHITE, [0, 1, 2], {"ridge": ridge, "network": network}, ("0,2", 0.75))
    axes = figure.axes[0]
    assert axes.xaxis_inverted()
    drawn = {line.get_label(): list(line.get_ydata()) for line in axes.lines}
    assert drawn["each by itself, ridge"] == ridge
    assert drawn["each by itself, network"][:2] == network[:2]
    assert drawn["together: 0,2"] == [0.75, 0.75]
    text = plots.to_svg_file(figure)
    assert ElementTree.fromstring(text).tag == "{http://www.w3.org/2000/svg}svg"
    assert text == plots.to_svg_file(figure)
    assert "hidden state (0: the final output)" in text


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """40 images of one colour each; the more red, the higher the score."""
    folder = tmp_path_factory.mktemp("here") / "photos"
    rows = [f"{path},{37 * int(path[-8:-4]) % 256}" for path in make_gallery(folder, 40)]
    (folder / "scores.csv").write_text("\n".join(["relative_path,score", *rows]), encoding="utf-8")
    return folder


def train_script(photos, monkeypatch, capsys, *words):
    """The script's own main, with the toy extractor; gives what it printed and the extractor."""
    extractor = ToyExtractor()
    monkeypatch.setattr("src.features.extractors.load_extractor", lambda *_: extractor)
    monkeypatch.chdir(photos.parent)
    sizes = "--max_first_layer_size=30", "--max_second_layer_size=20", "--max_train_epochs=20", "--min_batch_size=8"
    monkeypatch.setattr(sys, "argv", [TRAIN, "-d", "photos", "--database=", "--seed=1", *sizes, *words])
    code = 0
    try:
        errors.run(aesthetic_predictor_training.main)
    except SystemExit as end:
        code = end.code
    return code, capsys.readouterr(), extractor


@pytest.mark.script
def test_after_the_search_the_script_prints_and_draws_both_layers(photos, monkeypatch, capsys):
    code, output, _ = train_script(photos, monkeypatch, capsys, "--trials=3", "--layer_sweep", "--details")
    assert code == 0, output.err
    table = output.out.split("Layer by layer")[1].splitlines()
    assert table[1].split() == ["hidden", "state", "width", "ridge", "network"]
    found = {line.split()[0]: [float(cell) for cell in line.split()[2:4]] for line in table[2:5]}
    assert list(found) == ["0", "1", "0,1"]
    assert found["0"][0] > 0.9
    eval_line = next(line for line in output.out.splitlines() if line.startswith("Eval"))
    assert f"spearman {found['0,1'][1]:.4f}" in eval_line  # the model on disk, not another one
    picture = photos / "model.layers.svg"
    assert f"The layers are drawn in {picture.relative_to(photos.parent)}" in output.out
    assert "each by itself, network" in picture.read_text(encoding="utf-8")


@pytest.mark.script
def test_the_quick_form_needs_no_search(photos, monkeypatch, capsys):
    words = "--trials=0", "--layer_sweep=ridge", "--model=quick.safetensors", "--cache_directory=other"
    code, output, extractor = train_script(photos, monkeypatch, capsys, *words, "--hidden_states_used=0")
    assert code == 0, output.err
    assert "Layer by layer" in output.out
    assert "aesthetic_" not in output.out  # no command for a model that is not there
    assert "network" not in (photos / "quick.layers.svg").read_text(encoding="utf-8")
    assert not (photos / "quick.safetensors").exists()
    assert sum(extractor.batches) == 40


@pytest.mark.script
@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--trials=0", "--layer_sweep"), "--layer_sweep=network needs a best trial, and --trials=0 tries none"),
        (("--layer_sweep=ridge", "--fraction_for_eval=0.1"), "on the eval images: 4 are there, and 10 are needed"),
        (("--layer_sweep=deep",), "--layer_sweep=deep: must be one of off, ridge, network"),
        (("--layer_sweep", "--hidden_states_used=7"), "hidden state 7 does not exist"),
    ],
)
def test_what_cannot_be_swept_is_said_before_any_training(photos, monkeypatch, capsys, words, message):
    code, output, _ = train_script(photos, monkeypatch, capsys, *words, "--model=never.safetensors")
    assert code == 2
    assert message in output.err
    assert not (photos / "never.safetensors").exists()


def test_several_image_models_are_not_swept_at_once():
    with pytest.raises(UserError, match="one image model at a time; a and b are several"):
        check_extractor(SeveralExtractors([ToyExtractor("a"), ToyExtractor("b")]))
