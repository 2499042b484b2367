"""What one trial is: networks of its metaparameters, and what they are worth. Nothing of it knows of the search."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch

from ..model import (
    OUTPUT_CHANNELS,
    Predictor,
    PredictorConfig,
    TrainingConfig,
    TrainingData,
    fit_components,
    train,
    train_population,
)
from .dataset import Dataset, train_data
from .objective import SUBSETS, Objective, better
from .quarters import Limits, quarter_of
from .settings import TrainingSettings

Metaparameters = Mapping[str, Any]
AfterEpoch = Callable[[int, Predictor], None]


@dataclass(frozen=True)
class Tried:
    """What became of a trial.

    predictor: None with folds, where none was trained on all of them. metrics: empty if it was given up. course: the
    objective's value at the quarters that it came to.
    """

    predictor: Predictor | None
    metrics: Mapping[str, float]
    course: Mapping[int, float] = field(default_factory=dict)


@dataclass(frozen=True)
class TryOut:
    """One trial, as a task for whoever has a trainer. limits: None where it is not looked at before its end."""

    parameters: Metaparameters
    limits: Limits | None = None

    def __call__(self, trainer: "Trainer") -> Tried:
        """See `Trainer.try_out`."""
        return trainer.try_out([self])[0]


class Trainer:
    """Trains for one data set; `parts` are its folds, or itself."""

    def __init__(self, settings: TrainingSettings, objective: Objective, data: Dataset) -> None:
        self.settings, self.objective, self.data, self.parts = settings, objective, data, data.parts()
        self.fixed_weights = _fixed_weights(settings, data.config)
        self._ready: list[tuple[Dataset, int, TrainingData]] = []  # the last ones

    def try_out(self, trials: Sequence[TryOut], after_epoch: AfterEpoch | None = None) -> list[Tried]:
        """What each of them is worth; several are trained side by side. after_epoch: see `train`, for one alone."""
        if self.data.folds is not None:
            return [Tried(None, self._cross_validate(each.parameters)) for each in trials]
        found: dict[int, Tried] = {}
        for count in {_components(each.parameters) for each in trials}:
            places = [place for place, each in enumerate(trials) if _components(each.parameters) == count]
            alike = self._train_alike([trials[place] for place in places], count, after_epoch)
            found |= dict(zip(places, alike, strict=True))
        return [found[place] for place in range(len(trials))]

    def train(self, parameters: Metaparameters, data: Dataset) -> Predictor:
        """A network of these metaparameters, trained on the train split of `data`."""
        config, training = configure(parameters, self.settings, data.config)
        return train(config, training, self.ready(data, _components(parameters)), self.fixed_weights)

    def measure(self, predictor: Predictor, *subsets: str) -> dict[str, float]:
        """Metrics of the run's own images."""
        return self.objective.measure_all(self.data, predictor, *subsets)

    def ready(self, data: Dataset, components: int) -> TrainingData:
        """The train split of `data`, with so many components; kept for those that follow."""
        for known, count, found in self._ready:
            if known is data and count == components:
                return found
        found = with_components(train_data(self.settings, data), data.config, components)
        self.keep(data, components, found)
        return found

    def keep(self, data: Dataset, components: int, known: TrainingData) -> None:
        """What `ready` would find, as another process found it."""
        self._ready = [*self._ready, (data, components, known)][-len(self.parts) - 1 :]

    def _train_alike(self, trials: Sequence[TryOut], components: int, after_epoch: AfterEpoch | None) -> list[Tried]:
        """See `try_out`. components: which all of them ask for."""
        configs = [configure(each.parameters, self.settings, self.data.config) for each in trials]
        courses: list[dict[int, float]] = [{} for _ in trials]

        def goes_on(place: int, epoch: int, finished: Callable[[], Predictor]) -> bool:
            if after_epoch:
                after_epoch(epoch, finished())
            limits, quarter = trials[place].limits, quarter_of(epoch, configs[place][1].train_epochs)
            if limits is None or quarter is None:
                return True
            value = courses[place][quarter] = self._value(finished())
            return quarter not in limits or not better(self.objective, limits[quarter], value)

        known = self.ready(self.data, components)
        networks = train_population(configs, known, self.fixed_weights, goes_on)
        subsets = (*SUBSETS, self.objective.subset)
        return [
            Tried(network, self.measure(network, *subsets) if network else {}, course)
            for network, course in zip(networks, courses, strict=True)
        ]

    def _value(self, predictor: Predictor) -> float:
        """The objective's; nothing else is measured, and of no other images."""
        rows, metric = self.data.rows(self.objective.subset), self.objective.metric
        scores, errors = np.full((2, len(self.data.scores)), np.nan)
        scores[rows], errors[rows] = predictor.predict(self.data.inputs[rows.tolist()])
        only = replace(self.objective, recorded=(metric,))
        return only.measure(self.data, scores, errors, self.objective.subset)[metric]

    def _cross_validate(self, parameters: Metaparameters) -> dict[str, float]:
        """Means over the folds of each metric, of the images trained on and of those of the fold."""
        found = [
            self.objective.measure_all(part, self.train(parameters, part), "train", "eval") for part in self.parts
        ]
        return {name: float(np.mean([metrics[name] for metrics in found])) for name in found[0]}


def configure(
    parameters: Metaparameters, settings: TrainingSettings, config: PredictorConfig
) -> tuple[PredictorConfig, TrainingConfig]:
    """From the metaparameters of a trial to what `training.train` takes."""
    predictor = replace(
        config,
        layers=(parameters["first_layer_size"], parameters["second_layer_size"]),
        dropouts=(parameters["input_dropout"], parameters["dropout"], parameters["output_dropout"]),
        output_channels=OUTPUT_CHANNELS[settings.loss_model],
    )
    training = TrainingConfig(
        train_epochs=parameters["train_epochs"],
        batch_size=parameters["batch_size"],
        log_lr=parameters["log_lr"],
        log_weight_lr=parameters.get("log_weight_lr", 0.0),
        warmup_ratio=parameters["warmup_ratio"],
        loss_model="wmse" if settings.weight_by_error else settings.loss_model,
        seed=settings.model_seed,
    )
    return predictor, training


def train_again(parameters: Metaparameters, settings: TrainingSettings, data: Dataset) -> Predictor:
    """A network of a trial's metaparameters, trained on the train split of `data`, whatever its hidden states."""
    config, training = configure(parameters, settings, data.config)
    return train(config, training, with_components(train_data(settings, data), config, _components(parameters)))


def with_components(known: TrainingData, config: PredictorConfig, count: int) -> TrainingData:
    """The same with so many components of its inputs, where these are fewer and nothing is mixed in training."""
    if config.hidden_states_mode == "weight" or not count:
        return known
    found = fit_components(known.inputs, config.column_blocks, count)
    if found is None:
        return known
    # The inputs themselves are not looked at again: only their device.
    return replace(known, inputs=known.inputs[:0].clone(), components=found)


def _components(parameters: Metaparameters) -> int:
    """0 in trials of earlier versions."""
    return int(parameters.get("components", 0))


def _fixed_weights(settings: TrainingSettings, config: PredictorConfig) -> torch.Tensor | None:
    """(L + 1,): one weight a hidden state and the bias, 0 if it was not given; None where weights are trained."""
    fixed = settings.fixed_hidden_state_weights
    if fixed is None:
        return None
    return torch.tensor([*fixed, 0.0][: len(config.hidden_states_used) + 1])
