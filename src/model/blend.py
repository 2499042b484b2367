"""A Gaussian process and networks as one predictor: the weighted mean of their scores."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from .gp import KIND, GaussianProcess, fixed
from .network import Predictor

BLEND = "blend"


class Blend(Predictor):
    """score = share · process + (1 − share) · networks; its error is the process's, times a factor.

    networks: one, or an ensemble. share: 0 to 1, from predictions of images that neither was fitted on. factor: above
    0, how much larger (or smaller) the blend's errors were on those than the process says of its own.
    """

    def __init__(
        self, process: GaussianProcess, networks: Predictor, share: float = 0.5, factor: float = 1.0
    ) -> None:
        nn.Module.__init__(self)
        self.config = replace(networks.config)
        self.about: dict[str, Any] = {}
        self.process, self.networks = process, networks
        self.shares = fixed(2)
        with torch.no_grad():
            self.shares.copy_(torch.tensor([share, factor]))

    @property
    def has_error(self) -> bool:
        return True

    @property
    def share(self) -> float:
        """Of the process, 0 to 1."""
        return float(self.shares[0])

    def forward(self, inputs: Tensor) -> Tensor:
        """(N, W) -> (N, 2): score and standard error."""
        return torch.stack(self.score(inputs), dim=1)

    def score(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Model scores (N,) and standard errors (N,)."""
        share, factor = self.shares.unbind()
        scores, errors = self.process.score(inputs)
        others, _ = self.networks.score(inputs)
        return share * scores + (1 - share) * others, factor * errors

    def described(self) -> dict[str, Any]:
        """What its file says besides the configuration: the parts of both."""
        return {**self.networks.described(), **self.process.described(), KIND: BLEND}


def networks_of(predictor: Predictor) -> Sequence[Predictor]:
    """The networks in any predictor, the best first; none in a Gaussian process."""
    if isinstance(predictor, Blend):
        return networks_of(predictor.networks)
    return [] if isinstance(predictor, GaussianProcess) else predictor.predictors
