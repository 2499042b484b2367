"""The predictor file, the mixing of hidden states and the folding of scales."""

import dataclasses
import sys

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from src.common.errors import UserError
from src.model.config import PredictorConfig, arrange, check_mode
from src.model.file import load_predictor, save_predictor
from src.model.network import Predictor, combine, fold_scaling

STATES = {
    0: np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]], np.float32),
    3: np.array([[10.0, 20.0], [30.0, 40.0], [50.0, 60.0]], np.float32),
}


def config(mode="join", widths=(2, 2), channels=1, **changes):
    base = PredictorConfig("toy", (0, 3), mode, widths, (5, 4), (0.1, 0.2, 0.0), channels, 1.5, 2.0, "toy-1")
    return dataclasses.replace(base, **changes)


def test_join_puts_states_side_by_side_in_the_order_used():
    assert arrange(STATES, (3, 0), "join").tolist()[0] == [10, 20, 1, 2]


def test_average_is_the_mean_over_states():
    assert arrange(STATES, (0, 3), "average").tolist() == [[5.5, 11], [16.5, 22], [27.5, 33]]


def test_weight_mixes_with_one_weight_a_state_then_relu():
    predictor = Predictor(config("weight"))
    with torch.no_grad():
        predictor.weight[0].weight.copy_(torch.tensor([[2.0, -0.1]]))
        predictor.weight[0].bias.fill_(0.5)
    mixed = predictor.mix(arrange(STATES, (0, 3), "weight"))
    assert mixed.tolist()[0] == pytest.approx([2 * 1 - 0.1 * 10 + 0.5, 2 * 2 - 0.1 * 20 + 0.5])
    predictor.weight[0].bias.data.fill_(-100)
    assert predictor.mix(arrange(STATES, (0, 3), "weight")).abs().max() == 0


@pytest.mark.parametrize("mode", ["average", "weight"])
def test_different_widths_can_only_be_joined(mode):
    with pytest.raises(UserError, match=r"3, 2 wide; different widths can only be joined"):
        check_mode(mode, (3, 2))


def test_the_keys_are_those_of_a_plain_sequential_with_its_dropouts():
    keys = set(Predictor(config("weight")).state_dict())
    main = {f"main_process.{i}.{part}" for i in (1, 4, 7) for part in ("weight", "bias")}
    assert keys == main | {"weight.0.weight", "weight.0.bias"}


@pytest.mark.parametrize("channels", [1, 2])
def test_folding_gives_the_same_network_on_the_raw_scale(channels):
    torch.manual_seed(0)
    predictor = Predictor(config(channels=channels)).eval()
    inputs = arrange(STATES, (0, 3), "join")
    shift, scale = inputs.mean(0), inputs.std(0)
    with torch.no_grad():
        before = predictor((inputs - shift) / scale)
    error_before = torch.nn.functional.softplus(before[:, -1]) + 1e-3
    fold_scaling(predictor, shift, scale, 1.5, 2.0)
    scores, errors = predictor.predict(inputs)
    assert scores == pytest.approx((1.5 + 2.0 * before[:, 0]).numpy(), rel=1e-5)
    if channels == 2:
        assert errors == pytest.approx((2.0 * error_before).numpy(), rel=1e-5)
        assert (errors > 0).all()
    else:
        assert np.isnan(errors).all()


@pytest.mark.parametrize(("mode", "channels"), [("join", 1), ("average", 2), ("weight", 1)])
def test_a_saved_predictor_loads_as_the_same(tmp_path, mode, channels):
    predictor = Predictor(config(mode, channels=channels)).eval()
    path = tmp_path / "model.safetensors"
    save_predictor(path, predictor, {"study": "s", "trial": 4, "metaparameters": {"dropout": 0.1}})
    loaded, metadata = load_predictor(path)
    assert loaded.config == predictor.config
    inputs = arrange(STATES, (0, 3), mode)
    assert loaded.predict(inputs)[0].tolist() == predictor.predict(inputs)[0].tolist()
    assert (metadata["trial"], metadata["study"]) == ("4", "s")
    assert metadata["layers"] == "[5, 4]"
    assert metadata["number_of_features"] == ("4" if mode == "join" else "2")


def saved(tmp_path):
    path = tmp_path / "model.safetensors"
    save_predictor(path, Predictor(config()), {})
    with safe_open(path, "pt") as file:
        return path, {key: file.get_tensor(key) for key in file.keys()}, file.metadata()  # noqa: SIM118


@pytest.mark.parametrize("text", ["0,3", "[0, 3]", "[0,3]", " 0, 3"])
def test_hidden_states_are_read_in_both_spellings_and_written_in_the_predecessors(tmp_path, text):
    path, predictor = tmp_path / "m.safetensors", Predictor(config()).eval()
    save_predictor(path, predictor, {})
    with safe_open(path, "pt") as file:
        metadata = file.metadata()
    assert metadata["hidden_states_used"] == "0,3"
    save_file(predictor.state_dict(), path, {**metadata, "hidden_states_used": text})
    assert load_predictor(path)[0].config == predictor.config


