"""What a search is after: the metric that decides, on which images, and what is recorded beside it."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from ..common import METRICS, UserError, number_of
from ..model import Predictor
from .dataset import Dataset
from .settings import SearchSettings

SUBSETS = ("train", "eval", "full")
LARGEST = 1e18  # of a score: models count in float32, which holds its square, too


@dataclass(frozen=True)
class Objective:
    """What is best: the metric that decides, on which images, and the metrics recorded beside it."""

    metric: str
    subset: str
    recorded: tuple[str, ...]
    accuracy_divider: float

    @property
    def name(self) -> str:
        """Such as "eval_mse"."""
        return f"{self.subset}_{self.metric}"

    @property
    def direction(self) -> Literal["minimize", "maximize"]:
        return METRICS[self.metric].direction

    def measure(self, data: Dataset, model_scores: np.ndarray, errors: np.ndarray, subset: str) -> dict[str, float]:
        """{metric: value} over one subset; model_scores, errors: (N,) for all images."""
        rows = data.rows(subset)
        known = {"weights": data.weights[rows], "sigma": errors[rows], "divider": self.accuracy_divider}
        known["screens"] = None if data.choices is None else data.choices.within(rows)
        return {
            name: METRICS[name].function(data.scores[rows], model_scores[rows], **known) for name in self.recorded
        }

    def measure_all(self, data: Dataset, predictor: Predictor, *subsets: str) -> dict[str, float]:
        """{"eval_spearman": value…} for each recorded metric and subset."""
        model_scores, errors = predictor.predict(data.inputs)
        return {
            f"{subset}_{name}": value
            for subset in dict.fromkeys(subsets)
            for name, value in self.measure(data, model_scores, errors, subset).items()
        }


def better(objective: Objective, value: float, than: float) -> bool:
    """Whether a value of the objective beats another; anything beats nan, and nan nothing."""
    if np.isnan(value) or np.isnan(than):
        return not np.isnan(value)
    return value > than if objective.direction == "maximize" else value < than


def make_objective(settings: SearchSettings, data: Dataset, has_weights: bool) -> Objective:
    """Raises UserError where the metric asked for can't be had from this loss, score file or split."""
    loss, wanted = settings.training.loss_model, settings.objective
    subset, metric = wanted.set_for_scoring, wanted.metric_for_scoring or loss
    if "wmse" in (metric, loss) and not has_weights:
        raise UserError("wmse needs a column 'weight' in the score file; add one, or use mse")
    if metric == "nll" and loss != "nll":
        raise UserError("--metric_for_scoring=nll needs a network that knows its error: use --loss_model=nll with it")
    _check_sizes(data.scores)
    _check_folds(settings, data)
    _check_choices(loss, metric, subset, data)
    _check_differences(loss, data)
    if len(data.rows(subset)) < 2:
        raise UserError(
            f"--set_for_scoring={subset}: it holds {number_of(len(data.rows(subset)), 'image')}, and at least 2 are "
            "needed; "
            "raise --fraction_for_eval (or _test), score more images, --ignore_existing_split if the file's "
            "split column has too few, or --set_for_scoring=full"
        )
    possible = {"wmse": has_weights, "nll": loss == "nll", "choices": data.choices is not None}
    recorded = [name for name in METRICS if name == metric or name in wanted.recorded]
    divider = wanted.accuracy_divider
    return Objective(
        metric=metric,
        subset=subset,
        recorded=tuple(name for name in recorded if possible.get(name, True)),
        accuracy_divider=float(np.median(data.scores)) if divider is None else divider,
    )


def _check_sizes(scores: np.ndarray) -> None:
    if (largest := np.abs(scores).max(initial=0)) > LARGEST:
        raise UserError(
            f"a score of {largest:g} is more than models can count in, which is {LARGEST:g}; divide all scores "
            "by one number"
        )


def _check_folds(settings: SearchSettings, data: Dataset) -> None:
    if data.folds is None:
        return
    folds = f"--folds={data.folds.max() + 1}"
    if (subset := settings.objective.set_for_scoring) != "eval":
        raise UserError(
            f"{folds}: each image is scored by a network that was not trained on it, so --set_for_scoring={subset} "
            "can't be; leave it out"
        )
    if settings.pruner not in ("none", "quarters"):
        raise UserError(
            f"{folds}: a trial is so many networks, one after the other, and --pruner={settings.pruner} looks at "
            "one; use --pruner=none"
        )
    if min(len(part.rows("eval")) for part in data.parts()) < 2:
        raise UserError(f"{folds}: a fold has a single image, and 2 are needed; take fewer folds")


def _check_choices(loss: str, metric: str, subset: str, data: Dataset) -> None:
    wanted = [name for name, needed in (("train", loss), (subset, metric)) if needed == "choices"]
    if data.choices is None:
        return
    for part in data.parts():
        for name in wanted:
            if not len(data.choices.within(part.rows(name)).shown):
                raise UserError(
                    f"no comparison is among {name} images alone; choose more, another --fraction_for_eval, or with "
                    "--metric_for_scoring=spearman judge by scores"
                )


def _check_differences(loss: str, data: Dataset) -> None:
    """Of scores that are all the same nothing can be learnt, but by a person's choices; of a fold's none by ab."""
    for part in data.parts() if loss == "ab" else [data] * (loss != "choices"):
        scores = data.scores[part.rows("train")]
        if len(scores) and np.ptp(scores) == 0:
            raise UserError(
                f"{number_of(len(scores), 'train image', 'has')} one score, {scores[0]:g}, and nothing can be learnt "
                "of that; score more images, or name the right --score_column"
            )
