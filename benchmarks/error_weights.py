"""What --weight_by_error gains: predictors trained on simulated choices, with and without, on images never shown.

    python benchmarks/error_weights.py ../shared/data/oasis [--seeds 5] [--cache FOLDER]

The folder holds the OASIS photographs (images/) and ratings.csv with their mean beauty; it is only read. Per seed a
quarter of the images is set aside and never shown; a simulated person, who agrees with the true order in 85 % of
random pairs, chooses between the others, near pairing. Ratings after 1 and 2 choices per image, Bradley-Terry and
assisted, train our network, the same each time but for its seed. Spearman of the predictions with the true beauty,
over the images set aside; the gain is the mean over seeds of the paired differences, with its standard error.
"""

import argparse
import os
import sys
import tempfile
from functools import partial
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
import torch

from benchmarks.oasis_courses import load
from benchmarks.simulated_person import Taste, make_taste, simulate
from src.common import spearman
from src.model.config import PredictorConfig
from src.model.training import TrainingConfig, TrainingData, train
from src.ratings.assisted import AssistedFit
from src.ratings.fit import fit_ratings
from src.ratings.fitted import Ratings
from src.ratings.rescale import standardise
from src.ratings.similarity import make_similarity
from src.scores.weights import weights_of

POINTS = (1.0, 2.0)
AGREEMENT = 0.85
SET_ASIDE = 0.25
NETWORKS = 3  # each with a seed of its own; their Spearman is averaged


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("oasis", type=Path)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--cache", type=Path, help="keep features there, instead of nowhere")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        truth, features, widths = load(arguments.oasis, arguments.cache or Path(folder))
    taste = make_taste(truth, AGREEMENT)
    found = [measure(features, widths, taste, seed) for seed in range(arguments.seeds)]
    print(f"{'ratings':<16}{'choices per image':>18}{'alike':>8}{'by error':>10}{'gain':>18}{'weights':>14}")
    for key in found[0]:
        alike, weighted, low, high = np.mean([one[key] for one in found], axis=0)
        gains = [one[key][1] - one[key][0] for one in found]
        error = np.std(gains, ddof=1) / np.sqrt(len(gains)) if len(gains) > 1 else float("nan")
        gain = f"{weighted - alike:+.4f} ± {error:.4f}"
        print(f"{key[0]:<16}{key[1]:>18.1f}{alike:>8.4f}{weighted:>10.4f}{gain:>18}{low:>8.2f}–{high:.2f}")


def measure(
    features: np.ndarray, widths: list[int], taste: Taste, seed: int
) -> dict[tuple[str, float], tuple[float, ...]]:
    """{(ratings, choices per image): (Spearman alike, by error, smallest weight, largest)} of one seed."""
    order = np.random.default_rng(seed).permutation(len(features))
    aside, shown = np.split(order, [round(SET_ASIDE * len(order))])
    similarity = make_similarity(np.arange(len(shown)) + 1, features[shown], widths=widths)
    fits = {"Bradley-Terry": fit_ratings, "assisted": AssistedFit(similarity).fit}
    chooser, results = Taste(taste.truth[shown], taste.utilities[shown]), {}
    for name, fit in fits.items():
        course = simulate(chooser, fit, "near", max(POINTS), seed, keep=POINTS)
        for point, ratings in course.ratings.items():
            learn = partial(learned, features[shown], ratings, features[aside], taste.truth[aside])
            weights = weights_of(ratings.error, ratings.comparisons > 0)
            ends = float(weights.min()), float(weights.max())
            results[name, point] = (learn(np.ones(len(shown))), learn(weights), *ends)
    return results


def learned(x: np.ndarray, ratings: Ratings, new: np.ndarray, truth: np.ndarray, weights: np.ndarray) -> float:
    """Spearman with the truth of the images `new`, mean over the networks; scores as the scorer writes them."""
    rated = ratings.comparisons > 0
    scores = standardise(ratings.rating, rated)[rated]
    columns = (torch.tensor(values, dtype=torch.float32) for values in (x[rated], scores, weights[rated]))
    data = TrainingData(*columns)
    config = PredictorConfig("benchmark", (0,), "join", (x.shape[1],), (100, 50), (0.3, 0.5, 0.0))
    found = []
    for seed in range(NETWORKS):
        training = TrainingConfig(20, 20, -3.5, 0.0, 0.1, "wmse", seed)
        found.append(spearman(truth, train(config, training, data).predict(torch.from_numpy(new))[0]))
    return float(np.mean(found))


if __name__ == "__main__":
    main()
