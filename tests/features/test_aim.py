"""AIM against its formulas, written out in numpy from the published tensors' names, and every way to be refused."""

import json
import math
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from scipy.special import erf, softmax

import aesthetic_predictor_training
from src.common.errors import UserError
from src.features.extractors import load_extractor
from src.model.config import PredictorConfig
from src.model.file import load_predictor, save_predictor
from src.model.network import Predictor
from src.options.option import TRAIN
from src.scoring.models import load_models
from src.scoring.settings import ScoringSettings
from tests.features.test_extractors import photograph_like
from tests.toys import make_gallery

CONFIG = {
    "img_size": 28,
    "patch_size": 7,
    "embed_dim": 24,
    "num_blocks": 5,
    "num_heads": 3,
    "num_channels": 3,
    "probe_layers": 2,
    "num_classes": 10,
}
SHALLOW = {"num_blocks": 1, "probe_layers": 1}
PUBLISHED = {"600M": (1536, 12, 24), "1B": (2048, 16, 24), "3B": (3072, 24, 24), "7B": (4096, 32, 32)}


def shapes(config: dict) -> dict[str, tuple[int, ...]]:
    """Names and shapes of all tensors, as they are published."""
    d, p = config["embed_dim"], config["patch_size"]
    found = {
        "preprocessor.patchifier.proj.weight": (d, 3, p, p),
        "preprocessor.patchifier.proj.bias": (d,),
        "head.cls_token": (1, 1, d),
        "head.k.weight": (d, d),
        "head.v.weight": (d, d),
        "head.linear.weight": (config["num_classes"], d),
        "head.bn.running_mean": (d,),
        "head.bn.running_var": (d,),
    }
    for i in range(config["num_blocks"]):
        block = f"trunk.blocks.{i}"
        found |= {f"{block}.attn.qkv.weight": (3 * d, d), f"{block}.attn.proj.weight": (d, d)}
        found |= {f"{block}.mlp.fc1.weight": (4 * d, d), f"{block}.mlp.fc2.weight": (d, 4 * d)}
        found |= {f"{block}.{norm}.{part}": (d,) for norm in ("norm_1", "norm_2") for part in ("weight", "bias")}
    for norm in ("preprocessor.patchifier.norm", "trunk.post_trunk_norm"):
        found |= {f"{norm}.{part}": (d,) for part in ("weight", "bias")}
    return found


def published_shapes(size: str) -> dict[str, tuple[int, ...]]:
    """Those that features need of a checkpoint of Apple's."""
    width, _, blocks = PUBLISHED[size]
    found = shapes({**CONFIG, "patch_size": 14, "embed_dim": width, "num_blocks": blocks})
    del found["head.linear.weight"]
    return found


def random_tensors(config: dict, seed: int = 0) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    tensors = {}
    for name, shape in shapes(config).items():
        values = torch.randn(shape, generator=generator)
        if name.endswith("running_var"):
            values = 0.5 + values.abs()
        elif "norm" in name and name.endswith("weight"):
            values = 1 + 0.3 * values
        elif len(shape) > 1 and "cls_token" not in name:
            values /= math.sqrt(math.prod(shape[1:]))
        tensors[name] = values
    tensors["head.bn.num_batches_tracked"] = torch.tensor(100)
    return tensors


def save_aim(folder: Path, tensors: dict[str, torch.Tensor] | None = None, pickled: bool = False, **changes) -> Path:
    """A tiny random checkpoint in the published layout."""
    config = {**CONFIG, **changes}
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    tensors = random_tensors(config) if tensors is None else tensors
    if pickled:
        torch.save(tensors, folder / "pytorch_model.bin")
    else:
        save_file(tensors, folder / "model.safetensors")
    return folder


