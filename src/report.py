"""Numbers to text: how well model scores agree with the scores of the score file."""

import numpy as np

from src.metrics import ab, correlations

SUBSETS = {"train": "Train", "eval": "Eval", "test": "Test", "all": "All"}


def score_line(name: str, scores: np.ndarray, model_scores: np.ndarray) -> str:
    """One line of statistics, or why there are none. scores, model_scores: (N,) in score units.

    `+/-` is the standard deviation, p the probability of such a correlation by chance, AB the share of image pairs in
    the same order.
    """
    start = f"{name:<4}: {len(scores):>5} images"
    if len(scores) < 3:
        return f"{start}, too few for statistics (3 are needed)"
    start += f", db score {scores.mean():>6.3f} +/- {scores.std():.2f}"
    start += f", model score {model_scores.mean():>6.3f} +/- {model_scores.std():.2f}"
    found = correlations(scores, model_scores)
    if np.isnan(found.spearman):
        which = "db scores" if scores.min() == scores.max() else "model scores"
        return f"{start}, all {which} are the same: there is no correlation"
    return (
        f"{start}, spearman {found.spearman:.4f} (p={found.spearman_p:>8.1e}), pearson {found.pearson:.4f} "
        f"(p={found.pearson_p:>8.1e}), AB {100 * ab(scores, model_scores):>6.2f}%"
    )


def split_lines(scores: np.ndarray, model_scores: np.ndarray, split: np.ndarray) -> list[str]:
    """`score_line` for train, eval, test where there is one, and all; split: (N,)."""
    masks = {name: split == name for name in ("train", "eval", "test")} | {"all": np.ones(len(split), bool)}
    return [score_line(SUBSETS[name], scores[mask], model_scores[mask]) for name, mask in masks.items() if mask.any()]


def comparison_with_ridge(scores: np.ndarray, model_scores: np.ndarray, ridge: np.ndarray) -> str:
    """One sentence on what the network buys over ridge regression, on the images given; all shapes (N,)."""
    network, baseline = correlations(scores, model_scores).spearman, correlations(scores, ridge).spearman
    gain = network - baseline
    if np.isnan(gain):
        return "There are too few eval images to compare the network with ridge regression."
    if gain >= 0:
        return f"The network is {gain:.4f} Spearman better than ridge regression on the eval images."
    return (
        f"The network is {-gain:.4f} Spearman worse than ridge regression on the eval images: "
        "try more --trials, other --hidden_states_used, or more images."
    )
