"""autoencode: a network that squeezes an image into a short vector and draws it again."""

import json
import math
from argparse import Namespace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import mse_loss

from src.common import UserError, pick_device, write_text
from src.options import next_command
from src.scores import hash_of

from ..common.learning import Row, Training
from ..common.looking import cache_of, pixels_of
from ..common.pictures import as_image, draw_sheet
from ..common.runs import BEST, RESULTS, Log, begin_run, fill, load_weights, read_configuration
from .folders import Styles, find_styles, split_styles, without_unreadable
from .options import STUDY
from .painter import Autoencoder

PAIRS = 10  # images in a comparison
COMPARISONS = 3  # at most
BATCH = 128  # images that are drawn at once
TOY = {"size": 16, "latent": 16, "epochs": 2, "limit_per_class": 20}  # --toy: does it run at all?


def main(arguments: Namespace) -> Path:
    """Train, compare originals and reconstructions of the test images; returns the output folder."""
    if arguments.toy:
        vars(arguments).update(TOY)
    styles, x = see(arguments)
    identity = {"size": arguments.size, "latent": arguments.latent, "activation": arguments.activation}
    folder, log = begin_run(arguments, "ae", styles.split_by_path(), identity, styles=styles.numbers())
    network = build(identity, arguments.seed)
    training = Training.of(arguments, folder, network, identity, best_by="val_psnr")
    network.cpu().begin_at_components(torch.from_numpy(x[styles.rows("train")]).float() / 255)
    network.to(pick_device(arguments.device))
    if arguments.resume:
        training.resume()
    _Learning(arguments, styles, x, training).learn(log)
    _report(log, folder, styles, x, network)
    return folder


def see(arguments: Namespace) -> tuple[Styles, np.ndarray]:
    """Images with their splits, and their pixels (N, 3, S, S) uint8."""
    size = arguments.size
    if size & (size - 1):
        raise UserError(f"--size={size}: must be a power of 2, such as {1 << size.bit_length() - 1}")
    styles = find_styles(arguments)
    seen = pixels_of(styles.root, styles.paths, size)
    styles = split_styles(without_unreadable(styles, seen.unreadable), arguments, cache_of(arguments))
    place = {path: row for row, path in enumerate(seen.paths)}
    return styles, seen.x[[place[path] for path in styles.paths]]


