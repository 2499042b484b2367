"""Trained models and a folder of images -> model scores, in bounded memory: features never outlive their chunk."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from torch import Tensor
from tqdm import tqdm

from ..common import Names, UserError, note, return_large_arrays
from ..features import Extractor, FeatureCache, Features, extract_features, load_extractor
from ..model import Predictor, PredictorConfig, Unsaid, arrange, check_extractor, find_filter, load_predictor, unasked
from .settings import ScoringSettings
from .thresholds import as_written, one_threshold_each

CHUNK = 2048  # images whose features are in memory at once: 45 MB of efficientnet-lite0's


@dataclass(frozen=True)
class Model:
    """A trained model, ready to score. name: its column's. metadata: what its file says.

    quantiles: (101,) of its train images' model scores. threshold: the model score from which an image passes, None
    where none was asked for. gate: what decides whether this model is asked at all, None if nothing does.
    """

    name: str
    path: Path
    predictor: Predictor
    extractor: Extractor
    quantiles: np.ndarray | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    threshold: float | None = None
    gate: "Gate | None" = None

    @property
    def config(self) -> PredictorConfig:
        return self.predictor.config

    @property
    def has_error(self) -> bool:
        """Whether it estimates its own error (trained with nll, or an ensemble)."""
        return self.predictor.has_error

    def percentiles(self, scores: np.ndarray) -> np.ndarray:
        """Where scores (N,) lie among those of the train images, 0 to 100; nan where the model does not say."""
        if self.quantiles is None:
            return np.full(len(scores), np.nan)
        return np.interp(scores, self.quantiles, np.linspace(0, 100, len(self.quantiles)))

    def predict(self, features: Mapping[int, np.ndarray] | np.ndarray) -> np.ndarray:
        """(2, N) scores and errors of N images with features, as `Predictor.predict` takes them; its gate aside."""
        return np.array(self.predictor.predict(features))

    def inputs(self, features: Features) -> Tensor:
        """(N, ...) what the predictor takes, of N images with features at this model's hidden states."""
        return arrange(features.states, self.config.hidden_states_used, self.config.hidden_states_mode)


@dataclass(frozen=True)
class Gate:
    """The first of two stages, and its model score from which an image goes on to the second."""

    model: Model
    threshold: float


