"""One predictor from arrays, for programs and notebooks; the scripts search for its metaparameters."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import ArrayLike

from ..common import SEED, UserError, pick_device
from .config import PredictorConfig, arrange, read_features
from .file import about_scores
from .gp import GP, GaussianProcess
from .gp_fit import fit_gaussian_process
from .losses import OUTPUT_CHANNELS
from .network import Predictor
from .training import TrainingConfig, TrainingData, train

LOSSES = ("mse", "ab", "nll")  # those that need nothing but scores
INPUT_DROPOUT, DROPOUT = 0.2, 0.2


class ItsExtractor(Protocol):
    """What the file of a predictor says of the extractor of its features; `load_extractor` gives such."""

    name: str
    identity: str
    default_hidden_states_mode: str
    fp16: bool
    aim_batch_norm: str


def fit_predictor(
    features: Mapping[int, np.ndarray] | np.ndarray,
    scores: ArrayLike,
    *,
    extractor: ItsExtractor | str | None = None,
    weights: ArrayLike | None = None,
    hidden_states_mode: str | None = None,
    layers: Sequence[int] = (200, 50),
    dropouts: Sequence[float] | None = None,
    epochs: int = 30,
    batch_size: int = 32,
    learning_rate: float = 1e-3,
    weight_learning_rate: float = 1e-3,
    warmup_ratio: float = 0.1,
    loss: str = "mse",
    high_end_fix: str = "none",
    seed: int = SEED,
    device: str = "auto",
) -> Predictor:
    """A predictor trained on all of N images; the same arguments give the same predictor on one machine.

    features: {hidden state: (N, W_k)}, as `extract` gives them, or one array (N, W), which counts as hidden state 0.
    scores: (N,), any scale. extractor: whose features they are, for the predictor's file: what `load_extractor` gave
    (its name alone would leave unsaid which weights and preprocessing it has). weights: (N,), 0 or more, of squared
    errors (loss mse alone); None: all alike. hidden_states_mode: join, average or weight; None: as suits the
    extractor. layers: sizes of the hidden layers, () for a linear head. dropouts: before each Linear, one more than
    layers, 0 to below 1; None: 0.2, and 0 before the output. epochs: passes over the images. batch_size: images a
    step. learning_rate: of all but the weights of hidden states and what high_end_fix "variable" trains, which have
    weight_learning_rate. warmup_ratio: share of the steps in which it rises, 0 to 1. loss: mse, ab, or nll, which
    learns its own error too. high_end_fix: none, fixed or variable.

    Raises UserError for what doesn't fit together. docs/how-training-works.md says what is learnt, and how.
    """
    states = read_features(features)
    targets, certainty = _read_scores(scores, weights, loss, len(next(iter(states.values()))))
    learnt = loss if weights is None else "wmse"
    config = _network(states, extractor, hidden_states_mode, layers, dropouts, loss, high_end_fix)
    training = _training(epochs, batch_size, learning_rate, weight_learning_rate, warmup_ratio, learnt, seed)
    inputs = arrange(states, config.hidden_states_used, config.hidden_states_mode).to(pick_device(device))
    columns = [torch.tensor(values, dtype=torch.float32).to(inputs.device) for values in (targets, certainty)]
    predictor = train(config, training, TrainingData(inputs, columns[0], columns[1]))
    predictor.about = _about(predictor, training, inputs)
    return predictor


def fit_gp(
    features: Mapping[int, np.ndarray] | np.ndarray,
    scores: ArrayLike,
    *,
    extractor: ItsExtractor | str | None = None,
    weights: ArrayLike | None = None,
    errors: ArrayLike | None = None,
    hidden_states_mode: str | None = None,
    seed: int = SEED,
) -> GaussianProcess:
    """A Gaussian process fitted to all of N images, in closed form: seconds, and an error with every score.

    As `fit_predictor`, where the names are the same. weights: (N,), 0 or more, which divide the noise. errors: (N,)
    standard errors of the scores, on their scale, nan where unknown. hidden_states_mode: join or average. seed: draws
    the images that it goes by beyond 2,000. Raises UserError for what doesn't fit together. docs/gp.md has the model.
    """
    states = read_features(features)
    count = len(next(iter(states.values())))
    targets = _column("scores", scores, count)
    config = _network(states, extractor, hidden_states_mode, (), None, "mse", "none")
    inputs = arrange(states, config.hidden_states_used, config.hidden_states_mode)
    weighed = None if weights is None else _weights(weights, count)
    predictor = fit_gaussian_process(
        config, inputs, targets, weighed, _errors(errors, count), _whole("seed", seed, 0)
    )
    model_scores, _ = predictor.predict(inputs)
    predictor.about = {"model_type": GP, "loss_model": "mse", **about_scores(model_scores, predictor.unseen)}
    return predictor


def _errors(errors: ArrayLike | None, count: int) -> np.ndarray | None:
    """(N,), nan where unknown."""
    if errors is None:
        return None
    column = _numbers("errors", errors, count)
    known = np.where(np.isnan(column), 0.0, column)
    if (_column("errors", known, count) < 0).any():
        raise UserError("errors: must be 0 or more, or nan where an error is not known")
    return column


def _read_scores(
    scores: ArrayLike, weights: ArrayLike | None, loss: str, count: int
) -> tuple[np.ndarray, np.ndarray]:
    """Scores (N,) and weights (N,)."""
    targets = _column("scores", scores, count)
    _check_loss(loss, targets, weights)
    return targets, np.ones(count) if weights is None else _weights(weights, count)


def _network(
    states: Mapping[int, np.ndarray],
    extractor: ItsExtractor | str | None,
    mode: str | None,
    layers: Sequence[int],
    dropouts: Sequence[float] | None,
    loss: str,
    high_end_fix: str,
) -> PredictorConfig:
    sizes = _sizes(layers)
    return PredictorConfig(
        hidden_states_used=tuple(states),
        hidden_states_mode=mode or str(getattr(extractor, "default_hidden_states_mode", "join")),
        widths=tuple(block.shape[1] for block in states.values()),
        layers=sizes,
        dropouts=_dropouts(dropouts, len(sizes)),
        output_channels=OUTPUT_CHANNELS[loss],
        high_end_fix=high_end_fix,
        **_about_extractor(extractor),
    )


def _training(
    epochs: int,
    batch_size: int,
    learning_rate: float,
    weight_learning_rate: float,
    warmup_ratio: float,
    loss: str,
    seed: int,
) -> TrainingConfig:
    return TrainingConfig(
        train_epochs=_whole("epochs", epochs),
        batch_size=_whole("batch_size", batch_size),
        log_lr=math.log10(_between("learning_rate", learning_rate, 1e-10, 10)),
        log_weight_lr=math.log10(_between("weight_learning_rate", weight_learning_rate, 1e-10, 10)),
        warmup_ratio=_between("warmup_ratio", warmup_ratio, 0, 1),
        loss_model=loss,
        seed=_whole("seed", seed, 0),
    )


def _about(predictor: Predictor, training: TrainingConfig, inputs: torch.Tensor) -> dict[str, Any]:
    """What the file says of how it was made, by the names that the scripts use, and its percentiles."""
    model_scores, _ = predictor.predict(inputs)
    if not np.isfinite(model_scores).all():
        raise UserError("training ran away to infinite numbers; give a lower learning_rate")
    metaparameters = {
        "train_epochs": training.train_epochs,
        "batch_size": training.batch_size,
        "log_lr": training.log_lr,
        "log_weight_lr": training.log_weight_lr,
        "warmup_ratio": training.warmup_ratio,
    }
    made = {"model_type": "mlp", "loss_model": training.loss_model, "model_seed": training.seed}
    return {**made, "metaparameters": metaparameters, **about_scores(model_scores, model_scores)}


def _about_extractor(extractor: ItsExtractor | str | None) -> dict[str, Any]:
    if extractor is None or isinstance(extractor, str):
        return {"feature_extractor_model": extractor or ""}
    try:
        return {
            "feature_extractor_model": extractor.name,
            "extractor_identity": extractor.identity,
            "fp16_features": extractor.fp16,
            "aim_batch_norm": extractor.aim_batch_norm,
        }
    except AttributeError:
        raise UserError(f"extractor: is a {type(extractor).__name__}; give what load_extractor gives, or its name")


def _numbers(name: str, values: ArrayLike, count: int) -> np.ndarray:
    try:
        return np.asarray(values, dtype=np.float64)
    except (ValueError, TypeError):
        raise UserError(f"{name}: are no numbers; give one for each of the {count} images")


def _column(name: str, values: ArrayLike, count: int) -> np.ndarray:
    """(N,) float64, finite."""
    column = _numbers(name, values, count)
    if column.shape != (count,):
        raise UserError(
            f"{name}: have the shape {column.shape}; the features are of {count} images, so give ({count},)"
        )
    if wrong := int((~np.isfinite(column)).sum()):
        raise UserError(f"{name}: {wrong} of {count} are no finite numbers; leave those images out")
    if count < 2:
        raise UserError(f"{name}: there are {count}; at least 2 images are needed")
    return column


def _weights(weights: ArrayLike, count: int) -> np.ndarray:
    column = _column("weights", weights, count)
    if (column < 0).any() or not column.any():
        raise UserError("weights: must be 0 or more, and one at least above 0")
    return column


def _check_loss(loss: str, scores: np.ndarray, weights: ArrayLike | None) -> None:
    if loss not in LOSSES:
        raise UserError(f"loss={loss!r}: must be one of {', '.join(LOSSES)} (wmse is mse with weights=)")
    if weights is not None and loss != "mse":
        raise UserError(f"weights: count in loss mse alone, and the loss is {loss}; leave one of them out")
    if loss == "ab" and np.ptp(scores) == 0:
        raise UserError(f"loss='ab' learns from pairs of different scores, and all are {scores[0]:g}; use loss='mse'")


def _sizes(layers: Any) -> tuple[int, ...]:
    if not isinstance(layers, Sequence | np.ndarray) or isinstance(layers, str):
        raise UserError(f"layers={layers!r}: must be a list of sizes, such as (200, 50)")
    return tuple(_whole("layers", size) for size in layers)


def _dropouts(dropouts: Sequence[float] | None, layers: int) -> tuple[float, ...]:
    if dropouts is None:
        return (*((INPUT_DROPOUT, *[DROPOUT] * (layers - 1)) if layers else ()), 0.0)
    if not isinstance(dropouts, Sequence | np.ndarray) or isinstance(dropouts, str):
        raise UserError(f"dropouts={dropouts!r}: must be a list of numbers, one more than the hidden layers")
    if len(dropouts) != layers + 1:
        raise UserError(f"dropouts: are {len(dropouts)} for {layers} hidden layers; give {layers + 1}")
    return tuple(_between("dropouts", dropout, 0, 0.99) for dropout in dropouts)


def _whole(name: str, value: Any, least: int = 1) -> int:
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
        raise UserError(f"{name}={value!r}: must be a whole number from {least}")
    return int(value)


def _between(name: str, value: Any, low: float, high: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | np.number) or not low <= value <= high:
        raise UserError(f"{name}={value!r}: must be a number from {low:g} to {high:g}")
    return float(value)
