"""What models say of images that have scores."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from ..common import UserError, plain
from ..features import FeatureCache, extract_features
from ..model import Predictor
from ..scores import ScoreTable, match_images, read_scorefile, select
from .models import Model, load_models
from .settings import LookSettings, ScoringSettings


@dataclass(frozen=True)
class ModelScores:
    """One model and what it says of N images.

    scores: (N,) model scores. errors: (N,) their standard errors, nan for models without. inputs: (N, ...) what
    `predictor.arrange` gives, None where the scores come from a file. unreadable: {path: reason} of images left out
    (their scores are nan).
    """

    name: str
    scores: np.ndarray
    errors: np.ndarray
    inputs: np.ndarray | None = None
    predictor: Predictor | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    unreadable: Mapping[str, str] = field(default_factory=dict)


def score_with_all(
    directory: Path, paths: Sequence[str], files: Sequence[Path], cache: FeatureCache, settings: LookSettings
) -> list[ModelScores]:
    """What the model of each file says of each image; without files, what the score file of the settings says."""
    if not files and settings.model_scores:
        path = Path(settings.model_scores).expanduser()
        return [
            read_model_scores(plain(directory / path if (directory / path).is_file() else path), paths, directory)
        ]
    models = load_models(files, ScoringSettings(gate=False, device=settings.device))
    return [score_with(model, directory, paths, cache, settings.extract_batch_size) for model in models]


def score_with(
    model: Model, directory: Path, paths: Sequence[str], cache: FeatureCache, batch_size: int
) -> ModelScores:
    """Scores of one model, and the features they come from: all in memory, unlike those of `score_images`."""
    features = extract_features(directory, paths, model.extractor, model.config.hidden_states_used, cache, batch_size)
    if not features.paths:
        raise UserError(f"{directory}: none of {len(paths)} images can be read; see --directory and --scores")
    inputs = model.inputs(features)
    scores, errors = model.predictor.predict(inputs)
    found = ModelScores(model.name, scores, errors, inputs.numpy(), model.predictor, model.metadata)
    if features.paths == list(paths):  # no copy of what may be gigabytes
        return found
    place = {path: row for row, path in enumerate(features.paths)}
    rows = [place.get(path, -1) for path in paths]
    scores, errors = (np.append(values, np.nan)[rows] for values in (scores, errors))
    return replace(found, scores=scores, errors=errors, inputs=inputs.numpy()[rows], unreadable=features.unreadable)


def read_model_scores(path: Path, paths: Sequence[str], directory: Path | None = None) -> ModelScores:
    """Scores from a score file: its column model_score, else score; nan for images that it lacks.

    What is odd in the file, or taken for what, is printed.
    """
    try:
        table = read_scorefile(path, "model_score", directory)
    except UserError:  # without that column; whatever else it is, is said again
        table = read_scorefile(path, None, directory)
    matched, _ = match_images(table, paths)
    print("\n".join(table.problems), end="\n" if table.problems else "")
    if not matched.paths:
        raise UserError(f"{path}: has no model score of any of the {len(paths)} images; give --model_scores another")
    known = dict(zip(matched.paths, matched.scores.tolist(), strict=True))
    scores = np.array([known.get(image, np.nan) for image in paths])
    return ModelScores(path.stem, scores, np.full(len(paths), np.nan))


def keep_scored(table: ScoreTable, models: Sequence[ModelScores]) -> tuple[ScoreTable, list[ModelScores], list[str]]:
    """The images for which every model has a score, and sentences on the others."""
    keep = np.all([~np.isnan(model.scores) for model in models], axis=0)
    reasons = {path: reason for model in models for path, reason in model.unreadable.items()}
    lost = [path for path, kept in zip(table.paths, keep, strict=True) if not kept]
    if not keep.any():
        raise UserError("no image has both a score and a model score; see --scores and --model")
    if keep.all():
        return table, list(models), []
    rows = np.flatnonzero(keep)
    kept = [
        replace(
            model,
            scores=model.scores[rows],
            errors=model.errors[rows],
            inputs=None if model.inputs is None else model.inputs[rows],
        )
        for model in models
    ]
    notes = [f"{path}: left out, {reasons.get(path, 'a model has no score of it')}" for path in lost]
    return select(table, rows), kept, notes