@dataclass
class Scored:
    """N images in their order, and what each model says of them.

    scores, errors: (N, models) float64; errors are nan for models that have none. Of a model with a gate they are the
    gate's where an image fails it. gates: (N, models) what each model's gate says, nan without one. unreadable:
    {path: reason}. extracted: images that had to go through an image model.
    """

    models: Sequence[Model]
    paths: Sequence[str]
    scores: np.ndarray
    errors: np.ndarray
    gates: np.ndarray
    unreadable: dict[str, str] = field(default_factory=dict)
    extracted: int = 0

    def __len__(self) -> int:
        return len(self.paths)

    def values(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Scores, errors and gates."""
        return self.scores, self.errors, self.gates

    def passed(self) -> np.ndarray:
        """(N, models) bool: whether the image passes the model's gate, and the score reaches its threshold.

        True where there is neither.
        """
        thresholds = [-np.inf if model.threshold is None else model.threshold for model in self.models]
        return (as_written(self.scores) >= as_written(thresholds)) & ~self.stopped()

    def stopped(self) -> np.ndarray:
        """(N, models) bool: whether the image fails the model's gate; False where there is none."""
        return self.gates < np.array([model.gate.threshold if model.gate else -np.inf for model in self.models])

    def part(self, rows: np.ndarray) -> "Scored":
        """Only these images, by position; itself, where that is all of them: a copy of a million takes 40 MB."""
        if len(rows) == len(self) and np.array_equal(rows, np.arange(len(self))):
            return self
        paths = Names(self.paths[row] for row in rows)
        scores, errors, gates = (each[rows] for each in self.values())
        return Scored(self.models, paths, scores, errors, gates, self.unreadable, self.extracted)

    def and_those(self, others: "Scored") -> "Scored":
        """These images and, behind them, others of the same models."""
        scores, errors, gates = map(np.concatenate, zip(self.values(), others.values(), strict=True))
        return Scored(self.models, [*self.paths, *others.paths], scores, errors, gates)


def load_models(paths: Sequence[Path], settings: ScoringSettings = ScoringSettings()) -> list[Model]:  # noqa: B008
    """Models with their extractors, those of one extractor sharing it.

    Raises UserError where one can't be read, its extractor can't be had or is another than it was trained on, or
    where there are not as many thresholds as models.
    """
    given: list[float | None] = [*one_threshold_each(settings.threshold, len(paths))] or [None] * len(paths)
    extractors: dict[tuple[str, bool, str], Extractor] = {}
    each = zip(paths, unique_names(paths), given, strict=True)
    models = [_load(path, name, threshold, settings, extractors) for path, name, threshold in each]
    asked = [*models, *(model.gate.model for model in models if model.gate)]
    for sentence in unasked(_unsaid(settings), [model.config for model in asked]):
        note(sentence)
    return models


def _unsaid(settings: ScoringSettings) -> Unsaid:
    return Unsaid(settings.head_extractor, settings.head_input)


def unique_names(paths: Sequence[Path]) -> list[str]:
    """A short name for each model: its file's, with its folder or a number where two would be the same."""
    stems = [path.stem for path in paths]
    folders = [path.resolve().parent.name for path in paths]
    names = [s if stems.count(s) == 1 else f"{f}/{s}" for f, s in zip(folders, stems, strict=True)]
    return [n if names.count(n) == 1 else f"{n} ({place + 1})" for place, n in enumerate(names)]


def _load(
    path: Path,
    name: str,
    threshold: float | None,
    settings: ScoringSettings,
    extractors: dict[tuple[str, bool, str], Extractor],
) -> Model:
    predictor, metadata = load_predictor(path, _unsaid(settings))
    config = predictor.config
    key = (config.feature_extractor_model, config.fp16_features, config.aim_batch_norm)
    if key not in extractors:
        try:
            extractors[key] = load_extractor(key[0], settings.device, *key[1:])
        except UserError as error:
            raise UserError(f"{path}: its image model {key[0][:200]} can't be had: {str(error)[:1000]}")
    extractor = extractors[key]
    check_extractor(path, config, extractor.identity, extractor.earlier_identity)
    gate = None
    if settings.gate and (found := find_filter(path, metadata)):
        # A filter is never itself behind one: training refuses that.
        filter_ = _load(found.path, found.path.stem, None, replace(settings, gate=False), extractors)
        gate = Gate(filter_, found.threshold)
    return Model(name, path, predictor, extractor, _quantiles(path, metadata), metadata, threshold, gate)


def _quantiles(path: Path, metadata: Mapping[str, str]) -> np.ndarray | None:
    if "train_score_quantiles" not in metadata:
        return None
    try:
        values = np.array(json.loads(metadata["train_score_quantiles"]), dtype=np.float64)
    except (ValueError, TypeError, OverflowError, RecursionError):
        values = np.zeros(0)
    if values.ndim != 1 or len(values) < 2 or not np.isfinite(values).all() or (np.diff(values) < 0).any():
        raise UserError(f"{path}: its metadata say nonsense in train_score_quantiles; train the model again")
    return values


def score_images(
    directory: Path,
    paths: Sequence[str],
    models: Sequence[Model],
    cache: FeatureCache,
    batch_size: int = ScoringSettings.extract_batch_size,
    progress: bool = True,
) -> Scored:
    """Scores of images by their relative paths, in that order, without the unreadable ones.

    Whatever goes through an image model is in the cache soon after, so that a killed run goes on where it was. In
    memory are all names and scores, and the features of one chunk. Raises UserError where the cache can't be used.
    """
    return_large_arrays()
    scores, errors, gates = _room(len(paths), models)
    result = Scored(models, paths, scores, errors, gates)
    lost: set[int] = set()
    done = 0
    with tqdm(total=len(paths), desc="scoring", unit="image", disable=None if progress else True) as bar:
        for start in range(0, len(paths), CHUNK):
            chunk = paths[start : start + CHUNK]
            part = _score_chunk(directory, chunk, models, cache, batch_size, bar)
            for values, new in zip(result.values(), part.values(), strict=True):
                if values.flags.writeable:
                    values[done : done + len(part)] = new
            done += len(part)
            lost.update(start + place for place, path in enumerate(chunk) if path in part.unreadable)
            result.unreadable |= part.unreadable
            result.extracted += part.extracted
            bar.update(min(start + CHUNK, len(paths)) - bar.n)
    if lost:
        result.paths = Names(path for place, path in enumerate(paths) if place not in lost)
    result.scores, result.errors, result.gates = (values[:done] for values in result.values())
    return result


def _room(images: int, models: Sequence[Model]) -> list[np.ndarray]:
    """(images, models) for scores, errors and gates; read-only, nan, and of no size where there will be none."""
    gates = [model.gate for model in models if model.gate]
    has_errors = any(model.has_error for model in [*models, *(gate.model for gate in gates)])
    shape = images, len(models)
    return [
        np.empty(shape) if needed else np.broadcast_to(np.nan, shape) for needed in (True, has_errors, bool(gates))
    ]


def _score_chunk(
    directory: Path,
    paths: Sequence[str],
    models: Sequence[Model],
    cache: FeatureCache,
    batch_size: int,
    bar: tqdm,
) -> Scored:
    """One chunk through all extractors, one after the other, and all models."""
    asked = [*models, *(model.gate.model for model in models if model.gate)]
    columns: dict[int, tuple[list[str], np.ndarray]] = {}  # by the id of the model: (2, N), scores and errors
    unreadable: dict[str, str] = {}
    extracted = 0
    for extractor in {id(model.extractor): model.extractor for model in asked}.values():
        own = [model for model in asked if model.extractor is extractor]
        states = sorted({state for model in own for state in model.config.hidden_states_used})
        features = extract_features(directory, paths, extractor, states, cache, batch_size, bar)
        unreadable |= features.unreadable
        extracted += features.extracted
        columns |= {id(model): (features.paths, _predict(model, features)) for model in own}
    readable = [path for path in paths if path not in unreadable]
    known: dict[int, np.ndarray] = {}
    for key, (names, found) in columns.items():
        known[key] = found[:, [path not in unreadable for path in names]]
    scores, errors, gates = judge(models, known)
    return Scored(models, readable, scores, errors, gates, unreadable, extracted)


def judge(models: Sequence[Model], known: Mapping[int, np.ndarray]) -> np.ndarray:
    """(3, N, models): each model's scores and errors, or its gate's, and what the gate says.

    known: what each model and each gate says by itself, by its id, (2, N) scores and errors.
    """
    return np.stack([gated(model, lambda one: known[id(one)]) for model in models], axis=2)


def gated(model: Model, say: Callable[[Model], np.ndarray]) -> np.ndarray:
    """(3, N): a model's scores and errors, or its gate's where an image fails it, and what the gate says.

    say: what a model by itself says, (2, N) scores and errors. What the gate says is nan without one.
    """
    own = say(model)
    if model.gate is None:
        return np.vstack([own, np.full(own.shape[1], np.nan)])
    first = say(model.gate.model)
    return np.vstack([np.where(first[0] < model.gate.threshold, first, own), first[:1]])


def _predict(model: Model, features: Features) -> np.ndarray:
    """(2, N) scores and errors of N images with features."""
    return model.predict(features.states) if features.paths else np.empty((2, 0))
