"""Which layer knows a person's taste? Each hidden state of the image model by itself, measured on the eval images."""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from math import isnan, nan, sqrt
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from ..common import UserError, by_place, spearman, write_text
from ..features import Extractor, FeatureCache, extract_features
from ..model import Predictor, load_predictor
from ..search import Dataset, TrainingSettings, ridge_scores, train_again
from . import plots
from .text import aligned

FEWEST = 10  # eval images


@dataclass(frozen=True)
class Layer:
    """Spearman on the eval images of ridge regression and, else nan, of the network, on these hidden states."""

    states: tuple[int, ...]
    width: int
    ridge: float
    network: float = nan

    @property
    def value(self) -> float:
        """The number that counts: the network's where there is one."""
        return self.ridge if isnan(self.network) else self.network


def report_layers(
    directory: Path,
    paths: Sequence[str],
    extractor: Extractor,
    cache: FeatureCache,
    data: Dataset,
    model: Path,
    batch_size: int,
    seed: int,
    training: TrainingSettings | None = None,
) -> None:
    """Print how good each hidden state is by itself, and draw it into `<model>.layers.svg`.

    paths: the images, as the rows of `data`. training: train the network of the best trial, whose model lies there,
    on each; None for ridge regression alone.
    """
    states = _features(directory, paths, extractor, cache, batch_size)
    if training is not None:
        predictor, metadata = load_predictor(model)
        parameters = json.loads(metadata["metaparameters"])
        layers = sweep(states, data, seed, partial(train_again, parameters, training))
        together = measure(data, seed, lambda _: predictor)
    else:
        layers, together = sweep(states, data, seed), measure(data, seed)
    print("\n" + "\n".join(lines(layers, together, len(data.rows("eval")))))
    picture = model.with_suffix(".layers.svg")
    write_text(picture, plots.to_svg_file(_picture(layers, together)))
    print(f"The layers are drawn in {picture}")


def _features(
    directory: Path, paths: Sequence[str], extractor: Extractor, cache: FeatureCache, batch_size: int
) -> Iterator[tuple[int, np.ndarray]]:
    for state in tqdm(range(extractor.n_hidden_states), desc="Layers", unit="layer"):
        features = extract_features(directory, paths, extractor, [state], cache, batch_size)
        if features.unreadable:
            raise UserError(f"{next(iter(features.unreadable))}: could be read before and can't now; start again")
        yield state, features.states.pop(state)


def check_extractor(extractor: Extractor) -> None:
    """Raise UserError for several image models at once: their layers don't lie on one scale of depth."""
    if len(by_place(extractor.hidden_states)) > 1:
        raise UserError(f"--layer_sweep looks at one image model at a time; {extractor.in_words} are several")


def check_eval(data: Dataset) -> None:
    """Raise UserError where there are too few eval images to compare layers by."""
    if len(data.rows("eval")) < FEWEST:
        raise UserError(
            f"--layer_sweep compares layers on the eval images: {len(data.rows('eval'))} are there, and {FEWEST} are "
            "needed; raise --fraction_for_eval, or score more images"
        )


def sweep(
    states: Iterable[tuple[int, np.ndarray]],
    data: Dataset,
    seed: int,
    train: Callable[[Dataset], Predictor] | None = None,
) -> list[Layer]:
    """A Layer for each hidden state k and its features (N, W_k), one in memory at a time.

    data: the images, their scores and split; its own inputs are left alone. train: from the data of one hidden state
    to a network; None for ridge regression alone.
    """
    layers = []
    for state, features in states:
        layers.append(measure(_of_one(data, state, features), seed, train))
        del features  # before the next is read
    return layers


def measure(data: Dataset, seed: int, train: Callable[[Dataset], Predictor] | None = None) -> Layer:
    """The hidden states of `data` together."""
    rows = data.rows("eval")
    ridge = ridge_scores(data.inputs.cpu().numpy(), data.scores, data.split, seed)
    found = nan
    if train is not None:
        found = spearman(data.scores[rows], train(data).predict(data.inputs)[0][rows])
    config = data.config
    return Layer(config.hidden_states_used, sum(config.widths), spearman(data.scores[rows], ridge[rows]), found)


def _of_one(data: Dataset, state: int, features: np.ndarray) -> Dataset:
    config = replace(data.config, hidden_states_used=(state,), hidden_states_mode="join", widths=(features.shape[1],))
    return replace(data, config=config, inputs=torch.from_numpy(features).to(data.inputs.device))


def best_of(layers: Iterable[Layer]) -> Layer | None:
    """The layer of the highest Spearman, of equal ones the first; None where there is none."""
    return max((layer for layer in layers if not isnan(layer.value)), key=lambda layer: layer.value, default=None)


def lines(layers: list[Layer], together: Layer, images: int) -> list[str]:
    """The table, and what it means. together: the hidden states that are used now. images: of the eval split."""
    best = best_of(layers)
    networks = not isnan(together.network)
    rows = [["hidden state", "width", "ridge", *(["network"] if networks else []), ""]]
    for layer in [*layers, together]:
        numbers = [f"{value:.4f}" for value in (layer.ridge, layer.network)[: 1 + networks]]
        mark = "best" if layer is best else "used now" if layer is together else ""
        rows.append([_named(layer), str(layer.width), *numbers, mark])
    title = f"Layer by layer, each hidden state by itself: Spearman on the {images} eval images."
    return [title, aligned(rows), *_advice(best, together, images)]


def _named(layer: Layer) -> str:
    return ",".join(map(str, layer.states))


def _picture(layers: Sequence[Layer], together: Layer) -> plots.Figure:
    found = {"ridge": [layer.ridge for layer in layers]}
    if not isnan(together.network):
        found["network"] = [layer.network for layer in layers]
    states = [layer.states[0] for layer in layers]
    return plots.layer_plot(plots.ON_WHITE, states, found, (_named(together), together.value))


def _advice(best: Layer | None, together: Layer, images: int) -> list[str]:
    if best is None:
        return ["No layer has a Spearman: are all scores of the eval images the same?"]
    # Standard error of a rank correlation: 1.03 / sqrt(n - 3) in Fisher's z, Fieller, Hartley & Pearson (1957).
    luck = 1.96 * 1.03 / sqrt(images - 3) * (1 - best.value**2)
    first = f"Hidden state {_named(best)} is the best by itself, {best.value:.3f} (95 %: give or take {luck:.2f})."
    if isnan(together.value) or best.value > together.value:
        return [first, f"Next: --hidden_states_used={_named(best)}, or it with others of the best from other depths."]
    now = f"The states used now are better together, {together.value:.3f}"
    if best.states[0] in together.states:
        return [first, f"{now}, and it is among them. Next: keep --hidden_states_used={_named(together)}."]
    both = ",".join(map(str, sorted({*together.states, *best.states})))
    return [first, f"{now}; it is not among them. Next: try --hidden_states_used={both}."]
