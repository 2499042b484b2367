"""The adapter for timm, against a small stand-in: timm itself brings torchvision, which is no requirement here."""

import json
import sys
import types

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from torch import nn

from src.common.errors import UserError
from src.features.extractors import load_extractor
from tests import ROOT
from tests.features.test_extractors import photograph_like

SETTINGS = {
    "input_size": (3, 16, 16),
    "interpolation": "bicubic",
    "crop_pct": 0.8,
    "crop_mode": "center",
    "mean": (0.5, 0.4, 0.3),
    "std": (0.2, 0.3, 0.4),
}


class Network(nn.Module):
    """Two convolutions, as timm's models behave: feature_info, forward_intermediates, forward_head."""

    def __init__(self, settings):
        super().__init__()
        self.pretrained_cfg = settings
        self.first, self.second, self.norm = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 6, 3), nn.LayerNorm(6)
        self.feature_info = [{"num_chs": 4}, {"num_chs": 6}]

    def forward_intermediates(self, x):
        first = self.first(x)
        second = self.second(first)
        return second, [first, second]

    def forward_features(self, x):
        return self.forward_intermediates(x)[0]

    def forward_head(self, x, pre_logits=False):
        assert pre_logits
        return self.norm(x.mean((2, 3)))


@pytest.fixture
def timm(tmp_path, monkeypatch):
    """A module of that name; the settings of its one model, and its weights, which lie in the hub's cache."""
    settings = {**SETTINGS, "hf_hub_id": "timm/small"}

    def create_model(name, num_classes, pretrained=False, pretrained_cfg_overlay=None):
        assert num_classes == 0
        if name != "small":
            raise RuntimeError(f"Unknown model ({name})")
        network = Network(settings)
        if pretrained:
            network.load_state_dict(load_file(pretrained_cfg_overlay["file"]))
        return network

    module = types.ModuleType("timm")
    module.__version__ = "1.0"
    module.create_model = create_model
    module.data = types.SimpleNamespace(resolve_model_data_config=lambda network: network.pretrained_cfg)
    monkeypatch.setitem(sys.modules, "timm", module)
    torch.manual_seed(0)
    network = Network(settings).eval()
    path = tmp_path / "model.safetensors"
    save_file(network.state_dict(), path)
    here = {"model.safetensors": path}
    monkeypatch.setattr("src.features.extractors.on_timm.hub_file", lambda _name, file: here.get(file))
    return settings, network, path


def test_states_are_the_head_and_the_means_of_the_intermediates(timm):
    _, network, _ = timm
    extractor = load_extractor("timm:small", "cpu")
    assert extractor._network is None
    prepared = [extractor.prepare(photograph_like(seed)) for seed in range(2)]
    features = extractor(prepared, [0, 1])
    with torch.inference_mode():
        x = torch.from_numpy(np.stack(prepared))
        first = network.first(x)
        head = network.norm(network.second(first).mean((2, 3))).numpy()
    np.testing.assert_allclose(features[0], head, rtol=0, atol=2e-6)
    np.testing.assert_allclose(extractor(prepared, [0])[0], head, rtol=0, atol=2e-6)
    np.testing.assert_allclose(features[1], first.mean((2, 3)).numpy(), rtol=0, atol=2e-6)
    with pytest.raises(UserError, match=r"hidden state 2 does not exist; timm:small has hidden states 0 .* to 1"):
        extractor(prepared, [2])


@pytest.mark.parametrize(("mode", "whole", "box"), [("center", (30, 20), (7, 2)), ("squash", (20, 20), (2, 2))])
def test_images_are_resized_cropped_and_normalised_as_timm_does(timm, mode, whole, box):
    settings, *_ = timm
    settings["crop_mode"] = mode
    image = photograph_like(1, (60, 40))
    resized = image.resize(whole, Image.Resampling.BICUBIC).crop((*box, box[0] + 16, box[1] + 16))
    expected = ((np.asarray(resized) / 255 - settings["mean"]) / settings["std"]).transpose(2, 0, 1)
    np.testing.assert_allclose(load_extractor("timm:small", "cpu").prepare(image), expected, atol=1e-6)


def test_the_identity_holds_weights_format_and_preprocessing(timm):
    settings, network, path = timm
    seen = {load_extractor("timm:small", "cpu").identity, load_extractor("timm:small", "cpu", fp16=True).identity}
    settings["mean"] = (0.5, 0.5, 0.5)
    seen.add(load_extractor("timm:small", "cpu").identity)
    save_file({name: 2 * tensor for name, tensor in network.state_dict().items()}, path)
    seen.add(load_extractor("timm:small", "cpu").identity)
    assert len(seen) == 4
    assert json.loads(next(iter(seen)))["family"] == "timm"


def test_it_stands_beside_other_image_models(timm):
    several = load_extractor("timm:small,efficientnet-lite0", "cpu")
    assert load_extractor(several.name, "cpu").identity == several.identity


def test_what_timm_does_not_have_is_said(timm, monkeypatch):
    settings, *_ = timm
    with pytest.raises(UserError, match=r"timm:large: timm 1\.0 can't make it \(Unknown model \(large\)\)"):
        load_extractor("timm:large", "cpu")
    settings["crop_mode"] = "border"
    with pytest.raises(
        UserError, match="wants images cropped by 'border', resized by 'bicubic'; known here are center"
    ):
        load_extractor("timm:small", "cpu")
    settings["crop_mode"], settings["hf_hub_id"] = "center", None
    with pytest.raises(UserError, match="timm knows no weights of it on the Hugging Face hub"):
        load_extractor("timm:small", "cpu")


def test_without_timm_it_is_said_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "timm", None)  # importing it fails
    with pytest.raises(
        UserError, match=r"timm can't be used .*; run: pip install timm, with the torchvision that belongs"
    ):
        load_extractor("timm:small", "cpu")
    assert "timm" not in (ROOT / "requirements.txt").read_text(encoding="utf-8")
