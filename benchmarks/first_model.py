"""From "the features are there" to a model on disk: the first result of a training run.

    python benchmarks/first_model.py ../shared/data/oasis [--repeats 3]

The folder holds the OASIS photographs and ratings.csv (see oasis_quality.py). It is only read. Prints at 300, 1,000
and 5,000 images the seconds (median, lowest, highest) until ridge regression and a Gaussian process are fitted,
measured and the better one is on disk; features of more than 900 images are those of OASIS with noise of a fifth of
their deviation. How long the predecessor takes to be as good: time_to_quality.py.
"""

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
import torch

from benchmarks.oasis_types import Features, load_crowd
from src.search import ObjectiveSettings, SearchSettings, TrainingSettings
from src.search.dataset import Dataset
from src.search.first_results import best_of, first_results, put
from src.search.objective import make_objective
from src.search.run_files import RunFiles
from src.search.settings import MetaparameterRanges

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
    parser.add_argument("--work", type=Path, default=Path("oasis_quality"), help="features go here")
    arguments = parser.parse_args()
    features, _, y = load_crowd(arguments.oasis, arguments.work, FEATURES)
    first_seconds(features, y, arguments.repeats)
    print(f"\n{os.cpu_count()} cores, torch {torch.__version__}")


def first_seconds(features: Features, y: np.ndarray, repeats: int) -> None:
    """The table."""
    print(f"{'images':<8}{'seconds':>9}{'lowest':>9}{'highest':>9}")
    with tempfile.TemporaryDirectory() as folder:
        for count in SIZES:
            data = enlarged(features, y, count)
            found = sorted(until_on_disk(data, Path(folder)) for _ in range(repeats))
            print(f"{count:<8}{np.median(found):>9.2f}{found[0]:>9.2f}{found[-1]:>9.2f}", flush=True)


if __name__ == "__main__":
    main()
