"""The commands `images` and `kills` of benchmarks/scale.py: JPEGs scored by one process, by two shards, on Ray."""

import csv
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from statistics import median

import numpy as np
from PIL import Image

ROOT = Path(__file__).parents[1]
SCRIPT = ROOT / "aesthetic_score_from_model.py"
EXTRACTOR, LAYERS = "efficientnet-lite0", 4
SECONDS_MORE = 1.0  # from the first features or scores on disk until the kill
WANTED = {"shards": 0.9, "ray": 0.7}  # of the images a second of one process
IMAGES_OF_A_START = 0.25  # of all: before them Ray has its processes to start, and fills what it holds in between

# The script, in its process, with the moments noted at which scores come back from Ray.
ON_RAY = """
import sys, time
sys.path.insert(0, sys.argv.pop(1))
import aesthetic_score_from_model as script
from src.common import run_script
from src.scoring.on_ray import flow
real, begun, taken = flow._Result.take, time.monotonic(), 0
def take(result, table):
    global taken
    taken += real(result, table)
    print("CAME", taken, time.monotonic() - begun, flush=True)
    return len(table)
flow._Result.take = take
run_script(script.main)
"""


def make_jpegs(folder: Path, photographs: Path, count: int) -> None:
    """Photographs, each as often as need be, every time with another edge cut off, so that no two are equal."""
    folder.mkdir()
    originals = sorted(photographs.glob("*.jpg"))
    if not originals:
        sys.exit(f"{photographs}: has no *.jpg; give --photographs another folder")
    for i in range(count):
        with Image.open(originals[i % len(originals)]) as image:
            cut = i // len(originals)
            image.convert("RGB").crop((cut, cut, *image.size)).save(folder / f"{i:05}.jpg", quality=90)


def make_model(path: Path) -> None:
    """An untrained predictor of the embedded image model's default layers."""
    from src.features import load_extractor
    from src.model.config import PredictorConfig
    from src.model.file import save_predictor
    from src.model.network import Predictor

    extractor = load_extractor(EXTRACTOR, "cpu")
    states, mode = extractor.default_hidden_states, extractor.default_hidden_states_mode
    grey = extractor.prepare(Image.new("RGB", (64, 64)))
    widths = tuple(block.shape[1] for block in extractor([grey], states).values())
    config = PredictorConfig(EXTRACTOR, states, mode, widths, (300, 100), extractor_identity=extractor.identity)
    save_predictor(path, Predictor(config), {"train_score_quantiles": np.linspace(-50, 50, 101).tolist()})


class Scoring:
    """Runs over the JPEGs of one folder; each begins with nothing known."""

    def __init__(self, folder: Path, count: int) -> None:
        self.folder, self.count = folder, count

    def start(self, place: Path, *words: str, on_ray: bool = False) -> subprocess.Popen:
        """The script, with its own cache and outfile in place/. What it says is in its output."""
        place.mkdir(exist_ok=True)
        program = ["-c", ON_RAY, str(ROOT)] if on_ray else [str(SCRIPT)]
        given = [f"-d={self.folder / 'jpegs'}", f"-m={self.folder / 'model.safetensors'}", f"-o={place / 'out.csv'}"]
        kept = [] if "--engine=ray" in words else [f"--cache_directory={place / 'cache'}"]
        command = [sys.executable, *program, *given, *kept, "--device=cpu", *words]
        said = (place / "said.txt").open("ab")
        return subprocess.Popen(command, stdout=said, stderr=said, cwd=place)

    def rate_of(self, *shards: str) -> float:
        """Images a second of one process, or of several beside each other; starts left out."""
        with tempfile.TemporaryDirectory(dir=self.folder) as name:
            places = [Path(name) / str(number) for number in range(len(shards) or 1)]
            words = [[f"--shard={shard}"] for shard in shards] or [[]]
            for run in [self.start(place, *of) for place, of in zip(places, words, strict=True)]:
                run.wait()
            return self.count / max(_seconds(said_in(place)) for place in places)

    def rate_on_ray(self) -> tuple[float, float]:
        """Images a second from the first quarter on, and the seconds until the first scores."""
        with tempfile.TemporaryDirectory(dir=self.folder) as name:
            self.start(Path(name), "--engine=ray", on_ray=True).wait()
            said = said_in(Path(name))
        came = [
            (int(count), float(seconds)) for count, seconds in re.findall(r"^CAME (\d+) (\S+)", said, re.MULTILINE)
        ]
        if not came or came[-1][0] != self.count:
            sys.exit(f"a run failed:\n{said[-2000:]}")
        begin = next(one for one in came if one[0] >= self.count * IMAGES_OF_A_START)
        return (came[-1][0] - begin[0]) / (came[-1][1] - begin[1]), came[0][1]


