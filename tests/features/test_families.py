"""Each family of image models against its own network with the last layers taken off, and all its traps."""

import copy
import json
import re
import shutil
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
import torch
import transformers
from PIL import Image
from safetensors.torch import load, load_file, save_file

from src.common.errors import UserError
from src.features.extractors import FAMILIES, load_extractor
from tests import ROOT
from tests.features.test_extractors import TEXT, VISION, photograph_like

NAFLEX = {key: value for key, value in VISION.items() if key != "image_size"} | {"num_patches": 16}
STAGES = {"depths": [1, 1, 2, 1], "hidden_sizes": [8, 16, 24, 32], "image_size": 64}
SQUARE = {"size": {"height": 32, "width": 32}}
CROPPED = {"size": {"shortest_edge": 36}, "crop_size": {"height": 32, "width": 32}}
DINOV3 = {
    "image_processor_type": "DINOv3ViTImageProcessorFast",
    "do_rescale": True,
    "do_resize": True,
    "do_normalize": True,
    "resample": 2,
    "rescale_factor": 1 / 255,
    "size": {"height": 32, "width": 32},
    "image_mean": [0.485, 0.456, 0.406],
    "image_std": [0.229, 0.224, 0.225],
}


def both(name, vision=VISION, **more):
    """A model of images and text."""
    config = getattr(transformers, f"{name}Config")(text_config=TEXT, vision_config=vision, **more)
    return getattr(transformers, f"{name}Model")(config)


def single(name, model="Model", vision=VISION, **more):
    """A model of images."""
    kind = f"{name}Vision" if model.startswith("Vision") else name
    return getattr(transformers, name + model)(getattr(transformers, f"{kind}Config")(**{**vision, **more}))


# What is built, the image processor beside it, and a tensor's name in the layout in which such models are published.
VARIANTS = {
    "CLIP": (lambda: both("CLIP", projection_dim=16), "CLIP", "vision_model.encoder.layers.0.mlp.fc1.weight"),
    "CLIP, projection": (
        lambda: single("CLIP", "VisionModelWithProjection", projection_dim=16),
        "CLIP",
        "visual_projection.weight",
    ),
    "CLIP, no projection": (lambda: single("CLIP", "VisionModel"), "CLIP", "encoder.layers.0.mlp.fc1.weight"),
    "MetaCLIP 2": (lambda: both("MetaClip2", projection_dim=16), "CLIP", "vision_model.post_layernorm.weight"),
    "MetaCLIP 2, projection": (
        lambda: single("MetaClip2", "VisionModelWithProjection", projection_dim=16),
        "CLIP",
        "vision_model.post_layernorm.weight",
    ),
    "SigLIP": (lambda: both("Siglip"), "Siglip", "vision_model.head.probe"),
    "SigLIP, images only": (lambda: single("Siglip", "VisionModel"), "Siglip", "head.probe"),
    "NaFlex": (lambda: both("Siglip2", NAFLEX), "Siglip2", "vision_model.head.probe"),
    "NaFlex, images only": (lambda: single("Siglip2", "VisionModel", NAFLEX), "Siglip2", "head.probe"),
    "ViT": (lambda: single("ViT"), "ViT", "encoder.layer.0.attention.attention.query.weight"),
    "ViT, classes": (lambda: single("ViT", "ForImageClassification"), "ViT", "vit.layernorm.weight"),
    "DINOv2": (lambda: single("Dinov2", image_size=48), "Bit", "encoder.layer.0.attention.attention.query.weight"),
    "DINOv2, classes": (lambda: single("Dinov2", "ForImageClassification"), "Bit", "dinov2.layernorm.weight"),
    "DINOv2, registers": (lambda: single("Dinov2WithRegisters"), "Bit", "embeddings.register_tokens"),
    "DINOv3": (lambda: single("DINOv3ViT"), DINOV3, "layer.0.attention.q_proj.weight"),
    "AIMv2": (lambda: single("Aimv2Vision"), "CLIP", "head.k_proj.weight"),
    "AIMv2, no head": (lambda: single("Aimv2Vision", use_head=False), "CLIP", "rms_norm.weight"),
    "AIMv2 and text": (lambda: both("Aimv2", projection_dim=16), "CLIP", "vision_model.rms_norm.weight"),
    "ConvNeXt": (lambda: single("ConvNext", vision=STAGES), "ConvNext", "encoder.stages.0.layers.0.dwconv.weight"),
    "ConvNeXt, classes": (
        lambda: single("ConvNext", "ForImageClassification", STAGES),
        "ConvNext",
        "convnext.layernorm.weight",
    ),
    "ConvNeXt V2": (lambda: single("ConvNextV2", vision=STAGES), "ConvNext", "layernorm.weight"),
    "DINOv3 ConvNeXt": (lambda: single("DINOv3ConvNext", vision=STAGES), DINOV3, "stages.0.layers.0.gamma"),
}
SETTINGS = {
    "CLIP": CROPPED,
    "Siglip": SQUARE,
    "ViT": SQUARE,
    "Bit": CROPPED,
    "Siglip2": {"patch_size": 8, "max_num_patches": 20},
    "ConvNext": {"size": {"shortest_edge": 64}},
}


