"""autoencode: what it draws, how near that is, and what it leaves."""

import json

import numpy as np
import pytest
import torch
from PIL import Image

from src.common import UserError
from studies.style_folders import autoencode
from studies.style_folders.painter import Autoencoder, restyled
from tests.studies.conftest import arguments, same_weights, stopping_after


def run(root, *words):
    small = ("--size=16", "--latent=8", "--epochs=3", "--batch_size=8", "--fraction_for_test=0.3")
    return autoencode.main(arguments("autoencode", root, *small, *words))


@pytest.mark.parametrize("activation", ["relu", "tanh", "gelu"])
@pytest.mark.parametrize("size", [16, 64])
def test_a_picture_of_any_size_becomes_a_vector_and_a_picture_again(size, activation):
    network = Autoencoder(size, 12, activation).eval()
    x = torch.rand(2, 3, size, size)
    assert network.encoder(x).shape == (2, 12)
    assert network(x).shape == x.shape
    assert ((network(x) > 0) & (network(x) < 1)).all()


def test_adaptive_instance_normalisation_gives_each_map_the_mean_and_deviation_asked_for():
    scale, shift = torch.rand(2, 5) + 0.5, torch.randn(2, 5)
    y = restyled(torch.randn(2, 5, 8, 8) * 3 + 1, scale, shift)
    assert y.mean((2, 3)).numpy() == pytest.approx(shift.numpy(), abs=1e-4)
    assert y.std((2, 3), correction=0).numpy() == pytest.approx(scale.numpy(), abs=1e-3)


def test_before_any_training_it_draws_what_principal_components_of_small_pictures_would():
    x = torch.rand(30, 3, 16, 16) * 0.8 + 0.1
    network = Autoencoder(16, 30, "relu").eval()
    network.begin_at_components(x)
    assert network(x).detach().numpy() == pytest.approx(x.numpy(), abs=1e-3)  # 29 components hold 30 pictures


def test_psnr_is_minus_ten_times_the_logarithm_of_the_mean_squared_error():
    assert autoencode.psnr(np.zeros((1, 3, 2, 2), np.uint8), np.full((1, 3, 2, 2), 0.1)) == pytest.approx(20)


def test_it_learns_writes_weights_history_and_a_comparison_and_counts_on(gallery):
    folder = run(gallery, "--grids")
    assert folder.name == "ae1"
    results = json.loads((folder / "results.json").read_text())
    assert results["this network"] > results["the mean image"]
    names = {path.name for path in folder.iterdir()}
    assert {
        "best.safetensors",
        "last.safetensors",
        "history.csv",
        "comparison1.png",
        "comparison2.png",
        "epoch3.png",
    } <= names
    assert "comparison3.png" not in names  # there are 13 test images
    assert Image.open(folder / "comparison1.png").width > 500
    network, configuration = autoencode.load_autoencoder(folder, "cpu")
    assert not any(p.requires_grad for p in network.parameters())
    styles = autoencode.styles_of_run(configuration, gallery)
    assert styles.counts(np.arange(44)) == {"bars": 24, "dots": 12, "rings": 8}


def test_a_stopped_one_goes_on(gallery, monkeypatch):
    with monkeypatch.context() as patch:
        stopping_after(patch, 2)
        with pytest.raises(KeyboardInterrupt):
            run(gallery)
    stopped, whole = run(gallery, "--resume"), run(gallery)
    assert (stopped.name, whole.name) == ("ae1", "ae2")
    assert same_weights(stopped, whole)
    assert (stopped / "history.csv").read_text() == (whole / "history.csv").read_text()


def test_sizes_that_cannot_be_halved_and_pixels_beyond_memory_are_refused(gallery, monkeypatch):
    with pytest.raises(UserError, match="--size=48: must be a power of 2, such as 32"):
        run(gallery, "--size=48")
    monkeypatch.setattr("studies.common.looking.memory", lambda: 10_000)
    with pytest.raises(
        UserError, match="--size=16: the pixels of 44 images are more than memory holds; give a smaller"
    ):
        run(gallery)
    with pytest.raises(UserError, match=r"there is no bars/009\.png, which the model knew"):
        autoencode.styles_of_run({"split": {"bars/009.png": "test"}, "styles": {"bars": 0}}, gallery / "dots")
