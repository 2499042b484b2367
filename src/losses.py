"""What training minimises: a function of network outputs and standardised targets, and what each loss needs.

All losses work in standardised units (train split: mean 0, deviation 1) and return the mean over the batch.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

# outputs (B, C), targets (B,), weights (B,) -> scalar
Loss = Callable[[Tensor, Tensor, Tensor], Tensor]

LOSSES = ("mse", "wmse", "ab", "nll")
OUTPUT_CHANNELS = {"mse": 1, "wmse": 1, "ab": 1, "nll": 2}

# In units of one deviation of the scores: pairs further apart than this cost nothing.
AB_MARGIN = 1.0
# The smallest standard error the network may claim, in deviations of the scores; keeps the logarithm finite.
SMALLEST_ERROR = 1e-3


def mse(outputs: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
    """Mean squared error; weights are not used."""
    return nn.functional.mse_loss(outputs[:, 0], targets)


def wmse(outputs: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
    """Mean of weight times squared error."""
    return (weights * (outputs[:, 0] - targets).square()).mean()


def nll(outputs: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
    """Gaussian negative log likelihood (torch's GaussianNLLLoss); the second channel is the error before softplus."""
    error = softplus(outputs[:, 1]) + SMALLEST_ERROR
    return nn.functional.gaussian_nll_loss(outputs[:, 0], targets, error.square())


def ranking(outputs: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
    """Margin ranking loss; rows 2i and 2i+1 are a pair, drawn so that their targets differ."""
    first, second = outputs[0::2, 0], outputs[1::2, 0]
    order = torch.sign(targets[0::2] - targets[1::2])
    return nn.functional.margin_ranking_loss(first, second, order, margin=AB_MARGIN)


LOSS_FUNCTIONS: dict[str, Loss] = {"mse": mse, "wmse": wmse, "ab": ranking, "nll": nll}


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
