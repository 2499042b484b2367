"""Components in place of features: those of scikit-learn, turned, and a network that learns from them as from all."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr
from sklearn.decomposition import PCA

from src.model.components import fit_components
from src.model.config import PredictorConfig
from src.model.training import train
from src.model.training_data import TrainingConfig, TrainingData

N, W, K = 120, 40, 8


@pytest.fixture
def inputs():
    """Features that vary in few directions, of very different size."""
    generator = torch.Generator().manual_seed(1)
    varying = torch.randn(N, K, generator=generator) @ torch.randn(K, W, generator=generator)
    return 5 + (varying + 0.1 * torch.randn(N, W, generator=generator)) * torch.logspace(-0.3, 0.3, W)


def test_they_say_what_principal_components_say(inputs):
    found = fit_components(inputs, (W,), K)
    raw = inputs.numpy()
    standard = (raw - raw.mean(0)) / raw.std(0)
    expected = PCA(K, svd_solver="full").fit_transform(standard)
    kept, wanted = found.values.numpy() @ found.values.numpy().T, expected @ expected.T
    assert np.allclose(kept / np.trace(kept), wanted / np.trace(wanted), atol=1e-5)
    assert float(found.values.square().mean().sqrt()) == pytest.approx(W / K, rel=0.01)
    turned = (inputs - found.shift) / found.scale @ found.directions
    assert torch.allclose(turned, found.values, atol=1e-3)


def test_each_hidden_state_counts_alike(inputs):
    narrow = torch.randn(N, 2, generator=torch.Generator().manual_seed(2))
    found = fit_components(torch.cat([inputs, narrow], dim=1), (W, 2), K)
    # Of two features among 42 that vary alone, components of all alike would say next to nothing.
    foretold, *_ = torch.linalg.lstsq(found.values, narrow)
    rest = narrow - found.values @ foretold
    assert float(rest.var() / narrow.var()) < 0.1


@pytest.mark.parametrize(("count", "expected"), [(0, None), (W, None), (W - 1, W - 1), (200, None)])
def test_none_where_they_are_no_fewer(inputs, count, expected):
    found = fit_components(inputs, (W,), count)
    assert (found and found.directions.shape[1]) == expected


def test_of_few_images_there_are_as_many_as_these_have(inputs):
    assert fit_components(inputs[:7], (W,), K - 1).directions.shape == (W, 6)


def test_features_that_never_change_have_none():
    assert fit_components(torch.ones(10, W), (W,), 3) is None


def test_input_dropout_makes_as_much_noise_in_what_a_network_says_as_among_features_that_vary_together(inputs):
    """Each of the K stands for W / K features; the mean of these, each dropped by itself, scatters less."""
    found = fit_components(inputs, (W,), K)
    less = found.config(PredictorConfig("toy", (0,), "join", (W,), (20, 10), (0.4, 0.2, 0.1)))
    assert (less.widths, less.dropouts[1:]) == ((K,), (0.2, 0.1))
    draw = np.random.default_rng(0).random
    kept = draw((200_000, W // K)) >= 0.4
    of_features = (kept.mean(axis=1) / 0.6).var()
    of_a_component = ((draw(200_000) >= less.dropouts[0]) / (1 - less.dropouts[0])).var()
    assert of_a_component == pytest.approx(of_features, rel=0.03)


def test_the_same_metaparameters_learn_as_well_from_either(inputs):
    generator = torch.Generator().manual_seed(3)
    scores = torch.tanh((inputs - inputs.mean(0)) @ (torch.randn(W, generator=generator) / inputs.std(0)) / 8)
    known = TrainingData(inputs[:80], scores[:80], torch.ones(80))
    config = PredictorConfig("toy", (0,), "join", (W,), (20, 10), (0.3, 0.2, 0.0))
    training = TrainingConfig(20, 16, -2.5, 0.0, 0.1)
    few = replace(known, components=fit_components(known.inputs, (W,), K))
    found = [spearmanr(train(config, training, one).predict(inputs[80:])[0], scores[80:])[0] for one in (known, few)]
    assert min(found) > 0.9
    assert abs(found[0] - found[1]) < 0.03
