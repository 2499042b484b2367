"""Training on choices themselves beside training on ratings fitted to them, for a simulated person.

    python benchmarks/choices_loss.py ../shared/data/oasis [--trials 15] [--seeds 1,2,3] [--work FOLDER]

The folder holds the OASIS photographs (images/, Kurdi, Lozano & Banaji 2017) and ratings.csv with their mean beauty
(Brielmann & Pelli 2019). It is only read. A quarter of the photographs is test. The others are compared, in pairs at
random, all equally often, by a person who chooses by Bradley-Terry with the mean beauty as true rating, scaled so
that 75 % of such choices agree with it. Ratings are fitted to all choices, as the A/B scorer does, and are the scores
of both. A third of what is not test is eval. The same search is run each way:

    ratings          --loss_model=mse, the best trial by mse of eval ratings
    choices          --loss_model=choices, the best trial by choices between eval images
    choices, judged  --loss_model=choices, the best trial by Spearman of eval ratings

Prints Spearman of the best trial's model with the true beauty of the test images, which nobody ever compared.
"""

import argparse
import csv
import os
import sys
import time
from dataclasses import replace
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np

from src.common import spearman
from src.features.extraction import extract_features
from src.features.extractors import load_extractor
from src.features.feature_cache import FeatureCache
from src.model.config import PredictorConfig, arrange
from src.model.file import load_predictor
from src.options.command_line import parse_arguments
from src.options.groups.search import search_settings
from src.options.option import TRAIN
from src.ratings.choices import make_choices
from src.ratings.fit import fit_ratings
from src.ratings.log import Log, make_log
from src.ratings.rescale import standardise
from src.scores.split import assign_split
from src.search.dataset import Dataset
from src.search.objective import make_objective
from src.search.run_files import RunFiles
from src.search.search import Search
from src.search.settings import StudySettings
from src.search.study import open_study

# Narrower than the defaults, so that a trial takes a second on a CPU; the same for every run.
RANGES = (
    *("--min_batch_size=20", "--max_train_epochs=25", "--min_log_lr=-3.5"),
    *("--max_first_layer_size=100", "--max_second_layer_size=100"),
)
WAYS = {
    "ratings": ("--loss_model=mse",),
    "choices": ("--loss_model=choices",),
    "choices, judged": ("--loss_model=choices", "--metric_for_scoring=spearman"),
}
ELO_DEVIATION = 0.5  # of the true ratings: 75 % of choices between random pairs agree with them
CHOICES_PER_IMAGE = (1, 2, 4)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("oasis", type=Path)
    parser.add_argument("--trials", type=int, default=15)
    parser.add_argument("--seeds", default="1,2,3")
    parser.add_argument("--work", type=Path, default=Path("choices_loss"), help="features and models go here")
    arguments = parser.parse_args()
    arguments.work.mkdir(exist_ok=True)
    start = time.perf_counter()
    data, paths = photographs(arguments.oasis.resolve(), arguments.work / "cache")
    seeds = [int(seed) for seed in arguments.seeds.split(",")]
    print(f"Spearman with the true beauty of test images, {arguments.trials} trials, eval seeds {arguments.seeds}")
    print(
        f"{'choices per image':<18}{'way':<17}" + "".join(f"{f'seed {seed}':>9}" for seed in seeds) + f"{'mean':>9}"
    )
    for count in CHOICES_PER_IMAGE:
        tables = [simulated(data, paths, count, seed) for seed in seeds]
        for name, words in WAYS.items():
            found = [
                judged(data.scores, table, seed, words, arguments) for table, seed in zip(tables, seeds, strict=True)
            ]
            cells = "".join(f"{value:>9.4f}" for value in [*found, np.mean(found)])
            print(f"{count:<18}{name:<17}{cells}", flush=True)
    print(f"{time.perf_counter() - start:.0f} s")


def photographs(oasis: Path, cache: Path) -> tuple[Dataset, list[str]]:
    """All photographs, their features, and the mean beauty as scores."""
    with (oasis / "ratings.csv").open(encoding="utf-8") as file:
        beauty = {row["relative_path"]: float(row["beauty_mean"]) for row in csv.DictReader(file)}
    extractor = load_extractor("efficientnet-lite0", "cpu")
    used = extractor.default_hidden_states
    features = extract_features(oasis, list(beauty), extractor, used, FeatureCache(cache))
    widths = tuple(features.states[state].shape[1] for state in used)
    config = PredictorConfig(
        "efficientnet-lite0", used, "join", widths, (1, 1), extractor_identity=extractor.identity
    )
    scores = np.array([beauty[path] for path in features.paths])
    inputs = arrange(features.states, used, "join")
    return Dataset(config, inputs, scores, np.ones(len(scores)), np.full(len(scores), "train")), features.paths


def simulated(data: Dataset, paths: list[str], count: int, seed: int) -> Dataset:
    """The data as a person has them after `count` choices per image: fitted ratings as scores, and the choices."""
    split = assign_split(paths, [""] * len(paths), 0.25, 0.25, seed)
    truth = ELO_DEVIATION * (data.scores - data.scores.mean()) / data.scores.std()
    log = choose(truth, np.flatnonzero(split != "test"), count, np.random.default_rng(seed))
    ratings = fit_ratings(log).rating
    scores = standardise(ratings, log.comparisons > 0)
    return replace(data, scores=scores, split=split, choices=make_choices(log, np.arange(len(scores)) + 1))


def choose(truth: np.ndarray, rows: np.ndarray, count: int, generator: np.random.Generator) -> Log:
    """len(rows) * count choices between pairs, of which every image is in as many (the odd one out left aside)."""
    shuffled = [generator.permutation(rows)[: len(rows) // 2 * 2].reshape(-1, 2) for _ in range(2 * count)]
    pairs = np.concatenate(shuffled)
    # P(i beats j) = 1 / (1 + 10^(r_j - r_i)): Elo (1978)
    first = generator.random(len(pairs)) < 1 / (1 + 10 ** (truth[pairs[:, 1]] - truth[pairs[:, 0]]))
    winners = np.where(first, pairs[:, 0], pairs[:, 1])
    return make_log(np.arange(len(truth)) + 1, (pairs + 1).tolist(), (winners + 1).tolist())


def judged(
    truth: np.ndarray, data: Dataset, seed: int, words: tuple[str, ...], arguments: argparse.Namespace
) -> float:
    """A whole search; Spearman of its best model with the truth of the test images."""
    options = parse_arguments(TRAIN, "", [*RANGES, *words, f"--seed={seed}", f"--trials={arguments.trials}"])
    settings = search_settings(options)
    objective = make_objective(settings, data, has_weights=False)
    study = open_study(StudySettings("choices", ""), settings, objective.direction, {})
    best = RunFiles(arguments.work / "model.safetensors", data, {}, study)
    best.path.unlink(missing_ok=True)
    Search(settings, objective, best).run()
    rows = data.rows("test")
    return spearman(truth[rows], load_predictor(best.path)[0].predict(data.inputs[rows])[0])


if __name__ == "__main__":
    main()