def by_formula(tensors: dict[str, torch.Tensor], config: dict, prepared: np.ndarray, k: int, norm: str) -> np.ndarray:
    """(D,) of one prepared image (S, S, 3), in float64: El-Nouby et al. (2024), loop by loop."""
    t = {name: value.double().numpy() for name, value in tensors.items()}
    d, p, heads = config["embed_dim"], config["patch_size"], config["num_heads"]
    side = config["img_size"] // p
    pixels = (prepared / 255 - np.array([0.485, 0.456, 0.406])) / np.array([0.229, 0.224, 0.225])

    def layer_norm(x, name):
        centred = x - x.mean(-1, keepdims=True)
        scaled = centred / np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-6)
        return scaled * t[f"{name}.weight"] + t[f"{name}.bias"]

    def attention(q, k, v):
        parts = []
        for head in range(heads):
            own = slice(head * d // heads, (head + 1) * d // heads)
            weights = softmax(q[:, own] @ k[:, own].T / math.sqrt(d // heads), axis=1)
            parts.append(weights @ v[:, own])
        return np.concatenate(parts, axis=1)

    tokens = []
    for row in range(side):
        for column in range(side):
            patch = pixels[row * p : (row + 1) * p, column * p : (column + 1) * p]
            convolved = np.einsum("dcyx,yxc->d", t["preprocessor.patchifier.proj.weight"], patch)
            token = layer_norm(convolved + t["preprocessor.patchifier.proj.bias"], "preprocessor.patchifier.norm")
            waves = [10000 ** (-i / (d / 4)) for i in range(d // 4)]
            place = [f(at * w) for at in (column, row) for f in (math.sin, math.cos) for w in waves]
            tokens.append(token + place)
    x = np.array(tokens)
    features = []
    for i in range(config["num_blocks"]):
        block = f"trunk.blocks.{i}"
        q, key, v = np.split(layer_norm(x, f"{block}.norm_1") @ t[f"{block}.attn.qkv.weight"].T, 3, axis=1)
        x = x + attention(q, key, v) @ t[f"{block}.attn.proj.weight"].T
        inner = layer_norm(x, f"{block}.norm_2") @ t[f"{block}.mlp.fc1.weight"].T
        x = x + (inner * (1 + erf(inner / math.sqrt(2))) / 2) @ t[f"{block}.mlp.fc2.weight"].T
        features.append(x)
    x = layer_norm(features[-1 - k], "trunk.post_trunk_norm")
    mean, variance = t["head.bn.running_mean"], t["head.bn.running_var"]
    if norm == "batch":
        mean, variance = x.mean(0), x.var(0)
    x = (x - mean) / np.sqrt(variance + 1e-6)
    return attention(t["head.cls_token"][0], x @ t["head.k.weight"].T, x @ t["head.v.weight"].T)[0]


@pytest.mark.parametrize("norm", ["eval", "batch"])
@pytest.mark.parametrize("pickled", [False, True])
def test_every_hidden_state_is_what_the_formulas_say(tmp_path, norm, pickled):
    folder = save_aim(tmp_path / "aim", pickled=pickled)
    extractor = load_extractor(str(folder), "cpu", aim_batch_norm=norm)
    prepared = [extractor.prepare(photograph_like(seed, (90 + 40 * seed, 70))) for seed in range(3)]
    features, tensors = extractor(prepared, range(5)), random_tensors(CONFIG)
    assert extractor.n_hidden_states == 5
    for k in range(5):
        expected = np.array([by_formula(tensors, CONFIG, image, k, norm) for image in prepared])
        assert (features[k].shape, features[k].dtype) == ((3, 24), np.float32)
        np.testing.assert_allclose(features[k], expected, rtol=2e-6, atol=2e-6)


def test_an_image_by_its_own_statistics_has_the_same_features_in_any_batch(tmp_path):
    extractor = load_extractor(str(save_aim(tmp_path / "aim")), "cpu", aim_batch_norm="batch")
    prepared = [extractor.prepare(photograph_like(seed)) for seed in range(4)]
    together = extractor(prepared, [0, 3])
    for i in range(4):
        alone = extractor(prepared[i : i + 1], [0, 3])
        for k in (0, 3):
            np.testing.assert_allclose(alone[k][0], together[k][i], rtol=2e-6, atol=2e-6)


def test_states_may_be_asked_for_in_any_order_and_alone(tmp_path):
    extractor = load_extractor(str(save_aim(tmp_path / "aim")), "cpu")
    prepared = [extractor.prepare(photograph_like(0))]
    everything = extractor(prepared, range(5))
    for asked in ([4], [1, 4], [3, 0]):
        found = extractor(prepared, asked)
        assert sorted(found) == sorted(asked)
        for k in asked:
            np.testing.assert_array_equal(found[k], everything[k])
    with pytest.raises(UserError, match="hidden state 5 does not exist"):
        extractor(prepared, [5])


@pytest.mark.parametrize(
    ("probed", "states"), [(1, (0,)), (3, (2, 1, 0)), ([4, 2], (0, 2)), ([0], (4,)), (5, (4, 3, 2, 1, 0))]
)
def test_the_probed_blocks_are_the_default_states_averaged(tmp_path, probed, states):
    extractor = load_extractor(str(save_aim(tmp_path / "aim", probe_layers=probed)), "cpu")
    assert extractor.default_hidden_states == states
    assert extractor.default_hidden_states_mode == "average"


@pytest.mark.parametrize("probed", [0, 6, [5], [-1], [], None, "6", [1.5], True])
def test_blocks_that_there_are_not_cannot_be_probed(tmp_path, probed):
    folder = save_aim(tmp_path / "aim", probe_layers=probed)
    with pytest.raises(UserError, match=r"probe_layers=.*; it should be a number of blocks or a list of blocks, of"):
        load_extractor(str(folder), "cpu")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"num_heads": 5}, "embed_dim=24; it should be a multiple of 4 and of num_heads=5"),
        ({"embed_dim": 30}, "embed_dim=30; it should be a multiple of 4 and of num_heads=3"),
        ({"num_blocks": 0}, "num_blocks=0; it should be a whole number from 1"),
        ({"img_size": [28, 28]}, r"img_size=\[28, 28\]; it should be a whole number from 1"),
        ({"img_size": 5}, "img_size=5; it should be patch_size=7 at least"),
        ({"num_channels": 1}, "num_channels=1; images have 3"),
    ],
)
def test_a_config_that_describes_no_network_is_refused(tmp_path, changes, message):
    folder = save_aim(tmp_path / "aim")
    (folder / "config.json").write_text(json.dumps({**CONFIG, **changes}), encoding="utf-8")
    with pytest.raises(UserError, match=rf"aim: its config\.json says {message}"):
        load_extractor(str(folder), "cpu")


def call(folder: Path) -> dict[int, np.ndarray]:
    extractor = load_extractor(str(folder), "cpu")
    return extractor([extractor.prepare(photograph_like(0, (60, 40)))], [0])


def test_what_features_do_not_need_may_be_there_or_not(tmp_path):
    tensors = random_tensors(CONFIG)
    expected = call(save_aim(tmp_path / "as published", tensors))[0]
    more = {**tensors, "head.linear.bias": torch.zeros(10)}
    np.testing.assert_array_equal(call(save_aim(tmp_path / "more", more))[0], expected)
    less = {name: t for name, t in tensors.items() if not name.startswith(("head.linear", "head.bn.num"))}
    np.testing.assert_array_equal(call(save_aim(tmp_path / "less", less))[0], expected)


@pytest.mark.parametrize("name", sorted({*shapes({**CONFIG, **SHALLOW})} - {"head.linear.weight"}))
def test_every_tensor_that_features_need_must_be_there(tmp_path, name):
    tensors = random_tensors({**CONFIG, **SHALLOW})
    del tensors[name]
    with pytest.raises(UserError, match=rf"aim: its weights lack {name}; by its config\.json, AIM needs them"):
        call(save_aim(tmp_path / "aim", tensors, **SHALLOW))


def test_weights_of_another_network_are_refused(tmp_path):
    tensors = random_tensors(CONFIG)
    bias = {"trunk.blocks.0.attn.proj.bias": torch.zeros(24)}
    with pytest.raises(UserError, match=r"its weights hold trunk\.blocks\.0\.attn\.proj\.bias, which AIM has not"):
        call(save_aim(tmp_path / "biased", {**tensors, **bias}))
    with pytest.raises(UserError, match=r"weights hold trunk\.blocks\.3\.attn.* and 13 more, which AIM has not by"):
        call(save_aim(tmp_path / "deeper", tensors, num_blocks=3, probe_layers=1))
    wide = {"trunk.blocks.1.mlp.fc1.weight": torch.zeros(48, 24)}
    message = r"its trunk\.blocks\.1\.mlp\.fc1\.weight is float32 \(48, 24\); .* a float of \(96, 24\)"
    with pytest.raises(UserError, match=message):
        call(save_aim(tmp_path / "narrower", {**tensors, **wide}))
    whole = {"head.k.weight": torch.zeros(24, 24, dtype=torch.int8)}
    with pytest.raises(UserError, match=r"its head\.k\.weight is int8 \(24, 24\)"):
        call(save_aim(tmp_path / "quantised", {**tensors, **whole}))


def test_damaged_weights_and_pickles_that_run_code_are_a_plain_sentence(tmp_path):
    folder = save_aim(tmp_path / "aim")
    (folder / "model.safetensors").write_bytes(b"nonsense" * 100)
    with pytest.raises(UserError, match=r"aim: its weights can't be loaded \(.+\); fetch the checkpoint again"):
        call(folder)
    (folder / "model.safetensors").unlink()
    torch.save({"head.cls_token": Path("a")}, folder / "pytorch_model.bin")
    with pytest.raises(UserError, match=r"its weights can't be loaded \(.+\); fetch the checkpoint again"):
        call(folder)
    torch.save([1, 2], folder / "pytorch_model.bin")
    with pytest.raises(UserError, match="holds no tensors by name"):
        call(folder)


def test_safetensors_go_before_a_pickle(tmp_path):
    save_aim(tmp_path / "aim", random_tensors(CONFIG, seed=1), pickled=True)
    expected = call(save_aim(tmp_path / "alone"))[0]
    np.testing.assert_array_equal(call(save_aim(tmp_path / "aim"))[0], expected)


def test_an_fp16_checkpoint_keeps_its_values_and_is_computed_in_fp32_on_a_cpu(tmp_path):
    half = {name: t.half() if t.is_floating_point() else t for name, t in random_tensors(CONFIG).items()}
    extractor = load_extractor(str(save_aim(tmp_path / "half", half)), "cpu")
    prepared = [extractor.prepare(photograph_like(0))]
    expected = by_formula(half, CONFIG, prepared[0], 1, "eval")
    np.testing.assert_allclose(extractor(prepared, [1])[1][0], expected, rtol=2e-6, atol=2e-6)


def test_fp16_rounds_the_weights_but_not_the_running_statistics(tmp_path):
    tensors = random_tensors(CONFIG)
    tensors["head.bn.running_var"] += 1e6  # more than float16 can hold
    rounded = {name: t.half() if "running" not in name else t for name, t in tensors.items()}
    extractor = load_extractor(str(save_aim(tmp_path / "aim", tensors)), "cpu", fp16=True)
    prepared = [extractor.prepare(photograph_like(0))]
    expected = by_formula(rounded, CONFIG, prepared[0], 0, "eval")
    np.testing.assert_allclose(extractor(prepared, [0])[0][0], expected, rtol=2e-6, atol=2e-6)


@pytest.mark.parametrize("size", [(90, 60), (60, 91), (32, 32), (40, 400), (20, 20)])
def test_preprocessing_is_short_side_bicubic_then_the_centre(tmp_path, size):
    """Of 28 pixels: short side to 32 (as 256 for 224), the middle 28."""
    extractor = load_extractor(str(save_aim(tmp_path / "aim")), "cpu")
    image = photograph_like(1, size)
    width, height = (32, 32 * size[1] // size[0]) if size[0] <= size[1] else (32 * size[0] // size[1], 32)
    resized = np.asarray(image.resize((width, height), Image.Resampling.BICUBIC))
    left, top = round((width - 28) / 2), round((height - 28) / 2)
    prepared = extractor.prepare(image)
    np.testing.assert_array_equal(prepared, resized[top : top + 28, left : left + 28])
    assert prepared.dtype == np.uint8


def test_the_published_sizes_are_built_without_memory_and_take_224_pixels_of_256(tmp_path):
    from src.features.extractors.aim_config import AimShape
    from src.features.extractors.aim_network import Aim

    for size, (width, heads, blocks) in PUBLISHED.items():
        with torch.device("meta"):
            network = Aim(AimShape(224, 14, width, blocks, heads), "eval")
        assert {name: tuple(t.shape) for name, t in network.state_dict().items()} == published_shapes(size)
        assert all(t.is_meta for t in network.state_dict().values())
    folder = save_aim(tmp_path / "aim", {}, img_size=224, patch_size=14)
    extractor = load_extractor(str(folder), "cpu")
    assert extractor.prepare(photograph_like(0, (1000, 600))).shape == (224, 224, 3)
    assert "short side 256 bicubic, centre 224" in extractor.identity


def test_an_identity_says_weights_norm_and_format_but_not_what_is_probed(tmp_path):
    folder = save_aim(tmp_path / "aim")
    identity = load_extractor(str(folder), "cpu").identity
    shutil.copytree(folder, tmp_path / "copy")
    assert load_extractor(str(tmp_path / "copy"), "cpu").identity == identity
    assert load_extractor(str(save_aim(tmp_path / "probed", probe_layers=[1])), "cpu").identity == identity
    other = [
        load_extractor(str(folder), "cpu", aim_batch_norm="batch").identity,
        load_extractor(str(folder), "cpu", fp16=True).identity,
        load_extractor(str(save_aim(tmp_path / "seed", random_tensors(CONFIG, 1))), "cpu").identity,
        load_extractor(str(save_aim(tmp_path / "heads", num_heads=2)), "cpu").identity,
    ]
    assert len({identity, *other}) == 5


@pytest.mark.script
def test_training_with_aim_writes_down_by_whose_statistics_and_scoring_does_the_same(tmp_path, monkeypatch):
    """The script's own main, with the checkpoint's default states; then the features that its model is given."""
    folder, paths = save_aim(tmp_path / "aim"), make_gallery(tmp_path / "photos", 12)
    scores = ["relative_path,score", *(f"{path},{i}" for i, path in enumerate(paths))]
    (tmp_path / "photos" / "scores.csv").write_text("\n".join(scores), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    words = f"--feature_extractor={folder} -d photos --trials=1 --database= --max_train_epochs=5"
    words += " --max_first_layer_size=20 --max_second_layer_size=20 --min_batch_size=10"
    models = []
    for norm in ("eval", "batch"):
        words += f" --model={norm}.safetensors --aim_batch_norm={norm}"
        monkeypatch.setattr(sys, "argv", [TRAIN, *words.split()])
        with pytest.raises(SystemExit) as end:
            aesthetic_predictor_training.main()
        assert end.value.code == 0
        models.append(tmp_path / "photos" / f"{norm}.safetensors")
    loaded = load_models(models, ScoringSettings(device="cpu"))
    for model, norm in zip(loaded, ("eval", "batch"), strict=True):
        config = model.config
        assert (config.hidden_states_used, config.hidden_states_mode) == ((1, 0), "average")
        assert (config.widths, config.aim_batch_norm) == ((24, 24), norm)
        prepared = [model.extractor.prepare(photograph_like(0))]
        expected = by_formula(random_tensors(CONFIG), CONFIG, prepared[0], 0, norm)
        np.testing.assert_allclose(model.extractor(prepared, [0])[0][0], expected, rtol=2e-6, atol=2e-6)


def test_a_model_file_from_before_there_was_a_choice_means_eval(tmp_path):
    path = tmp_path / "model.safetensors"
    save_predictor(path, Predictor(PredictorConfig("toy", (0,), "join", (3,), (2, 2), aim_batch_norm="batch")), {})
    with safe_open(path, "pt") as file:
        metadata = file.metadata()
    del metadata["aim_batch_norm"]
    save_file(load_file(path), path, metadata=metadata)
    assert load_predictor(path)[0].config.aim_batch_norm == "eval"
