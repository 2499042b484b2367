"""embed and transfer: a vector for each style, and images drawn in other styles."""

import json

import numpy as np
import pytest
import torch
from PIL import Image

from src.common import UserError
from src.features import embedded_network
from studies.style_folders import autoencode, embed, transfer
from studies.style_folders.painter import Decoder, Stylist, recoloured
from tests.studies.conftest import arguments

pytestmark = pytest.mark.script  # whole runs of a study


@pytest.fixture
def drawn(gallery, monkeypatch):
    """The gallery with an autoencoder, looked at in small."""
    monkeypatch.setattr(transfer, "LOOKED_AT", 32)
    autoencode.main(arguments("autoencode", gallery, "--toy", "--epochs=1", "--fraction_for_test=0.3"))
    return gallery


def test_maps_are_what_hidden_states_are_the_means_of_and_gradients_go_through():
    network = embedded_network()
    x = torch.rand(2, 3, 224, 224, requires_grad=True)
    first, last = network.maps(x, (0, 15))
    with torch.no_grad():
        pooled = network((255 * x - 127) / 128, [2, 17])
    assert first.mean((2, 3)).detach().numpy() == pytest.approx(pooled[17].numpy(), abs=1e-5)
    assert last.mean((2, 3)).detach().numpy() == pytest.approx(pooled[2].numpy(), abs=1e-5)
    last.sum().backward()
    assert x.grad is not None
    assert x.grad.abs().sum() > 0
    assert not any(parameter.requires_grad for parameter in network.parameters())


def test_statistics_are_means_deviations_and_mean_products():
    tap = torch.tensor([[[[1.0, 3.0]], [[2.0, 2.0]]]])  # one image, two channels, 1 x 2
    assert transfer.moments(tap).tolist() == [[2, 2, 1, 0]]
    assert transfer.gram(tap).tolist() == [[5, 4, 4, 4]]


def test_a_matrix_mixes_the_colours_of_each_pixel():
    x = torch.rand(1, 3, 2, 2)
    grey = torch.full((1, 3, 3), 1 / 3)
    assert recoloured(x, grey, torch.zeros(1, 3)).std(dim=1).max() < 1e-6
    assert torch.equal(recoloured(x, torch.eye(3)[None], torch.ones(1, 3)), x + 1)


def test_styles_draw_the_same_latent_vector_differently():
    decoder, stylist = Decoder(16, 8, "relu").eval(), Stylist(torch.randn(3, 8), Decoder(16, 8, "relu").widths)
    pictures = decoder(torch.randn(1, 8).expand(3, 8), stylist(torch.arange(3)))
    assert pictures.shape == (3, 3, 16, 16)
    assert (pictures[0] - pictures[1]).abs().max() > 1e-3


def test_embed_then_transfer_leave_pictures_and_weights_that_draw_them_again(drawn):
    embedded = embed.main(arguments("embed", drawn))
    assert embedded.name == "embed1"
    results = json.loads((embedded / "results.json").read_text())
    assert results["vectors"] > results["mean images"] - 6  # of an autoencoder that has hardly learnt
    assert Image.open(embedded / "styles.png").width > 300
    folder = transfer.main(arguments("transfer", drawn, "--epochs=2", "--layers=0,1"))
    assert folder.name == "transfermodel1"
    assert {"best.safetensors", "history.csv", "run.json"} <= {path.name for path in folder.iterdir()}
    picture = Image.open(folder / "comparison.png")
    assert picture.height >= 10 * 96
    network, autoencoder = transfer.load_transfer(folder, "cpu")
    x = np.random.default_rng(0).integers(0, 256, (4, 3, 16, 16)).astype(np.uint8)
    again = transfer.transferred(network, autoencoder, x, np.array([0, 1, 2, 0]))
    assert again.shape == x.shape
    words = ("--epochs=1", "--layers=0", "--statistics=gram", "--single_image=bars/003.png")
    assert Image.open(transfer.main(arguments("transfer", drawn, *words)) / "comparison.png").height < 150


def test_what_can_not_be_transferred_is_refused(drawn):
    with pytest.raises(UserError, match="holds no embed1 or later; run the sub-command that makes it first"):
        transfer.main(arguments("transfer", drawn))
    embed.main(arguments("embed", drawn, "--epochs=1"))
    with pytest.raises(
        UserError, match=r"--single_image=003\.png: is none of the model's images; name one as bars/000"
    ):
        transfer.main(arguments("transfer", drawn, "--single_image=003.png"))
    with pytest.raises(UserError, match="--layers=0,16: the blocks of efficientnet-lite0 are 0 to 15"):
        transfer.main(arguments("transfer", drawn, "--layers=0,16"))
    assert not list(drawn.with_name("gallery_runs").glob("transfermodel*"))  # nothing was begun
    (drawn / "bars" / "003.png").unlink()
    with pytest.raises(UserError, match=r"there is no bars/003\.png, which the model knew"):
        embed.main(arguments("embed", drawn))
