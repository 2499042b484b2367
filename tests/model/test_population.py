"""Networks that are trained side by side come out as each would alone."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from src.model.batches import BLOCK, Noise
from src.model.components import fit_components
from src.model.config import PredictorConfig
from src.model.training import train, train_population
from src.model.training_data import Comparisons, TrainingConfig, TrainingData

N, W, L = 30, 10, 2
# They differ in all that may differ: sizes, dropouts, epochs, batches, rates and seeds.
DIFFERENT = [
    ((7, 5), (0.3, 0.0, 0.0), {"train_epochs": 3, "batch_size": 13, "log_lr": -2.0, "seed": 1}),
    ((12, 3), (0.0, 0.5, 0.2), {"train_epochs": 1, "batch_size": 20, "log_lr": -2.2, "seed": 2}),
    ((4, 9), (0.6, 0.1, 0.0), {"train_epochs": 5, "batch_size": 8, "log_lr": -2.5, "seed": 3}),
    ((9, 9), (0.0, 0.0, 0.0), {"train_epochs": 2, "batch_size": 99, "log_lr": -2.0, "seed": 4}),
]
ALONE = TrainingConfig(1, 1, -2.0, -2.0, 0.2)


def data(mode="join", loss="mse"):
    generator = torch.Generator().manual_seed(5)
    inputs = 3 + 2 * torch.randn(N, *((L, W) if mode == "weight" else (W,)), generator=generator)
    scores = 5 + inputs.flatten(1)[:, :3].sum(1)
    weights = torch.rand(N, generator=generator)
    if loss != "choices":
        return TrainingData(inputs, scores, weights)
    shown = torch.stack([torch.randperm(N, generator=generator)[:3] for _ in range(N)])
    shown[::2, 2] = -1  # two images, not three
    wanted = torch.zeros(N, 3)
    wanted[shown < 0] = -1
    wanted[torch.arange(N), scores[shown.clamp(min=0)].masked_fill(shown < 0, -99.0).argmax(1)] = 1
    return TrainingData(inputs, scores, weights, Comparisons(shown, wanted, torch.rand(N, generator=generator)))


def configurations(mode="join", loss="mse", fix="none"):
    states = (0, 1) if mode == "weight" else (0,)
    channels = 2 if loss == "nll" else 1
    plain = PredictorConfig(
        "toy", states, mode, (W,) * len(states), (1, 1), (0.0, 0.0, 0.0), channels, high_end_fix=fix
    )
    return [
        (replace(plain, layers=layers, dropouts=dropouts), replace(ALONE, loss_model=loss, **training))
        for layers, dropouts, training in DIFFERENT
    ]


def assert_alike(together, alone, inputs):
    """To a ten-thousandth of a deviation: Adam makes steps of rounding errors where a gradient is nearly 0."""
    for mine, other in zip(together, alone, strict=True):
        assert mine.config == other.config
        for found, expected in zip(mine.predict(inputs), other.predict(inputs), strict=True):
            difference = np.abs(found - expected) / mine.config.score_deviation
            assert np.isnan(expected).all() or difference.max() < 1e-4


@pytest.mark.parametrize("loss", ["mse", "wmse", "ab", "nll", "choices"])
@pytest.mark.parametrize(("mode", "fix"), [("join", "none"), ("weight", "none"), ("join", "variable")])
def test_side_by_side_each_comes_out_as_alone(loss, mode, fix):
    known, configs = data(mode, loss), configurations(mode, loss, fix)
    alone = [train(*one, known) for one in configs]
    assert_alike(train_population(configs, known), alone, known.inputs)
    assert max(each.predict(known.inputs)[0].std() for each in alone) > 0.01


@pytest.mark.parametrize("fix", ["none", "variable"])
def test_trained_on_components_each_takes_all_features(fix):
    known = data()
    known = replace(known, components=fit_components(known.inputs, (6, 4), 5))
    configs = configurations(fix=fix)
    found = train_population(configs, known)
    assert [each.config.widths for each in found] == [(W,)] * len(configs)
    assert_alike(found, [train(*one, known) for one in configs], known.inputs)
    with torch.no_grad():
        weights = found[0].main_process.primary[1].weight if fix == "variable" else found[0].main_process[1].weight
    assert torch.linalg.matrix_rank(weights) <= 5


def test_one_that_is_ended_leaves_and_the_others_go_on():
    known, configs, epochs = data(), configurations(), []

    def after_epoch(place, epoch, finished):
        epochs.append((place, epoch))
        if (place, epoch) == (2, 2):
            assert finished().config.layers == (4, 9)
        return (place, epoch) != (2, 2)

    found = train_population(configs, known, after_epoch=after_epoch)
    assert found[2] is None
    assert_alike([found[0], found[1], found[3]], [train(*configs[place], known) for place in (0, 1, 3)], known.inputs)
    done = [(place, epoch + 1) for place, (_, _, own) in enumerate(DIFFERENT) for epoch in range(own["train_epochs"])]
    assert sorted(epochs) == sorted(one for one in done if one not in [(2, 3), (2, 4), (2, 5)])


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.99])
def test_dropout_keeps_the_share_and_the_mean_that_it_should(rate):
    noise = Noise((rate, 0.0), (50, 3), torch.Generator().manual_seed(1))
    mask, nothing = noise.draw(400)
    assert nothing is None
    assert mask.shape == (BLOCK, 400, 50)
    kept, count = (mask > 0).float().mean(), mask.numel()
    assert float(kept) == pytest.approx(1 - rate, abs=4 * (rate * (1 - rate) / count) ** 0.5)
    assert torch.unique(mask[mask > 0]).tolist() == pytest.approx([1 / (1 - rate)], rel=1e-3)
    assert not torch.equal(noise.draw(400)[0], mask)
