"""Losses against torch's own and against arithmetic."""

import pytest
import torch

from src.model.losses import LOSS_FUNCTIONS, SMALLEST_ERROR, partners

TARGETS = torch.tensor([0.0, 1.0, 2.0, 4.0])
WEIGHTS = torch.tensor([1.0, 1.0, 1.0, 5.0])


def mean_of(loss, outputs, images=1):
    """Of examples of so many images, the rows of `outputs` one after the other."""
    return LOSS_FUNCTIONS[loss](
        outputs.unflatten(0, (-1, images)), TARGETS.unflatten(0, (-1, images)), WEIGHTS[::images]
    ).mean()


def test_mse_is_the_mean_square_and_knows_no_weights():
    outputs = torch.tensor([[1.0], [1.0], [2.0], [2.0]])
    assert mean_of("mse", outputs) == pytest.approx((1 + 0 + 0 + 4) / 4)


def test_wmse_counts_an_image_of_weight_five_five_times():
    outputs = torch.tensor([[1.0], [1.0], [2.0], [2.0]])
    assert mean_of("wmse", outputs) == pytest.approx((1 + 0 + 0 + 5 * 4) / 4)


def test_nll_is_the_gaussian_log_likelihood_written_out():
    outputs = torch.tensor([[1.0, 0.3], [0.0, -2.0], [2.0, 1.0], [5.0, 0.0]])
    error = torch.log1p(torch.exp(outputs[:, 1])) + SMALLEST_ERROR
    likelihood = torch.distributions.Normal(outputs[:, 0], error).log_prob(TARGETS)
    constant = 0.5 * torch.log(torch.tensor(2 * torch.pi))
    assert mean_of("nll", outputs) == pytest.approx(float(-(likelihood + constant).mean()), rel=1e-5)


def test_the_ranking_loss_is_what_is_missing_to_the_margin():
    outputs = torch.tensor([[0.0], [0.25], [3.0], [1.0]])  # right by 0.25 of 1, wrong by 2
    assert mean_of("ab", outputs, 2) == pytest.approx((0.75 + 3.0) / 2)


def test_partners_always_differ_and_are_drawn_evenly():
    targets = torch.tensor([1.0, 1.0, 2.0, 3.0])
    rows = torch.zeros(20_000, dtype=torch.long)
    drawn = partners(targets, rows, torch.Generator().manual_seed(0))
    counts = torch.bincount(drawn, minlength=4)
    assert counts[0] == counts[1] == 0
    assert abs(int(counts[2]) - int(counts[3])) < 600  # 4 deviations of a fair coin
    for row in range(4):
        drawn = partners(targets, torch.full((500,), row), torch.Generator().manual_seed(row))
        assert (targets[drawn] != targets[row]).all()
        assert set(drawn.tolist()) == {other for other in range(4) if targets[other] != targets[row]}


def test_partners_of_equal_targets_cannot_be_had():
    with pytest.raises(ValueError, match="all targets are the same"):
        partners(torch.ones(3), torch.arange(3), torch.Generator())
