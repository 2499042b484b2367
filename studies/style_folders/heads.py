"""The networks that tell styles apart: on features linear and mlp, on pixels conv."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

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
        each = np.repeat(np.sqrt(np.array(widths) * len(widths)), widths) / np.sqrt(TYPICAL)  # (W,)
        self.shift.copy_(torch.from_numpy(x.mean(axis=0)))
        self.scale.copy_(torch.from_numpy(np.maximum(x.std(axis=0), 1e-6) * each))

    def forward(self, x: Tensor) -> Tensor:
        return (x - self.shift) / self.scale  # (N, W)


class FeatureHead(nn.Module):
    """hidden: width of the mlp's hidden layer, 0 for a linear head. Gives logits (N, C)."""

    def __init__(self, width: int, styles: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.weighing = Weighing(width)
        last = nn.Linear(hidden or width, styles)
        between = [nn.Linear(width, hidden), nn.GELU(), nn.Dropout(dropout)] if hidden else []
        self.layers = nn.Sequential(nn.Dropout(dropout), *between, last)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.layers(self.weighing(x))
        return logits


class PixelHead(nn.Module):
    """Three convolutions, each halving the picture, and a linear layer on their mean. x: (N, 3, S, S) uint8."""

    def __init__(self, styles: int, dropout: float) -> None:
        super().__init__()
        parts: list[nn.Module] = []
        for inputs, outputs in ((3, 32), (32, 64), (64, 128)):
            parts += [nn.Conv2d(inputs, outputs, 3, padding=1), nn.BatchNorm2d(outputs), nn.ReLU(), nn.MaxPool2d(2)]
        self.layers = nn.Sequential(*parts)  # (N, 3, S, S) -> (N, 128, S/8, S/8)
        self.last = nn.Sequential(nn.Dropout(dropout), nn.Linear(128, styles))

    def forward(self, x: Tensor) -> Tensor:
        pooled = self.layers(x.float() / 127.5 - 1).mean((2, 3))  # (N, 128)
        logits: Tensor = self.last(pooled)
        return logits
