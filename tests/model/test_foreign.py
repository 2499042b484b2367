"""Other people's predictors: the predecessor's files in both directions, LAION's heads, plain linear heads."""

import csv
import itertools
import json
import pickle
import sys

import pytest
import torch
import transformers
from PIL import Image
from safetensors.torch import load_file, save_file
from torch import nn

import aesthetic_score_from_model as script
from src.common.errors import UserError
from src.model.config import PredictorConfig
from src.model.file import load_predictor, save_converted, save_predictor
from src.model.foreign import Unsaid
from src.model.network import Predictor

LAION = (768, 1024, 128, 64, 16, 1)
INPUTS = torch.randn(5, 6, generator=torch.Generator().manual_seed(3))


def numbers(text):
    """Whole numbers as the predecessor reads them: "[606, 491]" or "606,491"."""
    text = text[1:-1] if text.startswith("[") else text
    return [int(part) for part in text.split(",") if part]


class Predecessor(nn.Module):
    """The predecessor's AestheticPredictor as far as its files go, written anew: it takes sizes from the metadata (a
    key "dropouts" as whole numbers), builds main_process of Dropout, Linear, ReLU..., and loads strictly."""

    def __init__(self, path):
        super().__init__()
        header = path.read_bytes()
        size = int.from_bytes(header[:8], "little")
        metadata = json.loads(header[8 : 8 + size])["__metadata__"]
        numbers(metadata.get("dropouts", "[]"))
        self.states, self.mode = numbers(metadata["hidden_states_used"]), metadata["hidden_states_mode"]
        # from_pretrained compares this text with that of its extractor, and refuses "[0, 2]".
        assert metadata["hidden_states_used"] == ",".join(map(str, self.states))
        self.extractor, self.mean = metadata["feature_extractor_model"], float(metadata["mean_predicted_score"])
        self.deviation, self.images = float(metadata["stdev_predicted_score"]), int(metadata["n_images"])
        sizes = [int(metadata["number_of_features"]), *numbers(metadata["layers"])]
        channels, bias = int(metadata["output_channels"]), metadata["final_layer_bias"] == "True"
        self.main_process = nn.Sequential()
        for size, following in itertools.pairwise(sizes):
            self.main_process.extend([nn.Dropout(0), nn.Linear(size, following), nn.ReLU()])
        self.main_process.extend([nn.Dropout(0), nn.Linear(sizes[-1], channels, bias=bias)])
        self.load_state_dict(load_file(path))
        self.eval()


@pytest.mark.parametrize("mode", ["join", "average"])
@pytest.mark.parametrize("channels", [1, 2])
def test_the_predecessor_loads_our_plain_heads_and_gives_the_same(tmp_path, mode, channels):
    config = PredictorConfig(
        "m", (0, 2), mode, (6, 6) if mode == "average" else (3, 3), (5, 4), (0.1, 0.2, 0.0), channels
    )
    ours = Predictor(config).eval()
    about = {"n_images": 9, "mean_predicted_score": 1.5, "stdev_predicted_score": 0.5}
    save_predictor(tmp_path / "m.safetensors", ours, about)
    theirs = Predecessor(tmp_path / "m.safetensors")
    assert (theirs.states, theirs.mode, theirs.extractor) == ([0, 2], mode, "m")
    assert (theirs.images, theirs.mean, theirs.deviation) == (9, 1.5, 0.5)
    with torch.no_grad():
        assert torch.equal(theirs.main_process(INPUTS), ours(INPUTS))


def test_a_trained_models_file_has_all_that_the_predecessor_asks_for(tmp_path):
    from tests.search.test_search import run

    _, best, _ = run(tmp_path, "--trials=1")
    theirs, (ours, _) = Predecessor(best.path), load_predictor(best.path)
    with torch.no_grad():
        assert theirs.main_process(best.data.inputs)[:, 0].tolist() == pytest.approx(
            ours.predict(best.data.inputs)[0].tolist(), abs=1e-6
        )


def network(sizes=(6, 5, 4, 1), bias=True):
    """Dropout, Linear, ReLU…, Dropout, Linear, as the predecessor makes them."""
    torch.manual_seed(8)
    parts = []
    for size, following in itertools.pairwise(sizes):
        parts += [nn.Dropout(0), nn.Linear(size, following), nn.ReLU()]
    parts[-2] = nn.Linear(*sizes[-2:], bias=bias)
    return nn.Sequential(*parts[:-1]).eval()


def theirs(path, head, prefix="main_process.", **metadata):
    """A file of the predecessor's."""
    tensors = {prefix + name: tensor.detach() for name, tensor in head.state_dict().items()}
    save_file(tensors, path, metadata=metadata or None)
    return path


