"""Which type of model predicts unseen images best: ridge regression, networks, a Gaussian process, or a blend.

    python benchmarks/oasis_types.py ../shared/data/oasis [--draw 0 1 2] [--learnt 175] [--only people] [--sets …]

The folder holds the OASIS photographs, ratings.csv with their mean beauty and people.csv with single people's ratings
(see oasis_quality.py, which ends with these tables). It is only read. By the product's own code, nothing selected on
the images that are predicted. Networks are those of a search of ten trials with --folds=4: first the metaparameters
that every search tries first (four, which known_good.py found on some of these data: the crowd's ratings and the
first people's), then others at random; the best five by the folds are the ensemble, and the blend's share is found on
the same folds. All cores work. Prints:

1. 10-fold, Spearman of the pooled predictions, at random and by theme (file name without its number), and what share
   of the ratings the 95 % intervals of the Gaussian process and the blend hold;
2. people, by lite0 and lite2: of each person's ratings 50, 100 and 175 (--learnt) are learnt from and 50 others
   predicted, drawn by the name and each --draw; the mean of the people's Spearman, and how much better each type is
   than one network (mean, and its standard error over people). A draw moves all types together, by some 0.01.
   --no_networks: ridge regression and the Gaussian process alone, beside ridge regression; twenty draws take minutes.
"""

import argparse
import csv
import os
import re
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
import optuna
import torch
from joblib import Parallel, delayed
from sklearn.model_selection import GroupKFold, KFold
from tqdm import tqdm

from src.common import number, spearman
from src.features.extraction import extract_features
from src.features.extractors import load_extractor
from src.features.feature_cache import FeatureCache
from src.model import Blend, PredictorConfig, combine, fit_gaussian_process
from src.model.network import Predictor
from src.options.groups.search import IN_A_BLEND
from src.search import Dataset, MetaparameterRanges, TrainingSettings
from src.search.baseline import fit_ridge
from src.search.blending import shares
from src.search.known_good import known_good
from src.search.search import suggest
from src.search.trainer import Metaparameters, train_again
from src.search.unseen import FOLDS

RANGES = MetaparameterRanges()
TRIALS = 10
STATES = (0, 1, 2, 3)
EIGHT = (0, 1, 2, 3, 5, 7, 9, 11)
SETS = {
    "lite0, 4 states": (("efficientnet-lite0", STATES),),
    "lite0, 8 states": (("efficientnet-lite0", EIGHT),),
    "lite2, 4 states": (("efficientnet-lite2", STATES),),
    "lite0 and lite2": (("efficientnet-lite0", STATES), ("efficientnet-lite2", STATES)),
}
OTHERS_TRIED = ((0, 1, 3, 7), (0, 1, 3), (0, 2, 3), (0, 3), (0, 1, 2, 3, 4))  # states of both
for _states in OTHERS_TRIED:
    SETS[f"both, {' '.join(map(str, _states))}"] = tuple((name, _states) for name, _ in SETS["lite0 and lite2"])
WITH_NETWORKS = ("lite0, 4 states", "lite0 and lite2")  # the others are for the Gaussian process alone
EMBEDDED = "lite0 and lite2"
TYPES = ("ridge", "network", "networks", "gp", "blend")
LEARNT, OTHERS = (50, 100, 175), 50


class Features:
    """Of all images, side by side: inputs (N, W), and what a predictor's configuration says of them."""

    def __init__(self, name: str, oasis: Path, work: Path, paths: list[str]) -> None:
        blocks, states = [], []
        for place, (model, used) in enumerate(SETS[name]):
            found = extract_features(oasis, paths, load_extractor(model, "cpu"), used, FeatureCache(work / "cache"))
            blocks += [found.states[state] for state in used]
            states += [number(place, state) for state in used]
        self.inputs = torch.from_numpy(np.concatenate(blocks, axis=1))
        widths = tuple(block.shape[1] for block in blocks)
        layers = 10, 10  # trials have their own
        self.config = PredictorConfig("oasis", tuple(states), "join", widths, layers)


def load_crowd(oasis: Path, work: Path, name: str) -> tuple[Features, list[dict[str, str]], np.ndarray]:
    """Features of this set of SETS, the rows of ratings.csv, and the mean beauty (N,)."""
    rows = read(oasis / "ratings.csv")
    features = Features(name, oasis.resolve(), work, [row["relative_path"] for row in rows])
    return features, rows, np.array([float(row["beauty_mean"]) for row in rows])


