"""What a network costs to train: our loop beside `transformers.Trainer`, and many images.

    python benchmarks/training_speed.py ../shared/data/oasis [--drawn 20] [--only oasis,sizes]

The folder holds the OASIS photographs and ratings.csv (see oasis_quality.py). It is only read. All on one thread,
in CPU seconds. Prints:

1. efficientnet-lite0, 4 states, three fifths of the images to learn from and the others foretold, a split each at
   random and by theme in turn; metaparameters drawn from the ranges of time_to_quality.py. CPU milliseconds a step
   and Spearman, of our loop on 256 principal components and on all features, and of the Trainer on the same network;
   the ratio of the sums (at least 6 is wanted, at equal Spearman), and the mean difference in Spearman. Components
   are found before, as a search finds them once for all of its trials; what that takes stands below;
2. 5,000 and 50,000 images of 1,280 random features, batch 64, layers 200 and 50: seconds of components once, CPU
   seconds a pass and network, and peak memory.
"""

import argparse
import os
import resource
import sys
import time
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
import torch
from torch import Tensor

from benchmarks.oasis_types import Features, load_crowd
from benchmarks.time_to_quality import FEATURES, NARROW, splits
from benchmarks.trainer import train_by_trainer
from src.common import spearman
from src.model import PredictorConfig, TrainingConfig, TrainingData, train
from src.search import TrainingSettings
from src.search.settings import MetaparameterRanges
from src.search.trainer import configure, with_components

COMPONENTS = 256
SIZES = (5000, 50000)
WAYS = ("components", "features", "Trainer")


def drawn(generator: np.random.Generator, ranges: MetaparameterRanges) -> dict[str, float]:
    """Each alike likely in its range."""
    whole = {name: int(generator.integers(low, high + 1)) for name, (low, high) in _spans(ranges, int)}
    real = {name: float(generator.uniform(low, high)) for name, (low, high) in _spans(ranges, float)}
    return {**whole, **real}


def _spans(ranges: MetaparameterRanges, kind: type) -> list[tuple[str, tuple[float, float]]]:
    return [(name, span) for name, span in vars(ranges).items() if isinstance(span[0], kind)]


def compared(features: Features, y: np.ndarray, rows: list[dict[str, str]], count: int) -> None:
    """Table 1."""
    generator = np.random.default_rng(0)
    seconds, found, steps = {way: [] for way in WAYS}, {way: [] for way in WAYS}, []
    before: list[float] = []
    for number in range(count):
        split = list(splits(rows, number).values())[number % 2]
        learnt = np.flatnonzero(split == "train")
        new = np.flatnonzero(split != "train")
        config, training = configure(drawn(generator, NARROW), TrainingSettings(), features.config)
        scores = torch.tensor(y[learnt], dtype=torch.float32)
        data = TrainingData(features.inputs[learnt], scores, torch.ones(len(learnt)))
        start = time.process_time()
        few = with_components(data, config, COMPONENTS)
        before.append(time.process_time() - start)
        steps.append(training.train_epochs * -(-len(learnt) // training.batch_size))
        for way in WAYS:
            start = time.process_time()
            foretold = _foretell(way, config, training, few if way == "components" else data, features.inputs[new])
            seconds[way].append(time.process_time() - start)
            found[way].append(spearman(y[new], foretold))
    print(f"{'':<12}{'ms a step':>10}{'lowest':>8}{'highest':>8}{'Spearman':>10}{'ratio':>7}{'gain':>9}{'+-':>8}")
    for way in WAYS:
        each = 1000 * np.array(seconds[way]) / np.array(steps)
        gain = np.array(found[way]) - np.array(found["Trainer"])
        print(
            f"{way:<12}{np.median(each):>10.2f}{each.min():>8.2f}{each.max():>8.2f}{np.mean(found[way]):>10.4f}"
            f"{sum(seconds['Trainer']) / sum(seconds[way]):>7.2f}{gain.mean():>+9.4f}"
            f"{gain.std() / np.sqrt(len(gain)):>8.4f}"
        )
    print(f"components are found in {np.median(before):.2f} s (median; {min(before):.2f} to {max(before):.2f})")


def _foretell(
    way: str, config: PredictorConfig, training: TrainingConfig, data: TrainingData, new: Tensor
) -> np.ndarray:
    """Scores of new images."""
    if way == "Trainer":
        network = train_by_trainer(data, config.layers, config.dropouts, training)
        mean, deviation = data.inputs.mean(0), data.inputs.std(0).clamp(min=1e-6)
        with torch.inference_mode():
            return network((new - mean) / deviation)[:, 0].numpy()
    return train(config, training, data).predict(new)[0]


def many(count: int) -> None:
    """A row of table 2."""
    generator = torch.Generator().manual_seed(1)
    inputs = torch.randn(count, 1280, generator=generator)
    data = TrainingData(inputs, inputs[:, :20].sum(1), torch.ones(count))
    config = PredictorConfig("benchmark", (0,), "join", (1280,), (200, 50), (0.2, 0.2, 0.0))
    start = time.process_time()
    known = with_components(data, config, COMPONENTS)
    found = time.process_time() - start
    training = TrainingConfig(2, 64, -3.0, 0.0, 0.1)
    spent = []
    for each in (known, data):
        start = time.process_time()
        train(config, training, each)
        spent.append((time.process_time() - start) / training.train_epochs)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{count:<8}{found:>12.1f}{spent[0]:>14.2f}{spent[1]:>14.2f}{memory:>10.0f}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("oasis", type=Path)
    parser.add_argument("--drawn", type=int, default=20)
    parser.add_argument("--only", default="oasis,sizes")
    parser.add_argument("--work", type=Path, default=Path("oasis_quality"), help="features go here")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    if "oasis" in arguments.only:
        features, rows, y = load_crowd(arguments.oasis, arguments.work, FEATURES)
        compared(features, y, rows, arguments.drawn)
    if "sizes" in arguments.only:
        print(f"\n{'images':<8}{'components':>12}{'a pass, s':>14}{'all features':>14}{'peak, MB':>10}")
        for count in SIZES:
            many(count)
    print(f"\n{os.cpu_count()} cores, torch {torch.__version__}, one thread")


if __name__ == "__main__":
    main()
