"""The training loop: it learns, it repeats itself, and it comes back on the score file's own scale."""

import math
from dataclasses import replace

import pytest
import torch
from transformers import get_cosine_schedule_with_warmup

from src.model.config import PredictorConfig
from src.model.network import Predictor
from src.model.training import TrainingConfig, TrainingData, learning_rate_factor, train

N, W, L = 240, 12, 3
CONFIG = PredictorConfig("toy", (0,), "join", (W,), (32, 16), (0.1, 0.1, 0.0))
TRAINING = TrainingConfig(train_epochs=12, batch_size=40, log_lr=-1.8, log_weight_lr=-1.3, warmup_ratio=0.1)
SHORT = replace(TRAINING, train_epochs=3)  # where it need not have learnt anything


def data(inputs=None):
    generator = torch.Generator().manual_seed(5)
    # raw features far from mean 0 and deviation 1, scores around 1,000: what standardising is for
    inputs = 50 + 7 * torch.randn(N, W, generator=generator) if inputs is None else inputs
    flat = inputs if inputs.ndim == 2 else inputs[:, 1]
    scores = 1000 + 3 * (flat[:, 0] - 50) - 2 * (flat[:, 1] - 50)
    return TrainingData(inputs, scores, torch.ones(N))


def stacked():
    """Three hidden states (N, L, W), of which only the second says anything."""
    return 50 + 7 * torch.randn(N, L, W, generator=torch.Generator().manual_seed(6))


def correlation(a, b):
    return float(torch.corrcoef(torch.stack([torch.as_tensor(a).float(), b]))[0, 1])


def with_loss(loss, **changes):
    return replace(TRAINING, loss_model=loss, **changes)


@pytest.mark.parametrize("loss", ["mse", "wmse", "ab", "nll"])
@pytest.mark.parametrize("mode", ["join", "average", "weight"])
def test_every_loss_learns_in_every_mode_on_the_scale_of_the_scores(loss, mode):
    train_data = data(stacked() if mode == "weight" else None)
    states = (0, 1, 2) if mode == "weight" else (0,)
    channels = 2 if loss == "nll" else 1
    config = PredictorConfig("toy", states, mode, (W,) * len(states), (32, 16), (0.1, 0.1, 0.0), channels)
    predictor = train(config, with_loss(loss), train_data)
    scores, errors = predictor.predict(train_data.inputs)
    assert correlation(scores, train_data.scores) > 0.9
    assert float(scores.mean()) == pytest.approx(1000, abs=6)
    assert float(scores.std()) == pytest.approx(float(train_data.scores.std()), rel=0.35)
    if loss == "nll":
        assert 0 < errors.mean() < float(train_data.scores.std())


def test_the_same_seed_gives_the_same_network_and_another_seed_another():
    first, second = (train(CONFIG, SHORT, data()).state_dict() for _ in range(2))
    other = train(CONFIG, replace(SHORT, seed=1), data()).state_dict()
    assert all(torch.equal(first[key], second[key]) for key in first)
    assert not torch.equal(first["main_process.1.weight"], other["main_process.1.weight"])
    began = [train(CONFIG, replace(SHORT, log_lr=-9.0, seed=seed), data()).main_process[1].weight for seed in (0, 1)]
    assert (began[0] - began[1]).abs().max() > 0.01  # not only the batches are others


def test_training_leaves_torchs_own_random_numbers_alone():
    torch.manual_seed(3)
    expected = torch.rand(3)
    torch.manual_seed(3)
    train(CONFIG, SHORT, data())
    assert torch.equal(torch.rand(3), expected)


def test_looking_after_each_epoch_changes_nothing():
    seen = []
    watched = train(CONFIG, SHORT, data(), after_epoch=lambda epoch, predictor: seen.append(epoch))
    assert seen == [1, 2, 3]
    assert torch.equal(watched.main_process[1].weight, train(CONFIG, SHORT, data()).main_process[1].weight)


def test_training_has_one_thread_and_gives_the_others_back():
    before, seen = torch.get_num_threads(), []
    torch.set_num_threads(2)
    train(CONFIG, SHORT, data(), after_epoch=lambda epoch, predictor: seen.append(torch.get_num_threads()))
    assert (set(seen), torch.get_num_threads()) == ({1}, 2)
    torch.set_num_threads(before)


