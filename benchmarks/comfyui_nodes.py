"""Images a second of the ComfyUI node Score Images, against its image model: `python benchmarks/comfyui_nodes.py`.

64 images of 1024 x 1024 in one batch, as a sampler leaves them: float, in memory. efficientnet-lite0 on the CPU,
batches of 16, ways taken in turn; medians, smallest, largest, also of processor time, which other programs disturb
less. Wanted: the node at least 0.8 times as fast as the image model.

- node: what its execute does: floats to bytes, resizing, network, scores, percentiles, progress.
- image model: `extract` of the same images, ready as arrays of bytes.
"""

import argparse
import importlib.util
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import numpy as np
import torch

ROOT = Path(__file__).parents[1]
PACK = "pack_of_nodes"
BATCH_SIZE = 16


def pack(name: str) -> ModuleType:
    """A module of the node pack, loaded as ComfyUI loads it."""
    if PACK not in sys.modules:
        spec = importlib.util.spec_from_file_location(PACK, ROOT / "__init__.py")
        assert spec is not None
        assert spec.loader is not None
        sys.modules[PACK] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[PACK])
    return import_module(f"{PACK}.{name}")


def make_scorer(folder: Path) -> Any:
    """A scorer of a small model that learnt from noise; how fast it is doesn't depend on that."""
    features, model, scoring = pack("src.features"), pack("src.model"), pack("src.scoring")
    extractor = features.load_extractor("efficientnet-lite0", "cpu")
    pictures = np.random.default_rng(0).integers(0, 256, (8, 64, 64, 3), dtype=np.uint8)
    predictor = model.fit_predictor(
        features.extract(pictures, extractor), np.arange(8.0), extractor=extractor, epochs=2, device="cpu"
    )
    model.save_predictor(folder / "model.safetensors", predictor)
    return scoring.load_scorer(folder / "model.safetensors", "cpu")


def seconds(way: Callable[[], object]) -> tuple[float, float]:
    """Of the clock, and of all cores together."""
    start, used = time.perf_counter(), time.process_time()
    way()
    return time.perf_counter() - start, time.process_time() - used


def report(title: str, count: int, node: list[float], model: list[float]) -> None:
    print(title)
    for name, times in (("node", node), ("image model", model)):
        rates = [count / each for each in times]
        print(f"  {name:12} {statistics.median(rates):7.1f} images/s ({min(rates):.1f} to {max(rates):.1f})")
    ratios = [b / a for a, b in zip(node, model, strict=True)]
    print(f"  node / image model: {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--count", type=int, default=64)
    parser.add_argument("--size", type=int, default=1024)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        scorer = make_scorer(Path(folder))
    images = torch.rand(
        arguments.count, arguments.size, arguments.size, 3, generator=torch.Generator().manual_seed(0)
    )
    ready = (images * 255).byte().numpy()
    score, extract = pack("comfyui.scoring").score, pack("src.features").extract
    ways = {
        "node": lambda: score(scorer, images, BATCH_SIZE, lambda done: None),
        "image model": lambda: extract(ready, scorer.extractor, scorer.hidden_states, BATCH_SIZE),
    }
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    for number in range(arguments.rounds + 1):
        for name, way in ways.items():
            times = seconds(way)
            if number:  # in the first round the network is loaded
                taken[name].append(times)
    for place, title in enumerate(("by the clock", "by processor time")):
        report(title, arguments.count, *([each[place] for each in times] for times in taken.values()))


if __name__ == "__main__":
    main()
