"""What training minimises: a function of network outputs and standardised targets, and what each loss needs.

All losses work in standardised units (train split: mean 0, deviation 1), and give one number for each example, the
mean of which is minimised. An example is R images: one, the two of a pair (ab), or a screen of K (choices).
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

# outputs (..., B, R, C), targets (..., B, R), weights (..., B) -> (..., B)
Loss = Callable[[Tensor, Tensor, Tensor], Tensor]

LOSSES = ("mse", "wmse", "ab", "nll", "choices")
OUTPUT_CHANNELS = {"mse": 1, "wmse": 1, "ab": 1, "nll": 2, "choices": 1}
# What these train is an order; a line fitted afterwards gives it the scale of the scores.
WITHOUT_SCALE = ("ab", "choices")

# In units of one deviation of the scores: pairs further apart than this cost nothing.
AB_MARGIN = 1.0
# The smallest standard error the network may claim, in deviations of the scores; keeps the logarithm finite.
SMALLEST_ERROR = 1e-3


def mse(outputs: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
    """Squared error; weights are not used."""
    return (outputs[..., 0, 0] - targets[..., 0]).square()


def wmse(outputs: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
    """Weight times squared error."""
    return weights * mse(outputs, targets, weights)


def nll(outputs: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
    """Gaussian negative log likelihood (torch's GaussianNLLLoss); the second channel is the error before softplus."""
    error = softplus(outputs[..., 0, 1]) + SMALLEST_ERROR
    return nn.functional.gaussian_nll_loss(outputs[..., 0, 0], targets[..., 0], error.square(), reduction="none")


def ranking(outputs: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
    """Margin ranking loss of pairs (R = 2), drawn so that their targets differ."""
    order = torch.sign(targets[..., 0] - targets[..., 1])
    first, second = outputs[..., 0, 0], outputs[..., 1, 0]
    return nn.functional.margin_ranking_loss(first, second, order, margin=AB_MARGIN, reduction="none")


def choices(outputs: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
    """-log P of choices by Bradley-Terry-Luce: P(i wins) = exp(o_i) / sum over its screen of exp(o_j); Luce (1959).

    R = K, the largest screen. targets: each image's share of the choice, as in `metrics.Screens`; -1 where nothing
    was shown.
    """
    there = targets >= 0
    logs = outputs[..., 0].masked_fill(~there, -torch.inf).log_softmax(dim=-1)  # (..., B, K)
    return -weights * (targets * logs.masked_fill(~there, 0.0)).sum(dim=-1)


LOSS_FUNCTIONS: dict[str, Loss] = {"mse": mse, "wmse": wmse, "ab": ranking, "nll": nll, "choices": choices}


def partners(targets: Tensor, rows: Tensor, generator: torch.Generator) -> Tensor:
    """For each row (B,) another row of `targets` (N,) with a different target, all such rows being equally likely.

    All on the CPU.
    Raises ValueError if all targets are the same.
    """
    order = torch.argsort(targets, stable=True)
    ordered = targets[order].contiguous()
    below = torch.searchsorted(ordered, targets[rows], right=False)
    above = torch.searchsorted(ordered, targets[rows], right=True)
    free = len(targets) - (above - below)
    if int(free.min()) == 0:
        raise ValueError("all targets are the same: no pair differs")
    drawn = (torch.rand(len(rows), generator=generator, dtype=torch.float64) * free).long()
    drawn = torch.minimum(drawn, free - 1)
    return order[torch.where(drawn < below, drawn, drawn + above - below)]