METADATA = {
    "feature_extractor_model": "some/model",
    "hidden_states_used": "[0, 3]",
    "hidden_states_mode": "join",
    "number_of_features": "6",
    "layers": "[5, 4]",
    "output_channels": "1",
}


@pytest.mark.parametrize("prefix", ["main_process.", "parallel_blocks.0."])
@pytest.mark.parametrize(
    "metadata",
    [METADATA, {**METADATA, "layers": "5,4", "hidden_states_used": "0,3"}, {**METADATA, "final_layer_bias": "True"}],
)
def test_the_predecessors_files_are_read_in_all_their_forms(tmp_path, prefix, metadata):
    head = network()
    predictor, found = load_predictor(theirs(tmp_path / "old.safetensors", head, prefix, **metadata))
    config = predictor.config
    assert (config.feature_extractor_model, config.hidden_states_used, config.widths) == (
        "some/model",
        (0, 3),
        (3, 3),
    )
    assert (config.layers, config.extractor_identity, found["number_of_features"]) == ((5, 4), "", "6")
    with torch.no_grad():
        assert predictor.predict(INPUTS)[0].tolist() == head(INPUTS)[:, 0].tolist()


def test_what_the_predecessors_file_does_not_say_has_its_default(tmp_path):
    head = network(bias=False)
    predictor, _ = load_predictor(theirs(tmp_path / "old.safetensors", head))
    config = predictor.config
    assert (config.feature_extractor_model, config.hidden_states_mode) == ("ChrisGoringe/vitH16", "join")
    assert (config.hidden_states_used, config.widths, config.layers) == ((0,), (6,), (5, 4))
    with torch.no_grad():  # the bias that it was trained without is 0
        assert predictor.predict(INPUTS)[0].tolist() == head(INPUTS)[:, 0].tolist()
    other, _ = load_predictor(tmp_path / "old.safetensors", Unsaid("another/model"))
    assert other.config.feature_extractor_model == "another/model"


def test_a_two_channel_file_gives_mu_and_the_size_of_sigma(tmp_path):
    head = network((6, 5, 4, 2))
    predictor, _ = load_predictor(theirs(tmp_path / "old.safetensors", head, **{**METADATA, "output_channels": "2"}))
    scores, errors = predictor.predict(INPUTS)
    with torch.no_grad():
        mu, sigma = head(INPUTS).T
    assert scores.tolist() == mu.tolist()
    assert errors.tolist() == sigma.abs().tolist()
    assert predictor.has_error


def test_the_predecessors_weighted_states_are_mixed(tmp_path):
    head, weight = network(), nn.Linear(2, 1)
    mixing = {"weight.0.weight": weight.weight.detach(), "weight.0.bias": weight.bias.detach()}
    tensors = {f"main_process.{name}": tensor.detach() for name, tensor in head.state_dict().items()} | mixing
    save_file(tensors, tmp_path / "old.safetensors", metadata={**METADATA, "hidden_states_mode": "weight"})
    predictor, _ = load_predictor(tmp_path / "old.safetensors")
    inputs = torch.randn(5, 2, 6)
    with torch.no_grad():
        expected = head(weight(inputs.transpose(1, 2)).relu()[:, :, 0])
    assert predictor.predict(inputs)[0] == pytest.approx(expected[:, 0].numpy(), abs=1e-6)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"layers": "[5, 5]"}, r"main_process.4.weight is \(4, 5\) and should be \(5, 5\)"),
        ({"layers": "[5]"}, r"main_process.7.weight is not expected"),
        ({"layers": "5;4"}, r"layers='5;4', which are no whole numbers"),
        ({"number_of_features": "8"}, r"main_process.1.weight is \(5, 6\)"),
        ({"hidden_states_used": "[0,1,2,3]"}, "number_of_features=6 for 4 hidden states of one width"),
        ({"hidden_states_used": "[]"}, "one is needed at least"),
        ({"output_channels": "2"}, "contradict its metadata"),
        ({"output_channels": "3"}, "output_channels of 1 or 2"),
        ({"hidden_states_mode": "stack"}, "must be one of join, average, weight"),
        ({"final_layer_bias": "False"}, "final_layer_bias=False, and main_process.7.bias contradicts that"),
    ],
)
def test_a_predecessors_file_that_contradicts_itself_is_refused(tmp_path, changes, message):
    path = theirs(tmp_path / "old.safetensors", network(), **{**METADATA, **changes})
    with pytest.raises(UserError, match=message) as refused:
        load_predictor(path)
    assert "old.safetensors: " in str(refused.value)