def test_a_run_is_torchs_own_adamw_with_its_own_clipping_of_gradients():
    config = PredictorConfig("toy", (0,), "join", (W,), (256, 256))
    inputs, scores = data().inputs, data().scores
    ours = train(config, with_loss("mse", train_epochs=6, batch_size=N, log_lr=-2.0, warmup_ratio=0.0), data())
    torch.manual_seed(TRAINING.seed)
    reference = Predictor(config).main_process
    optimizer = torch.optim.AdamW(reference.parameters(), lr=1e-2, foreach=False)
    schedule = get_cosine_schedule_with_warmup(optimizer, 0, 6)
    standard = (inputs - inputs.mean(0)) / inputs.std(0, correction=0)
    targets = (scores - scores.mean()) / scores.std(correction=0)
    lengths = []
    for _ in range(6):
        optimizer.zero_grad()
        torch.nn.functional.mse_loss(reference(standard)[:, 0], targets).backward()
        lengths.append(float(torch.nn.utils.clip_grad_norm_(reference.parameters(), 1.0)))
        optimizer.step()
        schedule.step()
    assert min(lengths) < 1 < max(lengths)  # some steps are clipped, some are not
    expected = scores.mean() + scores.std(correction=0) * reference(standard)[:, 0].detach()
    assert torch.allclose(torch.from_numpy(ours.predict(inputs)[0]).float(), expected, atol=1e-3)


def test_an_image_of_weight_zero_is_not_learnt():
    inputs = torch.zeros(N, W)
    inputs[: N // 2, 0] = 1
    scores = torch.cat([torch.zeros(N // 2), torch.ones(N // 2)])
    scores[0] = 1000.0
    weights = torch.ones(N)
    weights[0] = 0.0
    unweighted = train(CONFIG, TRAINING, TrainingData(inputs, scores, weights)).predict(inputs[:1])[0][0]
    weighted = train(CONFIG, with_loss("wmse"), TrainingData(inputs, scores, weights)).predict(inputs[:1])[0][0]
    assert abs(weighted) < 1.0 < unweighted


def test_mixing_weights_are_learnt_at_their_own_rate():
    config = PredictorConfig("toy", (0, 1, 2), "weight", (W,) * L, (32, 16))
    slow = train(config, with_loss("mse", log_weight_lr=-9.0), data(stacked())).weight[0].weight.flatten()
    fast = train(config, with_loss("mse", log_weight_lr=-2.0), data(stacked())).weight[0].weight.flatten()
    assert slow.tolist() == pytest.approx([1 / 3] * 3, abs=1e-4)
    assert fast[1] > fast[0] + 0.05  # the state that says something
    assert fast[1] > fast[2] + 0.05


def test_fixed_mixing_weights_stay_fixed():
    config = PredictorConfig("toy", (0, 1, 2), "weight", (W,) * L, (32, 16))
    predictor = train(config, SHORT, data(stacked()), torch.tensor([0.1, 0.7, 0.2, 0.5]))
    assert predictor.weight[0].weight.flatten().tolist() == pytest.approx([0.1, 0.7, 0.2])
    assert predictor.weight[0].bias.item() == 0.5


def test_the_learning_rate_follows_transformers_cosine_with_warmup():
    parameter = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([parameter], lr=1.0)
    schedule = get_cosine_schedule_with_warmup(
        optimizer, num_warmup_steps=math.ceil(0.15 * 30), num_training_steps=30
    )
    for step in range(30):
        assert learning_rate_factor(step, 30, 0.15) == pytest.approx(schedule.get_last_lr()[0], abs=1e-12)
        optimizer.step()
        schedule.step()


def test_constant_features_and_constant_scores_do_no_harm():
    inputs = torch.full((N, W), 3.0)
    predictor = train(
        CONFIG, with_loss("mse", train_epochs=2), TrainingData(inputs, torch.full((N,), 5.0), torch.ones(N))
    )
    assert torch.isfinite(torch.tensor(predictor.predict(inputs)[0])).all()


def test_a_feature_that_hardly_varies_does_not_shout_in_a_new_image():
    inputs = data().inputs.clone()
    inputs[:, 5] = 0.0
    inputs[0, 5] = 1e-4
    predictor = train(CONFIG, with_loss("mse", log_lr=-2.5), data(inputs))
    new = inputs[:20].clone()
    new[:, 5] = 1.0  # 150,000 of its deviations
    quiet, loud = predictor.predict(inputs[1:20])[0], predictor.predict(new[1:])[0]
    assert abs(quiet - loud).mean() < 0.3 * float(data().scores.std())


def test_a_batch_larger_than_the_train_split_is_one_step_an_epoch():
    predictor = train(CONFIG, with_loss("mse", batch_size=1000), data())
    assert torch.isfinite(predictor.main_process[1].weight).all()