def build(identity: dict[str, Any], seed: int = 0) -> Autoencoder:
    """An untrained one; its first weights are the seed's."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return Autoencoder(identity["size"], identity["latent"], identity["activation"])


def load_autoencoder(folder: Path, device: str) -> tuple[Autoencoder, dict[str, Any]]:
    """The best one of an output folder, frozen, and its run.json."""
    configuration = read_configuration(folder)
    network = build(configuration["identity"])
    fill(network, load_weights(folder / BEST, configuration["identity"])[0], folder / BEST)
    return network.eval().requires_grad_(False).to(pick_device(device)), configuration


def styles_of_run(configuration: dict[str, Any], root: Path) -> Styles:
    """The images of a run, with their splits, as its run.json has them. Raises UserError where one has gone."""
    paths, names = sorted(configuration["split"]), sorted(configuration["styles"])
    if gone := [path for path in paths if not (root / path).is_file()]:
        raise UserError(
            f"{root}: there is no {gone[0]}, which the model knew; give the folder that it was trained on"
        )
    depth = 1 if all(path.split("/")[0] in names for path in paths) else 2
    codes = np.array([names.index(path.split("/")[depth - 1]) for path in paths])
    return Styles(root, names, paths, codes, np.array([configuration["split"][path] for path in paths]))


class _Learning:
    """An epoch: each train image once, mirrored every other time; then the val images are drawn again."""

    def __init__(self, arguments: Namespace, styles: Styles, x: np.ndarray, training: Training) -> None:
        self.styles, self.x, self.training, self.grids = styles, torch.from_numpy(x), training, arguments.grids
        self.device = next(training.network.parameters()).device

    def learn(self, log: Log) -> None:
        self.training.run(self.epoch, log)

    def epoch(self, number: int) -> Row:
        loss = self.training.steps(self.styles.rows("train"), number, self.loss)
        val = self.styles.rows("val")
        if self.grids:
            _compare(
                self.training.folder / f"epoch{number + 1}.png", self.x[val[:PAIRS]].numpy(), self.training.network
            )
        return {"loss": loss, "val_psnr": psnr(self.x[val].numpy(), drawn_again(self.training.network, self.x[val]))}

    def loss(self, rows: Tensor) -> Tensor:
        x = self.x[rows].to(self.device).float() / 255
        mirrored = torch.rand(len(x), device=self.device) < 0.5
        x = torch.where(mirrored[:, None, None, None], x.flip(3), x)
        return mse_loss(self.training.network(x), x)


@torch.no_grad()
def drawn_again(network: nn.Module, x: Tensor) -> np.ndarray:
    """(N, 3, S, S) float32 in (0, 1), of pixels (N, 3, S, S) uint8."""
    network.eval()
    device = next(network.parameters()).device
    return torch.cat([network(part.to(device).float() / 255).cpu() for part in x.split(BATCH)]).numpy()


def psnr(x: np.ndarray, again: np.ndarray) -> float:
    """Peak signal-to-noise ratio in dB, of the mean squared error over all images; x: uint8, again: in [0, 1]."""
    error = float(np.mean((x.astype(np.float32) / 255 - again) ** 2))
    return 99.0 if error < 1e-9 else -10 * math.log10(error)


def _compare(path: Path, x: np.ndarray, network: nn.Module) -> None:
    again = drawn_again(network, torch.from_numpy(x))
    draw_sheet(path, [[as_image(one) for one in x], [as_image(one) for one in again]], ["original", "drawn again"])


def _report(log: Log, folder: Path, styles: Styles, x: np.ndarray, network: Autoencoder) -> None:
    """How near the test images are to what is drawn, beside the mean image; and some of them, of all styles."""
    test, train = styles.rows("test"), styles.rows("train")
    mean = x[train].astype(np.float32).mean(axis=0, keepdims=True) / 255
    results = {
        "this network": psnr(x[test], drawn_again(network, torch.from_numpy(x[test]))),
        f"{min(len(train), network.encoder.last.out_features)} principal components": _by_components(
            x, train, test, network
        ),
        "the mean image": psnr(x[test], mean),
    }
    log.say("", "test images, dB", *(f"{name:<28}{value:>8.2f}" for name, value in results.items()))
    shown = some_of_each(styles, test, PAIRS * COMPARISONS)
    sheets = -(-len(shown) // PAIRS)
    for i in range(sheets):
        _compare(folder / f"comparison{i + 1}.png", x[shown[i::sheets]], network)
    write_text(folder / RESULTS, json.dumps(results, indent=1) + "\n")
    log.say(f"\nweights, history and comparisons are in {folder}")
    words = "--space=latent", f"--model={folder.resolve()}"
    log.say("", next_command("to see where its styles lie", STUDY.script, "plot", str(styles.root.resolve()), *words))


def _by_components(x: np.ndarray, train: np.ndarray, test: np.ndarray, network: Autoencoder) -> float:
    """What as many principal components as the latent vector has numbers would reach."""
    from src.common import principal_components

    known, asked = (x[rows].reshape(len(rows), -1).astype(np.float32) / 255 for rows in (train, test))
    mean = known.mean(axis=0)
    components = principal_components(known - mean, network.encoder.last.out_features)
    again = mean + (asked - mean) @ components.T @ components
    return psnr(x[test], again.reshape(len(test), *x.shape[1:]))


def some_of_each(styles: Styles, rows: np.ndarray, count: int) -> np.ndarray:
    """`count` of the rows or fewer, drawn by their paths' hashes: in turns one of each style; by style."""
    rows = np.array(sorted(rows.tolist(), key=lambda row: hash_of(0, styles.paths[row])))
    before = [int((styles.codes[rows[:i]] == styles.codes[row]).sum()) for i, row in enumerate(rows)]
    taken = rows[np.argsort(before, kind="stable")[:count]]
    return taken[np.argsort(styles.codes[taken], kind="stable")]
