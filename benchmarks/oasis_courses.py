"""Courses of simulated choices between the OASIS photographs, as the product pairs and rates; for benchmarks."""

import csv
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
from tqdm import tqdm

from benchmarks.simulated_person import Course, Taste, make_taste, simulate
from src.ratings.assisted import AssistedFit
from src.ratings.fit import fit_ratings
from src.ratings.fitted import Ratings
from src.ratings.log import Log
from src.ratings.similarity import make_similarity

AGREEMENTS = (0.85, 0.75)
LONGEST = {"assisted": 4.6, "near": 4.6, "classic": 4.6, "elo": 12.0}


class Bench:
    """The data, and each simulation run at most once."""

    def __init__(self, truth: np.ndarray, features: np.ndarray, seeds: int) -> None:
        self.truth, self.features, self.seeds = truth, features, range(seeds)
        self.course = cache(self._course)
        self.similarity = make_similarity(np.arange(len(truth)) + 1, features)

    def courses(self, method: str, agreement: float) -> list[Course]:
        return [self.course(method, agreement, seed) for seed in self.seeds]

    def at(self, method: str, agreement: float, point: float) -> float:
        """Mean Spearman at `point` choices per image."""
        return float(np.mean([value_at(c, c.spearman, point) for c in self.courses(method, agreement)]))

    def _course(self, method: str, agreement: float, seed: int) -> Course:
        longest, at_once, similarity = LONGEST.get(method, 4.0), 2, self.similarity
        if method.startswith("four"):
            longest, at_once = 2.0, 4
        if method == "shuffled":
            mixed = np.random.default_rng(seed).permutation(len(self.truth))
            similarity = make_similarity(self.similarity.images, self.features[mixed])
        fit = assist(similarity) if method in ("assisted", "shuffled", "four") else plain(method)
        pairing = "classic" if method in ("elo", "classic") else "near"
        taste = make_taste(self.truth, agreement)
        return run(taste, fit, pairing, longest, seed, f"{method}, {agreement:.0%}", at_once)


def assist(similarity: object) -> Callable[[Log], Ratings]:
    fit = AssistedFit(similarity)
    return lambda log: fit_ratings(log, "assisted", assisted=fit)


def plain(method: str) -> Callable[[Log], Ratings]:
    return (lambda log: fit_ratings(log, "elo", k=0.7)) if method == "elo" else fit_ratings


def run(
    taste: Taste,
    fit: Callable[[Log], Ratings],
    pairing: str,
    longest: float,
    seed: int,
    name: str,
    at_once: int = 2,
    keep: tuple[float, ...] = (),
) -> Course:
    with tqdm(total=round(longest * len(taste.truth)), desc=f"{name}, seed {seed}", leave=False) as bar:
        return simulate(taste, fit, pairing, longest, seed, at_once, keep, bar.update)


def value_at(course: Course, values: list[float], point: float) -> float:
    return float(np.interp(point, course.at, values))


def load(oasis: Path, cache_folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """(900,) mean beauty, and (900, D) features of the embedded extractor, kept in cache_folder."""
    from src.features.extraction import extract_features
    from src.features.extractors import load_extractor
    from src.features.feature_cache import FeatureCache

    with (oasis / "ratings.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    extractor = load_extractor("efficientnet-lite0", "cpu")
    paths, states = [row["relative_path"] for row in rows], extractor.default_hidden_states
    features = extract_features(oasis, paths, extractor, states, FeatureCache(cache_folder)).states
    truth = np.array([float(row["beauty_mean"]) for row in rows])
    return truth, np.concatenate([features[state] for state in states], axis=1)
