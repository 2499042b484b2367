"""Predictor files: a .safetensors whose metadata (all texts) say everything that scoring needs.

docs/predictor-files.md describes them. Nothing is loaded in part: a file that is not wholly understood is refused.
"""

import json
import math
import os
from collections.abc import Mapping
from dataclasses import MISSING, fields, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from ..common import UserError, first_line, named_in_text, note, replacing, stand_in
from .blend import BLEND, Blend
from .config import PredictorConfig
from .foreign import OTHER_SUFFIXES, NotUnderstood, Unsaid, read_foreign, read_pickled, whole_numbers
from .gp import GP, KIND, SIZES, GaussianProcess
from .network import MEMBERS, Predictor, combine

FORMAT = "aesthetic-predictor-1"
SUFFIX = ".safetensors"
# Names in the file that differ from ours: the predecessor reads a key "dropouts" as whole numbers.
NAMES = {"dropouts": "dropout_rates"}
# What files of this format may lack: they were written when there was only the default.
ADDED_LATER = ("aim_batch_norm", "high_end_fix", "input_normalisation", "error_form")
UNREADABLE = (SafetensorError, OSError, RuntimeError)  # the last: the file is shorter than its head says
# Model scores of the train images at 0, 1, 2, … 100 %: where a new image's score lies among them.
QUANTILES = np.linspace(0, 1, 101)


def save_predictor(path: str | Path, predictor: Predictor, about: Mapping[str, Any] = MappingProxyType({})) -> None:
    """Write atomically, as .safetensors.

    about: joins the predictor's own `about` in the metadata, each value as text (numbers and lists as JSON). Raises
    UserError where the file can't be written, and for a predictor that does not know whose features it takes.
    """
    path = Path(path).expanduser()
    if path.suffix != SUFFIX:
        raise UserError(f"{path}: a model file ends with {SUFFIX}")
    if not predictor.config.feature_extractor_model:
        raise UserError(
            f"{path}: not written, as nobody could score with it: the predictor does not know which extractor its "
            "features are of; give fit_predictor extractor="
        )
    more = {key: _to_text(value) for key, value in {**predictor.about, **about}.items()}
    metadata = {**describe(predictor), **more}
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in predictor.state_dict().items()}
    data = save(tensors, metadata)  # safetensors' own writing to a file has errors of its own where a disk is full
    with replacing(path) as temporary:
        temporary.write_bytes(data)


def about_scores(model_scores: np.ndarray, of_train_images: np.ndarray) -> dict[str, Any]:
    """What a file says of its own model scores: of all images of the run (N,), and of those it was trained on."""
    return {
        "n_images": len(model_scores),
        "mean_predicted_score": float(model_scores.mean()),
        "stdev_predicted_score": float(model_scores.std()),
        "train_score_quantiles": [float(f"{q:.9g}") for q in np.quantile(of_train_images, QUANTILES)],
    }


def save_converted(path: Path, predictor: Predictor, metadata: Mapping[str, str]) -> None:
    """Write another's predictor as ours; what its metadata say beyond what a predictor is, is kept."""
    own = {*describe(predictor), *NAMES, *MEMBERS, KIND, SIZES}
    save_predictor(path, predictor, {key: value for key, value in metadata.items() if key not in own})


def load_predictor(path: Path, unsaid: Unsaid = Unsaid()) -> tuple[Predictor, dict[str, str]]:  # noqa: B008
    """Read a predictor (on the CPU, in eval mode) and all its metadata; docs/predictor-files.md has other formats.

    unsaid: what to take where another's file does not say it. Raises UserError if the file is missing, is no
    predictor, or its tensors and metadata do not fit each other to the last one.
    """
    metadata, tensors = _read(path)
    try:
        if metadata.get("format") == FORMAT:
            configs = _configs_from(metadata)
        else:
            config, tensors = read_foreign(tensors, metadata, unsaid)
            configs = [config]
        return _filled(configs, metadata, tensors).eval(), metadata
    except (NotUnderstood, UserError) as error:
        raise UserError(f"{path}: {str(error)[:1000]}")


