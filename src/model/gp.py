"""Gaussian process regression as a predictor: closed form, with a standard error for every score.

Each hidden state is standardised and weighs alike; the kernel is σ² exp(−d² / ℓ²), d² being the mean over hidden
states of the mean squared difference. Rasmussen & Williams (2006), "Gaussian Processes for Machine Learning", ch. 2.
"""

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..common import UserError
from .config import PredictorConfig
from .network import Predictor

# What a file says of it: which kind of predictor it holds, networks where it says none; and the sizes.
KIND, GP, SIZES = "kind", "gp", "gp_sizes"
SMALLEST_VARIANCE = 1e-4  # of σ² + noise: what rounding may not take away


class GaussianProcess(Predictor):
    """score = mean + k(x) · weights; error² = σ² + noise − exp(−2 rest / ℓ²) |k(x) root|².

    k(x) = exp(−|z(x) − landmarks|² / ℓ²), with z(x) (p,) the principal components of the standardised features, each
    hidden state weighing alike. rest: the squared length of what these leave of x. To the error it counts as what x
    shares with no other image; to the score not at all, which was measured to be better (docs/gp.md).

    sizes: (p, m, r): of components, landmarks, columns of root. constants: mean, σ² + noise, ℓ². Scores are on the
    score file's own scale, and the error is that of a new image's score, its noise included.
    """

    def __init__(self, config: PredictorConfig, sizes: tuple[int, int, int]) -> None:
        refuse_weighing(config)
        nn.Module.__init__(self)
        components, landmarks, columns = sizes
        # An output for the score and one for its error; of a network's parts it has none.
        self.config = replace(config, layers=(), dropouts=(0.0,), output_channels=2, high_end_fix="none")
        self.about: dict[str, Any] = {}
        self.sizes, self.unseen, self.unseen_rows = sizes, np.zeros(0), np.zeros(0, dtype=np.int64)
        width = config.number_of_features
        self.shift, self.scale = fixed(width), fixed(width)
        self.components = fixed(components, width)
        self.landmarks, self.weights, self.root = (
            fixed(landmarks, components),
            fixed(landmarks),
            fixed(landmarks, columns),
        )
        self.constants = fixed(3)

    def forward(self, inputs: Tensor) -> Tensor:
        """(N, W) -> (N, 2): score and standard error."""
        mean, variance, length = self.constants.unbind()
        x = (inputs - self.shift) / self.scale  # (N, W)
        z = x @ self.components.T  # (N, p)
        own = z.square().sum(dim=1, keepdim=True)  # (N, 1)
        squared = own + self.landmarks.square().sum(dim=1) - 2 * z @ self.landmarks.T
        kernel = torch.exp(-squared.clamp(min=0) / length)  # (N, m)
        rest = (x.square().sum(dim=1) - own[:, 0]).clamp(min=0)  # (N,)
        known = torch.exp(-2 * rest / length) * (kernel @ self.root).square().sum(dim=1)  # (N,)
        error = (variance - known).clamp(min=SMALLEST_VARIANCE * variance).sqrt()
        return torch.stack([mean + kernel @ self.weights, error], dim=1)

    def score(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Model scores (N,) and standard errors (N,)."""
        scores, errors = self(inputs).unbind(dim=1)
        return scores, errors

    def described(self) -> dict[str, Any]:
        """What its file says besides the configuration, to build one that its tensors fit into."""
        return {KIND: GP, SIZES: list(self.sizes)}


def refuse_weighing(config: PredictorConfig) -> None:
    """UserError where hidden states are to be weighed by training."""
    if config.hidden_states_mode == "weight":
        raise UserError("a Gaussian process weighs each hidden state alike: use --hidden_states_mode=join")


def fixed(*shape: int) -> nn.Parameter:
    """Filled by what fits or loads it, and never trained."""
    return nn.Parameter(torch.empty(shape), requires_grad=False)
