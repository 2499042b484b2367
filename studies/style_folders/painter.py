"""The autoencoder's networks: an image to a latent vector, and back. Style may enter the way back, as AdaIN."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d, interpolate

from src.common import principal_components

ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {"relu": nn.ReLU, "tanh": nn.Tanh, "gelu": nn.GELU}
SMALLEST = 4  # pixels on a side of the last feature map
FIRST, WIDEST = 16, 128  # channels at the image's own size, and at most
OVERVIEW = 16  # pixels on a side of the small picture that is also read and drawn
DARKEST = 0.03  # of it, as a logit has no end
EPSILON = 1e-5


class Styling(NamedTuple):
    """maps: what AdaIN puts in the place of the feature maps' own, scales and shifts (B, C) each, of each block.

    colours: the same of the picture itself, whose scale is a matrix (B, 3, 3) as its channels are colours; (B, 3).
    """

    maps: Sequence[tuple[Tensor, Tensor]]
    colours: tuple[Tensor, Tensor]


def channels_of(size: int) -> list[int]:
    """Of the blocks, from the image's own size down: doubled at each halving of the picture until 4 x 4."""
    halvings = (size // SMALLEST).bit_length() - 1
    return [min(WIDEST, FIRST << i) for i in range(halvings)]


class Encoder(nn.Module):
    """Convolutions, each followed by a mean over 2 x 2; beside them a small picture. (B, 3, S, S) -> (B, latent)."""

    def __init__(self, size: int, latent: int, activation: str) -> None:
        super().__init__()
        parts: list[nn.Module] = []
        inputs = 3
        for outputs in channels_of(size):
            convolution = nn.Conv2d(inputs, outputs, 3, padding=1)
            parts += [convolution, nn.BatchNorm2d(outputs), ACTIVATIONS[activation](), nn.AvgPool2d(2)]
            inputs = outputs
        self.layers = nn.Sequential(*parts, nn.Flatten())
        self.last = nn.Linear(inputs * SMALLEST**2 + 3 * OVERVIEW**2, latent)

    def forward(self, x: Tensor) -> Tensor:
        latent: Tensor = self.last(torch.cat([self.layers(x), overview(x)], dim=1))
        return latent


class Decoder(nn.Module):
    """Upsampling and convolutions; each size adds its part to the picture. (B, latent) -> (B, 3, S, S) in (0, 1)."""

    def __init__(self, size: int, latent: int, activation: str) -> None:
        super().__init__()
        channels = channels_of(size)[::-1]
        self.widest = channels[0]
        self.first = nn.Linear(latent, self.widest * SMALLEST**2)
        self.overview = nn.Linear(latent, 3 * OVERVIEW**2)
        self.widths = [*channels[1:], FIRST]  # of the blocks
        blocks = zip(channels, self.widths, strict=True)
        self.convolutions = nn.ModuleList(nn.Conv2d(inputs, outputs, 3, padding=1) for inputs, outputs in blocks)
        self.norms = nn.ModuleList(nn.BatchNorm2d(width) for width in self.widths)
        self.activation = ACTIVATIONS[activation]()
        self.colours = nn.ModuleList(nn.Conv2d(width, 3, 3, padding=1) for width in (self.widest, *self.widths))

    def forward(self, latent: Tensor, styling: "Styling | None" = None) -> Tensor:
        x = self.first(latent).reshape(-1, self.widest, SMALLEST, SMALLEST)
        picture = self.colours[0](x)
        for i, (convolution, norm) in enumerate(zip(self.convolutions, self.norms, strict=True)):
            x = norm(convolution(interpolate(x, scale_factor=2, mode="bilinear")))
            x = self.activation(x if styling is None else restyled(x, *styling.maps[i]))
            picture = interpolate(picture, scale_factor=2, mode="bilinear") + self.colours[i + 1](x)
            if x.shape[-1] == OVERVIEW:
                picture = picture + self.overview(latent).reshape(-1, 3, OVERVIEW, OVERVIEW)
        return (picture if styling is None else recoloured(picture, *styling.colours)).sigmoid()


class Autoencoder(nn.Module):
    """Both. x: (B, 3, S, S) in [0, 1]; S: a power of 2."""

    def __init__(self, size: int, latent: int, activation: str) -> None:
        super().__init__()
        self.encoder = Encoder(size, latent, activation)
        self.decoder = Decoder(size, latent, activation)

    def forward(self, x: Tensor) -> Tensor:
        picture: Tensor = self.decoder(self.encoder(x))
        return picture

    @torch.no_grad()
    def begin_at_components(self, x: Tensor) -> None:
        """Begin as what the small pictures' principal components, of the logits of x (N, 3, S, S), would draw.

        From there the convolutions only add: with some hundred images to learn from, they would need most of the
        time to get that far.
        """
        small = overview(x).double()  # (N, 768)
        mean = small.mean(dim=0)
        found = torch.from_numpy(principal_components((small - mean).numpy(), self.encoder.last.out_features)).float()
        unit = float(((small - mean).float() @ found.T).std(dim=0).mean()) or 1.0  # latent numbers are about 1
        encoder, decoder, count = self.encoder.last, self.decoder.overview, len(found)
        encoder.weight[:count] = 0
        encoder.weight[:count, -small.shape[1] :] = found / unit
        encoder.bias[:count] = -(found @ mean.float()) / unit
        decoder.weight[:] = 0
        decoder.weight[:, :count] = found.T * unit
        decoder.bias[:] = mean.float()
        for parameter in self.decoder.colours.parameters():
            parameter.zero_()


def overview(x: Tensor) -> Tensor:
    """(B, 768) logits of a small picture, 16 x 16, of x (B, 3, S, S) in [0, 1]."""
    return adaptive_avg_pool2d(x, OVERVIEW).clamp(DARKEST, 1 - DARKEST).logit().flatten(1)


def restyled(x: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    """Adaptive instance normalisation, Huang & Belongie (2017): each map (H, W) gets this deviation and this mean.

    x: (B, C, H, W). scale, shift: (B, C).
    """
    mean, deviation = x.mean((2, 3), keepdim=True), x.std((2, 3), keepdim=True, correction=0)
    return (x - mean) / (deviation + EPSILON) * scale[:, :, None, None] + shift[:, :, None, None]


def recoloured(x: Tensor, matrix: Tensor, shift: Tensor) -> Tensor:
    """Each pixel's three numbers by a matrix, and moved. x: (B, 3, H, W), matrix: (B, 3, 3), shift: (B, 3)."""
    return torch.einsum("bij,bjhw->bihw", matrix, x) + shift[:, :, None, None]


class Stylist(nn.Module):
    """Styles' embeddings (C, latent), and what of a decoder's way of drawing they set. widths: of its blocks.

    It begins by leaving colours alone and giving every map the same deviation 1 and mean 0, whatever the style.
    """

    def __init__(self, embeddings: Tensor, widths: Sequence[int]) -> None:
        super().__init__()
        self.embeddings = nn.Parameter(embeddings.clone())
        self.maps = nn.ModuleList(nn.Linear(embeddings.shape[1], 2 * width) for width in widths)
        self.colours = nn.Linear(embeddings.shape[1], 12)
        with torch.no_grad():
            for linear in (*self.maps, self.colours):
                linear.weight.mul_(0.1)
                linear.bias.zero_()

    def forward(self, codes: Tensor) -> Styling:
        style = self.embeddings[codes]  # (B, latent)
        maps = [(1 + scale, shift) for scale, shift in (linear(style).chunk(2, dim=1) for linear in self.maps)]
        matrix, shift = self.colours(style).split((9, 3), dim=1)
        identity = torch.eye(3, device=style.device)
        return Styling(maps, (identity + matrix.reshape(-1, 3, 3), shift))
