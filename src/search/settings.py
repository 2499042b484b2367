"""Settings of this package: what a search tries, what it is after, and where its trials are kept."""

from dataclasses import dataclass, field
from pathlib import Path

from ..common import METRIC_NAMES, SEED
from ..scores import BalanceSettings


@dataclass(frozen=True)
class MetaparameterRanges:
    """From where the metaparameters of a trial are drawn: (lowest, highest) of each; equal ones fix it.

    train_epochs: passes over the train split, 1 or more. warmup_ratio: share of the steps in which the learning rate
    rises, 0 to 1. log_lr, log_weight_lr: log10 of the learning rate, and of that of hidden state weights. batch_size:
    images a step. first_layer_size, second_layer_size: of the hidden layers. dropout, input_dropout, output_dropout:
    before the second layer, of the features, before the output, 0 to below 1. components: principal components of the
    features that networks are trained on; 0, or no fewer than the features: on these themselves.
    """

    train_epochs: tuple[int, int] = (5, 50)
    batch_size: tuple[int, int] = (1, 100)
    first_layer_size: tuple[int, int] = (10, 1000)
    second_layer_size: tuple[int, int] = (10, 1000)
    warmup_ratio: tuple[float, float] = (0.0, 0.2)
    log_lr: tuple[float, float] = (-4.5, -2.5)
    log_weight_lr: tuple[float, float] = (-4.5, -2.5)
    dropout: tuple[float, float] = (0.0, 0.8)
    input_dropout: tuple[float, float] = (0.0, 0.8)
    output_dropout: tuple[float, float] = (0.0, 0.0)
    components: tuple[int, int] = (256, 256)


@dataclass(frozen=True)
class TrainingSettings:
    """How every network of a search is trained, whatever its metaparameters.

    loss_model: one of `model.LOSSES`. weight_by_error: images of uncertain score count for less. normalise_weights:
    the score file's weights are scaled to mean 1. fixed_hidden_state_weights: in mode weight, one a hidden state and
    then, if wanted, the bias, instead of trained ones. seed: draws the images that balancing repeats or leaves out.
    model_seed: starts the networks' weights.
    """

    loss_model: str = "mse"
    weight_by_error: bool = False
    normalise_weights: bool = False
    balance: BalanceSettings = field(default_factory=BalanceSettings)
    fixed_hidden_state_weights: tuple[float, ...] | None = None
    seed: int = SEED
    model_seed: int = SEED


@dataclass(frozen=True)
class ObjectiveSettings:
    """Which trial is best.

    set_for_scoring: the images that decide, eval, train, full (all but test) or test. metric_for_scoring: the number
    that decides, None for that of the loss. accuracy_divider: accuracy asks which side of this score an image is on;
    None for the median of all scores. recorded: the metrics that are recorded of every trial.
    """

    set_for_scoring: str = "eval"
    metric_for_scoring: str | None = None
    accuracy_divider: float | None = None
    recorded: tuple[str, ...] = METRIC_NAMES


@dataclass(frozen=True)
class SearchSettings:
    """What a search tries, and how.

    trials: networks, those of a resumed study included. ensemble: so many of the best are kept as one model, 1 or
    more. sampler: tpe, CmaEs, gp, random or QMC. pruner: which trials are given up: none; those of `quarters`, but
    none with folds or in a worker; or those of Optuna's median, percentile, hyperband or successive_halving. seed: of
    the sampler. jobs: processes that train at once, None for as many as the machine has cores and the trials are
    worth; 1 with one of Optuna's pruners. parallel_trials: trained side by side as one network by one process; None
    for 1 on a CPU and 16 on a GPU.
    """

    trials: int = 60
    ensemble: int = 1
    sampler: str = "tpe"
    pruner: str = "quarters"
    seed: int = SEED
    jobs: int | None = None
    parallel_trials: int | None = None
    ranges: MetaparameterRanges = MetaparameterRanges()
    training: TrainingSettings = TrainingSettings()
    objective: ObjectiveSettings = ObjectiveSettings()


@dataclass(frozen=True)
class StudySettings:
    """Where the trials of a search are kept.

    name: of the study; where that is taken, a number is added. database: an Optuna storage URL; empty: in memory.
    resume: go on with the newest study of this name. worker: work on it beside others, and wait for it to be made.
    collect: only look what is best in it. other_folders: where a person may have the database instead, to be told of
    it.
    """

    name: str
    database: str = "sqlite:///db.sqlite"
    resume: bool = False
    worker: bool = False
    collect: bool = False
    other_folders: tuple[Path, ...] = ()
