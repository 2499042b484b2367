"""The predictor file, the mixing of hidden states and the folding of scales."""

import dataclasses

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from src.errors import UserError
from src.predictor import (
    Dropout,
    Predictor,
    PredictorConfig,
    arrange,
    check_mode,
    fold_scaling,
    load_predictor,
    save_predictor,
)

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


@pytest.mark.parametrize("p", [0.1, 0.5, 0.8])
def test_dropout_drops_its_share_and_keeps_the_mean_in_values_and_in_gradients(p):
    torch.manual_seed(1)
    inputs = torch.ones(1001, 999, requires_grad=True)  # a size that no machine word divides
    outputs = Dropout(p)(inputs)
    outputs.sum().backward()
    five_deviations = 5 * (p * (1 - p) / inputs.numel()) ** 0.5
    assert (outputs == 0).double().mean() == pytest.approx(p, abs=five_deviations)
    assert outputs.detach()[outputs != 0].unique().tolist() == pytest.approx([1 / (1 - p)], rel=1e-4)
    assert torch.equal(inputs.grad, outputs)
    kept = (outputs[:, 1:] != 0).double()
    assert float(torch.corrcoef(torch.stack([kept[:, :-1].flatten(), kept[:, 1:].flatten()]))[0, 1]) < 0.006


def test_dropout_does_nothing_in_use_and_where_it_drops_nothing():
    inputs = torch.randn(5, 7)
    assert torch.equal(Dropout(0.5).eval()(inputs), inputs)
    assert torch.equal(Dropout(0.0)(inputs), inputs)
    assert Dropout(1.0)(inputs).count_nonzero() == 0


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


def test_a_missing_model_says_how_to_get_one(tmp_path):
    with pytest.raises(UserError, match=r"model.safetensors: no such model; train one"):
        load_predictor(tmp_path / "model.safetensors")


def test_a_file_that_is_no_safetensors_is_refused(tmp_path):
    (tmp_path / "model.safetensors").write_bytes(b"hello, this is no model at all")
    with pytest.raises(UserError, match="is no predictor"):
        load_predictor(tmp_path / "model.safetensors")


def test_a_safetensors_of_something_else_is_refused(tmp_path):
    save_file({"a": torch.zeros(1)}, tmp_path / "other.safetensors")
    with pytest.raises(UserError, match="is no predictor of this toolkit"):
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
    [("widths", "two", "widths='two'"), ("score_mean", "[", r"score_mean='\['"), ("layers", None, "lack 'layers'")],
)
def test_metadata_that_cannot_be_read_are_named(tmp_path, key, value, message):
    path, tensors, metadata = saved(tmp_path)
    metadata.pop(key)
    save_file(tensors, path, metadata=metadata if value is None else {**metadata, key: value})
    with pytest.raises(UserError, match=message):
        load_predictor(path)


def test_no_image_gives_no_score():
    scores, errors = Predictor(config()).predict(torch.empty(0, 4))
    assert scores.shape == errors.shape == (0,)
