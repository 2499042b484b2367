"""Peak memory of scoring 20,000 and 100,000 tiny images, new and again, and the time of scoring 10,000 again.

    python benchmarks/scoring_memory.py [--images 10000 20000 100000] [--folder /somewhere/with/1/GB]
    python benchmarks/scoring_memory.py --images 100000 1000000 --folder /somewhere/with/11/GB [--gp]
    python benchmarks/scoring_memory.py --open 1000000 3000000

Each run is a process of its own that runs aesthetic_score_from_model.py's main(); only the image model is a stand-in,
as wide as efficientnet-lite0's layers 0, 1, 3 and 7 (2736) but without its work. Wanted: peaks that differ by less
than 15 %, and less than 3 s for 10,000 images again (after imports). From a million on, again is run once. --gp: once
more from the cache, by a Gaussian process of 2,000 images.

--open: how long the first look into a cache of so many images takes, how large its index is, and what memory it takes
to know where each image is; the features are left out. Needs Linux or macOS.
"""

import argparse
import multiprocessing
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
from PIL import Image

from src.features.extractors.base import Extractor

WIDTHS = (1280, 1152, 192, 112)
AGAIN = 3  # runs over an unchanged folder
ROWS_OF_A_SHARD = 4096
PREDICTOR, GP = "model.safetensors", "gp.safetensors"


class Wide(Extractor):
    """Hidden states as wide as efficientnet-lite0's: the mean colour, times fixed random numbers."""

    name, identity = "wide", "wide 1"
    default_hidden_states, default_hidden_states_mode, n_hidden_states = (0, 1, 2, 3), "join", 4

    def __init__(self) -> None:
        generator = np.random.default_rng(0)
        self.projections = [generator.standard_normal((3, width)).astype(np.float32) for width in WIDTHS]

    def prepare(self, image: Image.Image) -> np.ndarray:
        """(H, W, 3) uint8."""
        return np.asarray(image)

    def __call__(self, prepared: list[np.ndarray], hidden_states: Sequence[int]) -> dict[int, np.ndarray]:
        colours = np.stack([image.mean(axis=(0, 1)) for image in prepared]).astype(np.float32)  # (B, 3)
        return {k: colours @ self.projections[k] for k in hidden_states}


def make_images(folder: Path, count: int) -> None:
    """Bitmaps of 4 x 4 pixels, each its own, an hour old; 5,000 to a folder."""
    header = bytes.fromhex(
        "424d660000000000000036000000280000000400000004000000010018000000000030000000130b0000130b0000"
    )
    header += bytes(8)
    hour_ago = time.time() - 3600
    for i in range(count):
        path = folder / f"{i // 5000:03}" / f"{i:07}.bmp"
        if i % 5000 == 0:
            path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            path.write_bytes(header + (i.to_bytes(3, "little") * 16))
            os.utime(path, (hour_ago, hour_ago))


def make_model(path: Path) -> None:
    """An untrained predictor that says it is of the stand-in's features."""
    from src.model.config import PredictorConfig
    from src.model.file import save_predictor
    from src.model.network import Predictor

    config = PredictorConfig("wide", (0, 1, 2, 3), "join", WIDTHS, (300, 100), extractor_identity=Wide.identity)
    save_predictor(path, Predictor(config), {"train_score_quantiles": np.linspace(-50, 50, 101).tolist()})


def make_gp(path: Path) -> None:
    """A Gaussian process that has learnt from the stand-in's features of 2,000 colours how light they are."""
    from src.model import fit_gp, save_predictor

    wide, generator = Wide(), np.random.default_rng(1)
    colours = generator.integers(0, 256, (2000, 1, 1, 3))
    features = wide(list(colours), range(len(WIDTHS)))
    predictor = fit_gp(features, colours.mean(axis=(1, 2, 3)) + generator.normal(0, 5, len(colours)), extractor=wide)
    save_predictor(path, predictor, predictor.about)


def run_once(folder: Path, count: int, model: str) -> None:
    """One run of the script, in this process; prints seconds after imports, and peak memory."""
    import resource

    import aesthetic_score_from_model as script
    import src.scoring.models

    src.scoring.models.load_extractor = lambda *_: Wide()
    out = folder / f"{count}.csv"
    cache = f"--cache_directory={folder / f'cache{count}'}"
    sys.argv = ["score", f"--directory={folder / str(count)}", "-m", str(folder / model), "-o", str(out), cache]
    start = time.perf_counter()
    script.main()
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)
    print(f"RESULT {seconds:.2f} {peak:.0f}")


