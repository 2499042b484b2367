"""The search: many configurations, tried one by one, to the best predictor, kept as soon as it is found."""

import argparse
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol

import numpy as np
import optuna
import torch
from optuna.trial import Trial, TrialState
from tqdm import tqdm

from src.errors import UserError
from src.interruption import Interruption
from src.losses import OUTPUT_CHANNELS
from src.metrics import METRICS
from src.predictor import Predictor, PredictorConfig
from src.study import count_finished
from src.training import TrainingConfig, TrainingData, train

WHOLE = ("train_epochs", "batch_size", "first_layer_size", "second_layer_size")
REAL = ("warmup_ratio", "log_lr", "log_weight_lr", "dropout", "input_dropout", "output_dropout")
SUBSETS = ("train", "eval", "full")


@dataclass(frozen=True)
class Dataset:
    """What a search learns from; rows are images.

    config: of the predictors, but for sizes, dropouts and the score scale, which each trial has of its own.
    inputs: what `predictor.arrange` gives, on the device that trains. scores, weights: (N,) float64.
    split: (N,) of "train", "eval", "test". error_weights: (N,) float64, how much each image counts in training as its
    score is certain, besides `weights`; None: all alike.
    """

    config: PredictorConfig
    inputs: torch.Tensor
    scores: np.ndarray
    weights: np.ndarray
    split: np.ndarray
    error_weights: np.ndarray | None = None

    def rows(self, subset: str) -> np.ndarray:
        """Row numbers of train, eval, test, or full: all but test, which is looked at once, at the end."""
        return np.flatnonzero(self.split != "test" if subset == "full" else self.split == subset)


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
        return {
            name: METRICS[name].function(data.scores[rows], model_scores[rows], **known) for name in self.recorded
        }


def make_objective(arguments: argparse.Namespace, data: Dataset, has_weights: bool) -> Objective:
    """Raises UserError where the metric asked for can't be had from this loss, score file or split."""
    loss, subset = arguments.loss_model, arguments.set_for_scoring
    metric = arguments.metric_for_scoring or loss
    if "wmse" in (metric, loss) and not has_weights:
        raise UserError("wmse needs a column 'weight' in the score file; add one, or use mse")
    if metric == "nll" and loss != "nll":
        raise UserError("--metric_for_scoring=nll needs a network that knows its error: use --loss_model=nll with it")
    if len(data.rows(subset)) < 2:
        raise UserError(
            f"--set_for_scoring={subset}: {len(data.rows(subset))} images are in it, and at least 2 are needed; "
            "raise --fraction_for_eval (or _test), score more images, --ignore_existing_split if the file's "
            "split column has too few, or --set_for_scoring=full"
        )
    possible = {"wmse": has_weights, "nll": loss == "nll"}
    wanted = [name for name in METRICS if name == metric or getattr(arguments, f"calculate_{name}")]
    divider = arguments.accuracy_divider
    return Objective(
        metric=metric,
        subset=subset,
        recorded=tuple(name for name in wanted if possible.get(name, True)),
        accuracy_divider=float(np.median(data.scores)) if divider is None else divider,
    )


class Keeper(Protocol):
    """What keeps the best predictor safe."""

    def save(
        self, predictor: Predictor, trial: int, parameters: Mapping[str, Any], metrics: Mapping[str, float]
    ) -> None:
        """Put this predictor in the place of the one before."""

    def holds(self, trial: int) -> bool:
        """Is the predictor of this trial the one that is kept?"""