def build(folder: Path, variant: str, dtype: torch.dtype = torch.float32) -> tuple[Path, torch.nn.Module]:
    """A tiny random checkpoint on disk, and the network itself, which never was there and is to stay as it is."""
    files, model = made(variant, dtype)
    folder.mkdir()
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return folder, model


@cache  # several tests want the same one
def made(variant: str, dtype: torch.dtype) -> tuple[dict[str, bytes], torch.nn.Module]:
    """{name: content} of a checkpoint's files, and its network."""
    make, processor, published = VARIANTS[variant]
    torch.manual_seed(0)
    model = make().eval()
    for parameter in model.parameters():  # fresh ones are so small that all images would look alike
        parameter.data += 0.2 * torch.randn_like(parameter)
        parameter.data = parameter.data.to(dtype).float()
    with TemporaryDirectory() as folder:
        # A copy, as a round trip would also round what is no weight.
        (model if dtype == torch.float32 else copy.deepcopy(model).to(dtype)).save_pretrained(folder)
        if isinstance(processor, str):
            getattr(transformers, f"{processor}ImageProcessorPil")(**SETTINGS[processor]).save_pretrained(folder)
        files = {path.name: path.read_bytes() for path in Path(folder).iterdir()}
    if isinstance(processor, dict):
        files["preprocessor_config.json"] = json.dumps(processor).encode()
    assert published in load(files["model.safetensors"])
    return files, model


def tower_of(model: torch.nn.Module) -> torch.nn.Module:
    for name in ("vision_model", "vit", "dinov2", "convnext"):
        model = getattr(model, name, model)
    return model


def by_truncation(model: torch.nn.Module, inputs: dict[str, torch.Tensor], k: int) -> np.ndarray:
    """State k of a transformer: what the network gives if its last k layers are taken off."""
    tower = tower_of(model)
    where = tower if hasattr(tower, "layers") else getattr(tower, "encoder", getattr(tower, "model", None))
    name = "layers" if hasattr(where, "layers") else "layer"
    layers = getattr(where, name)
    setattr(where, name, layers[: len(layers) - k])
    try:
        with torch.inference_mode():
            out = tower(**inputs)
            if type(tower).__name__ == "ViTModel" or "Dino" in type(tower).__name__:
                return out.last_hidden_state[:, 0].numpy()
            if out.pooler_output is None:
                return out.last_hidden_state.mean(1).numpy()
            projects = hasattr(model, "visual_projection") and "Aimv2" not in type(model).__name__
            return (model.visual_projection(out.pooler_output) if projects else out.pooler_output).numpy()
    finally:
        setattr(where, name, layers)


def by_stages(model: torch.nn.Module, pixels: torch.Tensor, k: int) -> np.ndarray:
    """State k of a ConvNeXt, its stages called one by one."""
    tower = tower_of(model)
    with torch.inference_mode():
        states = [tower.embeddings(pixels) if hasattr(tower, "embeddings") else pixels]
        for stage in (tower.encoder if hasattr(tower, "encoder") else tower.model).stages:
            states.append(stage(states[-1]))
        pooled = states[-1 - k].mean((2, 3))
        norm = tower.layernorm if hasattr(tower, "layernorm") else tower.layer_norm
        return (norm(pooled) if k == 0 else pooled).numpy()


def inputs_of(folder: Path, variant: str, prepared: list[np.ndarray], images: list[Image.Image]) -> dict:
    if not variant.startswith("NaFlex"):
        return {"pixel_values": torch.from_numpy(np.stack(prepared))}
    return dict(transformers.Siglip2ImageProcessorPil.from_pretrained(folder)(images, return_tensors="pt"))


