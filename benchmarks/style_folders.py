"""Can folders be told apart, and drawn again? The figures of docs/style-folders.md, on the OASIS photographs.

    python benchmarks/style_folders.py ../shared/data/oasis [--seeds 1,2,3] [--only classify,autoencode]

The folder holds the photographs and ratings.csv, and is only read: links to the images are put into a folder for each
category (Animal, Object, Person, Scene). Splits are by theme (file name without its number), 64 % to learn from, 16 %
to choose the epoch, 20 % looked at once. Prints means over the seeds, each with CPU seconds:

1. accuracy and balanced accuracy of the heads, of rebalancing, and of their peers: always the largest category, and
   logistic regression on efficientnet-lite0's head alone (no rebalancing, no weighing of layers);
2. the autoencoder's reconstructions at 64 x 64, in dB, beside principal components and the mean image.
"""

import argparse
import contextlib
import csv
import io
import json
import os
import re
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
import torch

from studies.style_folders import autoencode, classify
from studies.style_folders.options import read_command

THEME = r"--group_regex=/([^/]*?)[\s\d]*\.\w+$"
FRACTIONS = ("--fraction_for_val=0.16", "--fraction_for_test=0.2")
LITE0_HEAD = ("--feature_extractor_model=efficientnet-lite0", "--hidden_states_used=0", "--head=linear", "--epochs=1")
SETS = {
    "mlp": ("--head=mlp",),
    "linear": ("--head=linear",),
    "mlp, resample max": ("--resample=max",),
    "mlp, resample min": ("--resample=min",),
    "mlp, sampler weighted": ("--sampler=weighted",),
    "conv on 64 x 64 pixels": ("--head=conv",),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("oasis", type=Path)
    parser.add_argument("--seeds", default="1,2,3")
    parser.add_argument("--only", default="classify,autoencode")
    parser.add_argument("--work", type=Path, default=Path("style_folders_benchmark"), help="links, features, runs")
    arguments = parser.parse_args()
    work, seeds = arguments.work.resolve(), [int(seed) for seed in arguments.seeds.split(",")]
    link_by_category(arguments.oasis.resolve(), work / "oasis")
    if "classify" in arguments.only:
        classifiers(work, seeds)
    if "autoencode" in arguments.only:
        autoencoders(work, seeds)
    print(f"\n{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, torch {torch.__version__}, a thread")


def link_by_category(oasis: Path, folder: Path) -> None:
    with (oasis / "ratings.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            link = folder / row["category"] / Path(row["relative_path"]).name
            link.parent.mkdir(parents=True, exist_ok=True)
            if not link.is_symlink():
                link.symlink_to(oasis / row["relative_path"])


def results(command: str, run: Callable, work: Path, seed: int, words: Sequence[str]) -> tuple[dict, float]:
    """What a run found, as its results.json has it, and its CPU seconds."""
    folders = (f"--cache_directory={work / 'cache'}", f"--runs={work / 'runs'}", "--device=cpu")
    given = read_command([command, str(work / "oasis"), *folders, *FRACTIONS, THEME, f"--seed={seed}", *words])
    began = time.process_time()
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        folder = run(given)
    return json.loads((folder / "results.json").read_text(encoding="utf-8")), time.process_time() - began


def classifiers(work: Path, seeds: Sequence[int]) -> None:
    print(f"{'categories of OASIS, by theme':<34}{'accuracy':>10}{'balanced':>10}{'s':>7}")
    for peer in (r"^always", "^logistic"):
        found = [results("classify", classify.main, work, seed, LITE0_HEAD) for seed in seeds]
        line("lite0 head: " + peer[1:], [next(v for k, v in one.items() if re.match(peer, k)) for one, _ in found])
    for name, words in SETS.items():
        found = [results("classify", classify.main, work, seed, words) for seed in seeds]
        if name == "mlp":
            line("logistic regression, same features", [one["logistic regression"] for one, _ in found])
        line(name, [one["this network"] for one, _ in found], np.mean([seconds for _, seconds in found]))


def line(name: str, found: Sequence[dict], seconds: float | None = None) -> None:
    numbers = "".join(f"{np.mean([one[key] for one in found]):>10.4f}" for key in ("accuracy", "balanced_accuracy"))
    print(f"{name:<34}{numbers}{'' if seconds is None else f'{seconds:>7.0f}'}", flush=True)


def autoencoders(work: Path, seeds: Sequence[int]) -> None:
    found = [results("autoencode", autoencode.main, work, seed, ()) for seed in seeds]
    print(f"\n{'test images at 64 x 64':<34}{'dB':>10}{'s':>7}")
    for name in found[0][0]:
        print(f"{name:<34}{np.mean([one[name] for one, _ in found]):>10.2f}", end="")
        print(f"{np.mean([s for _, s in found]):>7.0f}" if name == "this network" else "")


if __name__ == "__main__":
    main()
