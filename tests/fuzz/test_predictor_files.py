"""Predictor files whose metadata, tensors and bytes are changed: the same scores, or one sentence."""

import json

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.torch import save

from src.common.errors import UserError
from src.model.config import PredictorConfig
from src.model.file import load_predictor, save_predictor
from src.model.foreign import Unsaid
from src.model.network import Predictor, combine
from src.scores.scorefile import new_table
from src.scoring import models as scoring
from src.scoring.found_split import find_split
from src.scoring.model_scores import ModelScores
from src.scoring.models import load_models
from src.scoring.settings import LookSettings
from tests.fuzz.outcomes import BOUNDED, outcome
from tests.toys import ToyExtractor

ABOUT = {
    "train_score_quantiles": [0.0, 0.5, 1.0],
    "fraction_for_eval": 0.25,
    "fraction_for_test": 0.0,
    "eval_pick_seed": 1,
    "n_images": 9,
    "filter_model": "filter.safetensors",
    "filter_threshold": 0.5,
    "filter_hash": "00",
    "folds": 5,
    "test_images": ["a.png"],
}
LONG = {"deep": "[" * 100_000, "digits": "9" * 5000, "long": "x" * 9000}  # drawn by name, to keep failures readable
TEXTS = st.one_of(
    st.text(max_size=8),
    st.sampled_from(
        [
            *LONG,
            "[]",
            "[1",
            "1",
            "-1",
            "0",
            "0,0",
            "[0, 3]",
            "1e999",
            "NaN",
            "null",
            "{}",
            "True",
            "a\0b",
        ]
    ),
    st.sampled_from(
        ["join", "weight", "average", "none", "fixed", "variable", "l2", "absolute", "[3, 3]", "[[5, 4]]"]
    ),
)


class Originals(list):
    """Hypothesis prints what a test is given."""

    __repr__ = object.__repr__


@pytest.fixture(scope="module")
def originals(tmp_path_factory):
    """(metadata, tensors) of a plain model, one that weights its states, and an ensemble with errors."""
    found = Originals()
    for mode, channels, members in (("join", 1, 1), ("weight", 1, 1), ("join", 2, 2)):
        config = PredictorConfig(
            "toy", (0, 1), mode, (3, 3), (5, 4), (0.1, 0.2, 0.0), channels, extractor_identity="toy 1"
        )
        torch.manual_seed(1)
        parts = [Predictor(config).eval() for _ in range(members)]
        path = tmp_path_factory.mktemp("model") / "m.safetensors"
        save_predictor(path, parts[0] if members == 1 else combine(parts), ABOUT)
        with safe_open(path, "pt") as file:
            found.append((file.metadata(), {name: file.get_tensor(name) for name in file.keys()}))  # noqa: SIM118
    return found


def used(path, monkeypatch=None):
    """All that is done with a stranger's model before images are looked at."""
    predictor = outcome(lambda: load_predictor(path, Unsaid("toy", "none")))
    if isinstance(predictor, UserError):
        return None
    predictor, metadata = predictor
    width = predictor.config.number_of_features
    states = len(predictor.config.widths)
    shape = (4, states, width) if predictor.config.hidden_states_mode == "weight" else (4, width)
    if width * states > 10_000:
        return None
    scores, errors = predictor.predict(torch.ones(shape))
    assert scores.shape == errors.shape == (4,)
    assert np.isfinite(scores).all() or predictor.config.score_deviation > 1e6 or _is_large(predictor)
    return metadata


def _is_large(predictor):
    return any(tensor.abs().max() > 1e6 for tensor in predictor.state_dict().values())


@BOUNDED
@given(st.integers(0, 2), st.data())
def test_changed_metadata_are_understood_or_refused(originals, tmp_path, monkeypatch, which, data):
    metadata, tensors = originals[which]
    names = st.sampled_from([*metadata, "dropouts", "member_layers", "format", "module"])
    drawn = data.draw(st.dictionaries(names, TEXTS, min_size=1, max_size=2))
    changes = {key: LONG.get(text, text) for key, text in drawn.items()}
    missing = data.draw(st.sets(names, max_size=1))
    changed = {key: text for key, text in {**metadata, **changes}.items() if key not in missing}
    path = tmp_path / "m.safetensors"
    path.write_bytes(save(tensors, changed))
    if used(path) is None:
        return
    monkeypatch.setattr(scoring, "load_extractor", lambda *_: ToyExtractor())
    outcome(lambda: load_models([path]))
    table = new_table(["a.png", "b.png", "c.png"])
    model = ModelScores("m", np.zeros(3), np.zeros(3), metadata=changed)
    outcome(lambda: find_split(tmp_path, table, [model], LookSettings()))


TENSORS = {
    "double": torch.Tensor.double,
    "half": torch.Tensor.half,
    "whole": torch.Tensor.int,
    "complex": lambda t: t.to(torch.complex64),
    "bool": lambda t: t > 0,
    "nan": lambda t: t * torch.nan,
    "infinite": lambda t: t / 0,
    "flat": torch.Tensor.flatten,
    "empty": lambda t: t[:0],
    "scalar": lambda t: t.sum(),
    "cut": lambda t: t[..., :-1],
    "deeper": lambda t: t[None],
    "sparse": lambda t: t.to_sparse(),
}


@BOUNDED
@given(
    st.integers(0, 2),
    st.sampled_from(sorted(TENSORS)),
    st.booleans(),
    st.sampled_from(["", "module.", "x."]),
    st.data(),
)
def test_changed_tensors_are_understood_or_refused(originals, tmp_path, which, change, pickled, prefix, data):
    metadata, tensors = originals[which]
    name = data.draw(st.sampled_from(sorted(tensors)))
    changed = {prefix + key: tensor for key, tensor in tensors.items()}
    changed[prefix + name] = (
        TENSORS[change](tensors[name]).contiguous() if change != "sparse" else tensors[name].to_sparse()
    )
    for drop in data.draw(st.sets(st.sampled_from(sorted(changed)), max_size=1)):
        del changed[drop]
    path = tmp_path / ("m.pth" if pickled else "m.safetensors")
    if pickled:
        torch.save(changed, path)
    elif change != "sparse":
        path.write_bytes(save(changed, metadata))
    else:
        return
    used(path)


@BOUNDED
@given(
    st.integers(0, 2),
    st.booleans(),
    st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), max_size=4),
    st.floats(0, 1),
)
def test_changed_bytes_are_understood_or_refused(originals, tmp_path, which, pickled, flips, cut):
    metadata, tensors = originals[which]
    path = tmp_path / ("m.pth" if pickled else "m.safetensors")
    if pickled:
        torch.save(dict(tensors), path)
    else:
        path.write_bytes(save(tensors, metadata))
    content = bytearray(path.read_bytes())
    for place, value in flips:
        content[int(place * (len(content) - 1))] = value
    path.write_bytes(content[: int(cut * len(content))] if cut < 0.3 else content)
    used(path)


def test_a_header_of_any_length_is_refused(originals, tmp_path):
    for header in (LONG["deep"].encode(), json.dumps({"__metadata__": {"a": "b" * 10**6}}).encode(), b"{}"):
        (tmp_path / "m.safetensors").write_bytes(len(header).to_bytes(8, "little") + header)
        assert isinstance(outcome(lambda: load_predictor(tmp_path / "m.safetensors")), UserError)
