"""What a training run says of itself: on the terminal, in the model file, and to the study that may be resumed."""

import argparse
import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..scores import SPLITS, ScoreTable, assisted_by, balance_table
from ..search import BestModel, Dataset, baselines
from .text import aligned


def comparable(arguments: argparse.Namespace, table: ScoreTable, data: Dataset, objective: str) -> dict[str, str]:
    """What must stay the same for the trials of a study to be comparable."""
    split = data.split if data.folds is None else data.folds
    rows = zip(table.paths, split, data.scores, strict=True)
    digest = hashlib.blake2b(repr([(path, str(split), float(score)) for path, split, score in rows]).encode())
    for part in data.choices.screens if data.choices else ():
        digest.update(part.tobytes())
    learns_weights = arguments.loss_model == "wmse"
    weights = [data.weights] if learns_weights or objective.endswith("_wmse") else []
    weights += [] if data.error_weights is None else [data.error_weights]
    divider = arguments.accuracy_divider if objective.endswith("_accuracy") else None
    fixed = arguments.fixed_hidden_state_weights
    return {
        "objective": objective
        + f" divided at {divider}" * (divider is not None)
        + f", mean of {arguments.folds} folds" * (data.folds is not None),
        "loss_model": arguments.loss_model
        + " of normalised weights" * (learns_weights and arguments.normalise_weights)
        + " weighted by error" * (data.error_weights is not None)
        + f", {balance_of(arguments)}" * (data.groups is not None),
        "high-end fix": data.config.high_end_fix,
        "extractor": data.config.extractor_identity,
        "hidden_states": f"{data.config.hidden_states_mode} of {data.config.hidden_states_used}"
        + f" with the weights {fixed}" * (fixed is not None),
        "images, scores and split": digest.hexdigest()[:12] + f" with weights {_digest(weights)}" * bool(weights),
    }


def _digest(arrays: Sequence[np.ndarray]) -> str:
    return hashlib.blake2b(b"".join(array.tobytes() for array in arrays)).hexdigest()[:12]


def balance_of(arguments: argparse.Namespace) -> str:
    """Such as "balanced to mean by score in 10 steps"."""
    steps = f" in {arguments.balance_bins} steps" * (arguments.balance_by == "score")
    return f"balanced to {arguments.balance} by {arguments.balance_by}{steps}"


def about(arguments: argparse.Namespace, table: ScoreTable, data: Dataset, ridge: np.ndarray) -> dict[str, Any]:
    """What every model file of this run says of how it was made. ridge: (N,) the held-out scores of the baseline."""
    some: dict[str, Any] = {} if data.groups is None else {"balance": balance_of(arguments)}
    if assistants := assisted_by(table):
        some["scores_assisted_by"] = assistants
    if data.error_weights is not None:
        some["weight_by_error"] = True
    if data.folds is not None:  # the test images, as no seed alone says which they are where groups stay together
        test = [table.paths[row] for row in data.rows("test")]
        some |= {"folds": arguments.folds, "group_column": arguments.group_column or "", "test_images": test}
    if data.choices is not None:
        some["comparison_counts"] = _comparison_counts(data)
    return some | {
        "model_type": arguments.model_type,
        "loss_model": arguments.loss_model,
        "score_column": arguments.score_column,
        "split_counts": {name: int((data.split == name).sum()) for name in SPLITS},
        "baselines": baselines(data, ridge),
        "model_seed": arguments.model_seed,
        "eval_pick_seed": arguments.eval_pick_seed,
        "fraction_for_eval": arguments.fraction_for_eval,
        "fraction_for_test": arguments.fraction_for_test,
        "ignore_existing_split": arguments.ignore_existing_split,
    }


def announce(arguments: argparse.Namespace, best: BestModel, study: str, address: str | None) -> None:
    """Print what is about to happen, and where it can be watched. study: its name, or empty: nothing is searched."""
    data = best.data
    counts = ", ".join(f"{(data.split == name).sum()} {name}" for name in SPLITS)
    print(f"Split: {counts} (--eval_pick_seed={arguments.eval_pick_seed}).")
    if data.choices is not None:
        counts = ", ".join(f"{count} {name}" for name, count in _comparison_counts(data).items())
        total = len(data.choices.screens.shown)
        part = "split" if data.folds is None else "split or fold"
        print(f"Comparisons by {arguments.rater}: {total}; among images of one {part} alone: {counts}.")
    if data.groups is not None:
        print(f"Train images, {balance_of(arguments)}:")
        print(aligned(balance_table(data.groups, data.rows("train"), arguments.balance, arguments.seed)))
    if study:
        print(f"Study '{study}' in {arguments.database or 'memory'}; the best model goes to {best.path}.")
    if previous := best.keep_previous(bool(study) and arguments.resume):
        print(f"The model that lay there is kept as {previous.name}.")
    if address:
        print(f"Watch the search at {address}.")


def _comparison_counts(data: Dataset) -> dict[str, int]:
    """How many comparisons are among the images of each split alone; with folds eval is the sum over folds."""
    choices = data.choices
    assert choices is not None
    return {
        name: sum(len(choices.within(part.rows(name)).shown) for part in (data.parts() if name == "eval" else [data]))
        for name in SPLITS
    }