@pytest.mark.parametrize("variant", VARIANTS)
def test_hidden_states_are_what_the_network_gives_without_its_last_layers(tmp_path, variant):
    folder, model = build(tmp_path / "it", variant)
    extractor = load_extractor(str(folder), "cpu")
    images = [photograph_like(seed, (60 + 40 * seed, 50)) for seed in range(3)]
    prepared = [extractor.prepare(image) for image in images]
    last = extractor.n_hidden_states - 1
    features = extractor(prepared, range(last + 1))
    for k in (0, 1, last):
        if "ConvNeXt" in variant:
            expected = by_stages(model, torch.from_numpy(np.stack(prepared)), k)
        else:
            expected = by_truncation(model, inputs_of(folder, variant, prepared, images), k)
        scale = max(1.0, np.abs(expected).max())
        np.testing.assert_allclose(features[k], expected, rtol=0, atol=2e-6 * scale, err_msg=f"state {k}")
        if k < last:  # the images do differ; only before the first layer all class tokens are alike
            assert np.abs(expected[0] - expected[1]).max() > 1e-3
    assert last == (4 if "ConvNeXt" in variant else 3)
    assert not [name for name, _ in extractor._network.named_parameters() if "text" in name or "logit" in name]
    assert type(extractor._processor).__name__.endswith(("Pil", "Dinov3Processor"))


@pytest.mark.parametrize("variant", ["NaFlex", "AIMv2", "ConvNeXt", "SigLIP", "DINOv3"])
def test_a_half_precision_checkpoint_is_computed_with_in_full_on_the_cpu(tmp_path, variant):
    folder, model = build(tmp_path / "it", variant, torch.float16)
    extractor = load_extractor(str(folder), "cpu")
    images = [photograph_like(seed, (90, 50)) for seed in range(2)]
    prepared = [extractor.prepare(image) for image in images]
    if variant == "ConvNeXt":
        expected = by_stages(model, torch.from_numpy(np.stack(prepared)), 0)
    else:
        expected = by_truncation(model, inputs_of(folder, variant, prepared, images), 0)
    found = extractor(prepared, [0])[0]
    np.testing.assert_allclose(found, expected, rtol=0, atol=2e-6 * max(1.0, np.abs(expected).max()))
    network, _ = extractor._read_weights()
    assert network.dtype == torch.float16


def test_every_model_type_of_the_table_is_tested_here():
    assert {made(variant, torch.float32)[1].config.model_type for variant in VARIANTS} == set(FAMILIES)


def test_the_docs_name_every_model_type_and_no_other():
    text = (ROOT / "docs" / "extractors.md").read_text(encoding="utf-8")
    cells = [line.split("|")[2] for line in text.splitlines() if line.startswith("| ") and line.count("|") == 4]
    assert {name for cell in cells[1:] for name in re.findall(r"`(\w+)`", cell)} == set(FAMILIES)


def test_prepared_images_are_the_same_to_the_pixel_each_time(tmp_path):
    for number, variant in enumerate(("CLIP", "NaFlex", "DINOv2", "DINOv3", "ConvNeXt")):
        extractor = load_extractor(str(build(tmp_path / str(number), variant)[0]), "cpu")
        image = photograph_like(1, (111, 77))
        first = extractor.prepare(image)
        assert first.dtype == np.float32
        np.testing.assert_array_equal(first, extractor.prepare(image.copy()))


# ---- projections ----


def test_automodel_would_drop_the_projection_silently(tmp_path):
    """The trap itself, so that it is known when transformers mends it; the extractor does not fall into it."""
    folder, _ = build(tmp_path / "it", "CLIP, projection")
    network, report = transformers.AutoModel.from_pretrained(folder, output_loading_info=True)
    assert not hasattr(network, "visual_projection")
    assert not report["missing_keys"]
    extractor = load_extractor(str(folder), "cpu")
    assert extractor([extractor.prepare(photograph_like(0))], [0])[0].shape == (1, 16)
    bare = load_extractor(str(build(tmp_path / "bare", "CLIP, no projection")[0]), "cpu")
    assert bare([bare.prepare(photograph_like(0))], [0])[0].shape == (1, 32)
    assert json.loads(extractor.identity)["family"] != json.loads(bare.identity)["family"]