def test_one_hidden_state_twice_is_refused(tmp_path):
    path, predictor = tmp_path / "m.safetensors", Predictor(config()).eval()
    save_predictor(path, predictor, {})
    with safe_open(path, "pt") as file:
        metadata = file.metadata()
    save_file(predictor.state_dict(), path, {**metadata, "hidden_states_used": "0,0"})
    with pytest.raises(UserError, match=r"m\.safetensors: a predictor needs different hidden states"):
        load_predictor(path)


def test_a_missing_model_says_how_to_get_one(tmp_path):
    with pytest.raises(UserError, match=r"model.safetensors: no such model; train one"):
        load_predictor(tmp_path / "model.safetensors")


@pytest.mark.parametrize("widths", [(2, 2), (2, 20)])  # a file of the same size, and a larger one
def test_a_model_that_takes_the_place_of_another_meanwhile_is_read_whole(tmp_path, monkeypatch, widths):
    path, other = tmp_path / "model.safetensors", Predictor(config(widths=widths))
    save_predictor(path, Predictor(config()), {"trial": 1})
    opened = []

    def overtaken(*given, **named):
        if not opened:  # the size is known by then
            save_predictor(path, other, {"trial": 2})
        opened.append(1)
        file = safe_open(*given, **named)
        if len(opened) == 2:
            save_predictor(path, other, {"trial": 3})
        return file

    monkeypatch.setattr("src.model.file.safe_open", overtaken)
    predictor, metadata = load_predictor(path)
    assert (len(opened), metadata["trial"]) == (3, "3")
    for name, tensor in predictor.state_dict().items():
        torch.testing.assert_close(tensor, other.state_dict()[name])


def test_a_file_that_was_cut_is_refused(tmp_path):
    path = tmp_path / "model.safetensors"
    save_predictor(path, Predictor(config()))
    path.write_bytes(path.read_bytes()[:-8])
    with pytest.raises(UserError, match="is no predictor"):
        load_predictor(path)


def test_a_file_that_is_no_safetensors_is_refused(tmp_path):
    (tmp_path / "model.safetensors").write_bytes(b"hello, this is no model at all")
    with pytest.raises(UserError, match="is no predictor"):
        load_predictor(tmp_path / "model.safetensors")


def test_a_safetensors_of_something_else_is_refused(tmp_path):
    save_file({"a": torch.zeros(1)}, tmp_path / "other.safetensors")
    with pytest.raises(UserError, match="is no predictor of this toolkit, nor of a kind that it knows"):
        load_predictor(tmp_path / "other.safetensors")


def test_tensors_that_contradict_the_metadata_are_refused(tmp_path):
    path, tensors, metadata = saved(tmp_path)
    save_file(tensors, path, metadata={**metadata, "layers": "[6, 4]"})
    with pytest.raises(UserError, match=r"contradict its metadata .*main_process.1.weight"):
        load_predictor(path)
    del tensors["main_process.4.bias"]
    save_file(tensors, path, metadata=metadata)
    with pytest.raises(UserError, match=r"contradict its metadata .*main_process.4.bias"):
        load_predictor(path)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("widths", "two", "widths='two'"),
        ("score_mean", "[", r"score_mean='\['"),
        ("score_mean", "NaN", "score_mean='NaN'"),
        ("layers", None, "lack 'layers'"),
        ("layers", "[5.0, 4]", r"layers='\[5.0, 4\]', which can't be read"),
        ("layers", "[5, 4, 3]", "dropouts one more than layers"),
        ("layers", "[5, 0]", "sizes above 0"),
        ("layers", "[999999999, 999999999]", "contradict its metadata"),  # and no memory is taken for it
        ("layers", "[" * 100_000, "can't be read"),
        ("widths", "[4]", "2 hidden states have 1 widths; one each is right"),
        ("widths", "[3, 2]", r"number_of_features='4', and its widths \(3, 2\)"),
        ("number_of_features", "5", r"number_of_features='5', and its widths \(2, 2\)"),
        ("output_channels", "2", r"main_process.7.weight is \(1, 4\) and should be \(2, 4\)"),
        ("output_channels", "3", "output_channels of 1 or 2"),
        ("final_layer_bias", "False", "final_layer_bias='False'"),
        ("fp16_features", "yes", "fp16_features='yes'"),
        ("score_deviation", "0", "score_deviation above 0"),
        ("high_end_fix", "fixed", "main_process.primary.1.weight is missing"),
        ("high_end_fix", "some", "high_end_fix of none, fixed, variable"),
        ("input_normalisation", "l1", "input_normalisation of none or l2"),
        ("error_form", "squared", "error_form of softplus or absolute"),
        ("member_layers", "[[5, 4], [5, 4]]", "member_layers, member_dropout_rates and layers contradict"),
    ],
)
def test_metadata_that_cannot_be_read_are_named(tmp_path, key, value, message):
    path, tensors, metadata = saved(tmp_path)
    metadata.pop(key, None)
    save_file(tensors, path, metadata=metadata if value is None else {**metadata, key: value})
    with pytest.raises(UserError, match=message):
        load_predictor(path)


