"""The networks: features to a picture, and a critic that tells pictures from photographs."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import conv_transpose2d, interpolate, leaky_relu, pad, silu

from src.common import UserError

from ..common.weighing import Weighing

SMALLEST = (4, 5, 6, 7)  # pixels on a side of the first feature maps
GROUPS = 8
CRITIC = (32, 64)  # channels
FIRST_COLOURS = 0.1  # of usual first weights
FOLDED_FROM = 8  # pixels on a side


class Shape(NamedTuple):
    """last: channels at the picture's own size; doubled at each halving of it, up to widest. blocks: at each size."""

    last: int
    widest: int
    blocks: int


SHAPES = {"small": Shape(24, 192, 1), "large": Shape(48, 384, 2)}


def sizes_of(size: int) -> list[int]:
    """Pixels on a side of the feature maps, from 4 to 7 on. Raises UserError for a size that is not reached so."""
    sizes = [size]
    while sizes[0] > SMALLEST[-1] and sizes[0] % 2 == 0:
        sizes.insert(0, sizes[0] // 2)
    if sizes[0] not in SMALLEST or len(sizes) < 2:
        known = sorted(first << i for first in SMALLEST for i in range(1, 8))
        nearest = min(known, key=lambda other: abs(other - size))
        raise UserError(f"--size={size}: is not 4, 5, 6 or 7 times a power of 2; {nearest} would be")
    return sizes


class Decoder(nn.Module):
    """Upsampling and convolutions; each size adds its part to the picture. (B, W) raw features -> (B, 3, S, S).

    Pixels are in (0, 1). normalise: whether features are standardised first, by what `weighing` was fitted to.
    """

    def __init__(self, width: int, size: int, shape: str, normalise: bool) -> None:
        super().__init__()
        self.sizes, (last, widest, blocks) = sizes_of(size), SHAPES[shape]
        widths = [min(widest, last << i) for i in range(len(self.sizes))][::-1]
        self.weighing = Weighing(width) if normalise else nn.Identity()
        self.first = nn.Linear(width, widths[0] * self.sizes[0] ** 2)
        self.norm = nn.GroupNorm(GROUPS, widths[0])
        self.widest = widths[0]
        before = [widths[0], *widths[:-1]]
        channels = zip(before[1:], widths[1:], self.sizes[1:], strict=True)
        self.steps = nn.ModuleList(_step(i, o, blocks, side) for i, o, side in channels)
        self.colours = nn.ModuleList(nn.Conv2d(width, 3, 3, padding=1) for width in widths)
        self._begin_grey()

    @torch.no_grad()
    def _begin_grey(self) -> None:
        """Nearly: a first picture of strong colours is far from all others, and the way back may begin with black."""
        for parameter in self.colours.parameters():
            parameter.mul_(FIRST_COLOURS)

    def forward(self, features: Tensor) -> Tensor:
        side = self.sizes[0]
        x = self.first(self.weighing(features)).reshape(-1, self.widest, side, side)  # (B, C, 4, 4)
        x = silu(self.norm(x)).contiguous(memory_format=torch.channels_last)
        picture = self.colours[0](x)
        for size, step, colour in zip(self.sizes[1:], self.steps, self.colours[1:], strict=True):
            x = step(x)
            picture = interpolate(picture, size=(size, size), mode="bilinear") + colour(x)
        return picture.sigmoid()

    @property
    def megabytes(self) -> float:
        """Of its weights."""
        return sum(p.numel() * p.element_size() for p in self.parameters()) / 1e6


class Grain(nn.Module):
    """Adds one picture of noise, ever the same, each channel as strongly as it learns to: what texture is made of.

    Without it a decoder repeats one small pattern instead, everywhere. (B, C, S, S) -> the same.
    """

    noise: Tensor

    def __init__(self, channels: int, size: int) -> None:
        super().__init__()
        self.register_buffer("noise", torch.randn(1, 1, size, size))
        self.strength = nn.Parameter(torch.zeros(channels, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.strength * self.noise


class Doubling(nn.Conv2d):
    """Each pixel becomes four, and then a convolution of 3 x 3. (B, I, S, S) -> (B, O, 2 S, 2 S).

    From FOLDED_FROM on both are one transposed convolution, which multiplies 4 numbers where 9 would be: half of the
    time on a CPU. For smaller maps folding the weights takes longer than it saves.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        if x.shape[-1] < FOLDED_FROM or torch.onnx.is_in_onnx_export():  # whose weights can't be computed
            return super().forward(interpolate(x, scale_factor=2, mode="nearest"))
        return conv_transpose2d(x, self.folded(), self.bias, stride=2, padding=1)

    def folded(self) -> Tensor:
        """(I, O, 4, 4): each weight at all four places that a pixel comes to."""
        weight = self.weight.transpose(0, 1).flip(2, 3)
        return torch.stack([pad(weight, (x, 1 - x, y, 1 - y)) for x in (0, 1) for y in (0, 1)]).sum(dim=0)


def _step(inputs: int, outputs: int, blocks: int, size: int) -> nn.Sequential:
    parts: list[nn.Module] = []
    for i in range(blocks):
        convolution = nn.Conv2d(outputs, outputs, 3, padding=1) if i else Doubling(inputs, outputs)
        parts += [convolution, nn.GroupNorm(GROUPS, outputs), Grain(outputs, size), nn.SiLU()]
    return nn.Sequential(*parts)


class Critic(nn.Module):
    """Says of each patch how much of a photograph it is: above 1 surely, below -1 surely not. PatchGAN, Isola et al.

    (2017). (B, 3, S, S) -> (B, 1, S / 4, S / 4).
    """

    def __init__(self) -> None:
        super().__init__()
        first, second = CRITIC
        self.first = nn.Conv2d(3, first, 4, stride=2, padding=1)
        self.second = nn.Conv2d(first, second, 4, stride=2, padding=1)
        self.norm = nn.GroupNorm(GROUPS, second)
        self.last = nn.Conv2d(second, 1, 3, padding=1)

    def forward(self, pictures: Tensor) -> Tensor:
        x = leaky_relu(self.first(2 * pictures - 1), 0.2)
        verdict: Tensor = self.last(leaky_relu(self.norm(self.second(x)), 0.2))
        return verdict


class Trained(nn.Module):
    """What a run trains: the decoder, and beside it the critic, where there is one."""

    def __init__(self, decoder: Decoder, with_critic: bool) -> None:
        super().__init__()
        self.decoder = decoder
        self.critic = Critic() if with_critic else None


@torch.no_grad()
def drawn(decoder: nn.Module, features: Tensor, batch: int = 64) -> Tensor:
    """(N, 3, S, S) in (0, 1) on the CPU, of features (N, W)."""
    decoder.eval()
    device = next(decoder.parameters()).device
    return torch.cat([decoder(part.to(device)).cpu() for part in features.split(batch)])


def as_pixels(pictures: Tensor | Sequence[Tensor]) -> Tensor:
    """uint8 of pictures in [0, 1]; what is beyond is clipped, never wrapped."""
    stacked = pictures if isinstance(pictures, Tensor) else torch.stack(list(pictures))
    return (stacked.clamp(0, 1) * 255).round().to(torch.uint8)
