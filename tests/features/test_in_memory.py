"""Features of images in memory: what the scripts get from files, and a sentence for what is no image."""

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from src.common.errors import UserError
from src.features.extraction import extract_features
from src.features.extractors import load_extractor
from src.features.feature_cache import FeatureCache
from src.features.in_memory import extract
from tests.features.test_extraction import Small
from tests.toys import ToyExtractor, colour, make_gallery, make_image

PICTURES = [np.full((6, 8, 3), colour(i), np.uint8) for i in range(5)]


@pytest.fixture(scope="module")
def lite0():
    return load_extractor("efficientnet-lite0", "cpu")


def test_rows_stand_in_the_order_of_the_images_whatever_their_kind(tmp_path):
    paths = make_gallery(tmp_path, 4)
    mixed = [tmp_path / "more/0003.png", Image.fromarray(PICTURES[2]), str(tmp_path / paths[0]), PICTURES[4]]
    features = extract(mixed, ToyExtractor())
    assert list(features) == [0, 1]
    assert features[0].dtype == np.float32
    np.testing.assert_allclose(features[0], np.array([colour(i) for i in (3, 2, 0, 4)]) / 255, atol=5e-4)
    np.testing.assert_array_equal(extract(iter(mixed), ToyExtractor())[1], features[1])


def test_an_array_of_images_is_a_list_of_them():
    whole = extract(np.stack(PICTURES), ToyExtractor(), [1])
    np.testing.assert_array_equal(whole[1], extract(PICTURES, ToyExtractor(), 1)[1])
    np.testing.assert_array_equal(extract(np.stack(PICTURES)[::-1], ToyExtractor(), [1])[1], whole[1][::-1])


def noise(folder: Path, count: int) -> list[str]:
    """Pictures of noise in several modes and orientations; the last is that of the first."""
    generator = np.random.default_rng(0)
    names = [f"{i:02}.png" for i in range(count)]
    for i, name in enumerate(names):
        mode = ("RGB", "RGBA", "L", "P", "I;16")[i % 5]
        kind, depth = (np.uint16, 65535) if mode == "I;16" else (np.uint8, 255)
        shape = (40, 50 + i, *([len(mode)] if mode in ("RGB", "RGBA") else []))
        image = Image.fromarray(generator.integers(0, depth, shape).astype(kind))
        exif = Image.Exif()
        exif[0x0112] = 1 + i % 8
        (image.quantize(20) if mode == "P" else image).save(folder / name, exif=exif)
    (folder / names[-1]).write_bytes((folder / names[0]).read_bytes())
    return names


def test_the_features_are_those_of_the_scripts_to_the_last_bit(tmp_path, lite0):
    names = noise(tmp_path, 9)
    by_script = extract_features(tmp_path, names, lite0, (0, 3), FeatureCache(tmp_path / "cache"), progress=False)
    paths = [tmp_path / name for name in names]
    for images in (paths, [Image.open(path) for path in paths]):
        found = extract(images, lite0, (0, 3))
        for k in (0, 3):
            np.testing.assert_array_equal(found[k], by_script.states[k])


def test_an_image_alone_has_the_features_it_has_among_others(lite0):
    together = extract(PICTURES, lite0)
    np.testing.assert_allclose(extract(PICTURES[3:4], lite0)[0], together[0][3:4], rtol=1e-3)


def test_images_go_through_in_batches_and_one_that_is_given_twice_goes_once(tmp_path):
    path = make_image(tmp_path / "a.png")
    extractor = ToyExtractor()
    features = extract([*PICTURES, PICTURES[0], path, str(path), *PICTURES], extractor, batch_size=4)
    assert extractor.batches == [4, 2]
    np.testing.assert_array_equal(features[0][[0, 6]], features[0][[5, 7]])
    np.testing.assert_array_equal(features[0][:5], features[0][8:])


def test_a_batch_too_large_for_memory_is_halved_in_silence(capfd):
    extractor = Small()
    assert len(extract(np.stack([*PICTURES] * 4), extractor, batch_size=8)[0]) == 20
    assert max(extractor.batches) == 2
    assert capfd.readouterr() == ("", "")


def test_an_extractor_given_by_name_has_its_own_states_and_nothing_is_printed_or_written(
    tmp_path, monkeypatch, capfd
):
    paths = make_gallery(tmp_path / "photos", 3)
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    features = extract([tmp_path / "photos" / path for path in paths], "efficientnet-lite0")
    assert {k: block.shape for k, block in features.items()} == {0: (3, 1280), 1: (3, 1152), 2: (3, 320), 3: (3, 192)}
    assert sorted(tmp_path.rglob("*")) == before
    assert capfd.readouterr() == ("", "")


def test_the_pictures_given_stay_as_they_are(lite0):
    image = Image.new("LA", (5, 4), (10, 100))
    array = PICTURES[0].copy()
    array.flags.writeable = False
    extract([image, array], lite0)
    assert (image.mode, image.getpixel((0, 0))) == ("LA", (10, 100))


# ---- bad input ----


def closed(tmp_path):
    with Image.open(make_image(tmp_path / "closed.png")) as image:
        return image