def test_a_second_parallel_block_is_not_left_out_in_silence(tmp_path):
    path = theirs(tmp_path / "old.safetensors", nn.ModuleList([network(), network()]), "parallel_blocks.", **METADATA)
    with pytest.raises(UserError, match=r"parallel_blocks.1.1.weight is not expected"):
        load_predictor(path)


def laion(places, relu):
    """LAION's head as its authors define it: Linears, Dropouts between the first, and ReLUs in one of the two."""
    torch.manual_seed(2)
    parts = [nn.ReLU() if relu and place in (1, 4, 7, 10) else nn.Dropout(0.2) for place in range(places[-1] + 1)]
    for place, sizes in zip(places, itertools.pairwise(LAION), strict=True):
        parts[place] = nn.Linear(*sizes)
    return nn.Sequential(*parts)


@pytest.mark.parametrize(("places", "relu"), [((0, 2, 4, 6, 7), False), ((0, 3, 6, 9, 11), True)])
def test_laions_heads_score_normalised_clip_features_and_are_converted(tmp_path, places, relu):
    head = laion(places, relu).eval()
    torch.save({f"layers.{name}": tensor for name, tensor in head.state_dict().items()}, tmp_path / "head.pth")
    predictor, metadata = load_predictor(tmp_path / "head.pth")
    features = 10 * torch.randn(7, 768)
    with torch.no_grad():
        expected = head(features / features.norm(dim=1, keepdim=True))[:, 0].numpy()
    assert predictor.predict(features)[0] == pytest.approx(expected, abs=1e-6)
    assert predictor.config.feature_extractor_model == "openai/clip-vit-large-patch14"
    assert predictor.config.layers == ((1024, 128, 64, 16) if relu else ())
    save_converted(tmp_path / "ours.safetensors", predictor, metadata)
    converted, _ = load_predictor(tmp_path / "ours.safetensors")
    assert converted.config == predictor.config
    assert converted.predict(features)[0] == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("wrapper", ["module.", "_orig_mod.module."])
def test_what_data_parallel_puts_before_names_is_taken_off(tmp_path, wrapper):
    plain, _ = load_predictor(theirs(tmp_path / "plain.safetensors", network(), **METADATA))
    wrapped, _ = load_predictor(theirs(tmp_path / "w.safetensors", network(), f"{wrapper}main_process.", **METADATA))
    assert wrapped.config == plain.config
    assert wrapped.predict(INPUTS)[0].tolist() == plain.predict(INPUTS)[0].tolist()
    tensors = {f"{wrapper}layers.{n}": t for n, t in laion((0, 2, 4, 6, 7), False).state_dict().items()}
    torch.save(tensors, tmp_path / "head.pth")
    assert load_predictor(tmp_path / "head.pth")[0].config.feature_extractor_model == "openai/clip-vit-large-patch14"


LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a214614ab2935c943f9e0ff69\nsize 9\n"


@pytest.mark.parametrize("name", ["m.pth", "m.safetensors"])
@pytest.mark.parametrize(
    ("content", "said"),
    [
        (LFS, "is a Git LFS pointer, not the file itself; run git lfs pull"),
        (b"\n<!DOCTYPE html>\n<html lang=en>", "is a web page, not the file itself; save what"),
        (b"\xef\xbb\xbf<html>", "is a web page"),
        (b"", "is empty; get the file again"),
        (b"Entry not found", "is no predictor|is no file of tensors"),
    ],
)
def test_what_downloads_leave_in_a_models_place_is_named(tmp_path, name, content, said):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=rf"{name}: ({said})"):
        load_predictor(tmp_path / name)


@pytest.mark.parametrize("make", ["to_sparse", "to_sparse_csr", "quantised", "meta", "bool", "complex"])
def test_tensors_that_are_no_plain_numbers_are_refused_by_name(tmp_path, make):
    odd = {
        "quantised": lambda t: torch.quantize_per_tensor(t, 0.1, 0, torch.qint8),
        "meta": lambda t: t.to("meta"),
        "bool": lambda t: t > 0,
        "complex": lambda t: t.to(torch.complex64),
    }
    tensors = {f"main_process.{name}": tensor.detach() for name, tensor in network().state_dict().items()}
    tensor = tensors["main_process.1.weight"]
    tensors["main_process.1.weight"] = odd[make](tensor) if make in odd else getattr(tensor, make)()
    torch.save(tensors, tmp_path / "head.pth")
    with pytest.raises(
        UserError, match=r"main_process.1.weight (is no plain tensor|holds something else than finite)"
    ):
        load_predictor(tmp_path / "head.pth")


