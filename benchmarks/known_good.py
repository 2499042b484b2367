"""Which metaparameters a search should try first: the table of src/search/known_good.py.

    python benchmarks/known_good.py ../shared/data/oasis [--drawn 60] [--people 8] [--wanted 4]

The folder holds the OASIS photographs, ratings.csv and people.csv (see oasis_quality.py). It is only read. Networks
of metaparameters drawn at random are trained on several data sets (mean ratings of three fifths of the photographs,
at random and by theme; 50 and 175 ratings of single people) and judged by Spearman on others. Then the one is taken
that is best on average, in deviations of each data set's figures, and again and again the one that adds most to the
best of those that were taken: a portfolio (Feurer et al. 2022, "Auto-sklearn 2.0"). Prints it as code, and what it
is worth beside as many drawn at random and the best of all.
"""

import argparse
import os
import sys
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
from tqdm import tqdm

from benchmarks.oasis_types import Features, load_crowd, read
from benchmarks.time_to_quality import FEATURES, splits
from src.common import spearman
from src.search import Dataset, SearchSettings, make_objective
from src.search.known_good import Good, fitted
from src.search.trainer import Trainer

PEOPLES_RATINGS, OTHERS = (50, 175), 50
COMPONENTS = 256


@dataclass(frozen=True)
class Known:
    """A data set: so many images are learnt from, `new` are rows or a mask of those that are foretold."""

    trainer: Trainer
    images: int
    new: np.ndarray


def drawn(count: int) -> list[Good]:
    """At random: sizes and steps on a scale of ratios."""
    generator, found = np.random.default_rng(0), []

    def ratio(low: float, high: float) -> float:
        return float(np.exp(generator.uniform(np.log(low), np.log(high))))

    for _ in range(count):
        sizes = [round(ratio(10, 300)) for _ in range(2)]
        rate, warmup = generator.uniform(-4.5, -2.5), generator.uniform(0, 0.2)
        dropouts = [round(float(each), 2) for each in generator.uniform(0, 0.8, 2)]
        steps, batch = round(ratio(60, 1200)), round(ratio(8, 100))
        found.append(Good(steps, batch, round(rate, 2), round(warmup, 2), *sizes, *dropouts))
    return found


def data_sets(oasis: Path, work: Path, people: int) -> list[Known]:
    features, rows, crowd = load_crowd(oasis, work, FEATURES)
    found = [known(features, crowd, split == "train", split == "test") for split in splits(rows, 0).values()]
    single = read(oasis / "people.csv")
    for name in list(single[0])[1 : people + 1]:
        y = np.array([float(row[name] or "nan") for row in single])
        rated = np.random.default_rng(sum(name.encode())).permutation(np.flatnonzero(np.isfinite(y)))
        for count in PEOPLES_RATINGS:
            learnt = np.isin(np.arange(len(y)), rated[OTHERS : OTHERS + count])
            found.append(known(features, np.nan_to_num(y), learnt, np.isin(np.arange(len(y)), rated[:OTHERS])))
    return found


def known(features: Features, y: np.ndarray, learnt: np.ndarray, new: np.ndarray) -> Known:
    split = np.where(learnt, "train", np.where(new, "eval", "test"))
    data = Dataset(features.config, features.inputs, y, np.ones(len(y)), split)
    settings = SearchSettings()
    return Known(Trainer(settings.training, make_objective(settings, data, False), data), int(learnt.sum()), new)


def values(tried: list[Good], sets: list[Known]) -> np.ndarray:
    """(T, D): Spearman with the scores of the new images."""
    found = np.zeros((len(tried), len(sets)))
    for place, one in enumerate(tqdm(sets)):
        for row, good in enumerate(tried):
            parameters = {**fitted(good, one.images), "components": COMPONENTS, "output_dropout": 0.0}
            predictor = one.trainer.train(parameters, one.trainer.data)
            scores, _ = predictor.predict(one.trainer.data.inputs)
            found[row, place] = spearman(one.trainer.data.scores[one.new], scores[one.new])
    return np.nan_to_num(found)


def portfolio(found: np.ndarray, wanted: int) -> list[int]:
    """Rows (T) of standardised values (T, D)."""
    chosen: list[int] = []
    best = np.full(found.shape[1], -np.inf)
    for _ in range(wanted):
        row = int(np.maximum(found, best).mean(axis=1).argmax())
        chosen.append(row)
        best = np.maximum(best, found[row])
    return chosen


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("oasis", type=Path)
    parser.add_argument("--drawn", type=int, default=60)
    parser.add_argument("--people", type=int, default=8)
    parser.add_argument("--wanted", type=int, default=4)
    parser.add_argument("--work", type=Path, default=Path("oasis_quality"), help="features go here")
    arguments = parser.parse_args()
    tried = drawn(arguments.drawn)
    found = values(tried, data_sets(arguments.oasis.resolve(), arguments.work, arguments.people))
    chosen = portfolio((found - found.mean(axis=0)) / found.std(axis=0), arguments.wanted)
    for row in chosen:
        print(f"    {tried[row]},  # mean Spearman {found[row].mean():.3f}")
    random = np.mean([found[rows].max(axis=0).mean() for rows in _draws(len(tried), arguments.wanted)])
    print(
        f"the best of them {found[chosen].max(axis=0).mean():.3f}, of as many at random {random:.3f}, one at random "
        f"{found.mean():.3f}, of all {found.max(axis=0).mean():.3f}; {found.shape[1]} data sets"
    )


def _draws(count: int, wanted: int) -> list[np.ndarray]:
    generator = np.random.default_rng(1)
    return [generator.choice(count, wanted, replace=False) for _ in range(1000)]


if __name__ == "__main__":
    main()