def test_a_projection_is_used_wherever_the_weights_have_one(tmp_path):
    folder, model = build(tmp_path / "it", "CLIP, projection")
    path = folder / "config.json"
    path.write_text(path.read_text(encoding="utf-8").replace("VisionModelWithProjection", "VisionModel"), "utf-8")
    extractor = load_extractor(str(folder), "cpu")
    prepared = [extractor.prepare(photograph_like(0))]
    expected = by_truncation(model, {"pixel_values": torch.from_numpy(prepared[0][None])}, 1)
    np.testing.assert_allclose(extractor(prepared, [1])[1], expected, rtol=0, atol=2e-6)


@pytest.mark.parametrize("variant", ["CLIP", "CLIP, projection", "MetaCLIP 2"])
def test_a_projection_that_is_missing_is_refused_not_made_up(tmp_path, variant):
    folder, _ = build(tmp_path / "it", variant)
    weights = load_file(folder / "model.safetensors")
    del weights["visual_projection.weight"]
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    extractor = load_extractor(str(folder), "cpu")
    with pytest.raises(UserError, match=r"its weights lack visual_projection\.weight, so that it would get random"):
        extractor([extractor.prepare(photograph_like(0))], [0])


@pytest.mark.parametrize("variant", ["SigLIP", "DINOv2", "AIMv2 and text", "DINOv3 ConvNeXt"])
def test_weights_that_are_missing_are_refused_but_not_those_of_pretraining(tmp_path, variant):
    folder, _ = build(tmp_path / "it", variant)
    whole = load_file(folder / "model.safetensors")
    unused = {name for name in whole if name.endswith("mask_token")}
    assert bool(unused) == (variant == "DINOv2")
    save_file({n: t for n, t in whole.items() if n not in unused}, folder / "model.safetensors", {"format": "pt"})
    extractor = load_extractor(str(folder), "cpu")
    prepared = [extractor.prepare(photograph_like(0))]
    extractor(prepared, [0])
    lost = next(name for name in sorted(whole, reverse=True) if "norm" in name and "text" not in name)
    save_file({n: t for n, t in whole.items() if n != lost}, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(UserError, match=r"its weights lack .*; fetch the whole checkpoint again"):
        load_extractor(str(folder), "cpu")(prepared, [0])


# ---- what can't be had ----


def test_models_without_what_features_are_made_of_are_refused_in_a_sentence(tmp_path):
    folder, _ = build(tmp_path / "siglip", "SigLIP, images only")
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    (folder / "config.json").write_text(json.dumps({**config, "vision_use_head": False}), encoding="utf-8")
    with pytest.raises(UserError, match="has no pooling head"):
        load_extractor(str(folder), "cpu")
    folder, _ = build(tmp_path / "aimv2", "AIMv2")
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    (folder / "config.json").write_text(json.dumps({**config, "model_type": "aimv2"}), encoding="utf-8")
    with pytest.raises(UserError, match="in the layout of Apple's own code, which transformers does not read"):
        load_extractor(str(folder), "cpu")
    with pytest.raises(UserError, match=r"hidden state 9 does not exist; .* has hidden states 0 .* to 3"):
        load_extractor(str(build(tmp_path / "vit", "ViT")[0]), "cpu").check_hidden_states([9])


def test_a_nonsensical_configuration_is_refused_in_a_sentence(tmp_path):
    folder, _ = build(tmp_path / "it", "DINOv2")
    (folder / "config.json").write_text('{"model_type": "dinov2", "hidden_size": "wide"}', encoding="utf-8")
    with pytest.raises(UserError, match=r"it: its config\.json is not understood"):
        load_extractor(str(folder), "cpu")


def test_an_image_processor_that_needs_torchvision_is_refused(tmp_path):
    folder, _ = build(tmp_path / "it", "ViT")
    # transformers has no Pillow form of this one
    (folder / "preprocessor_config.json").write_text('{"image_processor_type": "CHMv2ImageProcessor"}', "utf-8")
    with pytest.raises(UserError, match="names CHMv2ImageProcessor, which needs torchvision"):
        load_extractor(str(folder), "cpu")


# ---- image processors ----


def test_dinov3s_preprocessing_is_antialiased_resizing_of_floats(tmp_path):
    """Pillow resizes float images with the same filter as torch: an implementation by somebody else."""
    extractor = load_extractor(str(build(tmp_path / "it", "DINOv3")[0]), "cpu")
    image = photograph_like(3, (120, 75))
    channels = np.asarray(image, dtype=np.float32).transpose(2, 0, 1) / 255
    resized = [Image.fromarray(c).resize((32, 32), Image.Resampling.BILINEAR) for c in channels]
    mean, deviation = (np.reshape(DINOV3[key], (3, 1, 1)) for key in ("image_mean", "image_std"))
    expected = (np.stack([np.asarray(c) for c in resized]) - mean) / deviation
    np.testing.assert_allclose(extractor.prepare(image), expected, atol=1e-5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"size": {"shortest_edge": 32}}, "it has a size of height and width"),
        ({"resample": 1}, "resample 2 or 3"),
        ({"do_center_crop": True}, "no crop"),
        ({"do_rescale": False}, "leaves out a step"),
    ],
)
def test_dinov3_preprocessing_that_is_not_known_is_refused(tmp_path, change, message):
    folder, _ = build(tmp_path / "it", "DINOv3")
    (folder / "preprocessor_config.json").write_text(json.dumps({**DINOV3, **change}), encoding="utf-8")
    with pytest.raises(UserError, match=message):
        load_extractor(str(folder), "cpu")


