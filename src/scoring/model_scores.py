"""Images with scores, what models say of them, and which of them each model trained on: for what looks at models."""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..common import UserError, plain
from ..features import FeatureCache, default_folder, extract_features, find_images
from ..model import Predictor
from ..options import model_paths
from ..scores import (
    SPLITS,
    ScoreTable,
    assign_split,
    find_scorefile,
    match_images,
    read_document,
    read_numbers,
    read_scorefile,
    select,
)
from .models import Model, load_models


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


class ScoredImages(NamedTuple):
    """N images with scores, what each model says of them, and the split (N,) that each is in."""

    cache: FeatureCache
    table: ScoreTable
    models: list[ModelScores]
    split: np.ndarray


def read_all(arguments: argparse.Namespace, directory: Path) -> ScoredImages:
    """All that looking at models begins with; what was left out, and how the split is known, is printed."""
    cache = FeatureCache(Path(arguments.cache_directory or default_folder(directory)))
    table = read_scored_images(arguments, directory)
    table, models, notes = keep_scored(table, score_with_all(arguments, directory, table, cache))
    split, source = find_split(arguments, directory, table, models)
    print("\n".join([*notes, f"{source}."]))
    return ScoredImages(cache, table, models, split)


def read_scored_images(arguments: argparse.Namespace, directory: Path) -> ScoreTable:
    """The images of the directory that have a score in `--scores`; everything else is printed."""
    path = find_scorefile(directory, arguments.scores)
    table, problems = match_images(read_scorefile(path, arguments.score_column), find_images(directory))
    found = f"{len(table.paths)} images of {directory} have a score in {path}."
    print("\n".join([*table.problems, *problems, found]))
    if not table.paths:
        raise UserError(f"{path}: no image of {directory} has a score in it; see --scores and --directory")
    return table


def score_with_all(
    arguments: argparse.Namespace, directory: Path, table: ScoreTable, cache: FeatureCache
) -> list[ModelScores]:
    """What each model says of each image: those of `--model`, else the file of `--model_scores`."""
    if arguments.model_scores and not (arguments.modelpath or arguments.model):
        path = Path(arguments.model_scores).expanduser()
        return [read_model_scores(plain(directory / path if (directory / path).is_file() else path), table.paths)]
    if arguments.model_scores:
        print(f"note: --model_scores={arguments.model_scores} is left out, as a --model is given", file=sys.stderr)
    models = load_models(model_paths(arguments, directory), [], arguments.device)
    return [score_with(model, directory, table.paths, cache, arguments.extract_batch_size) for model in models]


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


def read_model_scores(path: Path, paths: Sequence[str]) -> ModelScores:
    """Scores from a score file: its column model_score, else score; nan for images that it lacks."""
    try:
        table = read_scorefile(path, "model_score")
    except UserError:  # without that column; whatever else it is, is said again
        table = read_scorefile(path)
    matched, _ = match_images(table, paths)
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


def find_split(
    arguments: argparse.Namespace, directory: Path, table: ScoreTable, models: Sequence[ModelScores]
) -> tuple[np.ndarray, str]:
    """Which images are train, eval, test: (N,), and a sentence on how that is known.

    `--split`, or split.json in the directory, else the score file's column, unless a model was trained by another
    split, else drawn as the models' own training drew it; an image which one of them trained on is train.
    """
    places = [directory / "split.json"]
    if arguments.split:
        places = [directory / Path(arguments.split).expanduser(), Path(arguments.split).expanduser()]
    file = next((place for place in places if place.is_file()), None)
    if file is None and arguments.split:
        raise UserError(f'--split={arguments.split}: no such file; it is a JSON such as {{"eval": ["a.png"]}}')
    if file is not None:
        return read_split(file, table.paths), f"The split is that of {plain(file)}"
    if all(table.splits) and not any(_has_own_split(arguments, table, model) for model in models):
        return np.array(table.splits), f"The split is the column of {table.document.name}"
    drawn = np.array([_drawn(arguments, table, model) for model in models])  # (M, N)
    untouched = np.where((drawn == "eval").any(axis=0), "eval", "test")
    split = np.where((drawn == "train").any(axis=0), "train", untouched)
    return split, "The split is drawn as in training" + _differences(models, drawn, split) + _doubts(table, models)