def predict(
    features: Features, y: np.ndarray, learnt: np.ndarray, new: np.ndarray, train_networks: bool = True
) -> dict[str, np.ndarray]:
    """{type: scores of `new`}, and the errors of "gp errors" and "blend errors"; learnt, new: rows."""
    process, inputs = fit_gaussian_process(features.config, features.inputs[learnt], y[learnt]), features.inputs[new]
    data = to_learn(features, y, learnt)
    found = {"ridge": fit_ridge(features.inputs.numpy(), y, data.split, 0).predict(inputs.numpy())}
    predictors = {"gp": process}
    if train_networks:
        best, share, factor = searched(features, y, learnt)
        networks = combine([network(each, data) for each in best])
        found |= {"network": networks.predictors[0].predict(inputs)[0], "networks": networks.predict(inputs)[0]}
        predictors["blend"] = Blend(process, networks, share, factor)
    for name, predictor in predictors.items():
        found[name], found[f"{name} errors"] = predictor.predict(inputs)
    return found


def to_learn(features: Features, y: np.ndarray, learnt: np.ndarray) -> Dataset:
    """The rows `learnt` are its train split."""
    split = np.where(np.isin(np.arange(len(y)), learnt), "train", "eval")
    return Dataset(features.config, features.inputs, y, np.ones(len(y)), split)


def network(parameters: Metaparameters, data: Dataset) -> Predictor:
    return train_again(parameters, TrainingSettings(), data)


def searched(features: Features, y: np.ndarray, learnt: np.ndarray) -> tuple[list[Metaparameters], float, float]:
    """By folds of what is learnt: metaparameters of as many networks as a blend has, the best first; the Gaussian
    process's share beside them; and the factor of its errors."""
    tried = trials(features.config, len(learnt))
    process, networks = np.zeros(len(learnt)), np.zeros((len(tried), len(learnt)))
    for rest, fold in KFold(FOLDS, shuffle=True, random_state=0).split(learnt):
        inputs, data = features.inputs[learnt[fold]], to_learn(features, y, learnt[rest])
        own = fit_gaussian_process(features.config, features.inputs[learnt[rest]], y[learnt[rest]])
        process[fold] = own.predict(inputs)[0]
        networks[:, fold] = [network(each, data).predict(inputs)[0] for each in tried]
    best = np.argsort([-spearman(y[learnt], said) for said in networks])[:IN_A_BLEND]
    return [tried[place] for place in best], *shares(y[learnt], process, networks[best].mean(axis=0))


