"""How much faster our training loop is than `transformers.Trainer` on the same network, tensors and metaparameters.

    python benchmarks/training_speed.py [--runs 5] [--epochs 25]

674 x 1280 features, batch 17, layers 606 and 491, AdamW, cosine schedule, gradient clip 1.0, one thread, runs taken
in turn. Prints seconds (median, smallest, largest) and the ratio of the medians; at least 1.3 is wanted.
"""

import argparse
import os
import statistics
import sys
import time
from dataclasses import replace
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
sys.path.insert(0, str(Path(__file__).parents[1]))

import torch
from torch import nn

from benchmarks.trainer import train_by_trainer
from src.model.config import PredictorConfig
from src.model.training import TrainingConfig, TrainingData, train

ROWS, WIDTH, BATCH, LAYERS = 674, 1280, 17, (606, 491)
DROPOUTS = (0.2, 0.2, 0.0)
TRAINING = TrainingConfig(25, BATCH, -3.5, -3.5, 0.1)
CONFIG = PredictorConfig("benchmark", (0,), "join", (WIDTH,), LAYERS, DROPOUTS)


def make_data() -> TrainingData:
    """Features with something to learn in them."""
    generator = torch.Generator().manual_seed(1)
    inputs = torch.randn(ROWS, WIDTH, generator=generator)
    scores = torch.tanh(inputs[:, :20].sum(1) / 5) + 0.3 * torch.randn(ROWS, generator=generator)
    return TrainingData(inputs, scores, torch.ones(ROWS))


def ours(data: TrainingData, epochs: int) -> nn.Module:
    """Our loop."""
    return train(CONFIG, replace(TRAINING, train_epochs=epochs), data)


def theirs(data: TrainingData, epochs: int) -> nn.Module:
    """The same by `transformers.Trainer`."""
    return train_by_trainer(data, LAYERS, DROPOUTS, replace(TRAINING, train_epochs=epochs))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=25)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    data = make_data()
    ways = {"our loop": ours, "transformers.Trainer": theirs}
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for run in range(arguments.runs + 1):
        for name, way in ways.items():
            start = time.perf_counter()
            way(data, arguments.epochs)
            if run > 0:  # the first is a warm-up
                seconds[name].append(time.perf_counter() - start)
    print(f"{arguments.runs} runs in turn, {arguments.epochs} epochs, torch {torch.__version__}, one thread")
    for name, times in seconds.items():
        ratio = statistics.median(times) / statistics.median(seconds["our loop"])
        print(
            f"{name:<21} {statistics.median(times):6.2f} s ({min(times):.2f} to {max(times):.2f})  ratio {ratio:.2f}"
        )


if __name__ == "__main__":
    main()
