"""classify: a network that tells the styles apart, and what it confuses."""

import json
from argparse import Namespace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from src.common import pick_device, write_text
from src.features import open_image

from ..common.learning import Row, Training, write_csv
from ..common.looking import Seen, cache_of, features_of, load_image_model, pixels_of
from ..common.runs import RESULTS, Log, begin_run
from .folders import Styles, find_styles, split_styles, without_unreadable
from .heads import FeatureHead, PixelHead
from .judging import confusion_of, drawn, judge, logistic_regression, resampled
from .pictures import draw_captioned, draw_confusion

MOST_CONFUSED = 12  # images in confused.png
BATCH = 256  # images that are judged at once
LEARNING_RATES = {"linear": 3e-4, "mlp": 1e-4, "conv": 2e-3}


def main(arguments: Namespace) -> Path:
    """Train, judge on the test images, and write everything into a numbered folder, which is returned."""
    styles, seen, identity = see(arguments)
    train = resampled(styles.codes, styles.rows("train"), arguments.resample, arguments.seed, "resample")
    test = resampled(styles.codes, styles.rows("test"), arguments.test_resample, arguments.seed, "test_resample")
    folder, log = begin_run(arguments, "classify", styles.split_by_path(), identity, styles=styles.numbers())
    log.say(*_counts(folder, styles, {"train": train, "val": styles.rows("val"), "test": test}), "")
    network = build(identity, arguments.dropout, arguments.seed)
    if isinstance(network, FeatureHead):
        network.weighing.fit(seen.x[np.unique(train)], seen.widths)
    training = _training(arguments, folder, network, identity)
    if arguments.resume:
        training.resume()
    Learning(arguments, styles, seen.x, train, training).learn(log)
    probabilities = probabilities_of(network, seen.x[test])
    _report(log, folder, styles, test, probabilities, _baselines(styles, network, seen.x, train, test))
    return folder


def see(arguments: Namespace) -> tuple[Styles, Seen, dict[str, Any]]:
    """Images, splits, what the head sees of them, and what its weights are of."""
    styles, cache = find_styles(arguments), cache_of(arguments)
    about: dict[str, Any] = {"head": arguments.head, "styles": styles.names}
    if arguments.head == "conv":
        seen = pixels_of(styles.root, styles.paths, arguments.size)
        about |= {"size": arguments.size}
    else:
        extractor = load_image_model(arguments.feature_extractor_model, arguments.device)
        states = arguments.hidden_states_used or extractor.default_hidden_states
        seen = features_of(styles.root, styles.paths, extractor, states, cache)
        hidden = arguments.hidden if arguments.head == "mlp" else 0
        about |= {"image_model": extractor.name, "image_model_identity": extractor.identity}
        about |= {"hidden_states": states, "widths": seen.widths, "hidden": hidden}
    styles = split_styles(without_unreadable(styles, seen.unreadable), arguments, cache)
    place = {path: row for row, path in enumerate(seen.paths)}
    return styles, seen._replace(paths=styles.paths, x=seen.x[[place[path] for path in styles.paths]]), about