def test_the_processors_settings_are_part_of_the_identity(tmp_path):
    for number, variant in enumerate(("DINOv3", "NaFlex", "SigLIP")):
        folder, _ = build(tmp_path / str(number), variant)
        identity = load_extractor(str(folder), "cpu").identity
        path = folder / "preprocessor_config.json"
        settings = json.loads(path.read_text(encoding="utf-8"))
        path.write_text(json.dumps({**settings, "image_mean": [0.5, 0.5, 0.4]}), encoding="utf-8")
        assert load_extractor(str(folder), "cpu").identity != identity


def test_an_image_processor_inside_processor_config_is_found(tmp_path):
    folder, _ = build(tmp_path / "it", "SigLIP")
    path = folder / "preprocessor_config.json"
    image = photograph_like(0)
    expected = load_extractor(str(folder), "cpu").prepare(image)
    settings = json.loads(path.read_text(encoding="utf-8"))
    (folder / "processor_config.json").write_text(json.dumps({"image_processor": settings}), encoding="utf-8")
    path.unlink()
    np.testing.assert_array_equal(load_extractor(str(folder), "cpu").prepare(image), expected)


# ---- batches of several shapes ----


def test_naflex_images_do_not_depend_on_the_longer_ones_beside_them(tmp_path):
    extractor = load_extractor(str(build(tmp_path / "it", "NaFlex")[0]), "cpu")
    prepared = [extractor.prepare(photograph_like(seed, size)) for seed, size in enumerate([(90, 30), (64, 64)])]
    assert prepared[0].shape[0] < prepared[0].shape[1]
    assert prepared[0].shape[:2] != prepared[1].shape[:2]
    together = extractor(prepared, [0, 2])
    for row, one in enumerate(prepared):
        for k in (0, 2):
            np.testing.assert_allclose(extractor([one], [k])[k][0], together[k][row], rtol=0, atol=5e-6)


def test_images_of_several_shapes_go_through_one_after_the_other_and_keep_their_rows(tmp_path):
    folder, _ = build(tmp_path / "it", "DINOv2")
    settings = {"size": {"shortest_edge": 32}, "do_center_crop": False}
    transformers.BitImageProcessorPil(**settings).save_pretrained(folder)
    extractor = load_extractor(str(folder), "cpu")
    sizes = [(40, 40), (80, 40), (41, 41), (40, 80)]
    prepared = [extractor.prepare(photograph_like(seed, size)) for seed, size in enumerate(sizes)]
    together = extractor(prepared, [0, 1])
    for row, one in enumerate(prepared):
        np.testing.assert_allclose(extractor([one], [1])[1][0], together[1][row], rtol=0, atol=2e-6)


def test_sharded_checkpoints_of_images_and_text_are_read(tmp_path):
    folder, model = build(tmp_path / "it", "SigLIP")
    shutil.move(folder / "model.safetensors", tmp_path)
    model.save_pretrained(folder, max_shard_size="60KB")
    assert (folder / "model.safetensors.index.json").is_file()
    extractor = load_extractor(str(folder), "cpu")
    prepared = [extractor.prepare(photograph_like(0))]
    expected = by_truncation(model, {"pixel_values": torch.from_numpy(prepared[0][None])}, 2)
    np.testing.assert_allclose(extractor(prepared, [2])[2], expected, rtol=0, atol=2e-6 * np.abs(expected).max())
