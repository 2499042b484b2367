"""Images a second of scoring a folder, new and again, against one image at a time and against the network alone.

    python benchmarks/scoring_speed.py [--rounds 5] [--jpegs FOLDER] [--counts 500 200]

500 JPEGs (640 x 480, or those of FOLDER) and 200 PNGs (1024 x 1024), efficientnet-lite0, one process, ways taken in
turn. Ways: ours with an empty cache; ours again; one image at a time through the same network; the network's forward
passes alone, on ready arrays, in the best of several batch sizes. Wanted on two cores: new at least 2.5 times as fast
as one at a time on the JPEGs, and at least 0.8 times as fast as the network alone. Prints medians, smallest, largest.
"""

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
import torch
from PIL import Image

from src.extractors import Extractor, load_extractor
from src.feature_cache import FeatureCache
from src.images import find_images, open_image
from src.predictor import Predictor, PredictorConfig, arrange
from src.scoring import Model, score_images

WIDTHS = (1280, 1152, 192, 112)
BATCHES = (4, 8, 16, 32)


def draw(path: Path, size: tuple[int, int], seed: int) -> None:
    """A picture with large shapes and fine grain, so that it compresses about as a photograph does."""
    generator = np.random.default_rng(seed)
    coarse = Image.fromarray(generator.integers(0, 256, (9, 12, 3), dtype=np.uint8)).resize(
        size, Image.Resampling.BICUBIC
    )
    grain = generator.integers(-12, 13, (size[1], size[0], 1))
    pixels = np.clip(np.asarray(coarse, dtype=np.int16) + grain, 0, 255).astype(np.uint8)
    Image.fromarray(pixels).save(path, **({"quality": 90} if path.suffix == ".jpg" else {"compress_level": 1}))


def make_folder(folder: Path, count: int, suffix: str, size: tuple[int, int]) -> Path:
    folder.mkdir()
    for i in range(count):
        draw(folder / f"{i:04}{suffix}", size, i)
    return folder


def ours(folder: Path, paths: list[str], model: Model, cache: Path) -> np.ndarray:
    """What the script does between its imports and its output."""
    return score_images(folder, paths, [model], FeatureCache(cache), progress=False).scores[:, 0]


def one_at_a_time(folder: Path, paths: list[str], model: Model) -> np.ndarray:
    """Open, prepare, extract, predict; then the next."""
    used, mode = model.config.hidden_states_used, model.config.hidden_states_mode
    scores = []
    for path in paths:
        pixels = model.extractor.prepare(open_image(folder / path))
        features = model.extractor([pixels], used)
        scores.append(model.predictor.predict(arrange(features, used, mode))[0][0])
    return np.array(scores)


def network_alone(extractor: Extractor, ready: list[np.ndarray], batch: int) -> None:
    """Forward passes only."""
    for start in range(0, len(ready), batch):
        extractor(ready[start : start + batch], (0, 1, 3, 7))


def seconds(way: Callable[[], object]) -> float:
    start = time.perf_counter()
    way()
    return time.perf_counter() - start


def measure(name: str, folder: Path, paths: list[str], model: Model, rounds: int, scratch: Path) -> None:
    ready = [model.extractor.prepare(open_image(folder / path)) for path in paths]
    network_alone(model.extractor, ready[:64], 16)  # a warm-up
    best = min(BATCHES, key=lambda batch: seconds(lambda: network_alone(model.extractor, ready[:128], batch)))
    times: dict[str, list[float]] = {"new": [], "again": [], "one at a time": [], "network alone": []}
    for round in range(rounds):
        cache = scratch / f"{name}-{round}"
        times["new"].append(seconds(lambda: ours(folder, paths, model, cache)))  # noqa: B023
        times["one at a time"].append(seconds(lambda: one_at_a_time(folder, paths, model)))
        times["network alone"].append(seconds(lambda: network_alone(model.extractor, ready, best)))
        times["again"].append(seconds(lambda: ours(folder, paths, model, cache)))  # noqa: B023
    print(f"{len(paths)} {name}, {rounds} rounds in turn, best batch {best}, {torch.get_num_threads()} threads")
    for way, values in times.items():
        rates = sorted(len(paths) / value for value in values)
        ratios = sorted(value / new for value, new in zip(values, times["new"], strict=True))
        print(
            f"  {way:<14} {statistics.median(rates):8.1f} images/s ({rates[0]:.1f} to {rates[-1]:.1f}); new is "
            f"{statistics.median(ratios):.2f} times as fast ({ratios[0]:.2f} to {ratios[-1]:.2f})",
            flush=True,
        )


def check_same(folder: Path, paths: list[str], model: Model, scratch: Path) -> None:
    """All ways must give the same scores, or the comparison means nothing."""
    difference = np.abs(ours(folder, paths, model, scratch / "check") - one_at_a_time(folder, paths, model)).max()
    assert difference < 1e-2, difference


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--counts", type=int, nargs=2, default=(500, 200), help="how many JPEGs and PNGs")
    parser.add_argument("--jpegs", type=Path, help="use the first images of this folder")
    arguments = parser.parse_args()
    extractor = load_extractor("efficientnet-lite0", "cpu")
    config = PredictorConfig("efficientnet-lite0", (0, 1, 3, 7), "join", WIDTHS, (300, 100))
    model = Model("model", Path("model"), Predictor(config), extractor, None)
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        jpegs = arguments.jpegs or make_folder(scratch / "jpegs", arguments.counts[0], ".jpg", (640, 480))
        pngs = make_folder(scratch / "pngs", arguments.counts[1], ".png", (1024, 1024))
        check_same(pngs, find_images(pngs)[:20], model, scratch)
        measure("JPEGs", jpegs, find_images(jpegs)[: arguments.counts[0]], model, arguments.rounds, scratch)
        measure("PNGs", pngs, find_images(pngs), model, arguments.rounds, scratch)


if __name__ == "__main__":
    main()
