"""What a decoder is trained by: pixels, Laplacian pyramids, what a second image model sees, and a critic."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate, pad, relu

from src.common import UserError

from ..common.observing import Observer

LEVELS = 4  # of the pyramid, at most
ENERGY_OF = 256  # pictures by which a tap's energy is measured
BATCH = 32
STRIDE = 32  # of the image model as a whole, in pixels
JITTER = 4  # pixels, each way


def laplacian(picture: Tensor, other: Tensor) -> Tensor:
    """Mean over the levels of two Laplacian pyramids of the mean absolute difference; 0 for equal pictures.

    Level i holds what the halved picture loses; the last one what is left. (B, 3, S, S) each. Burt & Adelson (1983).
    """
    rest, levels = picture - other, []  # the pyramid is linear: of a difference it is the difference
    while len(levels) < LEVELS and rest.shape[-1] % 2 == 0:
        halved = avg_pool2d(rest, 2)
        levels.append((rest - interpolate(halved, scale_factor=2, mode="bilinear")).abs().mean())
        rest = halved
    return torch.stack([*levels, rest.abs().mean()]).mean()


def looked_at(size: int, given: int | None) -> int:
    """Pixels on a side of what the second image model looks at. Raises UserError for what its blocks can't halve."""
    if given is None:
        return -(-size // STRIDE) * STRIDE
    if given % STRIDE:
        raise UserError(
            f"--perceptor_size={given}: the taps need a multiple of {STRIDE}; "
            f"{max(STRIDE, round(given / STRIDE) * STRIDE)} would be one"
        )
    return given


class Perceptor:
    """How far two pictures are from each other as a frozen image model sees them."""

    def __init__(self, observer: Observer, pictures: Tensor) -> None:
        """pictures: (N, 3, S, S) uint8, of which the taps' energies are: the mean squares about their means."""
        self.observer = observer
        device = next(observer.network.parameters()).device
        found: list[list[Tensor]] = []
        with torch.no_grad():
            for part in pictures[:ENERGY_OF].split(BATCH):
                found.append(observer(part.to(device).float() / 255))
        taps = [torch.cat(parts) for parts in zip(*found, strict=True)]
        self.energies = [(tap - tap.mean(dim=0)).square().mean().clamp(min=1e-9) for tap in taps]

    def __call__(self, pictures: Tensor, others: Tensor, jitter: bool = False) -> Tensor:
        """Mean over the taps of the mean squared difference by the tap's energy: about 1 to 2 for unlike pictures.

        pictures: (B, 3, S, S), which gradients go to; others: the same, which they don't. jitter: look at both moved
        by some pixels, or else a pattern is learnt that only this image model's strides see.
        """
        if jitter:
            pictures, others = moved(pictures, others)
        with torch.no_grad():
            wanted = self.observer(others)
        return torch.stack(self.each(self.observer(pictures), wanted)).mean()

    def each(self, taps: Sequence[Tensor], wanted: Sequence[Tensor]) -> list[Tensor]:
        """The distance at each tap."""
        triples = zip(taps, wanted, self.energies, strict=True)
        return [(tap - other).square().mean() / energy for tap, other, energy in triples]


def moved(pictures: Tensor, others: Tensor) -> tuple[Tensor, Tensor]:
    """Both by the same distance, drawn: up to JITTER pixels each way; what comes in from the edge is mirrored."""
    size, reach = pictures.shape[-1], min(JITTER, pictures.shape[-1] - 1)
    y, x = torch.randint(2 * reach + 1, (2,)).tolist()
    both = (pad(each, (reach,) * 4, mode="reflect") for each in (pictures, others))
    first, second = (each[:, :, y : y + size, x : x + size] for each in both)
    return first, second


def hinge(of_photographs: Tensor, of_pictures: Tensor) -> Tensor:
    """The critic's loss: photographs should be above 1, pictures below -1. Lim & Ye (2017)."""
    return relu(1 - of_photographs).mean() + relu(1 + of_pictures).mean()
