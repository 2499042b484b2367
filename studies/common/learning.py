"""Epochs: what every network here is trained by. The best so far and the last are on disk, seconds old at most."""

import csv
import io
import json
import math
import textwrap
import time
from argparse import Namespace
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from src.common import Interruption, number_of, write_text

from .pictures import draw_history
from .runs import BEST, LAST, Log, fill, fill_optimiser, load_weights, optimiser_tensors, save_weights

Row = dict[str, float]
PATIENCE = 4  # epochs
SAVED_EACH = 5.0  # seconds; to write weights may take as long as a short epoch
FUSED = ("cpu", "cuda")  # where AdamW's step is one pass over the weights: a sixth of the time on a CPU


@dataclass
class Training:
    """How a network is trained. identity: what its weights are of. best_by: the number of an epoch that decides.

    schedule: the learning rate falls to `least` in a cosine, or by half after each PATIENCE epochs that were not
    better (plateau). clip: the longest gradient, 0 for any. accumulate: batches a step.
    """

    folder: Path
    network: nn.Module
    identity: Mapping[str, Any]
    epochs: int
    batch_size: int
    learning_rate: float
    seed: int
    best_by: str
    weight_decay: float = 0.0
    highest: bool = True
    schedule: str = "cosine"
    least: float = 0.0
    clip: float = 0.0
    accumulate: int = 1

    @classmethod
    def of(
        cls, arguments: Namespace, folder: Path, network: nn.Module, identity: Mapping[str, Any], **others: Any
    ) -> "Training":
        """By the options of a command, where it has them. others: the other fields, and those of another value."""
        shared = ("epochs", "batch_size", "learning_rate", "weight_decay", "seed", "schedule", "clip", "accumulate")
        named = {name: getattr(arguments, name) for name in shared if hasattr(arguments, name)}
        return cls(folder, network, identity, **{**named, **others})

    def __post_init__(self) -> None:
        parameters = list(self.network.parameters())
        fused = parameters[0].device.type in FUSED
        self.optimiser = torch.optim.AdamW(
            parameters, lr=self.learning_rate, weight_decay=self.weight_decay, fused=fused
        )
        self.saved, self.saved_at = 0, -math.inf  # epochs; on the clock
        self.best: dict[str, Tensor] | None = None  # where it is not on disk
        self.rows: list[Row] = []
        self.speed = 0.0  # images a second, of the last epoch's steps

    def resume(self) -> None:
        """Go on where the folder's last epoch ended; from the beginning where the first one did not."""
        if not (self.folder / LAST).is_file():
            return
        tensors, about = load_weights(self.folder / LAST, self.identity)
        fill(self.network, tensors, self.folder / LAST)
        fill_optimiser(self.optimiser, tensors)
        self.rows = about["history"]
        self.saved = len(self.rows)

    def run(self, one_epoch: Callable[[int], Row], log: Log) -> None:
        """Train to the last epoch, and leave the network with its best weights.

        one_epoch: trains the network in epoch number 0, 1, …, and returns that epoch's numbers. Ctrl-C ends an epoch
        that is under way; what the ones before it reached is kept, but for the last SAVED_EACH seconds.
        """
        interruption = Interruption()
        try:
            with interruption.listening():
                for number in range(len(self.rows), self.epochs):
                    with interruption.safe(), self._random_numbers(number):
                        row = one_epoch(number)
                    self._keep({"epoch": number + 1, **row})
                    log.say(_lines(self.rows[-1], self.epochs, self.speed))
        except KeyboardInterrupt:
            del self.rows[self.saved :]
            self._say_stopped(log)
            raise
        self._save()
        self._write_history()  # a kill may have come between it and the weights
        self._draw_history()
        fill(self.network, load_weights(self.folder / BEST, self.identity)[0], self.folder / BEST)
        self.network.eval()

    def _say_stopped(self, log: Log) -> None:
        kept = ""
        if self.rows:
            self._draw_history()
            kept = f"the best of them is {self.best_epoch()}, in {self.folder / BEST}; "
        log.say(f"stopped; {number_of(len(self.rows), 'epoch')} can be kept; {kept}--resume goes on")

    def steps(self, rows: np.ndarray, number: int, loss_of: Callable[[Tensor], Tensor]) -> float:
        """One epoch over these rows, shuffled; the mean of their losses. loss_of: the loss of a batch's rows (B,)."""
        generator = np.random.default_rng([self.seed, number])
        order = torch.from_numpy(generator.permutation(rows))
        batches = list(order.split(self.batch_size))
        total, began = 0.0, time.perf_counter()
        self.network.train()
        self.optimiser.zero_grad()
        with tqdm(total=len(order), desc=f"epoch {number + 1}", unit="image", leave=False) as bar:
            for i, batch in enumerate(batches):
                self._set_learning_rate((number + i / len(batches)) / self.epochs)
                loss = loss_of(batch)
                (loss / self.accumulate).backward()
                if (i + 1) % self.accumulate == 0 or i + 1 == len(batches):
                    self._step()
                total += float(loss.detach()) * len(batch)
                bar.update(len(batch))
        self.network.eval()
        self.speed = len(order) / (time.perf_counter() - began)
        return total / max(1, len(order))

    def _step(self) -> None:
        if self.clip:
            nn.utils.clip_grad_norm_(self.network.parameters(), self.clip)
        self.optimiser.step()
        self.optimiser.zero_grad()

    def best_epoch(self) -> int:
        """The first of those that are best, from 1."""
        sign = 1 if self.highest else -1
        return int(max(self.rows, key=lambda row: sign * row[self.best_by])["epoch"])

    @contextmanager
    def _random_numbers(self, number: int) -> Iterator[None]:
        """Each epoch has its own, so that one which is resumed has the same."""
        with torch.random.fork_rng():
            torch.manual_seed(self.seed * 100_003 + number)
            yield

    def _set_learning_rate(self, done: float) -> None:
        """done: the share of all epochs, in [0, 1]."""
        if self.schedule == "plateau":
            rate = max(self.least, self.learning_rate * 0.5 ** self._halvings())
        else:
            rate = self.least + (self.learning_rate - self.least) * 0.5 * (1 + math.cos(math.pi * done))
        for group in self.optimiser.param_groups:
            group["lr"] = rate

    def _halvings(self) -> int:
        """How often PATIENCE epochs, one after the other, were no better than the best before them."""
        sign, best, waited, halvings = (1 if self.highest else -1), -math.inf, 0, 0
        for row in self.rows:
            value = sign * row[self.best_by]
            waited = 0 if value > best else waited + 1
            best = max(best, value)
            if waited == PATIENCE:
                waited, halvings = 0, halvings + 1
        return halvings

    def _keep(self, row: Row) -> None:
        """An epoch is over: remember the best weights, and write all if that was not done just now."""
        self.rows.append(row)
        if self.best_epoch() == len(self.rows):
            self.best = {name: tensor.detach().clone() for name, tensor in self.network.state_dict().items()}
        if time.monotonic() - self.saved_at >= SAVED_EACH:
            self._save()

    def _save(self) -> None:
        """The best first: who is killed in between trains these epochs again, to the same weights."""
        if self.saved == len(self.rows):
            return
        if self.best:
            until_then = {"identity": self.identity, "history": self.rows[: self.best_epoch()]}
            save_weights(self.folder / BEST, self.best, until_then)
        tensors = {**self.network.state_dict(), **optimiser_tensors(self.optimiser)}
        save_weights(self.folder / LAST, tensors, {"identity": self.identity, "history": self.rows})
        self._write_history()
        self.saved, self.saved_at, self.best = len(self.rows), time.monotonic(), None

    def _write_history(self) -> None:
        write_csv(self.folder / "history.csv", [list(self.rows[0]), *([*row.values()] for row in self.rows)])

    def _draw_history(self) -> None:
        """Only at the end, as it takes longer than a short epoch."""
        draw_history(self.folder / "history.png", self.rows, self.best_epoch())


def _lines(row: Row, epochs: int, speed: float) -> str:
    """What an epoch gave, in lines of a terminal. speed: images a second."""
    begin = f"epoch {int(row['epoch']):>{len(str(epochs))}} of {epochs}  "
    numbers = [f"{name}\N{NO-BREAK SPACE}{value:.4f}" for name, value in row.items() if name != "epoch"]
    text = "  ".join([*numbers, f"{speed:.1f}\N{NO-BREAK SPACE}images/s"])
    return textwrap.fill(text, 100, initial_indent=begin, subsequent_indent=" " * len(begin)).replace("\xa0", " ")


def write_csv(path: Path, rows: Sequence[Sequence[object]]) -> None:
    """Rows of cells, a header first; numbers with six digits."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(
        [f"{cell:.6g}" if isinstance(cell, float) else cell for cell in row] for row in rows
    )
    write_text(path, text.getvalue())


def as_json(value: object) -> Any:
    """A value as JSON gives it back: tuples are lists."""
    return json.loads(json.dumps(value))
