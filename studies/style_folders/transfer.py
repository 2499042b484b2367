"""transfer: images drawn in other styles. A style's vector sets scale and shift in the decoder (AdaIN).

The loss is on the decoded image: a frozen image model looks at it, and what it sees should have the statistics of the
style's images, and the content of the image itself. Gatys et al. (2016); Huang & Belongie (2017).
"""

import json
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, pad

from src.common import UserError, write_text

from ..common.learning import Row, Training
from ..common.observing import Observer
from ..common.pictures import as_image, draw_sheet
from ..common.runs import BEST, RESULTS, Log, begin_run, fill, find_run, load_weights, read_configuration, runs_folder
from .autoencode import drawn_again, load_autoencoder, some_of_each
from .embed import Embeddings, seen_by
from .folders import Styles
from .painter import Autoencoder, Decoder, Stylist

SHOWN = 10  # images in comparison.png
LOOKED_AT = 64  # pixels on a side of what the image model looks at
MIRRORED = 8  # more of them at each edge
BATCH = 64
SMALLEST = 1e-4  # of a statistic's deviation


class Transfer(nn.Module):
    """A decoder of its own, a copy at first, and the stylist that sets its scales and shifts."""

    def __init__(self, decoder: Decoder, embeddings: Tensor) -> None:
        super().__init__()
        self.decoder = decoder
        self.stylist = Stylist(embeddings, decoder.widths)

    def forward(self, latents: Tensor, codes: Tensor) -> Tensor:
        """(B, 3, S, S) in (0, 1), of latent vectors (B, latent) in these styles (B,)."""
        picture: Tensor = self.decoder(latents, self.stylist(codes))
        return picture


def main(arguments: Namespace) -> Path:
    """Train, draw test images in other styles; returns the output folder."""
    embedded = find_run(runs_folder(arguments), "embed", arguments.model)
    network, encoder, configuration = load_parts(embedded, arguments.device, arguments.seed)
    styles, x = seen_by(configuration, arguments.root)
    single = _row_of(styles, arguments.single_image)
    observer = StyleObserver(arguments.layers, arguments.statistics, next(network.parameters()).device)
    identity = {"embed": str(embedded.resolve()), "styles": styles.names, "layers": arguments.layers}
    folder, log = begin_run(arguments, "transfermodel", styles.split_by_path(), identity, styles=styles.numbers())
    training = Training.of(arguments, folder, network, identity, best_by="val_loss", highest=False)
    if arguments.resume:
        training.resume()
    _Learning(arguments, styles, x, encoder, observer, training).learn(log)
    _report(log, folder, styles, x, encoder, network, single)
    return folder


def load_parts(embedded: Path, device: str, seed: int = 0) -> tuple[Transfer, Autoencoder, dict]:
    """An untrained transfer, its first weights the seed's; the frozen autoencoder that it goes with; its run.json."""
    identity = read_configuration(embedded)["identity"]
    autoencoder, configuration = load_autoencoder(Path(identity["model"]), device)
    embeddings = Embeddings(torch.zeros(len(identity["styles"]), identity["latent"]))
    fill(embeddings, load_weights(embedded / BEST, identity)[0], embedded / BEST)
    own, _ = load_autoencoder(Path(identity["model"]), device)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = Transfer(own.decoder, embeddings.vectors.detach()).to(next(own.parameters()).device)
    return network.requires_grad_(True), autoencoder, configuration


def load_transfer(folder: Path, device: str) -> tuple[Transfer, Autoencoder]:
    """The best one of an output folder, and the autoencoder that it goes with; both frozen."""
    identity = read_configuration(folder)["identity"]
    network, autoencoder, _ = load_parts(Path(identity["embed"]), device)
    fill(network, load_weights(folder / BEST, identity)[0], folder / BEST)
    return network.eval().requires_grad_(False), autoencoder


def _row_of(styles: Styles, path: str | None) -> int | None:
    if path is None:
        return None
    if path not in styles.paths:
        raise UserError(f"--single_image={path}: is none of the model's images; name one as {styles.paths[0]}")
    return styles.paths.index(path)