def build(identity: dict[str, Any], dropout: float = 0.0, seed: int = 0) -> nn.Module:
    """An untrained head; its first weights are the seed's."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        if identity["head"] == "conv":
            return PixelHead(len(identity["styles"]), dropout)
        return FeatureHead(sum(identity["widths"]), len(identity["styles"]), identity["hidden"], dropout)


def _training(arguments: Namespace, folder: Path, network: nn.Module, identity: dict[str, Any]) -> Training:
    network.to(pick_device(arguments.device))
    return Training.of(
        arguments,
        folder,
        network,
        identity,
        best_by="val_balanced_accuracy",
        learning_rate=arguments.learning_rate or LEARNING_RATES[arguments.head],
    )


class Learning:
    """What an epoch is: over the list of train images, then a look at those of val."""

    def __init__(self, arguments: Namespace, styles: Styles, x: np.ndarray, train: np.ndarray, training: Training):
        self.styles, self.x, self.train, self.training = styles, x, train, training
        self.weighted, self.seed = arguments.sampler == "weighted", arguments.seed
        self.device = next(training.network.parameters()).device
        self.codes = torch.from_numpy(styles.codes)

    def learn(self, log: Log) -> None:
        self.training.run(self.epoch, log)

    def epoch(self, number: int) -> Row:
        rows = self.train
        if self.weighted:
            rows = drawn(self.styles.codes, rows, np.random.default_rng([self.seed, number, 1]))
        loss = self.training.steps(rows, number, self.loss)
        val = self.styles.rows("val")
        probabilities = probabilities_of(self.training.network, self.x[val])
        codes = self.styles.codes[val]
        judged = judge(confusion_of(codes, probabilities.argmax(axis=1), len(self.styles.names)))
        val_loss = float(-np.log(np.maximum(probabilities[np.arange(len(val)), codes], 1e-9)).mean())
        return {"loss": loss, "val_loss": val_loss} | {f"val_{k}": v for k, v in judged._asdict().items()}

    def loss(self, rows: Tensor) -> Tensor:
        x = torch.from_numpy(self.x[rows.numpy()]).to(self.device)
        return cross_entropy(self.training.network(x), self.codes[rows].to(self.device))


@torch.no_grad()
def probabilities_of(network: nn.Module, x: np.ndarray) -> np.ndarray:
    """(N, C) float32, of features or pixels."""
    network.eval()
    device = next(network.parameters()).device
    parts = [network(part.to(device)).softmax(dim=1).cpu() for part in torch.from_numpy(x).split(BATCH)]
    return torch.cat(parts).numpy()


def _counts(folder: Path, styles: Styles, used: dict[str, np.ndarray]) -> list[str]:
    """Images of each style, before and after rebalancing: as lines, and in counts.csv."""
    columns = []
    for split, rows in used.items():
        columns += [(split, styles.counts(styles.rows(split))), (f"{split}, used", styles.counts(rows))]
    rows_ = [["style", *(name for name, _ in columns)]]
    rows_ += [[name, *(str(counts[name]) for _, counts in columns)] for name in styles.names]
    write_csv(folder / "counts.csv", rows_)
    width = max(len(name) for name in [*styles.names, "style"])
    return [f"{row[0]:<{width}}" + "".join(f"{cell:>13}" for cell in row[1:]) for row in rows_]


def _baselines(
    styles: Styles, network: nn.Module, x: np.ndarray, train: np.ndarray, test: np.ndarray
) -> dict[str, np.ndarray]:
    """{name: what it takes the test images for}: always the largest style, and a logistic regression."""
    largest = np.bincount(styles.codes[styles.rows("train")]).argmax()
    if isinstance(network, FeatureHead):
        with torch.no_grad():
            x = network.weighing.cpu()(torch.from_numpy(x)).numpy()
    return {
        "logistic regression": logistic_regression(x, styles.codes, train, test),
        f"always {styles.names[largest]}": np.full(len(test), largest),
    }


def _report(
    log: Log, folder: Path, styles: Styles, test: np.ndarray, probabilities: np.ndarray, others: dict[str, np.ndarray]
) -> None:
    """Numbers and pictures of the test images, which nothing was chosen by."""
    codes, count = styles.codes[test], len(styles.names)
    taken = {"this network": probabilities.argmax(axis=1), **others}
    judged = {name: judge(confusion_of(codes, found, count)) for name, found in taken.items()}
    log.say("", f"{'test images':<26}{'accuracy':>10}{'balanced':>10}{'macro F1':>10}")
    log.say(*(f"{name[:25]:<26}{j[0]:>10.4f}{j[1]:>10.4f}{j[2]:>10.4f}" for name, j in judged.items()))
    confusion = confusion_of(codes, taken["this network"], count)
    cells = [[name, *row] for name, row in zip(styles.names, confusion.tolist(), strict=True)]
    write_csv(folder / "confusion.csv", [["style", *styles.names], *cells])
    draw_confusion(folder / "confusion.png", styles.names, confusion)
    _write_confused(folder, styles, test, probabilities)
    write_text(folder / RESULTS, json.dumps({k: v._asdict() for k, v in judged.items()}, indent=1) + "\n")
    log.say(f"\nweights, history, confusion and the images it confuses most are in {folder}")


def _write_confused(folder: Path, styles: Styles, test: np.ndarray, probabilities: np.ndarray) -> None:
    """test.csv of all test images, and confused.png of those that it is most certain of, wrongly."""
    taken, sure = probabilities.argmax(axis=1), probabilities.max(axis=1)
    names, paths = styles.names, [styles.paths[row] for row in test.tolist()]
    codes = styles.codes[test]
    rows = [[path, names[c], names[t], float(p)] for path, c, t, p in zip(paths, codes, taken, sure, strict=True)]
    write_csv(folder / "test.csv", [["path", "style", "taken_for", "probability"], *rows])
    wrong = {paths[i]: i for i in np.argsort(sure, kind="stable") if taken[i] != codes[i]}  # each path once
    shown = list(reversed(wrong.values()))[:MOST_CONFUSED]
    if not shown:
        return
    images = []
    for i in shown:
        image = open_image(styles.root / paths[i])
        image.thumbnail((160, 160))
        images.append(np.asarray(image))
    draw_captioned(
        folder / "confused.png", images, [f"{names[codes[i]]},\ntaken for {names[taken[i]]}" for i in shown]
    )
