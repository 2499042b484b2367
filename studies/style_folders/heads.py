"""The networks that tell styles apart: on features linear and mlp, on pixels conv."""

from torch import Tensor, nn

from ..common.weighing import Weighing


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