def check_extractor(path: Path, config: PredictorConfig, identity: str, earlier_identity: str = "") -> None:
    """Raise UserError if the model was trained on features of another identity; a note if it does not say.

    earlier_identity: another name of this image model, in files that say less of how images are resized.
    """
    name = config.feature_extractor_model
    if not config.extractor_identity:
        note(
            f"note: {path}: does not say which weights and preprocessing of {name} it was trained on; that these are "
            "the same cannot be verified"
        )
    elif config.extractor_identity == earlier_identity != identity:
        note(
            f"note: {path}: does not say with which Pillow it was trained; if that was 12 or older, the features of "
            "tall images are a little different here"
        )
    elif config.extractor_identity != identity:
        raise UserError(
            f"{path}: was trained on other weights or preprocessing of {name} than are here; train it again, or get "
            "those it was trained on"
        )


def describe(predictor: Predictor) -> dict[str, str]:
    """What a predictor is, as texts, by their names in the file."""
    config = predictor.config
    known: dict[str, Any] = {NAMES.get(f.name, f.name): getattr(config, f.name) for f in fields(PredictorConfig)}
    known |= {"format": FORMAT, "number_of_features": config.number_of_features, "final_layer_bias": True}
    known["hidden_states_used"] = ",".join(map(str, config.hidden_states_used))  # the predecessor's spelling
    return {key: _to_text(value) for key, value in {**known, **predictor.described()}.items()}


def _read(path: Path) -> tuple[dict[str, str], dict[str, Tensor]]:
    if not path.is_file():
        raise UserError(f"{path}: no such model; train one with aesthetic_predictor_training.py")
    try:
        if what := stand_in(path):
            raise UserError(f"{path}: {what}")
        if path.suffix.lower() in OTHER_SUFFIXES:
            return {}, read_pickled(path)
        return _read_whole(path)
    except UNREADABLE as error:
        raise UserError(f"{path}: is no predictor ({first_line(error)}); a predictor is a .safetensors file")


