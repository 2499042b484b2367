"""Does the high-end fix (docs/high-end-fix.md) put the best images in a better order?

    python benchmarks/high_end_fix.py ../shared/data/oasis [--trials 30] [--seeds 1,2,3] [--work FOLDER]

The folder is that of oasis_quality.py. For each of plain, fixed and variable the training script searches its own
metaparameters (eval seed 1); with those, networks are trained anew in 5-fold cross-validation, once per seed (which
draws the folds and starts the network), so that every image is scored by networks that have not seen it. Prints for
each seed the parameters of a network, Spearman, AB, and AB among the fifth of the images that people liked best.
"""

import argparse
import csv
import json
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
import torch
from sklearn.model_selection import KFold

from benchmarks.oasis_quality import run_training
from src.common import ab, spearman
from src.features.extraction import extract_features
from src.features.extractors import load_extractor
from src.features.feature_cache import FeatureCache
from src.model.config import arrange
from src.model.file import load_predictor
from src.model.training import TrainingData, train
from src.report.learning_curve import training_of

KINDS = {"plain": (), "fixed": ("--high_end_fix",), "variable": ("--variable_high_end_fix",)}
SEARCH_SEED = 1
FOLDS = 5
TOP = 0.2


def cross_validated(model: Path, inputs: torch.Tensor, scores: np.ndarray, seed: int) -> tuple[np.ndarray, int]:
    """Scores (N,) of all images by networks that have not seen them, and the parameters of one."""
    predictor, metadata = load_predictor(model)
    training = replace(training_of(metadata), seed=seed)
    predicted = np.empty(len(scores))
    for rows, held_out in KFold(FOLDS, shuffle=True, random_state=seed).split(inputs):
        truth = torch.tensor(scores[rows], dtype=torch.float32)
        data = TrainingData(inputs[rows], truth, torch.ones(len(rows)))
        predicted[held_out] = train(predictor.config, training, data).predict(inputs[held_out])[0]
    return predicted, sum(parameter.numel() for parameter in predictor.parameters() if parameter.requires_grad)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("oasis", type=Path)
    parser.add_argument("--trials", type=int, default=30)
    parser.add_argument("--seeds", default="1,2,3")
    parser.add_argument("--work", type=Path, default=Path("high_end_fix"), help="models, logs and features go here")
    arguments = parser.parse_args()
    oasis, work, start = arguments.oasis.resolve(), arguments.work.resolve(), time.perf_counter()
    work.mkdir(exist_ok=True)
    with (oasis / "ratings.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    scores = np.array([float(row["beauty_mean"]) for row in rows])
    extractor = load_extractor("efficientnet-lite0", "cpu")
    used = extractor.default_hidden_states
    cache = FeatureCache(work / "cache")
    features = extract_features(oasis, [row["relative_path"] for row in rows], extractor, used, cache)
    inputs = arrange(features.states, used, "join")

    seeds = [int(seed) for seed in arguments.seeds.split(",")]
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:  # each is one thread of its own
        search = (oasis, work, oasis / "ratings.csv", SEARCH_SEED, arguments.trials)
        found = dict(zip(KINDS, pool.map(lambda words: run_training(*search, *words), KINDS.values()), strict=True))
        jobs = {
            (kind, seed): pool.submit(
                cross_validated, work / f"{'-'.join(['ratings', str(SEARCH_SEED), *words])}.safetensors", inputs,
                scores, seed,
            )
            for kind, words in KINDS.items()
            for seed in seeds
        }  # fmt: skip
    for kind, metadata in found.items():
        print(f"{kind}: {json.loads(metadata['metaparameters'])}")
    report({key: job.result() for key, job in jobs.items()}, scores, seeds)
    print(f"\n{time.perf_counter() - start:.0f} s, {os.cpu_count()} cores, torch {torch.__version__}")


def report(found: dict[tuple[str, int], tuple[np.ndarray, int]], scores: np.ndarray, seeds: list[int]) -> None:
    """The table: a line for each network and seed, and the means."""
    top = np.argsort(-scores, kind="stable")[: round(TOP * len(scores))]
    print(f"\n{'network':<10}{'seed':>6}{'parameters':>12}{'spearman':>10}{'AB':>9}{'AB of the top fifth':>21}")
    for kind in KINDS:
        lines = []
        for seed in seeds:
            predicted, parameters = found[kind, seed]
            lines.append([spearman(scores, predicted), ab(scores, predicted), ab(scores[top], predicted[top])])
            print(line(kind, str(seed), parameters, lines[-1]))
        print(line(kind, "mean", parameters, np.mean(lines, axis=0)))


def line(kind: str, seed: str, parameters: int, values: "list[float] | np.ndarray") -> str:
    return f"{kind:<10}{seed:>6}{parameters:>12,}{values[0]:>10.4f}{values[1]:>9.2%}{values[2]:>21.2%}"


if __name__ == "__main__":
    main()
