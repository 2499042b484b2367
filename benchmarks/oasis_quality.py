"""How well our networks predict real people's ratings, beside ridge regression on the same features and split.

    python benchmarks/oasis_quality.py ../shared/data/oasis [--trials 60] [--seeds 1,2,3] [--work FOLDER]
    python benchmarks/oasis_quality.py ../shared/data/oasis --embedded_only

The folder holds the OASIS photographs (images/, Kurdi, Lozano & Banaji 2017) and ratings.csv with their mean beauty
(Brielmann & Pelli 2019). It is only read. Prints four tables:

1. the training script itself, 25 % eval, per eval seed: eval Spearman of ridge, of the best trial and of the ensemble
   of the five best (--ensemble=5); once with a random split, once by theme (file name without its number; the split
   column makes whole themes train or eval). Of trials chosen on the same images the best one is flattered most;
2. 10-fold cross-validation of ridge, an RBF support-vector machine and the network, the last with the metaparameters
   of the first seed's best trial: nothing is selected on the fold, so this is the honest comparison;
3. 10-fold cross-validation of ridge on the embedded extractors: the head alone, and the default hidden states of
   each size (with --embedded_only, this alone);
4. which type of model predicts unseen images best, of the crowd and of single people: the tables of oasis_types.py,
   which take an hour, and are left out with --without_types;
5. how long it took.
"""

import argparse
import csv
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
import torch
from sklearn.linear_model import RidgeCV
from sklearn.model_selection import GridSearchCV, GroupKFold, KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVR

from benchmarks.oasis_types import tables, theme
from src.common import spearman
from src.features.extraction import extract_features
from src.features.extractors import EMBEDDED, load_extractor
from src.features.feature_cache import FeatureCache
from src.model.config import PredictorConfig
from src.model.file import load_predictor
from src.model.training import TrainingConfig, TrainingData, train
from src.search.baseline import ALPHAS

ROOT = Path(__file__).parents[1]
# Narrower than the defaults, so that a trial takes seconds on a CPU; the same for every run.
RANGES = ("--min_batch_size=10", "--max_first_layer_size=300", "--max_second_layer_size=300")
EVAL_SHARE = 0.25
ENSEMBLE = "--ensemble=5"
COLUMNS = f"{'ridge':>9}{'network':>9}{'ensemble':>10}"  # the gains: network over ridge, ensemble over network


def write_theme_split(rows: list[dict[str, str]], seed: int, path: Path) -> None:
    """A score file in which whole themes are eval, until a quarter of the images is."""
    generator = np.random.default_rng(seed)
    themes = generator.permutation(sorted({theme(row["relative_path"]) for row in rows}))
    chosen: set[str] = set()
    for name in themes:
        if sum(theme(row["relative_path"]) in chosen for row in rows) >= EVAL_SHARE * len(rows):
            break
        chosen.add(name)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["relative_path", "beauty_mean", "split"])
        for row in rows:
            split = "eval" if theme(row["relative_path"]) in chosen else "train"
            writer.writerow([row["relative_path"], row["beauty_mean"], split])


def run_training(oasis: Path, work: Path, scores: Path, seed: int, trials: int, *words: str) -> dict[str, str]:
    """The training script, as a person runs it, with further words; gives the metadata of its model."""
    model = work / f"{'-'.join([scores.stem, str(seed), *words])}.safetensors"
    command = [sys.executable, str(ROOT / "aesthetic_predictor_training.py"), f"--directory={oasis}"]
    command += [f"--scores={scores}", "--score_column=beauty_mean", "--feature_extractor_model=efficientnet-lite0"]
    command += [f"--modelpath={model}", f"--cache_directory={work / 'cache'}", f"--trials={trials}", "--database="]
    command += [f"--eval_pick_seed={seed}", f"--fraction_for_eval={EVAL_SHARE}", *RANGES, *words]
    result = subprocess.run(command, cwd=work, capture_output=True, text=True, encoding="utf-8")
    (work / f"{model.stem}.log").write_text(result.stdout + result.stderr, encoding="utf-8")
    if result.returncode != 0:
        raise SystemExit(f"training failed:\n{result.stderr[-2000:]}")
    return load_predictor(model)[1]