def _read_whole(path: Path) -> tuple[dict[str, str], dict[str, Tensor]]:
    """Again where another model took its place: safetensors opens it twice, for its head and for the rest."""
    while True:
        state = path.stat()
        try:
            with named_in_text(path) as named, safe_open(named, framework="pt") as file:
                found = file.metadata() or {}, {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        except UNREADABLE:
            if _is_still(path, state):
                raise
        else:
            if _is_still(path, state):
                return found


def _is_still(path: Path, state: os.stat_result) -> bool:
    now = path.stat()
    return (now.st_ino, now.st_mtime_ns, now.st_size) == (state.st_ino, state.st_mtime_ns, state.st_size)


def _empty(configs: list[PredictorConfig], metadata: Mapping[str, str]) -> Predictor:
    """A predictor of the kind that the file says, without numbers yet; it takes no memory."""
    kind = metadata.get(KIND, "")
    if kind not in ("", GP, BLEND):
        raise NotUnderstood(
            f"its metadata say {KIND}={kind[:60]!r}, which this version doesn't know; get a newer one"
        )
    with torch.device("meta"):
        if not kind:
            return combine([Predictor(config) for config in configs])
        sizes = whole_numbers(metadata, SIZES)
        if len(sizes) != 3 or min(sizes) < 1:
            raise NotUnderstood(f"its metadata say {SIZES}={metadata[SIZES][:60]!r}, and 3 numbers above 0 are right")
        process = GaussianProcess(configs[0], (sizes[0], sizes[1], sizes[2]))
        return process if kind == GP else Blend(process, combine([Predictor(config) for config in configs]))


def _filled(configs: list[PredictorConfig], metadata: Mapping[str, str], tensors: Mapping[str, Tensor]) -> Predictor:
    """The predictor of these tensors; it takes no memory before they are known to fit."""
    predictor = _empty(configs, metadata)
    wanted = predictor.state_dict()
    problems = [f"{name} is missing" for name in wanted if name not in tensors]
    problems += [f"{name} is not expected" for name in tensors if name not in wanted]
    problems += [problem for name in wanted if name in tensors and (problem := _misfit(name, wanted, tensors))]
    if problems:
        more = f", and {len(problems) - 3} more" if len(problems) > 3 else ""
        raise NotUnderstood(
            f"its tensors contradict its metadata ({'; '.join(problems[:3])}{more}); train the model again"
        )
    predictor.load_state_dict({name: tensor.float() for name, tensor in tensors.items()}, assign=True)
    return predictor


def _misfit(name: str, wanted: Mapping[str, Tensor], tensors: Mapping[str, Tensor]) -> str:
    tensor = tensors[name]
    if tensor.shape != wanted[name].shape:
        return f"{name} is {tuple(tensor.shape)} and should be {tuple(wanted[name].shape)}"
    if not tensor.is_floating_point() or not torch.isfinite(tensor).all():
        return f"{name} holds something else than finite numbers"
    return ""


def _configs_from(metadata: Mapping[str, str]) -> list[PredictorConfig]:
    """Of the predictor, or of each member of an ensemble."""
    values: dict[str, Any] = {}
    for field in fields(PredictorConfig):
        name = NAMES.get(field.name, field.name)
        name = name if name in metadata else field.name  # as it was called at first
        if name in metadata:
            states = field.name == "hidden_states_used"  # once [0, 2], now 0,2
            values[field.name] = (
                whole_numbers(metadata, name) if states else _from_text(name, field.type, metadata[name])
            )
        elif field.default is MISSING or field.name not in ADDED_LATER:
            raise NotUnderstood(f"its metadata lack '{name}'; train the model again")
    config = PredictorConfig(**values)
    if (number := metadata.get("number_of_features", "")) != str(config.number_of_features):
        raise NotUnderstood(f"its metadata say number_of_features={number[:60]!r}, and its widths {config.widths}")
    if metadata.get("final_layer_bias", "True") != "True":
        raise NotUnderstood("its metadata say final_layer_bias='False', and this format always has one")
    if MEMBERS[0] not in metadata:
        return [config]
    layers, dropouts = (_lists(name, metadata.get(name, "[]")) for name in MEMBERS)
    if len(layers) != len(dropouts) or len(layers) < 2 or layers[0] != config.layers:
        raise NotUnderstood(f"its metadata {MEMBERS[0]}, {MEMBERS[1]} and layers contradict each other")
    return [replace(config, layers=a, dropouts=b) for a, b in zip(layers, dropouts, strict=True)]


def _to_text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value)
    return value if isinstance(value, str) else json.dumps(value)


def _whole(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(value)
    return value


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(value)
    return float(value)


def _from_text(name: str, kind: Any, text: str) -> Any:
    if kind is str:
        return text
    try:
        if kind is bool:
            return {"True": True, "False": False}[text]
        value = json.loads(text)
        if kind in (int, float):
            return _whole(value) if kind is int else _number(value)
        return tuple((_whole if kind == tuple[int, ...] else _number)(item) for item in value)
    except (ValueError, TypeError, KeyError, RecursionError):
        raise NotUnderstood(f"its metadata say {name}={text[:60]!r}, which can't be read; train the model again")


def _lists(name: str, text: str) -> list[Any]:
    kind = tuple[int, ...] if name == MEMBERS[0] else tuple[float, ...]
    try:
        return [_from_text(name, kind, json.dumps(part)) for part in json.loads(text)]
    except (ValueError, TypeError, RecursionError):
        raise NotUnderstood(f"its metadata say {name}={text[:60]!r}, which can't be read; train the model again")