def _differences(models: Sequence[ModelScores], drawn: np.ndarray, split: np.ndarray) -> str:
    """How the splits (M, N) that several models' training drew become one, (N,); "" where they are the same."""
    if (drawn == drawn[0]).all():
        return ""
    evals = split == "eval"
    counts = [(model.name, int((own[evals] == "test").sum())) for model, own in zip(models, drawn, strict=True)]
    tests = [f"{count} are of the test split of {name}" for name, count in counts if count]
    return (
        ", which was not the same for all models: an image counts as train if any model trained on it, else as eval "
        "if any was chosen on it, else as test"
        + (f" (of {evals.sum()} eval images {', '.join(tests)})" if tests else "")
    )


def read_split(path: Path, images: Sequence[str]) -> np.ndarray:
    """(N,) of "train", "eval", "test", or "" for images that the file doesn't name.

    JSON, {"train": [paths], "eval": [paths]} or {path: split}, or a CSV with the columns relative_path and split.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except ValueError:
        content = None
    if isinstance(content, dict) and content and all(isinstance(part, list) for part in content.values()):
        named = {str(image): name for name, part in content.items() for image in part}
    elif isinstance(content, dict) and content and all(isinstance(part, str) for part in content.values()):
        named = content
    else:
        document, _ = read_document(path, "split")
        column = document.score_column
        named = {key: str(row.get(column) or "") for key, row in zip(document.keys, document.rows, strict=True)}
    named = {image.replace("\\", "/"): str(word).strip().lower() for image, word in named.items()}
    wrong = sorted(set(named.values()) - {*SPLITS, ""})
    if wrong:
        raise UserError(f"{path}: there is a split '{wrong[0]}'; a split is one of {', '.join(SPLITS)}")
    split = np.array([named.get(image, "") for image in images])
    if not (split != "").any():
        raise UserError(f"{path}: names none of the {len(images)} images; it is to name them as the score file does")
    return split


def _drawn(arguments: argparse.Namespace, table: ScoreTable, model: ModelScores) -> np.ndarray:
    def known(name: str, otherwise: float) -> float:
        return float(model.metadata[name]) if name in model.metadata else otherwise

    seed = arguments.seed if arguments.eval_pick_seed is None else arguments.eval_pick_seed
    eval_, test = (known(name, getattr(arguments, name)) for name in ("fraction_for_eval", "fraction_for_test"))
    if "folds" in model.metadata:  # trained on all but the test split, which was drawn in whole groups
        return np.where(np.isin(table.paths, json.loads(model.metadata["test_images"])), "test", "train")
    anew = _has_own_split(arguments, table, model)
    return assign_split(table.paths, table.splits, eval_, test, int(known("eval_pick_seed", seed)), anew)


def _has_own_split(arguments: argparse.Namespace, table: ScoreTable, model: ModelScores) -> bool:
    """Whether the model was trained by another split than that of the score file's column."""
    if "folds" in model.metadata:
        return True
    ignored = model.metadata.get("ignore_existing_split", str(arguments.ignore_existing_split)) == "True"
    return ignored and not _is_savefile(table, model)


def _is_savefile(table: ScoreTable, model: ModelScores) -> bool:
    """Whether the score file holds this model's scores; the split beside them is that of its training."""
    saved = read_numbers(table, "model_score")
    if saved is None or np.isnan(saved).all():
        return False
    # Batches of another size, or another machine, change the last digits.
    return bool(np.nanmax(np.abs(saved - model.scores)) <= 0.01 * model.scores.std())


def _doubts(table: ScoreTable, models: Sequence[ModelScores]) -> str:
    for model in models:
        # Behind a filter the split is drawn of all images, before the filter takes some of them away.
        trained_on = model.metadata.get("filter_images", model.metadata.get("n_images"))
        if trained_on is None:
            return ", as far as is known: model scores from a file don't say what was trained on"
        if int(trained_on) != len(table.paths):
            return (
                f", but {model.name} was trained with {trained_on} images and now there are {len(table.paths)}: a "
                "few may be on the wrong side; to be sure, use the --savefile of training as --scores"
            )
    return ""
