"""train: a decoder from features to pictures, by pixels and by what a second image model sees."""

import json
from argparse import Namespace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import mse_loss

from src.common import UserError, pick_device, principal_components, write_text
from src.options import next_command

from ..common.learning import Row, Training
from ..common.observing import Observer
from ..common.pictures import as_image, draw_sheet
from ..common.runs import (
    BEST,
    LAST,
    RESULTS,
    Log,
    begin_run,
    fill,
    load_weights,
    options_of,
    read_configuration,
    save_weights,
)
from ..common.weighing import standardised_by
from .decoder import Decoder, Trained, as_pixels, drawn, sizes_of
from .losses import Perceptor, hinge, laplacian, looked_at
from .options import STUDY
from .seeing import Material, identity_of, load_decoded, see, versions_of

SHOWN = 9  # control images
BATCH = 64
SPACE = "features.safetensors"  # where the train images' features lie
MOST_COMPONENTS = 64


def main(arguments: Namespace) -> Path:
    """Train; the best on val is kept. Returns the output folder."""
    sizes_of(arguments.size)
    if not (arguments.mse_weight or arguments.laplace_weight or arguments.perceptual_weight):
        raise UserError("--mse_weight, --laplace_weight, --perceptual_weight: all are 0; give one of them a weight")
    side = looked_at(arguments.size, arguments.perceptor_size)
    extractor, states = load_decoded(arguments)
    device = pick_device(arguments.device)
    observer = Observer(arguments.perceptor, arguments.taps, side, device, "taps")
    material = see(arguments, extractor, states)
    identity = identity_of(arguments, extractor, states, material.widths)
    folder, log = begin_run(arguments, "decoder", material.split_by_path(), identity)
    network = build(identity, arguments.seed)
    train = material.rows("train")
    if arguments.normalise_features:
        network.decoder.weighing.fit(material.features[train], material.widths)
    training = Training.of(
        arguments,
        folder,
        network.to(device),
        identity,
        best_by="val_loss",
        highest=False,
        learning_rate=arguments.lr,
        least=min(arguments.min_lr, arguments.lr),
    )
    if arguments.resume:
        training.resume()
    _say_configuration(arguments, material, network.decoder)
    save_space(folder, material, identity)
    perceptor = Perceptor(observer, torch.from_numpy(material.pixels[train]))
    versions = versions_of(material, extractor, states, arguments.augment, arguments.seed)
    _Learning(arguments, material, versions, perceptor, training).learn(log)
    _finish(log, folder, training)
    if arguments.command == "train":  # of a sweep it is one of many
        words = str(arguments.root.resolve()), f"--model={folder.resolve()}"
        what = "to see what it draws of images that it has not seen"
        log.say("", next_command(what, STUDY.script, "validate", *words))
    return folder


