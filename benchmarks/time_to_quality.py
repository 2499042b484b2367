"""How soon a training run is as good as the predecessor's is at its end, on images that neither has seen.

    python benchmarks/time_to_quality.py ../shared/data/oasis [--seeds 5] [--trials 60] [--only ours] [--pruner none]

The folder holds the OASIS photographs and ratings.csv (see oasis_quality.py). It is only read. efficientnet-lite0, 4
hidden states; three fifths of the images train, a fifth each is eval and test, at random and by theme (file name
without its number). Two ways, each from the features on, in this process and those it starts:

- the predecessor's: `transformers.Trainer` with torch's own number of threads, CmaEs, no pruning, one trial after the
  other; the best network so far on eval;
- ours: what the training script does by default, with the same ranges; the model file as it stands.

Prints for each split and seed the test Spearman second by second, where it changed. Then of the mean over seeds, as
it goes on: when each way first reached, and kept, the predecessor's mean at its end, how many times sooner ours did,
and when the predecessor's way was as good as our first result, and stayed so. --wide: the default ranges, ours alone.
--networks: the seconds are those of the trials.
"""

import argparse
import os
import re
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
import optuna
import torch

from benchmarks.oasis_types import load_crowd
from src.common import spearman
from src.model import Predictor
from src.search import Dataset, Run, RunFiles, SearchSettings, StudySettings, TrainingSettings, make_objective
from src.search.dataset import train_data
from src.search.first_results import best_of, first_results
from src.search.search import suggest
from src.search.settings import MetaparameterRanges
from src.search.study import open_study
from src.search.trainer import configure
from src.search.training import search_networks, write_first

FEATURES = "lite0, 4 states"
NARROW = MetaparameterRanges(batch_size=(10, 100), first_layer_size=(10, 300), second_layer_size=(10, 300))
WAYS = ("theirs", "ours")
Course = list[tuple[float, float]]  # seconds, test Spearman of the model from then on


def splits(rows: list[dict[str, str]], seed: int) -> dict[str, np.ndarray]:
    """{kind: (N,) of train, eval, test}."""
    themes = np.array([re.sub(r"\s*\d+$", "", Path(row["relative_path"]).stem) for row in rows])
    names, place = np.unique(themes, return_inverse=True)
    generator = np.random.default_rng(seed)
    words = np.array(["train", "eval", "test", "train", "train"])
    return {
        "random": words[generator.permutation(len(rows)) % 5],
        "theme": words[generator.permutation(len(names)) % 5][place],
    }


class Recorded(RunFiles):
    """Says when each model was on disk."""

    start: float
    written: list[tuple[float, Predictor]]

    def write(self, predictor: Predictor, found: dict) -> None:  # type: ignore[override]
        """As ever."""
        super().write(predictor, found)
        self.written.append((time.perf_counter() - self.start, predictor))


def ours(data: Dataset, settings: SearchSettings, blend: bool = True) -> tuple[Course, float]:
    """The course, and seconds of the search alone. blend: or networks alone, of which none is trained again."""
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        objective = make_objective(settings, data, False)
        firsts = first_results(data, objective, settings.training, settings.seed)
        run = Run(data, objective, firsts, {}, {}, {}, settings.seed)
        study = open_study(StudySettings("faces", f"sqlite:///{folder}/db.sqlite"), settings, "minimize", {})
        files = Recorded(Path(folder, "model.safetensors"), data, {}, study)
        files.start, files.written = start, []
        write_first(best_of(objective, firsts), run, files)
        begin = time.perf_counter()
        search_networks(settings, run, files, blend)
        seconds = time.perf_counter() - begin
        return _course(data, files.written), seconds


def theirs(data: Dataset, settings: SearchSettings) -> tuple[Course, float]:
    """The same by the predecessor's way."""
    from benchmarks.trainer import train_by_trainer  # not in the processes of a search, which import this module

    learnt = train_data(TrainingSettings(), data)
    x = (data.inputs - learnt.inputs.mean(0)) / learnt.inputs.std(0).clamp(min=1e-6)
    rows, test, best, course = data.rows("eval"), data.rows("test"), np.inf, []
    start = time.perf_counter()

    def objective(trial: optuna.Trial) -> float:
        nonlocal best
        predictor, training = configure(suggest(trial, settings.ranges, data.config), TrainingSettings(), data.config)
        network = train_by_trainer(learnt, predictor.layers, predictor.dropouts, training)
        with torch.inference_mode():
            scores = float(learnt.scores.mean()) + float(learnt.scores.std()) * network(x)[:, 0].double().numpy()
        value = float(np.mean((data.scores[rows] - scores[rows]) ** 2))
        if value < best:
            best = value
            course.append((time.perf_counter() - start, spearman(data.scores[test], scores[test])))
        return value

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    sampler = optuna.samplers.CmaEsSampler(seed=settings.seed, warn_independent_sampling=False)
    optuna.create_study(sampler=sampler).optimize(objective, n_trials=settings.trials)
    return course, time.perf_counter() - start


