"""Many images, many processes: a list of ten million, images a second, kills, trials a second of several workers.

    python benchmarks/scale.py lists [--paths 10000000]
    python benchmarks/scale.py images [--images 2000] [--rounds 5] [--photographs ../shared/data/oasis/images]
    python benchmarks/scale.py kills [--images 2000]
    python benchmarks/scale.py workers [--seconds 10] [--storages sqlite journal postgresql]

lists: peak memory and time of reading a synthetic list, all of it and one of a hundred shards, each in a process of
its own; no file of the list exists, so that looking for them is left out. Wanted: a shard takes less than a tenth of
the whole. images: JPEGs a second by the embedded image model, of one process, two shards beside each other and Ray,
in turn; starts are counted apart. Wanted: shards 0.9 of one process, whose threads take all cores, and Ray 0.7.
kills: a shard and a run on Ray are killed in the middle and run again; rows complete, none twice. workers: 1, 2 and 4
processes with an objective of 50 ms, on one study. Needs Linux or macOS.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from contextlib import nullcontext
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.scale_images import images, kills
from src.scoring import image_list
from src.scoring.shards import Portion, Shard

ROOT = Path(__file__).parents[1]

WORKER = """
import sys, time, warnings
warnings.simplefilter("ignore")
import optuna
optuna.logging.set_verbosity(optuna.logging.ERROR)
from src.search.crew import Crew
from src.search.storage import open_storage
def objective(trial):
    x = trial.suggest_float("x", 0, 1)
    time.sleep(0.05)
    return x
sampler = optuna.samplers.RandomSampler()
study = optuna.load_study(storage=open_storage(sys.argv[1]), study_name="toy", sampler=sampler)
print("ready", flush=True)
sys.stdin.readline()
Crew(study).work(10**6, objective, lambda: None)
"""


def write_list(path: Path, count: int) -> None:
    """Paths of 40 letters, as data sets have them."""
    with path.open("w", encoding="utf-8") as file:
        file.writelines(f"train/{i // 10000:05}/{i * 2654435761 % 2**64:020}.jpg\n" for i in range(count))


def read_once(path: Path, shard: str) -> None:
    """One reading, in this process; prints paths kept, seconds, and MB beyond what was there before."""
    import resource

    image_list.is_there = lambda *_: True
    before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.perf_counter()
    wanted = Portion(Shard.read(shard)) if shard else None
    paths = image_list.read_list(path, path.parent, True, wanted)
    seconds = time.perf_counter() - start
    unit = 2**20 if sys.platform == "darwin" else 2**10
    peak = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / unit
    print(f"{shard or 'all':>6}: {len(paths):9} paths, {seconds:6.1f} s, {peak:6.0f} MB", flush=True)


def lists(count: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "list.txt"
        write_list(path, count)
        for shard in ("1/100", ""):
            subprocess.run([sys.executable, __file__, "one", "--list", str(path), "--shard", shard], check=True)


def trials_a_second(url: str, workers: int, seconds: float) -> float:
    """Of so many processes together, their starts left out."""
    import optuna

    from src.search.crew import count_finished
    from src.search.storage import open_storage

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(storage=open_storage(url), study_name="toy")
    command = [sys.executable, "-c", WORKER, url]
    streams = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "cwd": ROOT}
    running = [subprocess.Popen(command, **streams) for _ in range(workers)]
    for worker in running:
        worker.stdout.readline()
    for worker in running:
        worker.stdin.write("\n")
        worker.stdin.flush()
    time.sleep(seconds)
    done = count_finished(study)
    for worker in running:
        worker.kill()
        worker.wait()
    return done / seconds


def storages(seconds: float, kinds: list[str]) -> None:
    from tests.postgres import postgres

    for kind in kinds:
        for workers in (1, 2, 4):
            with tempfile.TemporaryDirectory() as name:
                urls = {"sqlite": f"sqlite:///{name}/db.sqlite", "journal": f"journal://{name}/journal.log"}
                with postgres() if kind == "postgresql" else nullcontext(urls.get(kind)) as url:
                    rate = trials_a_second(url, workers, seconds)
            print(f"{kind:>10}, {workers} workers: {rate:5.1f} trials/s", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=["lists", "images", "kills", "workers", "one"])
    parser.add_argument("--paths", type=int, default=10_000_000)
    parser.add_argument("--images", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--photographs", type=Path, default=ROOT.parent / "shared/data/oasis/images")
    parser.add_argument("--folder", type=Path, help="where files lie while it runs")
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--storages", nargs="+", default=["sqlite", "journal", "postgresql"])
    parser.add_argument("--list", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--shard", default="", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    os.environ["PYTHONPATH"] = str(ROOT)
    if arguments.what == "one":
        read_once(arguments.list, arguments.shard)
    elif arguments.what == "lists":
        lists(arguments.paths)
    elif arguments.what == "images":
        images(arguments.images, arguments.rounds, arguments.photographs, arguments.folder)
    elif arguments.what == "kills":
        kills(arguments.images, arguments.photographs, arguments.folder)
    else:
        storages(arguments.seconds, arguments.storages)


if __name__ == "__main__":
    main()