def trials(config: PredictorConfig, images: int) -> list[Metaparameters]:
    """What a search that draws at random would try."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)  # in each process
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    for known in known_good(RANGES, images):
        study.enqueue_trial(known)
    return [suggest(study.ask(), RANGES, config) for _ in range(TRIALS)]


def theme(path: str) -> str:
    """Acorns of images/Acorns1.jpg."""
    return re.sub(r"[\s\d]+$", "", Path(path).stem)


def crowd(load: Callable[[str], Features], oasis: Path, sets: Sequence[str]) -> None:
    """Table 1."""
    rows = read(oasis / "ratings.csv")
    y = np.array([float(row["beauty_mean"]) for row in rows])
    themes = np.array([theme(row["relative_path"]) for row in rows])
    print(f"Spearman, 10-fold\n{'features':<18}{'folds':<10}" + "".join(f"{name:>10}" for name in TYPES), end="")
    print(f"{'gp 95 %':>10}{'blend':>8}{'s':>7}")
    kinds = {"random": KFold(10, shuffle=True, random_state=0), "by theme": GroupKFold(10)}
    for name in sets:
        for kind, folds in kinds.items():
            start, found = time.perf_counter(), {}
            parts = list(folds.split(y, y, themes))
            tasks = [delayed(predict)(load(name), y, learnt, new, name in WITH_NETWORKS) for learnt, new in parts]
            for (_, new), predicted in zip(parts, at_once(tasks, f"{name} {kind}"), strict=True):
                for key, values in predicted.items():
                    found.setdefault(key, np.zeros(len(y)))[new] = values
            reached = {each: f"{spearman(y, found[each]):.4f}" for each in TYPES if each in found}
            held = {
                each: f"{np.mean(np.abs(y - found[each]) < 1.96 * found[f'{each} errors']):.1%}"
                for each in ("gp", "blend")
                if each in found
            }
            line = f"{name:<18}{kind:<10}" + "".join(f"{reached.get(each, '-'):>10}" for each in TYPES)
            seconds = time.perf_counter() - start
            print(f"{line}{held['gp']:>10}{held.get('blend', '-'):>8}{seconds:>7.0f}", flush=True)


def people(
    load: Callable[[str], Features],
    oasis: Path,
    name: str,
    count: int,
    draws: Sequence[int],
    sizes: Sequence[int],
    networks: bool,
) -> None:
    """Table 2, by the features of this name."""
    types, beside = (TYPES, "network") if networks else (("ridge", "gp"), "ridge")
    by_path = {row["relative_path"]: row for row in read(oasis / "people.csv")}
    rows = [by_path[row["relative_path"]] for row in read(oasis / "ratings.csv")]
    names = [person for person in rows[0] if person != "relative_path"][:count]
    print(f"\nSpearman, mean of {len(names)} people, {name}\n{'learnt':<18}" + "".join(f"{n:>10}" for n in types))
    features = load(name)
    for learnt in sizes:
        asked = [(person, learnt, draw) for draw in draws for person in names]
        tasks = [delayed(of_person)(features, rows, *each, types) for each in asked]
        each = np.array(list(at_once(tasks, f"{learnt} ratings"))).reshape(len(draws), len(names), len(types))
        for draw, found in zip(draws, each, strict=True):
            print_row(f"{learnt}, draw {draw}", found.mean(axis=0), "10.4f")
        found = each.mean(axis=0)
        if len(draws) > 1:
            print_row(f"{learnt}, {len(draws)} draws", found.mean(axis=0), "10.4f")
        gains = found - found[:, [types.index(beside)]]
        print_row("  gain", gains.mean(axis=0), "+10.4f")
        print_row("  +-", gains.std(axis=0, ddof=1) / np.sqrt(len(names)), "10.4f")


def print_row(name: str, values: np.ndarray, form: str) -> None:
    print(f"{name:<18}" + "".join(f"{value:{form}}" for value in values), flush=True)


def of_person(
    features: Features, rows: list[dict[str, str]], person: str, learnt: int, draw: int, types: Sequence[str]
) -> list[float]:
    """Spearman of these types with OTHERS of this person's ratings; `draw`: which images are learnt."""
    y = np.array([float(row[person] or "nan") for row in rows])
    rated = np.random.default_rng([sum(person.encode()), draw]).permutation(np.flatnonzero(np.isfinite(y)))
    new, known = rated[:OTHERS], np.sort(rated[OTHERS : OTHERS + learnt])
    found = predict(features, np.nan_to_num(y), known, new, "network" in types)
    return [spearman(y[new], found[name]) for name in types]


def at_once(tasks: Sequence[Any], what: str) -> Iterator[Any]:
    """Their results, in order."""
    return iter(tqdm(Parallel(os.cpu_count(), return_as="generator")(tasks), what, len(tasks), leave=False))


def read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def tables(
    oasis: Path,
    work: Path,
    count: int,
    only: str = "crowd,people",
    draws: Sequence[int] = (0,),
    sizes: Sequence[int] = LEARNT,
    networks: bool = True,
    sets: Sequence[str] = (),
) -> None:
    """Both tables, or one. sets: names of SETS; () for all of them, and for people those of `embedded`."""
    paths = [row["relative_path"] for row in read(oasis / "ratings.csv")]
    known: dict[str, Features] = {}

    def load(name: str) -> Features:
        if name not in known:
            known.clear()
            known[name] = Features(name, oasis, work, paths)
        return known[name]

    if "crowd" in only:
        crowd(load, oasis, sets or list(SETS))
    if "people" in only:
        for name in sets or [EMBEDDED]:
            people(load, oasis, name, count, draws, sizes, networks)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("oasis", type=Path)
    parser.add_argument("--people", type=int, default=100)
    parser.add_argument("--only", default="crowd,people")
    parser.add_argument("--draw", type=int, nargs="+", default=[0], help="of the images that are learnt of a person")
    parser.add_argument("--learnt", type=int, nargs="+", default=list(LEARNT), help="how many of a person's ratings")
    parser.add_argument("--no_networks", action="store_true", help="of people, the types that take no training")
    parser.add_argument(
        "--sets", nargs="+", default=[], choices=SETS, help="of features; all, and for people embedded's"
    )
    parser.add_argument("--work", type=Path, default=Path("oasis_quality"), help="features go here")
    arguments = parser.parse_args()
    asked = arguments.people, arguments.only, arguments.draw, arguments.learnt, not arguments.no_networks
    tables(arguments.oasis.resolve(), arguments.work.resolve(), *asked, arguments.sets)
    print(f"\n{os.cpu_count()} cores, torch {torch.__version__}")


if __name__ == "__main__":
    main()