class StyleObserver(Observer):
    """What a frozen image model sees of pictures, and the statistics of it that are a style."""

    def __init__(self, layers: Sequence[int], statistics: str, device: torch.device) -> None:
        super().__init__("efficientnet-lite0", layers, LOOKED_AT, device, "layers")
        self.statistics_of = gram if statistics == "gram" else moments

    def __call__(self, pictures: Tensor) -> list[Tensor]:
        """(B, C, H, W) of the colours and of each layer, of pictures (B, 3, S, S) in [0, 1].

        Mirrored at their edges, as training would learn to use what the image model pads them with.
        """
        large = interpolate(pictures, size=(LOOKED_AT, LOOKED_AT), mode="bilinear")
        mirrored = pad(large, (MIRRORED,) * 4, mode="reflect")
        return [opponents(pictures), *self.network.maps(mirrored, self.layers)]

    @torch.no_grad()
    def of_styles(self, styles: Styles, x: np.ndarray) -> tuple[list[Tensor], list[Tensor], Tensor]:
        """Means (C, D) of each layer's statistics, of each style's train images; deviations (D,); content's (Ch,)."""
        rows, codes, device = styles.rows("train"), [], next(self.network.parameters()).device
        found: list[list[Tensor]] = []
        content: list[Tensor] = []
        for part in np.array_split(rows, max(1, len(rows) // BATCH)):
            taps = self(torch.from_numpy(x[part]).to(device).float() / 255)
            found.append([self.statistics_of(tap) for tap in taps])
            content.append(taps[-1].var((0, 2, 3)))
            codes.append(torch.from_numpy(styles.codes[part]).to(device))
        code = torch.cat(codes)
        layers = [torch.cat(parts) for parts in zip(*found, strict=True)]  # (N, D) each
        means = [torch.stack([layer[code == c].mean(dim=0) for c in range(len(styles.names))]) for layer in layers]
        return means, [layer.std(dim=0) + SMALLEST for layer in layers], torch.stack(content).mean(dim=0) + SMALLEST


def opponents(pictures: Tensor) -> Tensor:
    """Light, red against green, yellow against blue: (B, 3, S, S) -> the same; of a grey picture two are 0."""
    red, green, blue = pictures.unbind(1)
    return torch.stack([(red + green + blue) / 3, red - green, (red + green) / 2 - blue], dim=1)


def moments(tap: Tensor) -> Tensor:
    """Mean and deviation of each channel: (B, C, H, W) -> (B, 2C)."""
    return torch.cat([tap.mean((2, 3)), tap.std((2, 3), correction=0)], dim=1)


def gram(tap: Tensor) -> Tensor:
    """Mean products of two channels each: (B, C, H, W) -> (B, C * C)."""
    flat = tap.flatten(2)  # (B, C, HW)
    return (flat @ flat.transpose(1, 2) / flat.shape[2]).flatten(1)


class _Learning:
    """An epoch: each train image once, in a style that is drawn; then val images, each in the style after its own."""

    def __init__(
        self,
        arguments: Namespace,
        styles: Styles,
        x: np.ndarray,
        autoencoder: Autoencoder,
        observer: StyleObserver,
        training: Training,
    ) -> None:
        self.styles, self.x, self.encoder, self.training = styles, torch.from_numpy(x), autoencoder.encoder, training
        self.weights = arguments.style_weight, arguments.content_weight
        self.device = next(autoencoder.parameters()).device
        self.observer = observer
        self.means, self.deviations, self.content = self.observer.of_styles(styles, x)

    def learn(self, log: Log) -> None:
        self.training.run(self.epoch, log)

    def epoch(self, number: int) -> Row:
        loss = self.training.steps(self.styles.rows("train"), number, self.loss)
        val = torch.from_numpy(self.styles.rows("val"))
        wanted = (torch.from_numpy(self.styles.codes)[val] + 1) % len(self.styles.names)
        with torch.no_grad():
            parts = [
                self.parts(rows, codes) for rows, codes in zip(val.split(BATCH), wanted.split(BATCH), strict=True)
            ]
        style, content = (float(np.mean([float(part[i]) for part in parts])) for i in (0, 1))
        both = self.weights[0] * style + self.weights[1] * content
        return {"loss": loss, "val_loss": both, "val_style_loss": style, "val_content_loss": content}

    def loss(self, rows: Tensor) -> Tensor:
        style, content = self.parts(rows, torch.randint(len(self.styles.names), (len(rows),)))
        return self.weights[0] * style + self.weights[1] * content

    def parts(self, rows: Tensor, wanted: Tensor) -> tuple[Tensor, Tensor]:
        """In squared deviations: of statistics from the wanted style's, of the last tap from the image's own."""
        x, codes = self.x[rows].to(self.device).float() / 255, wanted.to(self.device)
        with torch.no_grad():
            latents, own = self.encoder(x), self.observer(x)[-1]
        taps = self.observer(self.training.network(latents, codes))
        each = zip(taps, self.means, self.deviations, strict=True)
        off = [
            ((self.observer.statistics_of(tap) - mean[codes]) / spread).square().mean() for tap, mean, spread in each
        ]
        content = ((taps[-1] - own).square().mean((0, 2, 3)) / self.content).mean()
        return torch.stack(off).mean(), content


@torch.no_grad()
def transferred(network: Transfer, autoencoder: Autoencoder, x: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """(N, 3, S, S) in (0, 1): pixels (N, 3, S, S) uint8 in these styles (N,)."""
    network.eval()
    device = next(network.parameters()).device
    parts = zip(torch.from_numpy(x).split(BATCH), torch.from_numpy(codes).split(BATCH), strict=True)
    drawn = [network(autoencoder.encoder(p.to(device).float() / 255), c.to(device)).cpu() for p, c in parts]
    return torch.cat(drawn).numpy()


def _report(
    log: Log,
    folder: Path,
    styles: Styles,
    x: np.ndarray,
    autoencoder: Autoencoder,
    network: Transfer,
    single: int | None,
) -> None:
    """comparison.png: ten test images and each in every style, or the single image in every style."""
    rows = some_of_each(styles, styles.rows("test"), SHOWN) if single is None else np.array([single])
    originals, again = x[rows], drawn_again(autoencoder, torch.from_numpy(x[rows]))
    columns = [originals, again]
    for code in range(len(styles.names)):
        columns.append(transferred(network, autoencoder, originals, np.full(len(rows), code)))
    pictures = [[as_image(column[i]) for column in columns] for i in range(len(rows))]
    labels = [styles.names[styles.codes[row]] for row in rows]
    draw_sheet(folder / "comparison.png", pictures, labels, ["original", "drawn again", *styles.names])
    write_text(folder / RESULTS, json.dumps({"best_epoch": int(load_best(folder))}, indent=1) + "\n")
    log.say(f"\nweights, history and comparison.png are in {folder}")


def load_best(folder: Path) -> int:
    """The epoch whose weights are kept."""
    identity = read_configuration(folder)["identity"]
    return len(load_weights(folder / BEST, identity)[1]["history"])
