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

    def fit(self, x: np.ndarray, widths: Sequence[int], floored: bool = False) -> None:
        """x: (N, W) of train images, widths: of its blocks.

        floored: with the least scale of `standardisation`, block by block. Of some dozen images there are features
        that are nearly always 0, and those would drown out all others in the first new image that has them.
        """
        each = weighing_alike(widths) / np.sqrt(TYPICAL)  # (W,)
        scale = np.maximum(x.std(axis=0), 1e-6)
        if floored:
            blocks = np.split(x, np.cumsum(widths)[:-1], axis=1)
            scale = np.concatenate([standardisation(block)[1] for block in blocks])
        self.shift.copy_(torch.from_numpy(x.mean(axis=0)))
        self.scale.copy_(torch.from_numpy(scale * each))

    def forward(self, x: Tensor) -> Tensor:
        return (x - self.shift) / self.scale  # (N, W)
