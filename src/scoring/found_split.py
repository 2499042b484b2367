"""Which images the models trained on, were chosen on, and never saw: found in files, or drawn as training drew it."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..common import UserError, plain
from ..scores import (
    SPLITS,
    ScoreTable,
    SplitSettings,
    draw_split,
    estimated,
    estimates_note,
    read_document,
    read_numbers,
)
from .settings import LookSettings

if TYPE_CHECKING:
    from .model_scores import ModelScores


def find_split(
    directory: Path, table: ScoreTable, models: "Sequence[ModelScores]", settings: LookSettings
) -> tuple[np.ndarray, str]:
    """Which images are train, eval, test: (N,), and a sentence on how that is known.

    `--split`, or split.json in the directory, else the score file's column, unless a model was trained by another
    split, else drawn as the models' own training drew it; an image which one of them trained on is train, and so is
    one whose score a model estimated.
    """
    split, source = _own_or_not(directory, table, models, settings)
    note = estimates_note(table)
    return np.where(estimated(table), "train", split), f"{source}. {note}" if note else source


def _own_or_not(
    directory: Path, table: ScoreTable, models: "Sequence[ModelScores]", settings: LookSettings
) -> tuple[np.ndarray, str]:
    if file := _split_file(directory, settings.split):
        return read_split(file, table.paths), f"The split is that of {plain(file)}"
    if all(table.splits) and not any(_has_own_split(table, model, settings.drawn) for model in models):
        return np.array(table.splits), f"The split is the column of {table.document.name}"
    drawn = np.array([_drawn(table, model, settings.drawn) for model in models])  # (M, N)
    untouched = np.where((drawn == "eval").any(axis=0), "eval", "test")
    split = np.where((drawn == "train").any(axis=0), "train", untouched)
    return split, "The split is drawn as in training" + _differences(models, drawn, split) + _doubts(table, models)


def _split_file(directory: Path, text: str | None) -> Path | None:
    places = [directory / "split.json"]
    if text:
        places = [directory / Path(text).expanduser(), Path(text).expanduser()]
    file = next((place for place in places if place.is_file()), None)
    if file is None and text:
        raise UserError(f'--split={text}: no such file; it is a JSON such as {{"eval": ["a.png"]}}')
    return file


def _differences(models: "Sequence[ModelScores]", drawn: np.ndarray, split: np.ndarray) -> str:
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


def _drawn(table: ScoreTable, model: "ModelScores", otherwise: SplitSettings) -> np.ndarray:
    """(N,) the split that the model's training drew. otherwise: what counts where the model does not say."""

    def known(name: str) -> float:
        return float(model.metadata[name] if name in model.metadata else getattr(otherwise, name))

    if "folds" in model.metadata:  # trained on all but the test split, which was drawn in whole groups
        return np.where(np.isin(table.paths, json.loads(model.metadata["test_images"])), "test", "train")
    fractions = known("fraction_for_eval"), known("fraction_for_test")
    anew = _has_own_split(table, model, otherwise)
    settings = SplitSettings(*fractions, int(known("eval_pick_seed")))
    given = [""] * len(table.paths) if anew else table.splits
    return draw_split(settings, table.paths, given, ~estimated(table))


def _has_own_split(table: ScoreTable, model: "ModelScores", otherwise: SplitSettings) -> bool:
    """Whether the model was trained by another split than that of the score file's column."""
    if "folds" in model.metadata:
        return True
    ignored = model.metadata.get("ignore_existing_split", str(otherwise.ignore_existing_split)) == "True"
    return ignored and not _is_savefile(table, model)


def _is_savefile(table: ScoreTable, model: "ModelScores") -> bool:
    """Whether the score file holds this model's scores; the split beside them is that of its training."""
    saved = read_numbers(table, "model_score")
    if saved is None or np.isnan(saved).all():
        return False
    # Batches of another size, or another machine, change the last digits.
    return bool(np.nanmax(np.abs(saved - model.scores)) <= 0.01 * model.scores.std())


def _doubts(table: ScoreTable, models: "Sequence[ModelScores]") -> str:
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