def _course(data: Dataset, found: list[tuple[float, Predictor]]) -> Course:
    test = data.rows("test")
    return [
        (seconds, spearman(data.scores[test], predictor.predict(data.inputs)[0][test]))
        for seconds, predictor in found
    ]


def kept_from(course: Course, wanted: float) -> float:
    """Seconds from which on the model was at least so good; nan if it is not at the end."""
    when = np.nan
    for seconds, value in reversed(course):
        if value < wanted:
            break
        when = seconds
    return when


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("oasis", type=Path)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--trials", type=int, default=60)
    parser.add_argument("--jobs", type=int, help="processes (default: as the training script)")
    parser.add_argument("--pruner", default=SearchSettings.pruner, help="of ours")
    parser.add_argument("--only", choices=WAYS)
    parser.add_argument("--networks", action="store_true", help="ours are networks alone, without weighing a blend")
    parser.add_argument("--wide", action="store_true", help="the default ranges, ours alone")
    parser.add_argument("--work", type=Path, default=Path("oasis_quality"), help="features go here")
    arguments = parser.parse_args()
    features, rows, y = load_crowd(arguments.oasis, arguments.work, FEATURES)
    asked = SearchSettings(trials=arguments.trials, ensemble=5, jobs=arguments.jobs, pruner=arguments.pruner)
    asked = replace(asked, ranges=MetaparameterRanges() if arguments.wide else NARROW)
    ways: dict[str, Callable[[Dataset, SearchSettings], tuple[Course, float]]] = {
        "theirs": theirs,
        "ours": partial(ours, blend=not arguments.networks),
    }
    if arguments.only or arguments.wide:
        ways = {name: way for name, way in ways.items() if name == (arguments.only or "ours")}
    courses: dict[tuple[str, str], list[Course]] = {}
    for seed in range(arguments.seeds):
        for kind, split in splits(rows, seed).items():
            data = Dataset(features.config, features.inputs, y, np.ones(len(y)), split)
            for name, way in ways.items():
                begin = sum(os.times()[:4])  # with the processes that it starts
                course, seconds = way(data, replace(asked, seed=seed, training=TrainingSettings(model_seed=seed)))
                courses.setdefault((kind, name), []).append(course)
                cpu = sum(os.times()[:4]) - begin
                said = f"{kind}, seed {seed}, {name}, search {seconds:.1f} s, {cpu:.1f} s of CPU"
                print(f"{said}: {_shown(course)}", flush=True)
    report(courses)
    print(f"\n{os.cpu_count()} cores, torch {torch.__version__}")


def report(courses: dict[tuple[str, str], list[Course]]) -> None:
    """When the mean of each way reached what the predecessor's is at its end, and what it is at its own."""
    print(f"\n{'split':<8}{'way':<8}{'at the end':>11}{'kept from (s)':>15}{'times sooner':>14}")
    for said, kinds in (("random", ["random"]), ("theme", ["theme"]), ("both", ["random", "theme"])):
        means = {name: mean([each for kind in kinds for each in courses.get((kind, name), [])]) for name in WAYS}
        means = {name: course for name, course in means.items() if course}
        goal = means[next(iter(means))][-1][1]
        times = {name: kept_from(course, goal) for name, course in means.items()}
        for name, course in means.items():
            sooner = f"{times['theirs'] / times[name]:.0f}" if "theirs" in times else "-"
            print(f"{said:<8}{name:<8}{course[-1][1]:>11.4f}{times[name]:>15.1f}{sooner:>14}")
        if len(means) == len(WAYS):
            seconds, first = means["ours"][0]
            until = kept_from(means["theirs"], first)
            theirs = "never is so good" if np.isnan(until) else f"is as good, and stays so, after {until:.1f} s"
            print(f"{said:<8}our first is {first:.4f} after {seconds:.1f} s; theirs {theirs}")


def mean(courses: list[Course]) -> Course:
    """At each second at which any of them changed, once all have a model, the mean of what they are by then."""
    start = max((course[0][0] for course in courses), default=0.0)
    seconds = sorted({start, *(second for course in courses for second, _ in course if second > start)})
    return [(at, float(np.mean([_value(course, at) for course in courses]))) for at in seconds if courses]


def _value(course: Course, at: float) -> float:
    return [value for second, value in course if second <= at][-1]


def _shown(course: Course) -> str:
    return " ".join(f"{seconds:.1f}s {value:.4f}" for seconds, value in course)


if __name__ == "__main__":
    main()