def test_laions_keys_with_other_sizes_are_refused(tmp_path):
    tensors = {f"layers.{name}": tensor for name, tensor in laion((0, 2, 4, 6, 7), False).state_dict().items()}
    torch.save({**tensors, "layers.7.bias": torch.zeros(2)}, tmp_path / "head.pth")
    with pytest.raises(UserError, match="not its sizes 768, 1024, 128, 64, 16, 1 with a bias each"):
        load_predictor(tmp_path / "head.pth")


class Spy:
    """What unpickling would run."""

    def __reduce__(self):
        return print, ("the stranger's code ran",)


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
def test_a_pickle_with_code_is_refused_and_not_run(tmp_path, capsys):
    for number, content in enumerate(({"layers.0.weight": Spy()}, Spy())):
        torch.save(content, tmp_path / f"{number}.pth")
        with pytest.raises(UserError, match=r"is no file of tensors alone \(it holds \w+\); only such are opened"):
            load_predictor(tmp_path / f"{number}.pth")
    (tmp_path / "plain.pth").write_bytes(pickle.dumps(Spy()))
    with pytest.raises(UserError, match="is no file of tensors"):
        load_predictor(tmp_path / "plain.pth")
    assert "stranger" not in capsys.readouterr().out


@pytest.mark.parametrize("content", [[torch.zeros(2)], {"epoch": 3}, {}])
def test_a_checkpoint_of_something_else_is_refused(tmp_path, content):
    torch.save(content, tmp_path / "a.pth")
    with pytest.raises(UserError, match=r"no state dict of tensors by name; save the model's state_dict\(\) alone"):
        load_predictor(tmp_path / "a.pth")


@pytest.mark.parametrize("rubbish", [b"hello", b"PK\x03\x04 no zip"])
def test_rubbish_that_ends_with_pth_is_refused(tmp_path, rubbish):
    (tmp_path / "a.pth").write_bytes(rubbish)
    with pytest.raises(UserError, match="is no file of tensors"):
        load_predictor(tmp_path / "a.pth")


def test_a_plain_linear_head_needs_to_be_told_what_its_features_are(tmp_path):
    head = nn.Linear(6, 1)
    torch.save(head.state_dict(), tmp_path / "head.pth")
    for unsaid in (Unsaid(), Unsaid("a/model"), Unsaid(None, "l2")):
        with pytest.raises(UserError, match=r"give --head_extractor, such as .*, and --head_input=none or l2"):
            load_predictor(tmp_path / "head.pth", unsaid)
    for normalisation in ("none", "l2"):
        predictor, _ = load_predictor(tmp_path / "head.pth", Unsaid("a/model", normalisation))
        inputs = INPUTS if normalisation == "none" else INPUTS / INPUTS.norm(dim=1, keepdim=True)
        with torch.no_grad():
            assert predictor.predict(INPUTS)[0] == pytest.approx(head(inputs)[:, 0].numpy(), abs=1e-6)


def test_a_plain_linear_head_may_say_it_itself(tmp_path):
    said = {"feature_extractor_model": "a/model", "input_normalisation": "l2"}
    save_file({"fc.weight": torch.ones(1, 6)}, tmp_path / "head.safetensors", metadata=said)
    predictor, _ = load_predictor(tmp_path / "head.safetensors")
    assert predictor.predict(torch.full((1, 6), 5.0))[0] == pytest.approx([6 / 6**0.5])


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        ({"a.weight": torch.zeros(3, 6)}, "output_channels of 1 or 2"),
        ({"a.weight": torch.zeros(6)}, r"a.weight is \(6,\) and should be a matrix"),
        ({"a.weight": torch.zeros(1, 6), "b.bias": torch.zeros(1)}, "nor of a kind that it knows"),
        ({"a.weight": torch.zeros(1, 6), "b.weight": torch.zeros(1, 6)}, "nor of a kind that it knows"),
        ({"a.weight": torch.zeros(1, 6), "a.bias": torch.zeros(2)}, r"main_process.1.bias is \(2,\)"),
        ({"a.weight": torch.full((1, 6), torch.nan)}, "something else than finite numbers"),
        ({"vision.weight": torch.zeros(2), "x": torch.zeros(2)}, "its tensors are vision.weight, x"),
    ],
)
def test_what_is_not_wholly_a_linear_head_is_refused(tmp_path, tensors, message):
    save_file(tensors, tmp_path / "a.safetensors")
    with pytest.raises(UserError, match=message):
        load_predictor(tmp_path / "a.safetensors", Unsaid("m", "none"))


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """A tiny CLIP whose features are as wide as those of openai/clip-vit-large-patch14, and four images."""
    folder = tmp_path_factory.mktemp("clip")
    small = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2}
    config = transformers.CLIPVisionConfig(**small, image_size=32, patch_size=16, projection_dim=768)
    torch.manual_seed(0)
    model = transformers.CLIPVisionModelWithProjection(config).eval()
    for parameter in model.parameters():
        parameter.data += 0.2 * torch.randn_like(parameter)
    model.save_pretrained(folder / "clip")
    size = {"size": {"shortest_edge": 32}, "crop_size": {"height": 32, "width": 32}}
    processor = transformers.CLIPImageProcessorPil(**size)
    processor.save_pretrained(folder / "clip")
    (folder / "photos").mkdir()
    features = {}
    for number in range(4):
        image = Image.new("RGB", (40, 50), (60 * number, 255 - 50 * number, 30))
        image.save(folder / "photos" / f"{number}.png")
        with torch.inference_mode():
            features[f"{number}.png"] = model(**processor(image, return_tensors="pt")).image_embeds[0].clone()
    return folder, features


