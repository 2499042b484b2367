"""Features as a network takes them in: standardised, hidden states weighing alike."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from src.common import standardisation, weighing_alike

TYPICAL = 1000.0  # squared length of an image's weighed features, on average: as of a thousand standardised ones


class Weighing(nn.Module):
    """Features standardised, each block of columns (a hidden state) weighing alike, however wide it is."""

    shift: Tensor
    scale: Tensor

    def __init__(self, width: int) -> None:
        super().__init__()
        self.register_buffer("shift", torch.zeros(width))
        self.register_buffer("scale", torch.ones(width))

    def fit(self, x: np.ndarray, widths: Sequence[int]) -> None:
        """x: (N, W) of train images, widths: of its blocks."""
        shift, scale = standardised_by(x, widths)
        self.shift.copy_(torch.from_numpy(shift))
        self.scale.copy_(torch.from_numpy(scale * weighing_alike(widths) / np.sqrt(TYPICAL)))

    def forward(self, x: Tensor) -> Tensor:
        return (x - self.shift) / self.scale  # (N, W)


def standardised_by(x: np.ndarray, widths: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    """(W,) each: what is subtracted from features x (N, W), and what they are divided by, block by block of widths.

    With the least scale of `standardisation`: of some dozen images there are features that are nearly always 0, and
    those would drown out all others in the first new image that has them.
    """
    each = [standardisation(block) for block in np.split(x, np.cumsum(widths)[:-1], axis=1)]
    shift, scale = (np.concatenate(parts) for parts in zip(*each, strict=True))
    return shift, scale
