"""From "the features are there" to a model on disk: the first result of a training run, beside the predecessor's way.

    python benchmarks/first_model.py ../shared/data/oasis [--repeats 3] [--trials 60] [--without_trainer]

The folder holds the OASIS photographs and ratings.csv (see oasis_quality.py). It is only read. Prints:

1. at 300, 1,000 and 5,000 images the seconds (median, lowest, highest) until ridge regression and a Gaussian process
   are fitted, measured and the better one is on disk; features of more than 900 images are those of OASIS with noise
   of a fifth of their deviation;
2. how long the predecessor's way takes to a network that is as good on held-out images: `transformers.Trainer`,
   one trial after the other, CmaEs, its defaults of threads, the same ranges as oasis_quality.py; after each trial
   that is the best so far on eval, its Spearman on the test images. Half of the images train, a quarter each is eval
   and test.
"""

import argparse
import csv
import os
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
import optuna
import torch

from benchmarks.oasis_types import Features
from benchmarks.trainer import train_by_trainer
from src.common import spearman
from src.search import ObjectiveSettings, SearchSettings, TrainingSettings
from src.search.dataset import Dataset, train_data
from src.search.first_results import best_of, first_results, put
from src.search.objective import make_objective
from src.search.run_files import RunFiles
from src.search.search import suggest
from src.search.settings import MetaparameterRanges
from src.search.trainer import configure

SIZES = (300, 1000, 5000)
FEATURES = "lite0, 4 states"
RANGES = MetaparameterRanges(batch_size=(10, 100), first_layer_size=(10, 300), second_layer_size=(10, 300))


def enlarged(features: Features, y: np.ndarray, count: int) -> Dataset:
    """So many images, a quarter of them eval."""
    generator = np.random.default_rng(0)
    rows = generator.permutation(len(y))[:count] if count <= len(y) else generator.integers(len(y), size=count)
    inputs = features.inputs[rows]
    if count > len(y):
        inputs = inputs + 0.2 * features.inputs.std(dim=0) * torch.from_numpy(
            generator.normal(size=inputs.shape).astype(np.float32)
        )
    split = np.where(np.arange(count) % 4 == 0, "eval", "train")
    return Dataset(features.config, inputs, y[rows], np.ones(count), split)


def until_on_disk(data: Dataset, folder: Path) -> float:
    """Seconds."""
    objective = make_objective(SearchSettings(objective=ObjectiveSettings()), data, False)
    start = time.perf_counter()
    firsts = first_results(data, objective, TrainingSettings(), 0)
    put(best_of(objective, firsts), objective, RunFiles(folder / "model.safetensors", data, {}))
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("oasis", type=Path)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--trials", type=int, default=60)
    parser.add_argument("--without_trainer", action="store_true", help="only table 1")
    parser.add_argument("--work", type=Path, default=Path("oasis_quality"), help="features go here")
    arguments = parser.parse_args()
    with (arguments.oasis / "ratings.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    y = np.array([float(row["beauty_mean"]) for row in rows])
    features = Features(FEATURES, arguments.oasis.resolve(), arguments.work, [row["relative_path"] for row in rows])
    first_seconds(features, y, arguments.repeats)
    if not arguments.without_trainer:
        beside_the_trainer(features, y, arguments.trials)
    print(f"\n{os.cpu_count()} cores, torch {torch.__version__}")


def first_seconds(features: Features, y: np.ndarray, repeats: int) -> None:
    """Table 1."""
    print(f"{'images':<8}{'seconds':>9}{'lowest':>9}{'highest':>9}")
    with tempfile.TemporaryDirectory() as folder:
        for count in SIZES:
            data = enlarged(features, y, count)
            found = sorted(until_on_disk(data, Path(folder)) for _ in range(repeats))
            print(f"{count:<8}{np.median(found):>9.2f}{found[0]:>9.2f}{found[-1]:>9.2f}", flush=True)


def beside_the_trainer(features: Features, y: np.ndarray, trials: int) -> None:
    """Table 2."""
    place = np.random.default_rng(0).permutation(len(y)) % 4
    split = np.array(["train", "train", "eval", "test"])[place]
    data = Dataset(features.config, features.inputs, y, np.ones(len(y)), split)
    objective = make_objective(SearchSettings(), data, False)
    test = data.rows("test")
    start = time.perf_counter()
    first = best_of(objective, first_results(data, objective, TrainingSettings(), 0))
    seconds = time.perf_counter() - start
    reached = spearman(y[test], first.held_out[test])
    print(
        f"\n{first.name}: {seconds:.1f} s, test Spearman {reached:.4f}\nThe predecessor's way, best so far on eval:"
    )
    when = until_as_good(data, reached, trials)
    if when is None:
        print(f"never as good in {trials} trials")
    else:
        print(f"as good after {when:.0f} s: {when / seconds:.0f} times as long")


def until_as_good(data: Dataset, wanted: float, trials: int) -> float | None:
    """Seconds until the best network on eval reaches this test Spearman, None if none does."""
    start, found, best = time.perf_counter(), [], [np.inf]
    test = data.rows("test")

    def objective(trial: optuna.Trial) -> float:
        predictor, training = configure(suggest(trial, RANGES, data.config), TrainingSettings(), data.config)
        learnt = train_data(TrainingSettings(), data)
        network = train_by_trainer(learnt, predictor.layers, predictor.dropouts, training)
        x = (data.inputs - learnt.inputs.mean(0)) / learnt.inputs.std(0).clamp(min=1e-6)
        with torch.inference_mode():
            scores = float(learnt.scores.mean()) + float(learnt.scores.std()) * network(x)[:, 0].double().numpy()
        rows = data.rows("eval")
        value = float(np.mean((data.scores[rows] - scores[rows]) ** 2))
        if value < best[0]:
            best[0] = value
            reached = spearman(data.scores[test], scores[test])
            print(f"  trial {trial.number:>3}, {time.perf_counter() - start:>6.0f} s: {reached:.4f}", flush=True)
            if reached >= wanted:
                found.append(time.perf_counter() - start)
        return value

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(sampler=optuna.samplers.CmaEsSampler(seed=0, warn_independent_sampling=False))
    study.optimize(objective, n_trials=trials)
    print(f"  all {trials} trials: {time.perf_counter() - start:.0f} s")
    return found[0] if found else None


if __name__ == "__main__":
    main()
