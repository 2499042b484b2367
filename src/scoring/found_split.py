"""Which images the models trained on, were chosen on, and never saw: found in files, or drawn as training drew it."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..common import UserError, plain
from ..model import said_by
from ..scores import (
    SPLITS,
    ScoreTable,
    SplitSettings,
    draw_split,
    estimated,
    estimates_note,
    normal,
    read_document,
    read_numbers,
    shown,
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
    Raises UserError for other words, and where an image is in two splits.
    """
    named: dict[str, str] = {}
    for key, word in _named_splits(path):
        image, split = normal(key), word.strip().lower()
        if split not in (*SPLITS, ""):
            raise UserError(f"{path}: there is a split '{shown(word)[:60]}'; a split is one of {', '.join(SPLITS)}")
        if split and named.setdefault(image, split) != split:
            raise UserError(f"{path}: {shown(image)} is in {named[image]} and in {split}; take it out of one of them")
    found = np.array([named.get(image, "") for image in images])
    if not (found != "").any():
        raise UserError(f"{path}: names none of the {len(images)} images; it is to name them as the score file does")
    return found


def _named_splits(path: Path) -> list[tuple[str, str]]:
    """(image, split) as they stand in the file, in any of its forms."""
    try:
        content: Any = json.loads(path.read_text(encoding="utf-8-sig"), object_pairs_hook=_Pairs)
    except (ValueError, RecursionError, OSError):  # read_document says what is wrong with it
        content = None
    if isinstance(content, _Pairs) and content and all(type(part) is list for _, part in content):
        if odd := [image for _, part in content for image in part if not isinstance(image, str)]:
            raise UserError(f"{path}: '{shown(str(odd[0]))[:60]}' is no image's name; each split is a list of names")
        return [(image, name) for name, part in content for image in part]
    if isinstance(content, _Pairs) and content and all(isinstance(part, str) for _, part in content):
        return list(content)
    document, _ = read_document(path, "split")
    words = (str(row.get(document.score_column) or "") for row in document.rows)
    return list(zip(document.keys, words, strict=True))


class _Pairs(list[tuple[str, Any]]):
    """A JSON object as its pairs: one name may stand there twice."""


def _drawn(table: ScoreTable, model: "ModelScores", otherwise: SplitSettings) -> np.ndarray:
    """(N,) the split that the model's training drew. otherwise: what counts where the model does not say."""

    def known(name: str) -> float:
        said = name in model.metadata
        return said_by(model.name, model.metadata, name, float) if said else getattr(otherwise, name)

    if "folds" in model.metadata:  # trained on all but the test split, which was drawn in whole groups
        return np.where(
            np.isin(table.paths, said_by(model.name, model.metadata, "test_images", list)), "test", "train"
        )
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
        key = next((name for name in ("filter_images", "n_images") if name in model.metadata), None)
        if key is None:
            return ", as far as is known: model scores from a file don't say what was trained on"
        trained_on = said_by(model.name, model.metadata, key, int)
        if trained_on != len(table.paths):
            return (
                f", but {model.name} was trained with {trained_on} images and now there are {len(table.paths)}: a "
                "few may be on the wrong side; to be sure, use the --savefile of training as --scores"
            )
    return ""
