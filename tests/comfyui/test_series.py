"""Batches as single images and latents, and back; pictures with the bytes of Save Image."""

import numpy as np
import pytest
import torch

from tests.comfyui.pack import UserError, module

pictures, latents = module("pictures"), module("latents")


def test_pictures_have_the_bytes_that_save_image_writes():
    images = torch.rand(3, 5, 4, 3, generator=torch.Generator().manual_seed(0)) * 1.2 - 0.1
    # What ComfyUI 0.3.64 saves, in numpy: cut off, not rounded.
    saved = np.clip(255.0 * images.numpy(), 0, 255).astype(np.uint8)
    np.testing.assert_array_equal(np.stack([np.asarray(each) for each in pictures.pictures(images)]), saved)


@pytest.mark.parametrize(("channels", "mode"), [(1, "L"), (3, "RGB"), (4, "RGBA")])
def test_a_picture_has_the_channels_of_its_image(channels, mode):
    (picture,) = pictures.pictures(torch.zeros(1, 6, 8, channels))
    assert (picture.mode, picture.size) == (mode, (8, 6))


@pytest.mark.parametrize("wrong", [torch.zeros(4, 4, 3), torch.zeros(1, 4, 4, 2), torch.zeros(0, 4, 4, 3), "image"])
def test_what_is_no_batch_of_images_is_refused(wrong):
    with pytest.raises(UserError, match=r"images: have the shape .*; it must be \(batch, height, width"):
        pictures.pictures(wrong)


def test_neighbours_of_one_size_are_one_batch_and_no_order_is_lost():
    small, large = torch.zeros(3, 4, 4, 3), torch.ones(1, 8, 4, 3)
    every = pictures.each_of([small, large, small[:1]])
    assert [tuple(batch.shape) for batch in pictures.in_batches(every)] == [(3, 4, 4, 3), (1, 8, 4, 3), (1, 4, 4, 3)]
    assert pictures.in_batches([]) == []


def test_a_latent_keeps_its_mask_and_its_number():
    batch = {
        "samples": torch.arange(3.0).reshape(3, 1, 1, 1),
        "batch_index": [7, 8, 9],
        "noise_mask": torch.eye(3)[:, None],
    }
    singles = latents.each_latent([batch, {"samples": torch.full((1, 1, 1, 1), 5.0)}])
    (first, second) = latents.latent_batches([singles[i] for i in (2, 0, 3)])
    assert first["samples"].flatten().tolist() == [2.0, 0.0]
    assert first["batch_index"] == [9, 7]
    assert first["noise_mask"].tolist() == [[[0, 0, 1]], [[1, 0, 0]]]
    assert second["samples"].flatten().tolist() == [5.0]
    assert "noise_mask" not in second


def test_one_noise_mask_is_for_all_latents_and_videos_have_an_axis_more():
    batch = {"samples": torch.zeros(2, 16, 5, 4, 4), "noise_mask": torch.ones(1, 32, 32)}
    (joined,) = latents.latent_batches(latents.each_latent([batch])[::-1])
    assert joined["samples"].shape == (2, 16, 5, 4, 4)
    assert joined["noise_mask"].shape == (2, 32, 32)
