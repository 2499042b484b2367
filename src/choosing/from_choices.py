"""A model from the choices themselves: a Gaussian process on the ratings, written as training writes its models."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..common import UserError, claimed, copy_to
from ..features import Extractor, FeatureCache, extract_features, load_extractor
from ..ratings import Log, Share, consistency, foreseen, values_of

if TYPE_CHECKING:
    from ..model import GaussianProcess

MADE_FROM, CHOICES = "made_from", "choices"  # what its file says, and no other's
FAR = 10**7  # bytes: no header of a predictor is as long
CHUNK = 2048  # images whose features are in memory at once, beyond those that are learnt from


@dataclass(frozen=True)
class Place:
    """What stays the same while somebody chooses.

    path: of the model. preview: relative paths of the images in preview_folder, which are looked at besides. device,
    extract_batch_size: of the image model. about: what the file says besides. seed: of the fit.
    """

    path: Path
    directory: Path
    cache: Path
    device: str = "auto"
    extract_batch_size: int = 16
    preview_folder: Path | None = None
    preview: tuple[str, ...] = ()
    about: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 0


@dataclass(frozen=True)
class Wanted:
    """What a model is to be made of.

    extractor, hidden_states, fp16: whose features. scores: relative path -> score and standard error. others:
    relative path -> image id of those that it is asked about. log: with all choices, the held-out ones too.
    """

    extractor: str
    hidden_states: tuple[int, ...]
    fp16: bool
    scores: Mapping[str, tuple[float, float]]
    others: Mapping[str, int]
    log: Log


@dataclass(frozen=True)
class Made:
    """A model that is on disk. kept: where what lay there before is kept, if it was another's. images: learnt from.

    scores: of the others that it was asked about, by id; preview: of those in the preview folder, by place; None
    while they are being read. held_out: how many of the choices between held-out images it foresees.
    """

    path: Path
    kept: Path | None
    images: int
    choices: int
    scores: Mapping[int, float]
    held_out: Share
    repeats: Share
    preview: Mapping[int, float] | None = None


def predictor_of(
    extractor: Extractor,
    states: Mapping[int, np.ndarray],
    scores: np.ndarray,
    errors: np.ndarray | None = None,
    seed: int = 0,
) -> "GaussianProcess":
    """Fitted to scores (N,) of images with these features, {hidden state: (N, W_k)}, two images or more.

    errors: (N,) standard errors of the scores, nan where not known, whose squares are noise of their own. Which
    scores and errors are best is measured in docs/ratings.md.
    """
    from ..model import PredictorConfig, arrange, fit_gaussian_process

    used = tuple(states)
    config = PredictorConfig(
        feature_extractor_model=extractor.name,
        hidden_states_used=used,
        hidden_states_mode="join",
        widths=tuple(block.shape[1] for block in states.values()),
        layers=(1, 1),  # it has none
        extractor_identity=extractor.identity,
        fp16_features=extractor.fp16,
        aim_batch_norm=extractor.aim_batch_norm,
    )
    return fit_gaussian_process(config, arrange(states, used, "join"), scores, errors=errors, seed=seed)


def make_model(place: Place, wanted: Wanted) -> Made:
    """Fit it and put it at its path, atomically; what it says of the preview is another question.

    Raises UserError where features can't be had, the file can't be written, or another program is writing it.
    """
    extractor, cache = load_extractor(wanted.extractor, place.device, wanted.fp16), FeatureCache(place.cache)
    features = extract_features(
        place.directory, list(wanted.scores), extractor, wanted.hidden_states, cache, place.extract_batch_size, False
    )
    if len(features.paths) < 2:
        raise UserError(f"{place.path}: not written, as features can be had of {len(features.paths)} of the images")
    scores, errors = np.array([wanted.scores[path] for path in features.paths]).T
    predictor = predictor_of(extractor, features.states, scores, errors, place.seed)
    learnt, _ = predictor.predict(features.states)
    said = scores_of(predictor, place, place.directory, list(wanted.others), extractor, cache)
    by_id = {wanted.others[path]: score for path, score in said.items()}
    share, repeats = foreseen(wanted.log, values_of(wanted.log.images, by_id)), consistency(wanted.log)
    about = _about(place, wanted, learnt, predictor.unseen)
    kept = write_model(place.path, predictor, {**about, **_honest(share, repeats)})
    return Made(place.path, kept, len(scores), wanted.log.judged, by_id, share, repeats)


def look_at_preview(place: Place, wanted: Wanted) -> dict[int, float]:
    """What the model on disk says of the images in the preview folder, by their place in the list."""
    from ..model import load_predictor

    assert place.preview_folder is not None
    extractor, cache = load_extractor(wanted.extractor, place.device, wanted.fp16), FeatureCache(place.cache)
    predictor, _ = load_predictor(place.path)
    said = scores_of(predictor, place, place.preview_folder, place.preview, extractor, cache)
    return {number: said[path] for number, path in enumerate(place.preview, 1) if path in said}


def scores_of(
    predictor: Any, place: Place, folder: Path, paths: Sequence[str], extractor: Extractor, cache: FeatureCache
) -> dict[str, float]:
    """Relative path -> model score of those that can be read."""
    found: dict[str, float] = {}
    states = predictor.config.hidden_states_used
    for start in range(0, len(paths), CHUNK):
        part = paths[start : start + CHUNK]
        features = extract_features(folder, part, extractor, states, cache, place.extract_batch_size, False)
        if features.paths:
            scores, _ = predictor.predict(features.states)
            found |= dict(zip(features.paths, map(float, scores), strict=True))
    return found


def write_model(path: Path, predictor: Any, about: Mapping[str, Any]) -> Path | None:
    """Put it there; where a model lay there that was not made from choices, it is kept, and that copy returned."""
    from ..model import save_predictor

    with claimed(path, "the A/B scorer"):
        kept = None
        if path.exists() and not is_from_choices(path):
            kept = path.with_suffix(".previous.safetensors")
            copy_to(path, kept)
        save_predictor(path, predictor, about)
    return kept


def is_from_choices(path: Path) -> bool:
    """Whether the file is a model that was made here. Read without torch: the header of a .safetensors is JSON."""
    try:
        with path.open("rb") as file:
            size = int.from_bytes(file.read(8), "little")
            header = json.loads(file.read(size)) if size < FAR else {}
        return header["__metadata__"][MADE_FROM] == CHOICES
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return False


def _about(place: Place, wanted: Wanted, learnt: np.ndarray, unseen: np.ndarray) -> dict[str, Any]:
    """What its file says of how it was made: as of a training without eval and test images.

    learnt, unseen: (N,) what it says of its images, and what it would say of each if that had been left out.
    """
    from ..model import about_scores

    return {
        MADE_FROM: CHOICES,
        "model_type": "gp",
        "loss_model": "mse",
        "scores_assisted_by": wanted.extractor,
        "choices": wanted.log.judged,
        "split_counts": {"train": len(learnt), "eval": 0, "test": 0},
        "model_seed": place.seed,
        "eval_pick_seed": place.seed,
        "fraction_for_eval": 0.0,
        "fraction_for_test": 0.0,
        "ignore_existing_split": True,
        **about_scores(learnt, unseen),
        **place.about,
    }


def _honest(share: Share, repeats: Share) -> dict[str, Any]:
    """Of how many held-out choices how many are foreseen, and how often the person agreed with themselves."""
    if not share.total:
        return {}
    return {"held_out_choices": [share.hits, share.total], "repeated_choices": [repeats.hits, repeats.total]}
