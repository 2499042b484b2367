"""Courses of simulated choices between the OASIS photographs, as the product pairs and rates; for benchmarks."""

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from joblib import Parallel, delayed
from tqdm import tqdm

from benchmarks.simulated_person import Course, Taste, make_taste, simulate
from src.ratings.assisted import AssistedFit
from src.ratings.fit import fit_ratings
from src.ratings.fitted import Ratings
from src.ratings.log import Log
from src.ratings.settings import PairingSettings
from src.ratings.similarity import Similarity, make_similarity

AGREEMENTS = (0.85, 0.75)
LONGEST = {"assisted": 4.6, "near": 4.6, "classic": 4.6, "elo": 12.0}


class Bench:
    """The data, and each simulation run at most once."""

    def __init__(
        self,
        truth: np.ndarray,
        features: np.ndarray,
        widths: list[int],
        seeds: range,
        places: tuple[Path, Path],
        processes: int = 1,
        hidden_repeats: float = PairingSettings.hidden_repeats,
    ) -> None:
        """features, widths: as `load` gives them. places: the folder of OASIS, and that of the cache of features."""
        self.places, self.truth, self.seeds = places, truth, seeds
        self.features, self.widths, self.processes = features, widths, processes
        self.hidden_repeats = hidden_repeats
        self._courses: dict[tuple[str, float], list[Course]] = {}
        self.similarity = self.similar(np.arange(len(truth)))

    def similar(self, rows: np.ndarray) -> Similarity:
        """How alike the images of these rows are, numbered from 1 in their order."""
        return make_similarity(np.arange(len(rows)) + 1, self.features[rows], widths=self.widths)

    def courses(self, method: str, agreement: float) -> list[Course]:
        if (method, agreement) not in self._courses:
            one = delayed(self._course)
            found = Parallel(self.processes)(one(method, agreement, seed) for seed in self.seeds)
            self._courses[method, agreement] = found
        return self._courses[method, agreement]

    def run(
        self,
        taste: Taste,
        fit: Callable[[Log], Ratings],
        pairing: str,
        longest: float,
        seed: int,
        name: str,
        at_once: int = 2,
        keep: tuple[float, ...] = (),
        **held_out: Any,
    ) -> Course:
        """As `simulate`, with a bar of this name."""
        with tqdm(total=round(longest * len(taste.truth)), desc=f"{name}, seed {seed}", leave=False) as bar:
            more = {"hidden_repeats": self.hidden_repeats, **held_out}
            return simulate(taste, fit, pairing, longest, seed, at_once, keep, bar.update, **more)

    def at(self, method: str, agreement: float, point: float) -> float:
        """Mean Spearman at `point` choices per image."""
        return float(np.mean([value_at(c, c.spearman, point) for c in self.courses(method, agreement)]))

    def _course(self, method: str, agreement: float, seed: int) -> Course:
        longest, at_once, similarity = LONGEST.get(method, 4.0), 2, self.similarity
        if method.startswith("four"):
            longest, at_once = 2.0, 4
        if method == "shuffled":
            mixed = np.random.default_rng(seed).permutation(len(self.truth))
            similarity = self.similar(mixed)
        fit = assist(similarity) if method in ("assisted", "shuffled", "four") else plain(method)
        pairing = "classic" if method in ("elo", "classic") else "near"
        taste = make_taste(self.truth, agreement)
        return self.run(taste, fit, pairing, longest, seed, f"{method}, {agreement:.0%}", at_once)


def assist(similarity: object) -> Callable[[Log], Ratings]:
    fit = AssistedFit(similarity)
    return lambda log: fit_ratings(log, "assisted", assisted=fit)


def plain(method: str) -> Callable[[Log], Ratings]:
    return (lambda log: fit_ratings(log, "elo", k=0.7)) if method == "elo" else fit_ratings


def value_at(course: Course, values: list[float], point: float) -> float:
    return float(np.interp(point, course.at, values))


def load(oasis: Path, cache_folder: Path) -> tuple[np.ndarray, np.ndarray, list[int]]:
    """(900,) mean beauty; (900, D) features of `embedded`, kept in cache_folder; the width of each state."""
    truth = np.array([float(row["beauty_mean"]) for row in _rows(oasis)])
    blocks = list(states_of("embedded", oasis, cache_folder)[1].values())
    return truth, np.concatenate(blocks, axis=1), [block.shape[1] for block in blocks]


def states_of(name: str, oasis: Path, cache_folder: Path) -> tuple[Any, dict[int, np.ndarray]]:
    """An extractor, and {hidden state: (900, W)} of those that it uses by default, kept in cache_folder."""
    from src.features.extraction import extract_features
    from src.features.extractors import load_extractor
    from src.features.feature_cache import FeatureCache

    extractor, cache_of_features = load_extractor(name, "cpu"), FeatureCache(cache_folder)
    paths, states = [row["relative_path"] for row in _rows(oasis)], extractor.default_hidden_states
    return extractor, extract_features(oasis, paths, extractor, states, cache_of_features).states


def _rows(oasis: Path) -> list[dict[str, str]]:
    with (oasis / "ratings.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))
