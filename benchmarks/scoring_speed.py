"""Images a second of scoring a folder, new and again, against one image at a time and against the network alone.

    python benchmarks/scoring_speed.py [--rounds 5] [--jpegs FOLDER] [--counts 500 200]

500 JPEGs (640 x 480, or those of FOLDER) and 200 PNGs (1024 x 1024), efficientnet-lite0, one process, ways taken in
turn; medians, smallest, largest. Wanted on two cores: new at least 2.5 times as fast as one at a time on the JPEGs,
and at least 0.8 times as fast as the network alone.

- new, again: ours, with an empty cache and with a full one.
- one at a time: open a file, prepare it, a batch of one through the network in torch with all its threads, predict.
- published, one at a time: the same loop around the network of the package efficientnet_lite_pytorch, where it is
  installed: same weights, batch norms not folded, resized by Pillow.
- ours, one at a time: the first loop, the network running in ONNX Runtime as it does in "new".
- network alone: forward passes on ready arrays in torch with all its threads, in the best of several batch sizes.
- ours, side by side: the same passes in ONNX Runtime, one on each core. No loop that also opens files can be as fast.

The last line of each says what opening, preparing and the network cost on one core: where all cores are busy, no
overlap makes up for that work.
"""

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
import torch
from PIL import Image
from torch import nn

from src.features.extractors import Extractor, load_extractor
from src.features.feature_cache import FeatureCache
from src.features.images import content_hash, find_images, open_image
from src.model.config import PredictorConfig, arrange
from src.model.network import Predictor
from src.scoring.models import Model, score_images

STATES, WIDTHS = (0, 1, 3, 7), (1280, 1152, 192, 112)
BATCHES = (1, 2, 4, 8, 16, 32)


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


def published(folder: Path, paths: list[str], network: nn.Module) -> None:
    """The same loop as it is written around the published package."""
    for path in paths:
        pixels = np.asarray(open_image(folder / path).resize((224, 224), Image.Resampling.BICUBIC), np.float32)
        with torch.inference_mode():
            network.extract_features(torch.from_numpy((pixels - 127) / 128).permute(2, 0, 1)[None]).mean(
                (2, 3)
            ).numpy()


def published_network(extractor: Extractor) -> nn.Module | None:
    """That of the package efficientnet_lite_pytorch, or None where it is not installed."""
    try:
        from efficientnet_lite_pytorch import EfficientNet
    except ImportError:
        return None
    network = EfficientNet.from_name("efficientnet-lite0").eval()
    network.load_state_dict(torch.load(extractor._weights, weights_only=True))
    return network


def network_alone(extractor: Extractor, ready: list[np.ndarray], batch: int) -> None:
    """Forward passes only."""
    for start in range(0, len(ready), batch):
        extractor(ready[start : start + batch], STATES)


def in_torch(name: str) -> Extractor:
    """The extractor as it is where ONNX Runtime is missing; its network is loaded."""
    extractor = load_extractor(name, "cpu")
    with patch("src.features.extractors.efficientnet.onnx_runtime", return_value=None):
        extractor([extractor.prepare(Image.new("RGB", (8, 8)))], [0])
    return extractor


def side_by_side(extractor: Extractor, ready: list[np.ndarray], batch: int) -> None:
    """Forward passes only, several at once."""
    with extractor.shared() as calls, ThreadPoolExecutor(calls) as pool:
        list(pool.map(lambda i: extractor(ready[i : i + batch], STATES), range(0, len(ready), batch)))


def best_batch(way: Callable[[int], object]) -> int:
    """The quickest of BATCHES, after a warm-up."""
    way(16)
    return min(BATCHES, key=lambda batch: seconds(lambda: way(batch)))


def seconds(way: Callable[[], object], clock: Callable[[], float] = time.perf_counter) -> float:
    start = clock()
    way()
    return clock() - start


def core_seconds(folder: Path, paths: list[str], extractor: Extractor, batch: int) -> tuple[float, float]:
    """Seconds that one core needs of an image: to hash, open and prepare it, and for the network. Best of three."""
    few, some = paths[:32], []

    def prepare() -> None:
        some[:] = [(content_hash(folder / path), extractor.prepare(open_image(folder / path)))[1] for path in few]

    def forward() -> None:
        with ThreadPoolExecutor(1) as pool, extractor.shared():
            pool.submit(network_alone, extractor, some, batch).result()

    ways = prepare, forward
    opening, network = (min(seconds(way, time.process_time) for _ in range(3)) / len(few) for way in ways)
    return opening, network


def measure(name: str, folder: Path, paths: list[str], model: Model, rounds: int, scratch: Path) -> None:
    extractor = model.extractor
    ready = [extractor.prepare(open_image(folder / path)) for path in paths]
    plain = replace(model, extractor=in_torch(extractor.name))
    best = best_batch(lambda batch: network_alone(plain.extractor, ready[:128], batch))
    beside = best_batch(lambda batch: side_by_side(extractor, ready[:128], batch))
    ways: dict[str, Callable[[Path], object]] = {
        "new": lambda cache: ours(folder, paths, model, cache),
        "one at a time": lambda _: one_at_a_time(folder, paths, plain),
        "ours, one at a time": lambda _: one_at_a_time(folder, paths, model),
        "network alone": lambda _: network_alone(plain.extractor, ready, best),
        "ours, side by side": lambda _: side_by_side(extractor, ready, beside),
        "again": lambda cache: ours(folder, paths, model, cache),
    }
    if network := published_network(extractor):
        ways["published, one at a time"] = lambda _: published(folder, paths, network)
    times: dict[str, list[float]] = {way: [] for way in ways}
    for turn in range(rounds):
        for way, run in ways.items():
            times[way].append(seconds(lambda: run(scratch / f"{name}-{turn}")))  # noqa: B023
    print(f"{len(paths)} {name}, {rounds} rounds in turn, best batch {best}, side by side {beside}")
    for way, values in times.items():
        print(f"  {way:<24} {compared(values, times['new'], len(paths))}")
    opening, network_seconds = core_seconds(folder, paths, extractor, beside)
    most = network_seconds / (opening + network_seconds)
    print(
        f"  an image costs a core {1e3 * opening:.1f} ms to open and prepare and {1e3 * network_seconds:.1f} ms of "
        f"network: with all cores busy, at most {most:.2f} times ours side by side",
        flush=True,
    )


def compared(values: list[float], new: list[float], images: int) -> str:
    rates = sorted(images / value for value in values)
    ratios = sorted(value / own for value, own in zip(values, new, strict=True))
    return (
        f"{statistics.median(rates):8.1f} images/s ({rates[0]:.1f} to {rates[-1]:.1f}); new is "
        f"{statistics.median(ratios):.2f} times as fast ({ratios[0]:.2f} to {ratios[-1]:.2f})"
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
    config = PredictorConfig("efficientnet-lite0", STATES, "join", WIDTHS, (300, 100))
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
