"""Would more images help? Networks of the best trial's metaparameters, trained again on parts of the train split."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from math import nan
from types import MappingProxyType

import numpy as np
import torch
from tqdm import tqdm

from ..common import counted, number_of, spearman, spearman_among
from ..model import OUTPUT_CHANNELS, PredictorConfig, TrainingConfig, TrainingData, train
from ..search import with_components
from .kinds import is_of_networks_alone, kind, trials_of, why_no_network

FRACTIONS = (0.12, 0.25, 0.5, 1.0)
# Images seen in all epochs of one training, from which on one training of each size must do.
LONG = 60_000
ROUNDS = 3
CLEAR_GAIN = 0.01  # of Spearman, from half of the images to all
WORTH_HAVING = 0.03  # of Spearman; that more images would hardly help is said only where this is ruled out
REPEATS = 400  # of the bootstrap
WIDE_GAP = 0.12  # of Spearman, between train and eval


@dataclass(frozen=True)
class Point:
    """One size: images trained on, and Spearman of each round on the eval and the train images, (R,) each.

    tested: eval images. gain_error: the standard error, by the choice of eval images, of the step from the point
    before; nan where it is not known.
    """

    images: int
    evaluated: np.ndarray
    trained: np.ndarray
    tested: int = 0
    gain_error: float = float("nan")


def learning_curve(
    config: PredictorConfig,
    metadata: Mapping[str, str],
    inputs: np.ndarray,
    scores: np.ndarray,
    weights: np.ndarray,
    split: np.ndarray,
    seed: int,
) -> list[Point]:
    """A point for 12, 25, 50, 100 % of the train split, each evaluated on the whole eval split; [] of few images.

    config: of the model, whatever its kind: the sizes are the trial's.
    inputs: (N, ...) as `predictor.arrange` gives them; scores, weights, split: (N,). Each training takes as many
    steps as the one on all images, so that less data does not also mean less training. The rounds differ in the
    images drawn and in the network's seed; a smaller part lies within the larger of its round. Both values are nan of
    a part whose scores are all equal: there is nothing to learn from it.
    """
    rows, held_out = np.flatnonzero(split == "train"), np.flatnonzero(split == "eval")
    if len(rows) < 40 or len(held_out) < 10 or "metaparameters" not in metadata:
        return []
    if metadata.get("loss_model") == "choices":  # the comparisons are not here
        return []
    training, (network, components) = training_of(metadata), network_of(config, metadata)
    rounds = int(np.clip(2 * LONG // (len(rows) * training.train_epochs), 1, ROUNDS))
    generator = np.random.default_rng(seed)
    found = np.empty((len(FRACTIONS), rounds, 2))
    said = np.full((len(FRACTIONS), rounds, len(held_out)), np.nan)  # model scores of the eval images
    orders = [generator.permutation(rows) for _ in range(rounds)]
    sizes = [(place, round(fraction * len(rows))) for place, fraction in enumerate(FRACTIONS)]
    parts = [(place, turn, order[:size]) for turn, order in enumerate(orders) for place, size in sizes]
    for place, turn, part in tqdm(parts, desc="Learning curve", unit="network", leave=False):
        if np.ptp(scores[part]) == 0:  # of likes and dislikes a small part may hold one kind alone
            found[place, turn] = np.nan
            continue
        same_steps = replace(_as_many_steps(training, len(rows), len(part)), seed=training.seed + turn)
        known = [torch.tensor(values[part], dtype=torch.float32) for values in (inputs, scores, weights)]
        data = with_components(TrainingData(known[0], known[1], known[2]), network, components)
        predictor = train(network, same_steps, data)
        predicted, _ = predictor.predict(torch.tensor(inputs))
        found[place, turn] = [spearman(scores[some], predicted[some]) for some in (held_out, part)]
        said[place, turn] = predicted[held_out]
    errors = [nan, *(gain_error(scores[held_out], *step, seed) for step in pairwise(said))]
    counts = [size for _, size in sizes]
    return [
        Point(count, values[:, 0], values[:, 1], len(held_out), error)
        for count, values, error in zip(counts, found, errors, strict=True)
    ]


def gain_error(truth: np.ndarray, before: np.ndarray, after: np.ndarray, seed: int) -> float:
    """Standard error of the mean gain in Spearman from `before` to `after`, had other eval images been drawn.

    truth: (N,) scores. before, after: (R, N) model scores of each round. By a bootstrap of the images, which both
    share; nan where a round has none.
    """
    if not np.isfinite([before, after]).all():
        return nan
    generator = np.random.default_rng(seed)
    of_pairs = [tuple(spearman_among(truth, said) for said in pair) for pair in zip(before, after, strict=True)]
    gains = []
    for _ in counted(range(REPEATS), "Errors of the curve"):
        rows = generator.integers(0, len(truth), len(truth))
        gains.append(np.mean([of_after(rows) - of_before(rows) for of_before, of_after in of_pairs]))
    return float(np.nanstd(gains))


def training_of(metadata: Mapping[str, str]) -> TrainingConfig:
    """How the model with these metadata was trained."""
    found = json.loads(metadata["metaparameters"])
    return TrainingConfig(
        train_epochs=found["train_epochs"],
        batch_size=found["batch_size"],
        log_lr=found["log_lr"],
        log_weight_lr=found.get("log_weight_lr", 0.0),
        warmup_ratio=found["warmup_ratio"],
        loss_model=metadata.get("loss_model", "mse"),
        seed=int(metadata.get("model_seed", 0)),
    )


def network_of(config: PredictorConfig, metadata: Mapping[str, str]) -> tuple[PredictorConfig, int]:
    """The network of the best trial, and of how many components it is, 0 for none; config: of a model of any kind."""
    found = json.loads(metadata["metaparameters"])
    if "first_layer_size" not in found:
        return config, 0
    network = replace(
        config,
        layers=(found["first_layer_size"], found["second_layer_size"]),
        dropouts=tuple(found.get(name, 0.0) for name in ("input_dropout", "dropout", "output_dropout")),
        output_channels=OUTPUT_CHANNELS[metadata.get("loss_model", "mse")],
    )
    return network, int(found.get("components", 0))


def _as_many_steps(training: TrainingConfig, images: int, part: int) -> TrainingConfig:
    steps = training.train_epochs * -(-images // training.batch_size)
    return replace(training, train_epochs=max(1, round(steps / -(-part // training.batch_size))))


def left_out(metadata: Mapping[str, str]) -> str:
    """A sentence on what the model was trained with and the curve is not; empty where there is nothing."""
    options = [f"--{option}" for option in ("balance", "weight_by_error") if option in metadata]
    return f" The curve's networks are trained without {' and '.join(options)}." if options else ""


def no_curve(metadata: Mapping[str, str]) -> str:
    """Why there is none."""
    if kind(metadata) and "metaparameters" not in metadata:
        return (
            f"There is no learning curve: it is of networks that a search found, and the model is {kind(metadata)}."
        )
    return "There is no learning curve: it needs a model of scores, 10 eval and 40 train images of unequal score."


def whose_curve(metadata: Mapping[str, str]) -> str:
    """What to know first where the model is not what the curve is of; empty where it is of networks alone."""
    if is_of_networks_alone(metadata):
        return ""
    chosen = f", chosen as {reason}" if (reason := why_no_network(metadata)) else ""
    return (
        f"The model is {kind(metadata)}{chosen}; the curve is of networks with the metaparameters of the best trial. "
    )


def beside_headline(
    points: list[Point], headline: float, trials: int, metadata: Mapping[str, str] = MappingProxyType({})
) -> str:
    """Why the curve's last point is not the model's own figure; empty where they are alike or one is not known.

    headline: the model's Spearman on the same eval images. trials: of the whole search, 0 where not known. metadata:
    of the model.
    """
    if not points or np.isnan(points[-1].evaluated).all() or np.isnan(headline):
        return ""
    last = float(np.nanmean(points[-1].evaluated))
    if abs(headline - last) < CLEAR_GAIN:
        return ""
    text = f" The model has {headline:.3f} on these images and the curve ends at {last:.3f}"
    members, of = len(trials_of(metadata)), number_of(trials, "trial") if trials else "its search"
    if is_of_networks_alone(metadata):
        best, its = ("the best", "its")
        if members > 1:
            best, its = f"the mean of the best {members}", "the best trial's"
        return (
            f"{text}: the model is {best} of {of} on just these images, which flatters it; the curve's networks have "
            f"{its} metaparameters and other seeds."
        )
    if not members:
        return f"{text}: its networks are another kind of model."
    networks = f"networks are the best {members}" if members > 1 else "network is the best"
    return f"{text}: the model's {networks} of {of} on just these images, which flatters it."


def verdict(
    points: list[Point],
    ceiling_of_person: float = float("nan"),
    metadata: Mapping[str, str] = MappingProxyType({}),
) -> str:
    """One or two sentences: more images, better scores, or another image model?

    ceiling_of_person: the share of hidden repeats in which the person chose the same again, nan if unknown.
    metadata: of the model, which may be another than the networks of the curve.
    """
    if not points or any(np.isnan(point.evaluated).all() for point in points[-2:]):
        return no_curve(metadata)
    them = "" if is_of_networks_alone(metadata) else " such networks"
    half, whole = (float(np.nanmean(point.evaluated)) for point in points[-2:])
    gain, gap = whole - half, float(np.nanmean(points[-1].trained)) - whole
    noise = float(np.nanstd(points[-1].evaluated - points[-2].evaluated)) / np.sqrt(len(points[-1].evaluated))
    luck = 1.96 * float(np.hypot(noise, np.nan_to_num(points[-1].gain_error)))
    if gain > max(CLEAR_GAIN, luck):
        return (
            f"More images would help{them}: from {points[-2].images} to {points[-1].images} images Spearman rose by "
            f"{gain:.3f}, and twice as many images may bring about {gain / 2:.2f} to {gain:.2f} more."
        )
    step = f"from {points[-2].images} to {points[-1].images}"
    if gain + luck > max(CLEAR_GAIN, WORTH_HAVING):
        return (
            f"Whether more images would help{them} can't be told yet: {step} Spearman changed by {gain:+.3f}, give "
            f"or take {luck:.3f} (95 %), as {number_of(points[-1].tested, 'eval image')} can't show it more finely."
        )
    flat = f"More images would hardly help{them}: {step} Spearman changed by {gain:+.3f}. "
    if ceiling_of_person < 0.75:
        return (
            flat
            + "Better scores would: you agree with yourself rather seldom, so compare the same images more often."
        )
    if gap > WIDE_GAP:
        return (
            flat + f"The network fits what it has seen much better than the rest (by {gap:.2f}): better scores (more "
            "choices per image) would help, or another image model."
        )
    return (
        flat + "The network does not fit even what it has seen much better: try another image model or "
        "--hidden_states_used."
    )
