"""embed: a vector for each style, from which the frozen decoder draws what its images have in common."""

import json
from argparse import Namespace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import mse_loss

from src.common import UserError, write_text

from ..common.learning import Row, Training
from ..common.looking import pixels_of
from ..common.pictures import as_image, draw_sheet
from ..common.runs import RESULTS, Log, begin_run, find_run, runs_folder
from .autoencode import load_autoencoder, psnr, styles_of_run
from .folders import Styles
from .painter import Autoencoder
from .plot import latents_of


class Embeddings(nn.Module):
    """A vector of the latent space for each style, drawn by a decoder that is not trained, nor saved with them."""

    def __init__(self, vectors: Tensor) -> None:
        super().__init__()
        self.vectors = nn.Parameter(vectors.clone())  # (C, latent)

    def forward(self, codes: Tensor) -> Tensor:
        return self.vectors[codes]


def main(arguments: Namespace) -> Path:
    """Begins at the mean latent vector of each style's train images; returns the output folder."""
    model = find_run(runs_folder(arguments), "ae", arguments.model)
    autoencoder, configuration = load_autoencoder(model, arguments.device)
    styles, x = seen_by(configuration, arguments.root)
    identity = {"model": str(model.resolve()), "styles": styles.names, "latent": configuration["identity"]["latent"]}
    folder, log = begin_run(arguments, "embed", styles.split_by_path(), identity, styles=styles.numbers())
    train = styles.rows("train")
    latents = latents_of(autoencoder.encoder, x[train])
    means = np.stack([latents[styles.codes[train] == code].mean(axis=0) for code in range(len(styles.names))])
    network = Embeddings(torch.from_numpy(means)).to(next(autoencoder.parameters()).device)
    training = Training.of(arguments, folder, network, identity, best_by="val_psnr")
    if arguments.resume:
        training.resume()
    _Learning(styles, x, autoencoder, training).learn(log)
    _report(log, folder, styles, x, autoencoder, network)
    return folder


def seen_by(configuration: dict, root: Path) -> tuple[Styles, np.ndarray]:
    """The images that an autoencoder knew, with their splits, and their pixels (N, 3, S, S) uint8."""
    styles = styles_of_run(configuration, root)
    seen = pixels_of(root, styles.paths, configuration["identity"]["size"])
    if seen.unreadable:
        path, reason = next(iter(seen.unreadable.items()))
        raise UserError(f"{root / path}: {reason}; the model was trained on it, put it back")
    return styles, seen.x


class _Learning:
    """An epoch: each train image is to be drawn from its style's vector alone."""

    def __init__(self, styles: Styles, x: np.ndarray, autoencoder: Autoencoder, training: Training) -> None:
        self.styles, self.x, self.decoder, self.training = styles, x, autoencoder.decoder, training
        self.codes, self.device = torch.from_numpy(styles.codes), next(autoencoder.parameters()).device

    def learn(self, log: Log) -> None:
        self.training.run(self.epoch, log)

    def epoch(self, number: int) -> Row:
        loss = self.training.steps(self.styles.rows("train"), number, self.loss)
        val = self.styles.rows("val")
        drawn = portraits(self.decoder, self.training.network)
        return {"loss": loss, "val_psnr": psnr(self.x[val], drawn[self.styles.codes[val]])}

    def loss(self, rows: Tensor) -> Tensor:
        wanted = torch.from_numpy(self.x[rows.numpy()]).to(self.device).float() / 255
        return mse_loss(self.decoder(self.training.network(self.codes[rows].to(self.device))), wanted)


@torch.no_grad()
def portraits(decoder: nn.Module, network: nn.Module) -> np.ndarray:
    """(C, 3, S, S) in (0, 1): what each style's vector is drawn as."""
    vectors = network.vectors
    drawn: np.ndarray = decoder(vectors).cpu().numpy()
    return drawn


def _report(
    log: Log, folder: Path, styles: Styles, x: np.ndarray, autoencoder: Autoencoder, network: Embeddings
) -> None:
    """styles.png: the mean image of each style, and what its vector is drawn as; their dB to the test images."""
    train, test = styles.rows("train"), styles.rows("test")
    drawn = portraits(autoencoder.decoder, network)
    means = np.stack(
        [x[train[styles.codes[train] == code]].mean(axis=0) / 255 for code in range(len(styles.names))]
    ).astype(np.float32)
    codes = styles.codes[test]
    results = {"vectors": psnr(x[test], drawn[codes]), "mean images": psnr(x[test], means[codes])}
    rows = [[as_image(one) for one in means], [as_image(one) for one in drawn]]
    draw_sheet(folder / "styles.png", rows, ["mean image", "from its vector"], styles.names)
    write_text(folder / RESULTS, json.dumps(results, indent=1) + "\n")
    log.say("", *(f"{name:<14}{value:>8.2f} dB" for name, value in results.items()), f"\nstyles.png is in {folder}")