def build(identity: dict[str, Any], seed: int = 0) -> Trained:
    """An untrained one; its first weights are the seed's."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        width = sum(identity["widths"])
        decoder = Decoder(width, identity["size"], identity["decoder"], identity["normalise_features"])
        return Trained(decoder, identity["critic"]).to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def load_decoder(folder: Path, device: str, weights: str = "best") -> tuple[Decoder, dict[str, Any]]:
    """That of an output folder, the best one or the last, frozen, and its run.json."""
    configuration, path = read_configuration(folder), folder / {"best": BEST, "last": LAST}[weights]
    network = build(configuration["identity"])
    fill(network, load_weights(path, configuration["identity"])[0], path)
    return network.decoder.eval().requires_grad_(False).to(pick_device(device)), configuration


def load_space(folder: Path, identity: dict[str, Any]) -> dict[str, np.ndarray]:
    """What `save_space` wrote."""
    return {name: tensor.numpy() for name, tensor in load_weights(folder / SPACE, identity)[0].items()}


def _say_configuration(arguments: Namespace, material: Material, decoder: Decoder) -> None:
    """Before anything is learnt; a log has it already."""
    for name, value in options_of(arguments).items():
        print(f"{name}: {value}")
    counts = ", ".join(f"{len(material.rows(split))} {split} images" for split in ("train", "val"))
    print(f"{counts}, {material.features.shape[1]} features each; the decoder has {decoder.megabytes:.1f} MB\n")


def save_space(folder: Path, material: Material, identity: dict[str, Any]) -> None:
    """Where the train images' features lie: mean, range, and the directions in which they differ most.

    components: (K, W) of the standardised features, unit length; spread: (K,), deviations along them.
    mean_image: (3, S, S), 0 to 255.
    """
    rows = material.rows("train")
    features = material.features[rows]
    mean, deviation = standardised_by(features, material.widths)
    standardised = (features - mean) / deviation
    components = principal_components(standardised, min(MOST_COMPONENTS, len(features) - 1, features.shape[1]))
    found = {
        "mean": mean,
        "deviation": deviation,
        "least": features.min(axis=0),
        "most": features.max(axis=0),
        "components": components,
        "spread": (standardised @ components.T).std(axis=0),
        "mean_image": material.pixels[rows].mean(axis=0),
    }
    tensors = {name: torch.from_numpy(np.ascontiguousarray(x, dtype=np.float32)) for name, x in found.items()}
    save_weights(folder / SPACE, tensors, {"identity": identity})


class _Learning:
    """An epoch: each train image once, in a version that is drawn; then the val images are drawn and judged."""

    def __init__(
        self,
        arguments: Namespace,
        material: Material,
        versions: tuple[np.ndarray, np.ndarray],
        perceptor: Perceptor,
        training: Training,
    ) -> None:
        self.features, self.pixels = (torch.from_numpy(each) for each in versions)  # (V, T, …) each
        val = material.rows("val")
        self.val_features, self.val_pixels = (torch.from_numpy(x[val]) for x in (material.features, material.pixels))
        self.perceptor, self.training, self.network = perceptor, training, training.network
        weights = {name: getattr(arguments, f"{name}_weight") for name in ("mse", "laplace", "perceptual")}
        self.weights, self.against = weights, arguments.adversarial_weight
        self.every, self.step = arguments.visualize_each_step, 0
        self.sums = {name: 0.0 for name, weight in weights.items() if weight}
        self.device = next(self.network.parameters()).device

    def learn(self, log: Log) -> None:
        self.training.run(self.epoch, log)

    def epoch(self, number: int) -> Row:
        count = self.features.shape[1]
        self.step = number * -(-count // self.training.batch_size)
        self.sums = dict.fromkeys(self.sums, 0.0)
        loss = self.training.steps(np.arange(count), number, self.loss)
        train = {name: total / count for name, total in self.sums.items()}
        val = self.judge()
        val_loss = sum(self.weights[name] * value for name, value in val.items())
        return {"loss": loss, **train, "val_loss": val_loss, **{f"val_{name}": value for name, value in val.items()}}

    def loss(self, rows: Tensor) -> Tensor:
        versions = torch.randint(self.features.shape[0], (len(rows),))
        features = self.features[versions, rows].to(self.device)
        wanted = self.photographs(self.pixels[versions, rows])
        pictures = self.network.decoder(features)
        parts = self.parts(pictures, wanted)
        for name, part in parts.items():
            self.sums[name] = self.sums.get(name, 0.0) + float(part.detach()) * len(rows)
        self.step += 1
        self.show()
        total = torch.stack([self.weights[name] * part for name, part in parts.items()]).sum()
        return total if self.network.critic is None else total + self.adversarial(pictures, wanted)

    def photographs(self, pixels: Tensor) -> Tensor:
        """In [0, 1], where the network is."""
        return pixels.to(self.device).to(memory_format=torch.channels_last).float() / 255

    def parts(self, pictures: Tensor, wanted: Tensor) -> dict[str, Tensor]:
        """Each loss before it is weighed; one of weight 0 is not computed."""
        perceptor = partial(self.perceptor, jitter=torch.is_grad_enabled())
        losses = {"mse": mse_loss, "laplace": laplacian, "perceptual": perceptor}
        return {name: loss(pictures, wanted) for name, loss in losses.items() if self.weights[name]}

    def adversarial(self, pictures: Tensor, wanted: Tensor) -> Tensor:
        """The decoder is to please the critic, and the critic not to be pleased: one step for both."""
        critic = self.network.critic
        learnt = hinge(critic(wanted), critic(pictures.detach()))
        critic.requires_grad_(False)  # what follows is the decoder's
        pleased = -critic(pictures).mean()
        critic.requires_grad_(True)
        self.sums["adversarial"] = self.sums.get("adversarial", 0.0) + float(pleased.detach()) * len(pictures)
        return self.against * pleased + learnt

    @torch.no_grad()
    def judge(self) -> dict[str, float]:
        """Each loss, of the val images."""
        sums: dict[str, float] = {}
        for features, pixels in zip(self.val_features.split(BATCH), self.val_pixels.split(BATCH), strict=True):
            pictures = self.network.decoder(features.to(self.device))
            for name, part in self.parts(pictures, self.photographs(pixels)).items():
                sums[name] = sums.get(name, 0.0) + float(part) * len(features)
        return {name: total / len(self.val_features) for name, total in sums.items()}

    def show(self) -> None:
        """At steps 1, 10, 100, … and every so many: nine val images, and what is drawn of them."""
        if not self.every or (self.step % self.every and not _is_power_of_ten(self.step)):
            return
        pictures = as_pixels(drawn(self.network.decoder, self.val_features[:SHOWN]))
        self.network.train()
        folder = self.training.folder / "grids"
        folder.mkdir(exist_ok=True)
        rows = [[as_image(one.numpy()) for one in each] for each in (self.val_pixels[:SHOWN], pictures)]
        draw_sheet(folder / f"step{self.step:07}.png", rows, ["image", "drawn"])


def _is_power_of_ten(step: int) -> bool:
    return str(step).strip("0") == "1"


def _finish(log: Log, folder: Path, training: Training) -> None:
    best = training.rows[training.best_epoch() - 1]
    speed = {"images_per_second": training.speed} if training.speed else {}  # a run that only ends has none
    write_text(folder / RESULTS, json.dumps({**best, **speed}, indent=1) + "\n")
    log.say(f"\nthe best epoch is {int(best['epoch'])}; weights, history and grids are in {folder}")