def test_no_image_gives_no_score():
    scores, errors = Predictor(config()).predict(torch.empty(0, 4))
    assert scores.shape == errors.shape == (0,)


@pytest.mark.parametrize(
    ("name", "tensor", "message"),
    [
        ("main_process.1.weight", torch.zeros(4, 5), r"main_process.1.weight is \(4, 5\) and should be \(5, 4\)"),
        ("main_process.4.bias", torch.full((4,), torch.inf), "main_process.4.bias holds something else than finite"),
        ("main_process.4.bias", torch.zeros(4, dtype=torch.int64), "main_process.4.bias holds something else"),
        ("main_process.9.weight", torch.zeros(1), "main_process.9.weight is not expected"),
        ("weight.0.weight", torch.zeros(1, 2), "weight.0.weight is not expected"),
    ],
)
def test_a_tensor_that_does_not_fit_is_named(tmp_path, name, tensor, message):
    path, tensors, metadata = saved(tmp_path)
    save_file({**tensors, name: tensor}, path, metadata=metadata)
    with pytest.raises(UserError, match=message):
        load_predictor(path)


def test_a_file_from_before_there_were_high_end_fixes_loads(tmp_path):
    path, tensors, metadata = saved(tmp_path)
    for name in ("high_end_fix", "input_normalisation", "error_form"):
        del metadata[name]
    metadata["dropouts"] = metadata.pop("dropout_rates")
    save_file(tensors, path, metadata=metadata)
    assert load_predictor(path)[0].config == config()


def test_features_of_another_width_are_refused():
    with pytest.raises(UserError, match="the model takes 4 features, and toy gives 6: it was made for another"):
        Predictor(config()).predict(torch.zeros(3, 6))


def members(channels=1):
    torch.manual_seed(1)
    return [Predictor(config(channels=channels, layers=(3 + i, 4))).eval() for i in range(3)]


def test_an_ensemble_gives_the_mean_of_its_members_and_their_spread(tmp_path):
    inputs = arrange(STATES, (0, 3), "join")
    save_predictor(tmp_path / "m.safetensors", combine(members()), {})
    loaded, metadata = load_predictor(tmp_path / "m.safetensors")
    scores, errors = loaded.predict(inputs)
    each = np.array([member.predict(inputs)[0] for member in members()])
    assert scores == pytest.approx(each.mean(axis=0), rel=1e-6)
    assert errors == pytest.approx(each.std(axis=0), rel=1e-4)
    assert metadata["member_layers"] == "[[3, 4], [4, 4], [5, 4]]"
    assert [member.config for member in loaded.predictors] == [member.config for member in members()]


def test_an_ensemble_that_knows_errors_adds_them_to_its_spread():
    inputs = arrange(STATES, (0, 3), "join")
    found = [member.predict(inputs) for member in members(channels=2)]
    expected = np.sqrt(np.var([scores for scores, _ in found], axis=0) + np.mean([e**2 for _, e in found], axis=0))
    assert combine(members(channels=2)).predict(inputs)[1] == pytest.approx(expected, rel=1e-4)


def test_an_ensemble_that_lacks_a_member_is_refused(tmp_path):
    save_predictor(tmp_path / "m.safetensors", combine(members()), {})
    with safe_open(tmp_path / "m.safetensors", "pt") as file:
        tensors = {key: file.get_tensor(key) for key in file.keys() if not key.startswith("members.2")}  # noqa: SIM118
        save_file(tensors, tmp_path / "n.safetensors", metadata=file.metadata())
    with pytest.raises(UserError, match=r"members.2.main_process.1.weight is missing.*and 3 more"):
        load_predictor(tmp_path / "n.safetensors")


def test_one_predictor_is_no_ensemble():
    (only, *_) = members()
    assert combine([only]) is only


@pytest.mark.skipif(sys.platform != "linux", reason="a folder whose name is no text")
def test_a_predictor_in_a_folder_whose_name_is_no_text_is_read(tmp_path):
    folder = tmp_path / "odd\udcff"
    folder.mkdir()
    predictor = Predictor(PredictorConfig("toy", (0,), "join", (3,), (2, 2)))
    save_predictor(folder / "m.safetensors", predictor, {})
    again = load_predictor(folder / "m.safetensors")[0]
    assert all(torch.equal(a, b) for a, b in zip(predictor.parameters(), again.parameters(), strict=True))
