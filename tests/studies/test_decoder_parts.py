"""What a decoder is made of and trained by, and how it is judged: arithmetic that a reader can do."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from PIL import Image, ImageFilter
from torch.nn.functional import conv2d, interpolate

from src.common import UserError
from src.features import embedded_network
from studies.common.learning import PATIENCE, Training
from studies.common.observing import Observer
from studies.common.pictures import as_image
from studies.common.runs import BEST, LAST, Log, load_weights
from studies.feature_decoder.decoder import SHAPES, Critic, Decoder, Doubling, as_pixels, drawn, sizes_of
from studies.feature_decoder.judging import chance, judge, psnr_each
from studies.feature_decoder.losses import Perceptor, hinge, laplacian, looked_at, moved
from studies.feature_decoder.options import TAPS
from tests.studies.conftest import draw_picture

CPU = torch.device("cpu")


def as_tensor(image):
    return torch.from_numpy(np.array(image)).permute(2, 0, 1)[None].float() / 255


@pytest.fixture(scope="module")
def perceptor():
    generator = torch.Generator().manual_seed(0)
    pictures = torch.randint(256, (6, 3, 32, 32), generator=generator, dtype=torch.uint8)
    return Perceptor(Observer("efficientnet-lite0", (4, 0, 2), 32, CPU, "taps"), pictures)


def test_the_laplacian_distance_is_zero_for_equal_pictures_and_grows_with_blur():
    image = draw_picture("dots", 3, 64)
    sharp = as_tensor(image)
    found = [float(laplacian(as_tensor(image.filter(ImageFilter.GaussianBlur(r))), sharp)) for r in (0, 1, 2, 4)]
    assert found[0] == 0
    assert found == sorted(set(found))


def test_a_levels_part_of_a_plain_difference_is_the_rest_only():
    grey, white = torch.full((1, 3, 16, 16), 0.5), torch.ones(1, 3, 16, 16)
    assert float(laplacian(grey, white)) == pytest.approx(0.5 / 5)  # four levels hold nothing, what is left all


def test_pixels_are_clipped_and_never_wrapped():
    beyond = torch.tensor([-0.5, 0, 0.5, 1, 1.7])
    assert as_pixels(beyond).tolist() == [0, 0, 128, 255, 255]
    assert as_image(np.full((3, 1, 1), 1.7)).tolist() == [[[255, 255, 255]]]


def test_every_tap_is_distinct_and_used(perceptor):
    assert TAPS.read("4,0,2,4") == (0, 2, 4)
    with pytest.raises(ValueError, match="-1"):
        TAPS.read("1,-1")
    x = torch.rand(2, 3, 32, 32, requires_grad=True)
    wanted = perceptor.observer(torch.rand(2, 3, 32, 32))
    each = perceptor.each(perceptor.observer(x), wanted)
    assert [tap.shape[1] for tap in wanted] == [16, 24, 40]  # of lite0's blocks 0, 2 and 4
    gradients = [torch.autograd.grad(one, x, retain_graph=True)[0] for one in each]
    assert all(gradient.abs().max() > 0 for gradient in gradients)
    assert len({float(one.detach()) for one in each}) == 3


def test_the_perceptual_distance_is_the_mean_of_squares_by_each_taps_energy(perceptor):
    x, y = torch.rand(2, 3, 32, 32), torch.rand(2, 3, 32, 32)
    assert float(perceptor(x, x)) == 0
    network, found = embedded_network("efficientnet-lite0"), []
    generator = torch.Generator().manual_seed(0)
    known = torch.randint(256, (6, 3, 32, 32), generator=generator, dtype=torch.uint8).float() / 255
    for tap, other, all_ in zip(*(network.maps(each, (0, 2, 4)) for each in (x, y, known)), strict=True):
        found.append(((tap - other) ** 2).mean() / all_.var(dim=0, correction=0).mean())
    assert float(perceptor(x, y)) == pytest.approx(float(torch.stack(found).mean()), rel=1e-4)


def test_both_pictures_are_moved_by_the_same_distance():
    x = torch.rand(1, 3, 16, 16)
    torch.manual_seed(5)
    first, second = moved(x, 2 * x)
    assert torch.equal(2 * first, second)
    assert not torch.equal(first, x)
    assert first.shape == x.shape


def test_the_critic_is_content_where_photographs_are_above_one_and_pictures_below_minus_one():
    assert float(hinge(torch.tensor([1.0, 3]), torch.tensor([-1.0, -2]))) == 0
    assert float(hinge(torch.tensor([0.0]), torch.tensor([0.5]))) == pytest.approx(2.5)
    assert Critic()(torch.rand(2, 3, 32, 32)).shape == (2, 1, 8, 8)


@pytest.mark.parametrize(("size", "first"), [(64, 4), (112, 7), (128, 4), (80, 5), (24, 6)])
def test_a_picture_grows_from_four_to_seven_pixels(size, first):
    sizes = sizes_of(size)
    assert (sizes[0], sizes[-1]) == (first, size)
    assert all(after == 2 * before for before, after in pairwise(sizes))


@pytest.mark.parametrize("shape", SHAPES)
def test_a_decoder_draws_any_size_in_zero_to_one(shape):
    decoder = Decoder(5, 24, shape, True)
    pictures = drawn(decoder, torch.randn(3, 5) * 100)
    assert pictures.shape == (3, 3, 24, 24)
    assert pictures.min() >= 0
    assert pictures.max() <= 1
    assert decoder.megabytes == pytest.approx(sum(p.numel() for p in decoder.parameters()) * 4e-6)


def test_sizes_that_can_not_be_drawn_or_looked_at_are_refused_with_the_nearest():
    with pytest.raises(UserError, match="--size=100: is not 4, 5, 6 or 7 times a power of 2; 96 would be"):
        sizes_of(100)
    with pytest.raises(UserError, match="--perceptor_size=50: the taps need a multiple of 32; 64 would be one"):
        looked_at(64, 50)
    assert [looked_at(size, None) for size in (16, 64, 112)] == [32, 64, 128]
    with pytest.raises(UserError, match="--taps=3,16: the blocks of efficientnet-lite0 are 0 to 15"):
        Observer("efficientnet-lite0", (3, 16), 64, CPU, "taps")
    with pytest.raises(UserError, match="openai/clip: pictures can't be compared in it, as gradients must pass"):
        Observer("openai/clip", (3,), 64, CPU, "taps")


def test_the_learning_rate_of_plateau_halves_after_epochs_that_were_no_better(tmp_path):
    network = torch.nn.Linear(1, 1)
    training = Training(tmp_path, network, {}, 9, 1, 0.8, 0, "val_loss", highest=False, schedule="plateau", least=0.3)
    rates = []
    for value in [3.0, 2.0] + [2.5] * (2 * PATIENCE):
        training.rows.append({"val_loss": value})
        training._set_learning_rate(0.0)
        rates.append(training.optimiser.param_groups[0]["lr"])
    assert rates == [0.8] * (2 + PATIENCE - 1) + [0.4] * PATIENCE + [0.3]


def test_cosines_ranks_and_the_share_taken_for_the_same():
    originals = np.eye(3)
    judged = judge(originals, np.array([[2.0, 0, 0], [0, 0, 1], [1, 1, 1]]), np.zeros(3))
    assert judged.raw.each == pytest.approx([1, 0, 3**-0.5])
    assert judged.raw.summary() == pytest.approx({"min": 0, "mean": 0.5258, "median": 0.5774, "max": 1}, abs=1e-4)
    assert judged.ranks.tolist() == [0, 1.5, 1]  # one nearer, and half of one equally near; both others equal
    assert (judged.found(1), judged.found(5)) == (pytest.approx(1 / 3), 1)
    assert judged.raw.threshold == 0  # of three pairs at right angles
    assert judged.raw.taken_for_same == pytest.approx(2 / 3)


def test_centred_cosines_do_not_see_what_all_images_share():
    generator = np.random.default_rng(0)
    originals = generator.normal(size=(40, 8)) + 50
    others = generator.normal(size=(40, 8)) + 50
    judged = judge(originals, others, originals.mean(axis=0))
    assert judged.raw.each.min() > 0.99
    assert abs(judged.centred.each.mean()) < 0.2
    assert chance(5, 40) == 0.125


def test_psnr_of_a_tenth_is_twenty_decibels():
    black, grey = np.zeros((1, 3, 2, 2), np.uint8), np.full((1, 3, 2, 2), 25.5)
    assert psnr_each(black, grey) == pytest.approx([20])
    assert psnr_each(black, black).tolist() == [99]


def test_an_enlarged_picture_has_the_pixels_of_bilinear_resizing():
    x = torch.rand(1, 3, 16, 16)
    seen = []
    observer = Observer("efficientnet-lite0", (0,), 32, CPU, "taps")
    observer.network.maps = lambda pictures, layers: seen.append(pictures) or []
    observer(x)
    assert torch.allclose(seen[0], interpolate(x, size=(32, 32), mode="bilinear"))
    assert Image.fromarray(as_image(seen[0][0].numpy())).size == (32, 32)


@pytest.mark.parametrize("side", [4, 7, 8, 12])
def test_doubling_is_a_convolution_of_enlarged_maps_to_the_edges_and_in_its_gradients(side):
    module, x = Doubling(3, 5), torch.randn(2, 3, side, side, requires_grad=True)
    enlarged = conv2d(interpolate(x, scale_factor=2, mode="nearest"), module.weight, module.bias, padding=1)
    torch.testing.assert_close(module(x), enlarged)
    towards, learnt = torch.randn_like(enlarged), (x, module.weight, module.bias)
    found, wanted = (torch.autograd.grad(y, learnt, towards) for y in (module(x), enlarged))
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-4)


def test_weights_are_written_each_few_seconds_and_at_the_end_the_best_among_them(tmp_path, monkeypatch):
    monkeypatch.setattr("studies.common.learning.SAVED_EACH", 60.0)
    network = torch.nn.Linear(1, 1)
    training = Training(tmp_path, network, {}, 4, 1, 0.1, 0, "val_loss", highest=False)
    seen, written = [], []

    def one_epoch(number):
        written.append(len(load_weights(tmp_path / LAST, {})[1]["history"]) if number else 0)
        training.steps(np.zeros(1), number, lambda rows: network(torch.ones(1, 1)).square().mean())
        seen.append(float(network.weight.detach()))
        return {"val_loss": [3, 2, 0, 1][number]}

    training.run(one_epoch, Log(tmp_path, False, {}))
    assert written == [0, 1, 1, 1]
    for name, epoch in ((BEST, 3), (LAST, 4)):
        tensors, about = load_weights(tmp_path / name, {})
        assert float(tensors["weight"]) == seen[epoch - 1]
        assert len(about["history"]) == epoch
    assert float(network.weight.detach()) == seen[2]