def said_in(place: Path) -> str:
    return (place / "said.txt").read_text(encoding="utf-8", errors="replace")


def _seconds(said: str) -> float:
    found = re.search(r"images scored in (\S+) s", said)
    if not found:
        sys.exit(f"a run failed:\n{said[-2000:]}")
    return float(found[1])


def images(count: int, rounds: int, photographs: Path, folder: Path | None) -> None:
    """Print the medians of runs one after the other in turn."""
    with tempfile.TemporaryDirectory(dir=folder) as name:
        scoring = _made(Path(name), photographs, count)
        rates: dict[str, list[float]] = {"one": [], "shards": []}
        starts = []
        for _ in range(rounds):
            rates["one"].append(scoring.rate_of())
            rates["shards"].append(scoring.rate_of("1/2", "2/2"))
            if find_spec("ray"):
                rate, start = scoring.rate_on_ray()
                rates.setdefault("ray", []).append(rate)
                starts.append(start)
            print("  ".join(f"{what} {values[-1]:.1f}" for what, values in rates.items()), flush=True)
    for what, values in rates.items():
        shares = [value / one for value, one in zip(values, rates["one"], strict=True)]
        wanted = f", wanted {WANTED[what]}" if what in WANTED else ""
        print(f"{what:>7}: {_spread(values)} images/s, {_spread(shares, 2)} of one process{wanted}")
    print(f"Ray gave the first scores after {_spread(starts)} s" if starts else "Ray is not installed: left out")


def _spread(values: list[float], digits: int = 1) -> str:
    return f"{median(values):.{digits}f} ({min(values):.{digits}f} to {max(values):.{digits}f})"


def kills(count: int, photographs: Path, folder: Path | None) -> None:
    """Kill -9 in the middle of a shard, and of a run on Ray; each goes on, and its rows are counted."""
    with tempfile.TemporaryDirectory(dir=folder) as name:
        scoring = _made(Path(name), photographs, count)
        place = Path(name) / "shards"
        _kill(scoring.start(place, "--shard=1/2"), lambda: len(list(place.glob("cache/shards/*"))) >= LAYERS)
        for shard in ("1/2", "2/2"):
            scoring.start(place, f"--shard={shard}").wait()
        subprocess.run([sys.executable, SCRIPT, "--merge", "-o", place / "out.csv"], check=True, capture_output=True)
        _say("a shard", place, scoring)
        if not find_spec("ray"):
            return print("Ray is not installed: left out")
        place = Path(name) / "ray"
        _kill(scoring.start(place, "--engine=ray"), lambda: len(list(place.glob("out.parts/*.parquet"))) > 1)
        scoring.start(place, "--engine=ray").wait()
        _say("Ray", place, scoring)


def _made(folder: Path, photographs: Path, count: int) -> Scoring:
    make_jpegs(folder / "jpegs", photographs, count)
    make_model(folder / "model.safetensors")
    return Scoring(folder, count)


def _kill(run: subprocess.Popen, is_in_the_middle: Callable[[], bool]) -> None:
    while not is_in_the_middle():
        time.sleep(0.1)
        if run.poll() is not None:
            sys.exit("a run was over before it was to be killed; give more --images")
    time.sleep(SECONDS_MORE)
    run.send_signal(signal.SIGKILL)
    run.wait()


def _say(what: str, place: Path, scoring: Scoring) -> None:
    """Rows, rows that are there twice, and what the run after the kill had still to do."""
    with (place / "out.csv").open(encoding="utf-8") as file:
        names = [row[0] for row in islice(csv.reader(file), 1, None)]
    through = re.findall(r"(\d+) images scored in \S+ s: (\d+) through the image model", said_in(place))
    again = f"{through[0][1]} of {through[0][0]} images" if through else "nothing"
    twice, expected = len(names) - len(set(names)), len(list((scoring.folder / "jpegs").iterdir()))
    print(f"{what}: killed, then {again} to do; {len(names)} rows of {expected}, {twice} twice", flush=True)
    shutil.rmtree(place)