def measure(folder: Path, count: int, model: str = PREDICTOR) -> tuple[float, float]:
    """Seconds and peak MB of one run in a process of its own."""
    command = [sys.executable, __file__, "--folder", str(folder), "--one", str(count), "--model", model]
    result = subprocess.run(command, capture_output=True, text=True)
    found = re.search(r"RESULT (\S+) (\S+)", result.stdout)
    if not found:
        sys.exit(f"a run failed:\n{result.stderr[-2000:]}")
    return float(found[1]), float(found[2])


def make_index(folder: Path, count: int) -> None:
    """A cache that knows so many images at all layers, with shards that are empty files."""
    from src.features import FeatureCache
    from src.features.feature_cache.index import FileRow, ShardRow

    cache = FeatureCache(folder)
    for start in range(0, count, ROWS_OF_A_SHARD):
        keys = [os.urandom(16) for _ in range(min(ROWS_OF_A_SHARD, count - start))]
        names = [f"{start + k:032x}.safetensors" for k in range(len(WIDTHS))]
        shards = [ShardRow(name, Wide.identity, k, b"".join(keys)) for k, name in enumerate(names)]
        paths = [f"train/{(start + i) // 10000:05}/{(start + i):020}.jpg".encode() for i in range(len(keys))]
        files = [FileRow(b"..", path, 1, 1, key, 1, key, "") for path, key in zip(paths, keys, strict=True)]
        cache._index.write(lambda tables, of=(shards, files): (tables.add_shards(of[0]), tables.add_files(of[1])))
        for name in names:
            (folder / "shards" / name).touch()


def open_once(folder: Path) -> None:
    """The first look, in this process; prints seconds, and MB beyond what was there before."""
    import resource

    from src.features import FeatureCache

    unit = 2**20 if sys.platform == "darwin" else 2**10
    before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.perf_counter()
    cache = FeatureCache(folder)
    opened = time.perf_counter() - start
    held = [cache.stored(Wide.identity, k) for k in range(len(WIDTHS))]
    seconds = time.perf_counter() - start
    peak = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / unit
    tables = {id(table): table.nbytes for places in held for table in (places.table, places.recent)}
    count, size = len(held[0]), (folder / "index.sqlite").stat().st_size
    print(
        f"{count:8} images: opened in {opened:.2f} s, all known after {seconds:.2f} s; an image takes "
        f"{size / count:.0f} bytes of the index and {sum(tables.values()) / count:.0f} of memory; peak {peak:.0f} MB",
        flush=True,
    )


def measure_opening(counts: list[int], folder: Path | None) -> None:
    for count in counts:
        with tempfile.TemporaryDirectory(dir=folder) as name:
            make_index(Path(name), count)
            subprocess.run([sys.executable, __file__, "--folder", name, "--open_one"], check=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, nargs="+", default=[10_000, 20_000, 100_000])
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--model", default=PREDICTOR, help=argparse.SUPPRESS)
    parser.add_argument("--gp", action="store_true")
    parser.add_argument("--open", type=int, nargs="+")
    parser.add_argument("--open_one", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        return run_once(arguments.folder, arguments.one, arguments.model)
    if arguments.open_one:
        return open_once(arguments.folder)
    if arguments.open:
        return measure_opening(arguments.open, arguments.folder)
    with tempfile.TemporaryDirectory(dir=arguments.folder) as name:
        folder = Path(name)
        make_model(folder / PREDICTOR)
        if arguments.gp:
            # Whatever this process takes would count as its children's peak.
            maker = multiprocessing.get_context("spawn").Process(target=make_gp, args=(folder / GP,))
            maker.start()
            maker.join()
        peaks: dict[str, list[float]] = {"new": [], "again": []}
        for count in arguments.images:
            make_images(folder / str(count), count)
            seconds, peak = measure(folder, count)
            peaks["new"].append(peak)
            print(f"{count:7} images, new:   {seconds:7.2f} s, peak {peak:5.0f} MB", flush=True)
            again = [measure(folder, count) for _ in range(AGAIN if count < 1_000_000 else 1)]
            times, most = sorted(seconds for seconds, _ in again), max(peak for _, peak in again)
            peaks["again"].append(most)
            print(
                f"{count:7} images, again: {times[len(times) // 2]:7.2f} s ({times[0]:.2f} to {times[-1]:.2f}), "
                f"peak {most:5.0f} MB",
                flush=True,
            )
            if arguments.gp:
                seconds, peak = measure(folder, count, GP)
                peaks.setdefault("by a Gaussian process", []).append(peak)
                print(f"{count:7} images, by a Gaussian process: {seconds:7.2f} s, peak {peak:5.0f} MB", flush=True)
        for what, values in peaks.items():
            for (small, less), (large, more) in pairwise(zip(arguments.images, values, strict=True)):
                print(f"{what}: {large} images take {more / less - 1:+.1%} the memory of {small}")


if __name__ == "__main__":
    main()