def score(monkeypatch, folder, *words):
    """{path: row} of one run of the script."""
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "argv", ["score", "-d", "photos", "-o", "out.csv", *words])
    script.main()
    with (folder / "out.csv").open(encoding="utf-8", newline="") as file:
        return {row["relative_path"]: row for row in csv.DictReader(file)}


@pytest.mark.script
def test_images_are_scored_with_laions_head_as_it_is_and_converted(clip, monkeypatch, capsys):
    folder, features = clip
    name, extractor = "sac+logos+ava1-l14-linearMSE.pth", f"--head_extractor={folder / 'clip'}"
    head = laion((0, 2, 4, 6, 7), False).eval()
    torch.save({f"layers.{key}": tensor for key, tensor in head.state_dict().items()}, folder / name)
    with torch.no_grad():
        expected = {path: float(head(x / x.norm())) for path, x in features.items()}
    found = score(monkeypatch, folder, "-m", name, extractor)
    assert {path: float(row["model_score"]) for path, row in found.items()} == pytest.approx(expected, abs=2e-4)
    assert {row["percentile"] for row in found.values()} == {""}  # nothing is known of what it was trained on
    assert "that these are the same cannot be verified" in capsys.readouterr().err
    monkeypatch.setattr(sys, "argv", ["score", "-m", name, extractor, "--convert=ours.safetensors"])
    script.main()
    assert f"{name} is now also ours.safetensors" in capsys.readouterr().out
    assert score(monkeypatch, folder, "-m", "ours.safetensors") == found


@pytest.mark.script
def test_a_head_for_another_image_model_is_refused(clip, monkeypatch):
    folder, _ = clip
    torch.save(nn.Linear(512, 1).state_dict(), folder / "head.pth")
    words = "-m", "head.pth", f"--head_extractor={folder / 'clip'}", "--head_input=l2"
    with pytest.raises(
        UserError, match=r"the model takes 512 features, and .*clip gives 768: it was made for another"
    ):
        score(monkeypatch, folder, *words)


@pytest.mark.parametrize(
    ("name", "options", "said"),
    [
        (
            "ours.safetensors",
            ["--head_extractor=b"],
            "--head_extractor=b does nothing: each --model says its own (m)",
        ),
        ("ours.safetensors", ["--head_input=l2"], "--head_input=l2 does nothing: each --model says its own (none)"),
        ("laion.pth", ["--head_input=none"], "--head_input=none does nothing: each --model says its own (l2)"),
        ("laion.pth", ["--head_extractor=b", "--head_input=l2"], ""),
        ("ours.safetensors", ["--head_extractor=m"], ""),
    ],
)
def test_an_option_for_heads_that_say_nothing_is_noted_where_the_model_says_it(
    tmp_path, monkeypatch, capsys, name, options, said
):
    monkeypatch.chdir(tmp_path)
    config = PredictorConfig("m", (0,), "join", (6,), (5, 4))
    save_predictor(tmp_path / "ours.safetensors", Predictor(config).eval(), {})
    torch.save({f"layers.{n}": t for n, t in laion((0, 2, 4, 6, 7), False).state_dict().items()}, "laion.pth")
    monkeypatch.setattr(sys, "argv", ["score", "-m", name, *options, "--convert=new.safetensors"])
    script.main()
    captured = capsys.readouterr()
    assert captured.err == (f"note: {said}\n" if said else "")
    assert f"{name} is now also new.safetensors" in captured.out
