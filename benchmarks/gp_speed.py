"""How fast a Gaussian process is fitted, and scores.

    python benchmarks/gp_speed.py [--sizes 1000,5000,100000] [--repeats 3] [--scored 20000]

2,736 synthetic features an image (as of efficientnet-lite0's hidden states 0, 1, 3 and 7), a taste that bends and has
noise. Prints for each size the seconds to fit (median, lowest, highest; of more than 10,000 images once), the
process's own seconds, and the correlation with the noiseless taste of 1,000 other images; then how many images a
second and core the one of 1,000 images scores, its errors included, from features in memory. Wanted: 5,000 in 20 s
on two cores, 100,000 in 180 s, 10,000 images a second.
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

from src.common import torch_threads
from src.model import GaussianProcess, PredictorConfig, fit_gaussian_process

WIDTHS = (1280, 1152, 192, 112)
HIDDEN = 40  # what the features have in common
CONFIG = PredictorConfig("benchmark", (0, 1, 3, 7), "join", WIDTHS, (), (0.0,))


def make_images(count: int, seed: int) -> tuple[torch.Tensor, np.ndarray]:
    """Features (N, 2736) and the taste (N,)."""
    mixing = np.random.default_rng(0).normal(size=(HIDDEN, sum(WIDTHS))).astype(np.float32)
    generator = np.random.default_rng(seed)
    inner = generator.normal(size=(count, HIDDEN)).astype(np.float32)
    features = inner @ mixing + generator.normal(size=(count, sum(WIDTHS)), scale=2).astype(np.float32)
    return torch.from_numpy(features), np.sin(inner[:, 0]) + inner[:, 1] ** 2 / 2 + inner[:, 2:10].sum(axis=1) / 4


def fit(count: int, repeats: int) -> GaussianProcess:
    """Prints a line; gives the last one."""
    x, taste = make_images(count, 1)
    scores = taste + np.random.default_rng(2).normal(size=count, scale=0.5)
    new, wanted = make_images(1000, 3)
    seconds, own = [], []
    for _ in range(repeats):
        start, used = time.perf_counter(), time.process_time()
        predictor = fit_gaussian_process(CONFIG, x, scores)
        seconds.append(time.perf_counter() - start)
        own.append(time.process_time() - used)
    found = np.corrcoef(predictor.predict(new)[0], wanted)[0, 1]
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    line = f"{count:>9,}{np.median(seconds):>9.1f}{min(seconds):>9.1f}{max(seconds):>9.1f}{np.median(own):>9.1f}"
    print(f"{line}{found:>9.3f}{memory:>9.1f}", flush=True)
    return predictor


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", default="1000,5000,100000")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--scored", type=int, default=20_000)
    arguments = parser.parse_args()
    heading = ("images", "seconds", "lowest", "highest", "own", "found", "peak GB")
    print("".join(f"{name:>9}" for name in heading))
    fitted = {
        count: fit(count, 1 if count > 10_000 else arguments.repeats)
        for count in map(int, arguments.sizes.split(","))
    }
    predictor, x = min(fitted.items())[1], make_images(arguments.scored, 4)[0]
    with torch_threads(1):
        used = [time.process_time()]
        for _ in range(arguments.repeats):
            predictor.predict(x)
            used.append(time.process_time())
    rates = len(x) / np.diff(used)
    print(f"scored with {min(fitted):,} images: {np.median(rates):,.0f} a second and core", end="")
    print(f" ({rates.min():,.0f} to {rates.max():,.0f}); sizes {predictor.sizes}")


if __name__ == "__main__":
    main()