def truncated(tmp_path):
    path = make_image(tmp_path / "cut.bmp", size=(50, 50))
    path.write_bytes(path.read_bytes()[:1000])
    return Image.open(path)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda _: [], "images: there are none; give a list of at least one"),
        (lambda _: np.zeros((0, 4, 4, 3), np.uint8), "images: there are none; give a list of at least one"),
        (lambda folder: folder / "a.png", "images: is a single one; put it into a list, as [image]"),
        (lambda _: Image.new("RGB", (2, 2)), "images: is a single one; put it into a list, as [image]"),
        (lambda _: 3, "images: is of type int; give a list of images, each a PIL image, an (H, W, 3) array of"),
        (lambda _: PICTURES[0], "images: is an array of shape (6, 8, 3); it must be (N, H, W, 3), height, width"),
        (lambda _: np.zeros((1, 4, 4, 4), np.uint8), "images: is an array of shape (1, 4, 4, 4); it must be (N, H"),
        (
            lambda _: np.zeros((1, 4, 4, 3)),
            "images: is an array of float64; it must be uint8, 0 to 255, such as (255",
        ),
        (
            lambda _: [PICTURES[0], PICTURES[0][:, :, 0]],
            "images[1]: is an array of shape (6, 8); it must be (H, W, 3",
        ),
        (lambda _: [PICTURES[0].astype(int)], "images[0]: is an array of int64; it must be uint8, 0 to 255"),
        (
            lambda _: [np.zeros((0, 4, 3), np.uint8)],
            "images[0]: is an array of shape (0, 4, 3); it must be (H, W, 3)",
        ),
        (lambda _: [PICTURES[0], None], "images[1]: is of type NoneType; give a PIL image, an (H, W, 3) array of"),
        (lambda _: [PICTURES[0], Image.new("L", (0, 3))], "images[1]: has no pixels: it is 0 x 3"),
        (lambda folder: [PICTURES[0], closed(folder)], "images[1]: its file was closed before its pixels were read"),
        (lambda folder: [PICTURES[0], truncated(folder)], "images[1]: truncated"),
        (lambda folder: [folder / "gone.png"], "gone.png: no such file"),
    ],
)
def test_what_is_no_image_is_said_with_its_place(tmp_path, capfd, make, said):
    extractor = ToyExtractor()
    with pytest.raises(UserError) as caught:
        extract(make(tmp_path), extractor)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
    assert capfd.readouterr() == ("", "")


def test_a_broken_file_is_named_by_its_path_and_what_is_no_image_at_all_before_anything_is_opened(tmp_path):
    (tmp_path / "text.png").write_text("no image")
    with pytest.raises(UserError) as caught:
        extract([str(tmp_path / "text.png")], ToyExtractor())
    assert str(caught.value) == (
        f"{tmp_path / 'text.png'}: not an image, or a damaged one (it begins with b'no image')"
    )
    extractor = ToyExtractor()
    with pytest.raises(UserError, match=r"images\[40\]: is of type int"):
        extract([*(PICTURES * 8), 7], extractor)
    assert not extractor.loaded


def test_an_extractor_that_is_none_and_states_and_batches_that_cannot_be(tmp_path):
    for options, said in (
        ((None,), "extractor: is of type NoneType; give a name, or what load_extractor gives"),
        (("efficientnet-lite7",), "did you mean efficientnet-lite0?"),
        ((ToyExtractor(), "0"), "hidden_states: '0' are no whole numbers; right would be (0, 1)"),
        ((ToyExtractor(), [2]), "hidden state 2 does not exist; toy has hidden states 0 (the final output) to 1"),
        ((ToyExtractor(), []), "no hidden state is asked for"),
        ((ToyExtractor(), [0], 0), "batches of 0 images: give 1 or more"),
        ((ToyExtractor(), [0], 2.5), "batch_size: 2.5 is no whole number; give 1 or more"),
    ):
        with pytest.raises(UserError) as caught:
            extract(PICTURES, *options)
        assert said in str(caught.value)


def test_features_that_are_no_numbers_are_said():
    class Overflowing(ToyExtractor):
        def __call__(self, prepared, hidden_states):
            return {k: block / (block[:, :1] > 0) for k, block in super().__call__(prepared, hidden_states).items()}

    with np.errstate(all="ignore"), pytest.raises(UserError, match=r"images\[1\]: toy: no finite features"):
        extract([PICTURES[1], np.zeros((2, 2, 3), np.uint8)], Overflowing())


def test_what_is_wrong_with_the_extractor_is_not_blamed_on_an_image(tmp_path):
    class Misfit(ToyExtractor):
        def prepare(self, image):
            raise UserError("toy: its image processor makes 5 pixels of it")

    paths = make_gallery(tmp_path, 2)
    with pytest.raises(UserError, match=r"^toy: its image processor"):
        extract(PICTURES, Misfit())
    with pytest.raises(UserError, match=r"^toy: its image processor"):
        extract_features(tmp_path, paths, Misfit(), (0,), FeatureCache(tmp_path / "cache"))


def test_a_user_error_is_a_value_error():
    with pytest.raises(ValueError, match="there are none"):
        extract([], ToyExtractor())


@pytest.mark.skipif(os.name == "nt", reason="bytes are no file names there")
def test_a_home_folder_may_be_a_tilde(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    make_image(tmp_path / "a.png")
    assert extract(["~/a.png"], ToyExtractor())[0].shape == (1, 3)
