"""What is there in seconds, before any search: ridge regression and a Gaussian process, the better one on disk."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..common import Steps
from ..model import Predictor
from .baseline import fit_ridge, held_out_ridge, ridge_predictor
from .dataset import Dataset
from .objective import SUBSETS, Objective, better
from .processes import fit_process
from .run_files import RunFiles
from .settings import TrainingSettings


@dataclass(frozen=True)
class First:
    """One of them.

    name: "ridge" or "gp". value: the objective's. held_out, errors: (N,) what it says of each image; with folds, of
    each but the test split what one says that was not fitted on it. about: what a file says of it alone.
    """

    name: str
    predictor: Predictor
    value: float
    held_out: np.ndarray
    errors: np.ndarray
    about: dict[str, Any]


def value_of(objective: Objective, data: Dataset, held_out: np.ndarray, errors: np.ndarray) -> float:
    """The objective's value of scores and errors (N,); with folds the mean over them."""
    subset = objective.subset if data.folds is None else "eval"
    found = [objective.measure(part, held_out, errors, subset)[objective.metric] for part in data.parts()]
    return float(np.mean(found))


def first_results(
    data: Dataset, objective: Objective, settings: TrainingSettings, seed: int, steps: Steps | None = None
) -> tuple[First, ...]:
    """Ridge regression, then a Gaussian process; none where training is to weigh hidden states, as neither can.

    steps: counts the folds of each.
    """
    if data.config.hidden_states_mode == "weight":
        return ()
    steps = steps or Steps()
    return _ridge(data, objective, seed, steps), _process(data, objective, settings, steps)


def best_of(objective: Objective, firsts: Sequence[First]) -> First:
    """The better of them; of equals the earlier."""
    best = firsts[0]
    for each in firsts[1:]:
        best = each if better(objective, each.value, best.value) else best
    return best


def put(first: First, objective: Objective, files: RunFiles, **about: Any) -> None:
    """On disk, as this run's model. about: further metadata."""
    metrics = objective.measure_all(files.data, first.predictor, *SUBSETS, objective.subset)
    said = {"model_type": first.name, **first.about, **about, "metrics": dict(sorted(metrics.items()))}
    files.write(first.predictor, said)


def _ridge(data: Dataset, objective: Objective, seed: int, steps: Steps) -> First:
    ridge = fit_ridge(data.inputs.cpu().numpy(), data.scores, data.split, seed)
    held_out = held_out_ridge(data, seed, ridge, steps)
    errors = np.full(len(held_out), np.nan)
    value = value_of(objective, data, held_out, errors)
    predictor = ridge_predictor(ridge, data.config).to(data.inputs.device)
    return First("ridge", predictor, value, held_out, errors, {"ridge_alpha": ridge.alpha})


def _process(data: Dataset, objective: Objective, settings: TrainingSettings, steps: Steps) -> First:
    predictor = fit_process(settings, data)
    held_out, errors = predictor.predict(data.inputs)
    for part in steps.through(data.parts() if data.folds is not None else ()):
        rows = part.rows("eval")
        again = fit_process(settings, part).predict(data.inputs)
        held_out[rows], errors[rows] = again[0][rows], again[1][rows]
    return First("gp", predictor, value_of(objective, data, held_out, errors), held_out, errors, {})
