"""What describes a training run: made once, before anything is trained."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..common import Steps
from ..scores import SPLITS, ScoreTable, SplitSettings, assisted_by
from .baseline import baselines, held_out_ridge
from .dataset import Dataset
from .first_results import First, first_results
from .likeness import FEATURES, summary
from .objective import Objective
from .settings import SearchSettings


@dataclass(frozen=True)
class Run:
    """One training run.

    firsts: what is there before any search, ridge regression and a Gaussian process; none in mode weight. held_out:
    (N,) the scores of each by name, those of ridge regression in any mode; with folds, of each image by one that was
    not fitted on it. about: what every model file of this run says of how it was made. comparable: what must stay the
    same for trials of one study to be comparable. seed: of what is drawn to say how good the model is.
    """

    data: Dataset
    objective: Objective
    firsts: tuple[First, ...]
    held_out: Mapping[str, np.ndarray]
    about: Mapping[str, Any]
    comparable: Mapping[str, str]
    seed: int


def describe_run(
    table: ScoreTable,
    data: Dataset,
    objective: Objective,
    search: SearchSettings,
    split: SplitSettings,
    others: Mapping[str, Any],
    steps: Steps | None = None,
) -> Run:
    """Everything that is known of a run before it. table: the images, as the rows of `data`.

    others: what model files of this run say besides, such as the score column and the filter. steps: of what takes
    long, the baselines of many folds.
    """
    firsts = first_results(data, objective, search.training, search.seed, steps)
    held_out = {first.name: first.held_out for first in firsts}
    if not firsts:
        held_out["ridge"] = held_out_ridge(data, search.seed, steps=steps)
    said = {**about(table, data, search, split), **others, "baselines": baselines(data, held_out)}
    return Run(data, objective, firsts, held_out, said, comparable(table, data, objective, search), search.seed)


def comparison_counts(data: Dataset) -> dict[str, int]:
    """How many comparisons are among the images of each split alone; with folds eval is the sum over folds."""
    choices = data.choices
    assert choices is not None
    return {
        name: sum(len(choices.within(part.rows(name)).shown) for part in (data.parts() if name == "eval" else [data]))
        for name in SPLITS
    }


def about(table: ScoreTable, data: Dataset, search: SearchSettings, split: SplitSettings) -> dict[str, Any]:
    """What every model file says of how its images were chosen, split, weighted and learnt from."""
    some: dict[str, Any] = {} if data.groups is None else {"balance": str(search.training.balance)}
    if assistants := assisted_by(table):
        some["scores_assisted_by"] = assistants
    if data.error_weights is not None:
        some["weight_by_error"] = True
    if data.folds is not None:  # the test images, as no seed alone says which they are where groups stay together
        test = [table.paths[row] for row in data.rows("test")]
        some |= {"folds": split.folds, "group_column": split.group_column or "", "test_images": test}
    if data.choices is not None:
        some["comparison_counts"] = comparison_counts(data)
    return some | {
        "loss_model": search.training.loss_model,
        "split_counts": {name: int((data.split == name).sum()) for name in SPLITS},
        "model_seed": search.training.model_seed,
        "eval_pick_seed": split.eval_pick_seed,
        "fraction_for_eval": split.fraction_for_eval,
        "fraction_for_test": split.fraction_for_test,
        "ignore_existing_split": split.ignore_existing_split,
    }


def comparable(table: ScoreTable, data: Dataset, objective: Objective, search: SearchSettings) -> dict[str, str]:
    """What must stay the same for the trials of a study to be comparable."""
    training = search.training
    learns_weights = training.loss_model == "wmse"
    weights = [data.weights] if learns_weights or objective.metric == "wmse" else []
    weights += [] if data.error_weights is None else [data.error_weights]
    divider = search.objective.accuracy_divider if objective.metric == "accuracy" else None
    fixed = training.fixed_hidden_state_weights
    folds = 0 if data.folds is None else int(data.folds.max()) + 1
    return {
        "objective": objective.name
        + f" divided at {divider}" * (divider is not None)
        + f", mean of {folds} folds" * (folds > 0),
        "loss_model": training.loss_model
        + " of normalised weights" * (learns_weights and training.normalise_weights)
        + " weighted by error" * (data.error_weights is not None)
        + f", {training.balance}" * (data.groups is not None),
        "high-end fix": data.config.high_end_fix,
        "extractor": data.config.extractor_identity,
        "hidden_states": f"{data.config.hidden_states_mode} of {data.config.hidden_states_used}"
        + f" with the weights {fixed}" * (fixed is not None),
        "images, scores and split": _images(table, data) + f" with weights {_digest(weights)}" * bool(weights),
        # The last: they differ also where images, image model or hidden states do, which is to be said then.
        FEATURES: summary(data.inputs.cpu().numpy()),
    }


def _images(table: ScoreTable, data: Dataset) -> str:
    """A hash of the images, their scores and splits, and of the choices between them."""
    split = data.split if data.folds is None else data.folds
    rows = zip(table.paths, split, data.scores, strict=True)
    digest = hashlib.blake2b(repr([(path, str(split), float(score)) for path, split, score in rows]).encode())
    for part in data.choices.screens if data.choices else ():
        digest.update(part.tobytes())
    return digest.hexdigest()[:12]


def _digest(arrays: Sequence[np.ndarray]) -> str:
    return hashlib.blake2b(b"".join(array.tobytes() for array in arrays)).hexdigest()[:12]
