"""A predictor as ONNX gives what torch gives."""

import importlib.util
import json
import re
import sys
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

import aesthetic_score_from_model as script
from src.common.errors import UserError
from src.model.config import PredictorConfig
from src.model.export import export_onnx
from src.model.file import save_predictor
from src.model.network import Predictor, combine
from tests import ROOT


def made(**changes):
    base = {"feature_extractor_model": "toy", "hidden_states_used": (0, 1), "hidden_states_mode": "join"}
    torch.manual_seed(len(changes))
    return Predictor(PredictorConfig(**{**base, "widths": (6, 4), "layers": (8, 5), **changes}))


HEADS = {
    "plain": made(),
    "nll on a scale of its own": made(output_channels=2, score_mean=1500.0, score_deviation=40.0),
    "another's sigma": made(output_channels=2, error_form="absolute"),
    "linear, normalised": made(layers=(), dropouts=(0.0,), input_normalisation="l2"),
    "weight": made(hidden_states_mode="weight", widths=(6, 6)),
    "high-end fix": made(high_end_fix="variable", output_channels=2),
    "ensemble": combine([made(), made(layers=(7, 3)), made(high_end_fix="fixed")]),
    "ensemble with errors": combine([made(output_channels=2), made(output_channels=2, layers=(2, 2))]),
}


# The paragraph of the docs on what the file says of itself.
ABOUT_ONNX = re.search(
    r"`metadata_props` say.*?\n\n",
    (ROOT / "docs" / "predictor-files.md").read_text(encoding="utf-8"),
    re.DOTALL,
)[0].replace("`metadata_props`", "")


def check(predictor, path):
    session = onnxruntime.InferenceSession(str(path))
    shape = (2, 6) if predictor.config.hidden_states_mode == "weight" else (predictor.config.number_of_features,)
    for images in (1, 33):
        inputs = 3 * torch.randn(images, *shape, generator=torch.Generator().manual_seed(images))
        found = session.run(None, {"features": inputs.numpy()})
        expected = predictor.predict(inputs)
        assert [output.name for output in session.get_outputs()] == ["score", "error"][: len(found)]
        assert len(found) == (2 if predictor.has_error else 1)
        for values, truth in zip(found, expected, strict=False):
            assert np.abs(values - truth).max() <= 1e-5 * max(1, np.abs(truth).max())


@pytest.mark.parametrize("name", HEADS)
def test_every_kind_of_head_gives_the_same_to_a_hundred_thousandth(tmp_path, name):
    export_onnx(HEADS[name], tmp_path / "head.onnx", {})
    check(HEADS[name], tmp_path / "head.onnx")


def test_the_script_exports_without_images(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    save_predictor(tmp_path / "m.safetensors", HEADS["plain"], {})
    monkeypatch.setattr(sys, "argv", ["score", "-m", "m.safetensors", "--export_onnx=a.onnx"])
    script.main()
    check(HEADS["plain"], tmp_path / "a.onnx")
    assert "m.safetensors is now also a.onnx" in capsys.readouterr().out


def exported(folder, monkeypatch, predictor, about):
    """What the ONNX file of such a model says of itself."""
    monkeypatch.chdir(folder)
    save_predictor(folder / "m.safetensors", predictor, about)
    monkeypatch.setattr(sys, "argv", ["score", "-m", "m.safetensors", "--export_onnx=a.onnx"])
    script.main()
    return onnxruntime.InferenceSession(str(folder / "a.onnx")).get_modelmeta().custom_metadata_map


def test_the_file_says_which_features_it_takes_and_on_which_scale_it_answers(tmp_path, monkeypatch, capsys):
    predictor = made(score_mean=4.5, score_deviation=0.5, extractor_identity="toy 1", fp16_features=True)
    said = exported(tmp_path, monkeypatch, predictor, {"study": "not of use"})
    assert {key: said[key] for key in ("feature_extractor_model", "extractor_identity", "hidden_states_mode")} == {
        "feature_extractor_model": "toy",
        "extractor_identity": "toy 1",
        "hidden_states_mode": "join",
    }
    assert (said["hidden_states_used"], json.loads(said["widths"])) == ("0,1", [6, 4])
    assert (said["fp16_features"], said["aim_batch_norm"]) == ("True", "eval")
    assert (float(said["score_mean"]), float(said["score_deviation"])) == (4.5, 0.5)
    assert set(said) == set(re.findall(r"`(\w+)`", ABOUT_ONNX)) - {"filter_model", "filter_threshold", "filter_hash"}
    assert "second of two stages" not in capsys.readouterr().out


def test_of_a_model_behind_a_filter_it_is_said_that_the_filter_is_not_in_the_file(tmp_path, monkeypatch, capsys):
    about = {"filter_model": "content.safetensors", "filter_threshold": 0.6, "filter_hash": "0f"}
    said = exported(tmp_path, monkeypatch, HEADS["plain"], about)
    assert {key: said[key] for key in about} == {key: str(value) for key, value in about.items()}
    shown = capsys.readouterr().out
    assert "a.onnx is the second of two stages alone: content.safetensors belongs before it" in shown
    assert "less than 0.6 there its scores mean nothing" in shown


def test_of_another_persons_head_no_scale_is_made_up(tmp_path, monkeypatch):
    torch.save({"weight": torch.ones(1, 6)}, tmp_path / "head.pth")
    monkeypatch.chdir(tmp_path)
    words = ["-m", "head.pth", "--head_extractor=a/model", "--head_input=none", "--export_onnx=a.onnx"]
    monkeypatch.setattr(sys, "argv", ["score", *words])
    script.main()
    said = onnxruntime.InferenceSession("a.onnx").get_modelmeta().custom_metadata_map
    assert said["feature_extractor_model"] == "a/model"
    assert not [key for key in said if key.startswith("score_")]


def test_without_the_package_the_sentence_says_how_to_get_it(tmp_path, monkeypatch):
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *_: None if name == "onnx" else real(name))
    with pytest.raises(UserError, match="needs the package onnx, which is not here: python -m pip install onnx"):
        export_onnx(HEADS["plain"], Path(tmp_path / "a.onnx"), {})


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--export_onnx=a.pt"], "--export_onnx=a.pt: must end with .onnx"),
        (["--convert=a.pth"], "--convert=a.pth: must end with .safetensors"),
        (["-m", "m.safetensors", "--convert=a.safetensors"], "2 models are given"),
    ],
)
def test_what_can_not_be_written_is_said(tmp_path, monkeypatch, words, message):
    monkeypatch.chdir(tmp_path)
    save_predictor(tmp_path / "m.safetensors", HEADS["plain"], {})
    monkeypatch.setattr(sys, "argv", ["score", "-m", "m.safetensors", *words])
    with pytest.raises(UserError, match=message):
        script.main()