def cross_validate(
    x: np.ndarray,
    y: np.ndarray,
    groups: np.ndarray | None,
    fit: Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray],
) -> float:
    """Spearman of the 10-fold predictions; fit(x_train, y_train, x_test) -> predictions."""
    folds = (
        KFold(10, shuffle=True, random_state=0) if groups is None else GroupKFold(10, shuffle=True, random_state=0)
    )
    predicted = np.empty(len(y))
    for train_rows, test_rows in folds.split(x, y, groups):
        predicted[test_rows] = fit(x[train_rows], y[train_rows], x[test_rows])
    return spearman(y, predicted)


def ridge(x: np.ndarray, y: np.ndarray, new: np.ndarray) -> np.ndarray:
    """scikit-learn's RidgeCV on standardised features."""
    return make_pipeline(StandardScaler(), RidgeCV(ALPHAS)).fit(x, y).predict(new)


def support_vectors(x: np.ndarray, y: np.ndarray, new: np.ndarray) -> np.ndarray:
    """scikit-learn's RBF support-vector machine; C by an inner 3-fold."""
    machine = GridSearchCV(make_pipeline(StandardScaler(), SVR()), {"svr__C": [1, 3, 10]}, cv=3)
    return machine.fit(x, y).predict(new)


def network(parameters: dict[str, float]) -> Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]:
    """Our network with these metaparameters."""

    def fit(x: np.ndarray, y: np.ndarray, new: np.ndarray) -> np.ndarray:
        layers = int(parameters["first_layer_size"]), int(parameters["second_layer_size"])
        dropouts = parameters["input_dropout"], parameters["dropout"], parameters["output_dropout"]
        config = PredictorConfig("benchmark", (0,), "join", (x.shape[1],), layers, dropouts)
        epochs, batch = int(parameters["train_epochs"]), int(parameters["batch_size"])
        training = TrainingConfig(epochs, batch, parameters["log_lr"], 0.0, parameters["warmup_ratio"])
        data = TrainingData(torch.from_numpy(x), torch.tensor(y, dtype=torch.float32), torch.ones(len(y)))
        return train(config, training, data).predict(torch.from_numpy(new))[0]

    return fit


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("oasis", type=Path)
    parser.add_argument("--trials", type=int, default=60)
    parser.add_argument("--seeds", default="1,2,3")
    parser.add_argument("--embedded_only", action="store_true", help="only table 3")
    parser.add_argument("--without_types", action="store_true", help="without table 4")
    parser.add_argument("--work", type=Path, default=Path("oasis_quality"), help="models, logs and features go here")
    arguments = parser.parse_args()
    oasis, work = arguments.oasis.resolve(), arguments.work.resolve()
    work.mkdir(exist_ok=True)
    with (oasis / "ratings.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    start = time.perf_counter()

    features = {name: extracted(name, oasis, work, rows) for name in EMBEDDED}
    if not arguments.embedded_only:
        best = searches(oasis, work, rows, [int(seed) for seed in arguments.seeds.split(",")], arguments.trials)
        cross_validations(features["efficientnet-lite0"], rows, best)
    embedded(features, rows)
    if not (arguments.embedded_only or arguments.without_types):
        tables(oasis, work, 100)
    print(f"\n{time.perf_counter() - start:.0f} s, {os.cpu_count()} cores, torch {torch.__version__}")


def searches(oasis: Path, work: Path, rows: list[dict[str, str]], seeds: list[int], trials: int) -> dict[str, float]:
    """Table 1; gives the metaparameters of the first seed's best trial at random."""
    for seed in seeds:
        write_theme_split(rows, seed, work / f"themes{seed}.csv")
    jobs = {("random", seed): oasis / "ratings.csv" for seed in seeds}
    jobs |= {("by theme", seed): work / f"themes{seed}.csv" for seed in seeds}
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:  # each is one thread of its own
        futures = {
            key: pool.submit(run_training, oasis, work, scores, key[1], trials, ENSEMBLE)
            for key, scores in jobs.items()
        }
    found = {key: future.result() for key, future in futures.items()}
    print(f"Eval Spearman, {trials} trials, 25 % eval\n{'split':<10}{'seed':>6}{COLUMNS}{'gain':>9}{'gain':>10}")
    for kind in ("random", "by theme"):
        rows_of_kind = [spearmans(found[kind, seed]) for seed in seeds]
        for seed, values in zip(
            [*map(str, seeds), "mean"], [*rows_of_kind, np.mean(rows_of_kind, axis=0)], strict=True
        ):
            gains = f"{values[1] - values[0]:>+9.4f}{values[2] - values[1]:>+10.4f}"
            print(f"{kind:<10}{seed:>6}{values[0]:>9.4f}{values[1]:>9.4f}{values[2]:>10.4f}{gains}")
    return json.loads(found["random", seeds[0]]["metaparameters"])


def extracted(name: str, oasis: Path, work: Path, rows: list[dict[str, str]]) -> dict[int, np.ndarray]:
    """{k: (N, W_k)} for the extractor's default hidden states."""
    extractor, paths = load_extractor(name, "cpu"), [row["relative_path"] for row in rows]
    states = extractor.default_hidden_states
    return extract_features(oasis, paths, extractor, states, FeatureCache(work / "cache")).states


def targets(rows: list[dict[str, str]]) -> tuple[np.ndarray, np.ndarray]:
    """Beauty and theme of each image, (N,)."""
    beauty = np.array([float(row["beauty_mean"]) for row in rows])
    return beauty, np.array([theme(row["relative_path"]) for row in rows])


def embedded(features: dict[str, dict[int, np.ndarray]], rows: list[dict[str, str]]) -> None:
    """Table 3."""
    y, themes = targets(rows)
    print(f"\nSpearman of ridge, 10-fold\n{'extractor':<22}{'states':<10}{'width':>7}{'random':>8}{'by theme':>10}")
    jobs = [("efficientnet-lite0", (0,)), *((name, tuple(states)) for name, states in features.items())]
    for name, used in jobs:
        x = np.concatenate([features[name][state] for state in used], axis=1)
        at_random, by_theme = (cross_validate(x, y, groups, ridge) for groups in (None, themes))
        print(
            f"{name:<22}{','.join(map(str, used)):<10}{x.shape[1]:>7}{at_random:>8.4f}{by_theme:>10.4f}", flush=True
        )


def spearmans(metadata: dict[str, str]) -> list[float]:
    """Eval Spearman of ridge regression, of the best trial alone and of the ensemble."""
    ridge_alone = json.loads(metadata["baselines"])["ridge"]["eval_spearman"]
    single, whole = (json.loads(metadata[name])["eval_spearman"] for name in ("single_best_metrics", "metrics"))
    return [ridge_alone, single, whole]


def cross_validations(features: dict[int, np.ndarray], rows: list[dict[str, str]], best: dict[str, float]) -> None:
    """Table 2."""
    y, themes = targets(rows)
    print(f"\nSpearman, 10-fold\n{'features':<24}{'method':<18}{'random':>8}{'by theme':>10}")
    for used in ((0,), tuple(features)):
        x = np.concatenate([features[state] for state in used], axis=1)
        methods = {"ridge": ridge, "support vectors": support_vectors, "network": network(best)}
        for name, fit in methods.items():
            at_random, by_theme = (cross_validate(x, y, groups, fit) for groups in (None, themes))
            label = f"states {','.join(map(str, used))} ({x.shape[1]})"
            print(f"{label:<24}{name:<18}{at_random:>8.4f}{by_theme:>10.4f}")


if __name__ == "__main__":
    main()
