"""Peak memory of scoring 20,000 and 100,000 tiny images, new and again, and the time of scoring 10,000 again.

    python benchmarks/scoring_memory.py [--images 10000 20000 100000] [--folder /somewhere/with/1/GB]

Each run is a process of its own that runs aesthetic_score_from_model.py's main(); only the image model is a stand-in,
as wide as efficientnet-lite0's four default layers (2736) but without its work. Wanted: peaks that differ by less
than 15 %, and less than 3 s for 10,000 images again (after imports). Needs Linux or macOS.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
from PIL import Image

from src.features.extractors.base import Extractor

WIDTHS = (1280, 1152, 192, 112)
AGAIN = 3  # runs over an unchanged folder


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


def run_once(folder: Path, count: int) -> None:
    """One run of the script, in this process; prints seconds after imports, and peak memory."""
    import resource

    import aesthetic_score_from_model as script
    import src.scoring.models

    src.scoring.load_extractor = lambda *_: Wide()
    model, out = folder / "model.safetensors", folder / f"{count}.csv"
    cache = f"--cache_directory={folder / f'cache{count}'}"
    sys.argv = ["score", f"--directory={folder / str(count)}", "-m", str(model), "-o", str(out), cache]
    start = time.perf_counter()
    script.main()
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)
    print(f"RESULT {seconds:.2f} {peak:.0f}")


def measure(folder: Path, count: int) -> tuple[float, float]:
    """Seconds and peak MB of one run in a process of its own."""
    command = [sys.executable, __file__, "--folder", str(folder), "--one", str(count)]
    result = subprocess.run(command, capture_output=True, text=True)
    found = re.search(r"RESULT (\S+) (\S+)", result.stdout)
    if not found:
        sys.exit(f"a run failed:\n{result.stderr[-2000:]}")
    return float(found[1]), float(found[2])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, nargs="+", default=[10_000, 20_000, 100_000])
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        run_once(arguments.folder, arguments.one)
        return
    with tempfile.TemporaryDirectory(dir=arguments.folder) as name:
        folder = Path(name)
        make_model(folder / "model.safetensors")
        peaks: dict[str, list[float]] = {"new": [], "again": []}
        for count in arguments.images:
            make_images(folder / str(count), count)
            seconds, peak = measure(folder, count)
            peaks["new"].append(peak)
            print(f"{count:7} images, new:   {seconds:7.2f} s, peak {peak:5.0f} MB", flush=True)
            again = [measure(folder, count) for _ in range(AGAIN)]
            times, most = sorted(seconds for seconds, _ in again), max(peak for _, peak in again)
            peaks["again"].append(most)
            print(
                f"{count:7} images, again: {times[AGAIN // 2]:7.2f} s ({times[0]:.2f} to {times[-1]:.2f}), "
                f"peak {most:5.0f} MB",
                flush=True,
            )
        if {20_000, 100_000} <= set(arguments.images):
            small, large = arguments.images.index(20_000), arguments.images.index(100_000)
            for what, values in peaks.items():
                print(f"{what}: 100,000 images take {values[large] / values[small] - 1:+.1%} the memory of 20,000")


if __name__ == "__main__":
    main()