class Search:
    """One search: `run` tries configurations; each predictor that is better than all before goes to `keeper`."""

    def __init__(
        self, arguments: argparse.Namespace, data: Dataset, objective: Objective, study: optuna.Study, keeper: Keeper
    ) -> None:
        self.arguments, self.data, self.objective, self.study = arguments, data, objective, study
        self.keeper = keeper
        self.train_data = train_data(arguments, data)
        self.fixed_weights = _fixed_weights(arguments)
        self.interruption = Interruption()

    def run(self) -> bool:
        """Go on until the study has `--trials` trials; False if Ctrl-C ended it before.

        Raises UserError if no trial gave a usable predictor.
        """
        self._restore()
        finished = count_finished(self.study)
        remaining = max(0, self.arguments.trials - finished)
        with tqdm(total=self.arguments.trials, initial=finished, unit="trial", desc="Searching") as bar:
            try:
                with self.interruption.listening():
                    self.study.optimize(self._try, n_trials=remaining, callbacks=[lambda *_: self._show(bar)])
                complete = True
            except KeyboardInterrupt:
                complete = False
        if self.best() is None and not complete:
            raise UserError("stopped before the first trial was finished, so there is no model yet")
        if self.best() is None:
            raise UserError(
                f"{self.objective.name} could not be computed in any trial, so there is no model; are all scores of "
                f"the {self.objective.subset} images the same? If not, try lower --max_log_lr"
            )
        return complete

    def best(self) -> optuna.trial.FrozenTrial | None:
        """The best trial so far, None before the first."""
        done = self.study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        return self.study.best_trial if done else None

    def _restore(self) -> None:
        """Train a resumed study's best trial once more where its model file is gone or another's."""
        best = self.best()
        if best is not None and not self.keeper.holds(best.number):
            self.keeper.save(self._train(best.params), best.number, best.params, best.user_attrs)

    def _try(self, trial: Trial) -> float:
        predictor = self._train(suggest(trial, self.arguments, self.data.config), trial)
        metrics = self._measure(predictor, *SUBSETS, self.objective.subset)
        for name, metric in metrics.items():
            trial.set_user_attr(name, metric)
        value = metrics[self.objective.name]
        if not np.isfinite(value):
            raise optuna.TrialPruned(f"{self.objective.name} is undefined for this network")
        best = self.best()
        sign = 1 if self.objective.direction == "maximize" else -1
        if best is None or best.value is None or sign * value > sign * best.value:
            self.keeper.save(predictor, trial.number, trial.params, metrics)
        return value

    def _train(self, parameters: Mapping[str, Any], trial: Trial | None = None) -> Predictor:
        config, training = configure(parameters, self.arguments, self.data.config)
        after_epoch = None if trial is None or self.arguments.pruner == "none" else self._pruning(trial)
        with self.interruption.safe():
            return train(config, training, self.train_data, self.fixed_weights, after_epoch)

    def _pruning(self, trial: Trial) -> Callable[[int, Predictor], None]:
        def after_epoch(epoch: int, predictor: Predictor) -> None:
            value = self._measure(predictor, self.objective.subset)[self.objective.name]
            with self.interruption.safe(False):
                trial.report(value, epoch)
                if trial.should_prune():
                    raise optuna.TrialPruned()

        return after_epoch

    def _measure(self, predictor: Predictor, *subsets: str) -> dict[str, float]:
        """{"eval_spearman": value…} for each recorded metric and subset."""
        model_scores, errors = predictor.predict(self.data.inputs)
        return {
            f"{subset}_{name}": value
            for subset in dict.fromkeys(subsets)
            for name, value in self.objective.measure(self.data, model_scores, errors, subset).items()
        }

    def _show(self, bar: tqdm) -> None:
        best = self.best()
        if best is not None:
            bar.set_postfix_str(f"best {self.objective.name} {best.value:.4f}", refresh=False)
        bar.update()


def suggest(trial: Trial, arguments: argparse.Namespace, config: PredictorConfig) -> dict[str, Any]:
    """Metaparameters of a trial, each from its --min_ to its --max_."""
    parameters: dict[str, Any] = {}
    for name in (*WHOLE, *REAL):
        if name == "log_weight_lr" and config.hidden_states_mode != "weight":
            continue
        pick = trial.suggest_int if name in WHOLE else trial.suggest_float
        parameters[name] = pick(name, getattr(arguments, f"min_{name}"), getattr(arguments, f"max_{name}"))
    return parameters


def configure(
    parameters: Mapping[str, Any], arguments: argparse.Namespace, config: PredictorConfig
) -> tuple[PredictorConfig, TrainingConfig]:
    """From the metaparameters of a trial to what `training.train` takes."""
    predictor = replace(
        config,
        layers=(parameters["first_layer_size"], parameters["second_layer_size"]),
        dropouts=(parameters["input_dropout"], parameters["dropout"], parameters["output_dropout"]),
        output_channels=OUTPUT_CHANNELS[arguments.loss_model],
    )
    training = TrainingConfig(
        train_epochs=parameters["train_epochs"],
        batch_size=parameters["batch_size"],
        log_lr=parameters["log_lr"],
        log_weight_lr=parameters.get("log_weight_lr", 0.0),
        warmup_ratio=parameters["warmup_ratio"],
        loss_model="wmse" if arguments.weight_by_error else arguments.loss_model,
        seed=arguments.model_seed,
    )
    return predictor, training


def train_data(arguments: argparse.Namespace, data: Dataset) -> TrainingData:
    """The train split, each image with the weight that it has in the loss."""
    rows = torch.from_numpy(data.rows("train"))
    scores, weights = (torch.tensor(values, dtype=torch.float32)[rows] for values in (data.scores, data.weights))
    if arguments.normalise_weights:
        weights = weights / weights.mean()
    if data.error_weights is not None:
        certainty = torch.tensor(data.error_weights, dtype=torch.float32)[rows]
        weights = certainty * weights if arguments.loss_model == "wmse" else certainty
    device = data.inputs.device
    return TrainingData(data.inputs[rows.to(device)], scores.to(device), weights.to(device))


def _fixed_weights(arguments: argparse.Namespace) -> torch.Tensor | None:
    """(L + 1,): one weight a hidden state and the bias, 0 if it was not given; None where weights are trained."""
    fixed = arguments.fixed_hidden_state_weights
    if fixed is None:
        return None
    return torch.tensor([*fixed, 0.0][: len(arguments.hidden_states_used) + 1])
