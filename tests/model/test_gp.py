"""Gaussian processes and blends: against scikit-learn, and what their files and graphs give."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel

import src.model.gp_fit as gp_fit_module
from src.common import UserError, squared_distances, standardisation
from src.model import Blend, PredictorConfig, combine, export_onnx, load_predictor, networks_of, save_predictor
from src.model.gp_fit import SMALLEST_NOISE, Examples, Hyperparameters, fit_gaussian_process, leave_one_out
from src.model.network import Predictor

CONFIG = PredictorConfig("toy", (0, 1), "join", (6, 3), (), (0.0,))


def taste(count, seed=0):
    """(N, 9) features, and scores that hang together with them, but not in a straight line."""
    generator = np.random.default_rng(seed)
    x = generator.normal(size=(count, 9)).astype(np.float32) * np.linspace(1, 50, 9, dtype=np.float32) + 7
    z = (x - 7) / np.linspace(1, 50, 9)
    return torch.from_numpy(x), 5 + 2 * np.sin(z[:, 0]) + z[:, 7] ** 2 + 0.1 * generator.normal(size=count)


def weighed(x):
    """Standardised, each hidden state divided by the root of its width and of their number."""
    shift, scale = standardisation(x)
    return (x - shift) / scale / np.sqrt(2 * np.repeat([6, 3], [6, 3]))


def hyperparameters(monkeypatch, found):
    monkeypatch.setattr(gp_fit_module, "find_hyperparameters", lambda *_: found)


@pytest.mark.parametrize("components", [512, 9])
def test_it_is_scikit_learns_gaussian_process_with_the_same_kernel(monkeypatch, components):
    monkeypatch.setattr(gp_fit_module, "COMPONENTS", components)
    hyperparameters(monkeypatch, found := Hyperparameters(1.5, 0.8, 0.1))
    x, scores = taste(60)
    errors = np.linspace(0, 0.5, 60)
    predictor = fit_gaussian_process(CONFIG, x, scores, errors=errors)
    z, deviation = weighed(x.numpy()), scores.std()
    mean = (predictor.constants[0].item() - scores.mean()) / deviation
    kernel = ConstantKernel(0.8, "fixed") * RBF(np.sqrt(found.length / 2), "fixed")
    reference = GaussianProcessRegressor(kernel, alpha=0.1 + (errors / deviation) ** 2, optimizer=None)
    reference.fit(z, (scores - scores.mean()) / deviation - mean)
    wanted, spread = reference.predict(z, return_std=True)
    got, error = predictor.predict(x)
    np.testing.assert_allclose(got, scores.mean() + deviation * (mean + wanted), atol=1e-4)
    np.testing.assert_allclose(error, deviation * np.sqrt(spread**2 + 0.1), atol=1e-4)


def test_its_constant_mean_is_that_of_generalised_least_squares(monkeypatch):
    hyperparameters(monkeypatch, Hyperparameters(1.5, 0.8, 0.1))
    x, scores = taste(40)
    z = weighed(x.numpy())
    covariance = 0.8 * np.exp(-squared_distances(z, z) / 1.5) + 0.1 * np.eye(40)
    ones = np.linalg.solve(covariance, np.ones(40))
    assert fit_gaussian_process(CONFIG, x, scores).constants[0].item() == pytest.approx(ones @ scores / ones.sum())


def test_the_slopes_of_leave_one_out_are_those_of_its_value_which_is_each_images_density_by_the_others():
    generator = np.random.default_rng(0)
    z = generator.normal(size=(25, 4)).astype(np.float32)
    examples = Examples(z, generator.normal(size=25), generator.uniform(0.5, 2, 25), generator.uniform(0, 0.2, 25))
    squared = torch.from_numpy(squared_distances(z, z)).double()
    logs = np.log([3.0, 0.7, 0.1])

    def at(logs):
        return leave_one_out(squared, examples, Hyperparameters(*np.exp(logs)))

    value, slopes = at(logs)
    steps = 1e-5 * np.eye(3)
    np.testing.assert_allclose(slopes, [(at(logs + s)[0] - at(logs - s)[0]) / 2e-5 for s in steps], rtol=1e-5)
    noises = (0.1 + SMALLEST_NOISE) / examples.certainty + examples.errors2
    covariance = 0.7 * np.exp(-squared.numpy() / 3.0) + gp_fit_module.WIDE + np.diag(noises)
    one_by_one = 0.0
    for i in range(25):
        others = np.delete(np.arange(25), i)
        gain = np.linalg.solve(covariance[np.ix_(others, others)], covariance[others, i])
        mean, variance = gain @ examples.targets[others], covariance[i, i] - gain @ covariance[others, i]
        one_by_one -= 0.5 * (np.log(2 * np.pi * variance) + (examples.targets[i] - mean) ** 2 / variance)
    assert value == pytest.approx(one_by_one)


def test_it_learns_what_is_not_linear_and_its_intervals_hold_what_they_promise():
    x, scores = taste(700, seed=1)
    predictor = fit_gaussian_process(CONFIG, x[:400], scores[:400])
    found, errors = predictor.predict(x[400:])
    assert np.corrcoef(found, scores[400:])[0, 1] > 0.9
    assert 0.92 <= np.mean(np.abs(scores[400:] - found) < 1.96 * errors) <= 0.98


def test_from_landmarks_it_comes_close_to_the_exact_one(monkeypatch):
    x, scores = taste(400)
    hyperparameters(monkeypatch, Hyperparameters(3.0, 0.8, 0.1))
    exact, _ = fit_gaussian_process(CONFIG, x, scores).predict(x)
    monkeypatch.setattr(gp_fit_module, "WHOLE_UP_TO", 100)
    monkeypatch.setattr(gp_fit_module, "LANDMARKS", 250)
    some = fit_gaussian_process(CONFIG, x, scores)
    assert some.sizes[1] == 250
    assert np.corrcoef(exact, some.predict(x)[0])[0, 1] > 0.99


def test_a_score_with_a_large_error_or_a_small_weight_says_less_and_one_of_weight_0_nothing(monkeypatch):
    hyperparameters(monkeypatch, Hyperparameters(1.5, 0.8, 0.1))
    x, scores = taste(30)
    wrong = scores.copy()
    wrong[0] += 20

    def off(**doubts):
        return abs(fit_gaussian_process(CONFIG, x, wrong, **doubts).predict(x[:1])[0][0] - scores[0])

    sure = off()
    assert off(errors=np.where(np.arange(30) == 0, 40.0, np.nan)) < sure / 3
    assert off(weights=np.where(np.arange(30) == 0, 0.01, 1.0)) < sure / 3
    without = fit_gaussian_process(CONFIG, x[1:], scores[1:]).predict(x)[0]
    zero = fit_gaussian_process(CONFIG, x, wrong, weights=(np.arange(30) > 0).astype(float)).predict(x)[0]
    np.testing.assert_allclose(zero, without, atol=1e-4)
    some = fit_gaussian_process(CONFIG, x, wrong, weights=(np.arange(30) > 0).astype(float))
    assert some.unseen_rows.tolist() == list(range(1, 30))


@pytest.mark.parametrize("count", [2, 3])
def test_two_images_are_enough_and_equal_ones_too(count):
    x, scores = taste(count)
    assert np.isfinite(fit_gaussian_process(CONFIG, x, scores).predict(x)).all()
    same = fit_gaussian_process(CONFIG, x[:1].repeat(count, 1), np.full(count, 4.0)).predict(x)
    assert np.isfinite(same).all()
    assert same[0] == pytest.approx(4.0)


def test_what_it_says_of_its_own_images_unseen_is_what_one_fitted_without_each_says(monkeypatch):
    hyperparameters(monkeypatch, Hyperparameters(1.5, 0.8, 0.1))
    monkeypatch.setattr(gp_fit_module, "COMPONENTS", 512)
    x, scores = taste(30)
    whole, z, spread = fit_gaussian_process(CONFIG, x, scores), weighed(x.numpy()), scores.var()
    covariance = spread * (0.8 * np.exp(-squared_distances(z, z) / 1.5) + 0.1 * np.eye(30))
    mean = whole.constants[0].item()
    for i in range(30):
        others = np.delete(np.arange(30), i)
        gain = np.linalg.solve(covariance[np.ix_(others, others)], covariance[others, i])
        assert whole.unseen[i] == pytest.approx(mean + gain @ (scores[others] - mean), abs=1e-4)


def test_new_images_far_from_all_others_have_the_mean_and_the_largest_error():
    x, scores = taste(100)
    predictor = fit_gaussian_process(CONFIG, x, scores)
    (far,), (error,) = predictor.predict(x[:1] + 1000)
    assert far == pytest.approx(predictor.constants[0].item(), abs=1e-3)
    assert error == pytest.approx(predictor.constants[1].sqrt().item(), rel=1e-3)
    assert (predictor.predict(x)[1] < error).all()


def network(seed, layers=(4, 3)):
    torch.manual_seed(seed)
    return Predictor(replace(CONFIG, layers=layers, dropouts=(0.1, 0.1, 0.1)))


def kinds():
    x, scores = taste(50)
    process = fit_gaussian_process(CONFIG, x, scores)
    one, both = network(0), combine([network(0), network(1, (5, 2))])
    return {"gp": process, "blend of one": Blend(process, one, 0.3, 1.2), "blend": Blend(process, both, 0.7)}


@pytest.mark.parametrize("kind", ["gp", "blend of one", "blend"])
def test_a_file_gives_back_what_was_saved(tmp_path, kind):
    predictor, x = kinds()[kind], taste(20, 1)[0]
    save_predictor(tmp_path / "model.safetensors", predictor, {"model_type": "gp"})
    again, metadata = load_predictor(tmp_path / "model.safetensors")
    assert type(again) is type(predictor)
    assert metadata["kind"] == kind.split()[0]
    np.testing.assert_array_equal(again.predict(x), predictor.predict(x))
    assert len(networks_of(again)) == {"gp": 0, "blend of one": 1, "blend": 2}[kind]


@pytest.mark.parametrize("kind", ["gp", "blend"])
def test_its_onnx_graph_gives_its_scores_and_errors(tmp_path, kind):
    onnxruntime = pytest.importorskip("onnxruntime")
    predictor, x = kinds()[kind], taste(20, 1)[0]
    export_onnx(predictor, tmp_path / "model.onnx", {})
    score, error = onnxruntime.InferenceSession(str(tmp_path / "model.onnx")).run(None, {"features": x.numpy()})
    wanted = predictor.predict(x)
    np.testing.assert_allclose(score, wanted[0], atol=1e-4)
    np.testing.assert_allclose(error, wanted[1], atol=1e-4)


def test_a_blend_is_the_weighted_mean_with_the_error_of_the_process():
    found, x = kinds()["blend of one"], taste(20, 1)[0]
    scores, errors = found.process.predict(x)
    np.testing.assert_allclose(found.predict(x)[0], 0.3 * scores + 0.7 * found.networks.predict(x)[0], rtol=1e-5)
    np.testing.assert_allclose(found.predict(x)[1], 1.2 * errors, rtol=1e-5)


def test_hidden_states_that_are_to_be_weighed_by_training_are_refused():
    alike = replace(CONFIG, widths=(3, 3), hidden_states_mode="weight")
    with pytest.raises(UserError, match="use --hidden_states_mode=join"):
        fit_gaussian_process(alike, torch.zeros(4, 2, 3), np.arange(4.0))


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"kind": "forest"}, "kind='forest', which this version doesn't know"),
        ({"gp_sizes": "[3, 50]"}, "3 numbers above 0"),
        ({"gp_sizes": "[9, 50, 0]"}, "3 numbers above 0"),
        ({"gp_sizes": "[9, 51, 9]"}, "contradict its metadata"),
        ({"gp_sizes": "many"}, "no whole numbers"),
    ],
)
def test_files_that_contradict_themselves_are_refused(tmp_path, changed, said):
    path = tmp_path / "model.safetensors"
    save_predictor(path, kinds()["gp"])
    _, metadata = load_predictor(path)
    save_file(load_file(path), path, {**metadata, **changed})
    with pytest.raises(UserError, match=r"model\.safetensors: ") as caught:
        load_predictor(path)
    assert said in str(caught.value)
