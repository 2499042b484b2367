"""Model scores of images, by a predictor file or from a score file, and which of the images each model trained on."""

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from src.errors import UserError
from src.extractors import load_extractor
from src.feature_cache import FeatureCache
from src.features import extract_features
from src.images import find_images
from src.predictor import Predictor, arrange, load_predictor
from src.score_formats import read_document
from src.scorefile import ScoreTable, find_scorefile, match_images, read_scorefile, select
from src.split import SPLITS, assign_split


@dataclass(frozen=True)
class Model:
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
) -> list[Model]:
    """What each model says of each image: those of `--model`, else the file of `--model_scores`."""
    files = model_paths(arguments, directory)
    if files:
        options = cache, arguments.device, arguments.extract_batch_size
        names = zip(files, unique_names(files), strict=True)
        return [score_images(directory, table.paths, file, name, *options) for file, name in names]
    if not arguments.model_scores:
        raise UserError(f"{directory}: there is no model.safetensors; name a model with --model, or --model_scores")
    path = Path(arguments.model_scores).expanduser()
    return [read_model_scores(directory / path if (directory / path).is_file() else path, table.paths)]


def model_paths(arguments: argparse.Namespace, directory: Path) -> list[Path]:
    """The model files of `--modelpath`, else of `--model` in the directory (or, if not there, as a path).

    Without either the default model, where there is one and no `--model_scores`. UserError for a file that is not
    there.
    """
    texts = arguments.modelpath or arguments.model
    if not texts:
        default = directory / "model.safetensors"
        return [default] if default.exists() and not arguments.model_scores else []
    paths = []
    for text in texts:
        places = [Path(text).expanduser()] if arguments.modelpath else [directory / text, Path(text).expanduser()]
        paths.append(next((place for place in places if place.is_file()), places[0]).resolve())
    return list(dict.fromkeys(paths))


def unique_names(paths: Sequence[Path]) -> list[str]:
    """A short name for each model: its file's, with its folder or a number where two would be the same."""
    stems = [path.stem for path in paths]
    names = [s if stems.count(s) == 1 else f"{p.parent.name}/{s}" for p, s in zip(paths, stems, strict=True)]
    return [n if names.count(n) == 1 else f"{n} ({place + 1})" for place, n in enumerate(names)]


def score_images(
    directory: Path, paths: Sequence[str], file: Path, name: str, cache: FeatureCache, device: str, batch_size: int
) -> Model:
    """Scores of the model in `file`. UserError if its image model is not the one that it was trained with."""
    predictor, metadata = load_predictor(file)
    config = predictor.config
    try:
        extractor = load_extractor(config.feature_extractor_model, device, config.fp16_features)
    except UserError as error:
        raise UserError(f"{file}: its image model can't be had: {error}")
    if config.extractor_identity and extractor.identity != config.extractor_identity:
        raise UserError(
            f"{file}: was trained on features of {config.extractor_identity}, and {config.feature_extractor_model} "
            f"is now {extractor.identity}; train it again"
        )
    used = config.hidden_states_used
    features = extract_features(directory, paths, extractor, used, cache, batch_size)
    if not features.paths:
        raise UserError(f"{directory}: none of {len(paths)} images can be read; see --directory and --scores")
    inputs = arrange(features.states, used, config.hidden_states_mode)
    if features.paths == list(paths):  # no copy of what may be gigabytes
        return Model(name, *predictor.predict(inputs), inputs.numpy(), predictor, metadata)
    place = {path: row for row, path in enumerate(features.paths)}
    rows = [place.get(path, -1) for path in paths]
    found = [np.append(values, np.nan)[rows] for values in predictor.predict(inputs)]
    return Model(name, found[0], found[1], inputs.numpy()[rows], predictor, metadata, features.unreadable)


def read_model_scores(path: Path, paths: Sequence[str]) -> Model:
    """Scores from a score file: its column model_score, else score; nan for images that it lacks."""
    try:
        table = read_scorefile(path, "model_score")
    except UserError as error:
        if "model_score" not in str(error):
            raise
        table = read_scorefile(path)
    matched, _ = match_images(table, paths)
    if not matched.paths:
        raise UserError(f"{path}: has no model score of any of the {len(paths)} images; give --model_scores another")
    known = dict(zip(matched.paths, matched.scores.tolist(), strict=True))
    scores = np.array([known.get(image, np.nan) for image in paths])
    return Model(path.stem, scores, np.full(len(paths), np.nan))


def keep_scored(table: ScoreTable, models: Sequence[Model]) -> tuple[ScoreTable, list[Model], list[str]]:
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
    arguments: argparse.Namespace, directory: Path, table: ScoreTable, models: Sequence[Model]
) -> tuple[np.ndarray, str]:
    """Which images are train, eval, test: (N,), and a sentence on how that is known.

    `--split`, or split.json in the directory, else the score file's column, else drawn as the models' own training
    drew it; an image which one of them trained on is train.
    """
    places = [directory / "split.json"]
    if arguments.split:
        places = [directory / Path(arguments.split).expanduser(), Path(arguments.split).expanduser()]
    file = next((place for place in places if place.is_file()), None)
    if file is None and arguments.split:
        raise UserError(f'--split={arguments.split}: no such file; it is a JSON such as {{"eval": ["a.png"]}}')
    if file is not None:
        return read_split(file, table.paths), f"The split is that of {file}"
    if all(table.splits):
        return np.array(table.splits), f"The split is the column of {table.document.name}"
    drawn = np.array([_drawn(arguments, table, model) for model in models])  # (M, N)
    untouched = np.where((drawn == "eval").any(axis=0), "eval", "test")
    split = np.where((drawn == "train").any(axis=0), "train", untouched)
    return split, "The split is drawn as in training" + _doubts(table, models)


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


def _drawn(arguments: argparse.Namespace, table: ScoreTable, model: Model) -> np.ndarray:
    def known(name: str, otherwise: float) -> float:
        return float(model.metadata[name]) if name in model.metadata else otherwise

    seed = arguments.seed if arguments.eval_pick_seed is None else arguments.eval_pick_seed
    eval_, test = (known(name, getattr(arguments, name)) for name in ("fraction_for_eval", "fraction_for_test"))
    if "folds" in model.metadata:  # trained on all but the test split, which was drawn in whole groups
        return np.where(np.isin(table.paths, json.loads(model.metadata["test_images"])), "test", "train")
    anew = model.metadata.get("ignore_existing_split", str(arguments.ignore_existing_split)) == "True"
    return assign_split(table.paths, table.splits, eval_, test, int(known("eval_pick_seed", seed)), anew)


def _doubts(table: ScoreTable, models: Sequence[Model]) -> str:
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
