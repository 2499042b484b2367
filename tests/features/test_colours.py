"""Colour profiles: converted to sRGB, against the arithmetic of the spaces; sRGB's own and broken ones do nothing."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from src.features.extraction import extract_features
from src.features.feature_cache import FeatureCache
from src.features.images import content_of, open_image
from tests import profiles
from tests.toys import ToyExtractor, make_old

COLOURS = np.random.default_rng(0).integers(20, 236, (40, 50, 3), dtype=np.uint8)
GENTLE = 80 + COLOURS // 4  # not strong, so that sRGB has them all
SUFFIXES = (".png", ".jpg", ".tif", ".webp", ".avif")


def saved(path: Path, pixels: np.ndarray | Image.Image, profile: bytes | None) -> Path:
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    how = {} if profile is None else {"icc_profile": profile}
    if path.suffix in (".jpg", ".webp", ".avif"):
        how["quality"] = 100
    image.save(path, **how)
    return path


def opened(path: Path) -> np.ndarray:
    image = open_image(path)
    assert (image.mode, image.info.get("icc_profile")) == ("RGB", None)
    return np.asarray(image)


def stored(path: Path) -> np.ndarray:
    """As its numbers stand in the file."""
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize(
    ("primaries", "gamma"), [(profiles.DISPLAY_P3, None), (profiles.PROPHOTO, 1.8), (profiles.SRGB, 1.8)]
)
def test_colours_of_another_space_look_in_srgb_as_they_did(tmp_path, suffix, primaries, gamma):
    path = saved(tmp_path / f"x{suffix}", GENTLE, profiles.rgb_profile(primaries, gamma))
    expected = profiles.in_srgb(stored(path), primaries, gamma)
    assert np.abs(opened(path) - expected).max() < 2
    assert np.abs(opened(path) - stored(path).astype(float)).max() > 2


def test_what_srgb_has_not_is_clipped_to_the_nearest_it_has(tmp_path):
    path = saved(tmp_path / "x.png", np.array([[[0, 255, 0]]], np.uint8), profiles.rgb_profile(profiles.DISPLAY_P3))
    assert opened(path).tolist() == [[[0, 255, 0]]]


SRGB_PROFILES = {
    "Little CMS, version 4": ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes(),
    "a table of 1024": profiles.rgb_profile(),
    "a table of 4096": profiles.rgb_profile(points=4096),
    "a formula": profiles.rgb_profile(points=0),
    "a table of 64": profiles.rgb_profile(points=64),
    "primaries rounded to four digits": profiles.rgb_profile(profiles.SRGB.round(4)),
}


@pytest.mark.parametrize("profile", SRGB_PROFILES.values(), ids=SRGB_PROFILES)
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_an_srgb_profile_of_whatever_maker_changes_no_pixel_and_no_key(tmp_path, suffix, profile):
    path = saved(tmp_path / f"x{suffix}", COLOURS, profile)
    np.testing.assert_array_equal(opened(path), stored(path))
    content = content_of(path)
    assert (content.key, content.note) == (content.hash, "")


def test_without_a_profile_nothing_changes(tmp_path):
    path = saved(tmp_path / "x.png", COLOURS, None)
    np.testing.assert_array_equal(opened(path), COLOURS)
    assert content_of(path).key == content_of(path).hash


BROKEN = {
    "nonsense": b"nonsense",
    "cut": profiles.rgb_profile(profiles.DISPLAY_P3)[:200],
    "garbled": profiles.rgb_profile(profiles.DISPLAY_P3)[:128] + b"\xff" * 500,
    "for print": b"\0" * 12 + b"prtrCMYKLab " + b"\0" * 200,
    "of a space that pictures have not": profiles.rgb_profile().replace(b"RGB XYZ ", b"HSV XYZ "),
    "for grey": profiles.grey_profile(1.8),
}


@pytest.mark.parametrize("profile", BROKEN.values(), ids=BROKEN)
def test_a_profile_that_cannot_be_used_is_ignored_with_a_note(tmp_path, profile):
    path = saved(tmp_path / "x.png", COLOURS, profile)
    np.testing.assert_array_equal(opened(path), COLOURS)
    content = content_of(path)
    assert content.key == content.hash
    assert content.note == "its colour profile can't be used, and is ignored"


@pytest.mark.parametrize("mode", ["L", "LA", "1"])
def test_grey_has_profiles_of_its_own(tmp_path, mode):
    ramp = Image.fromarray(np.arange(256, dtype=np.uint8)[None])
    path = saved(tmp_path / "x.png", ramp.convert(mode), profiles.grey_profile(1.8))
    expected = 255 * profiles.encoded((stored(path) / 255) ** 1.8)
    assert np.abs(opened(path) - expected).max() < 1.5
    assert content_of(path).key != content_of(path).hash
    plain = saved(tmp_path / "plain.png", ramp.convert(mode), profiles.grey_profile())
    np.testing.assert_array_equal(opened(plain), stored(plain))
    assert content_of(plain).key == content_of(plain).hash


def test_sixteen_bits_of_grey_are_scaled_and_then_converted(tmp_path):
    deep = Image.fromarray(np.arange(256, dtype=np.uint16)[None] * 257)
    path = saved(tmp_path / "x.tif", deep, profiles.grey_profile(1.8))
    assert np.abs(opened(path)[0, :, 0] - 255 * profiles.encoded((np.arange(256) / 255) ** 1.8)).max() < 1.5
    assert content_of(path).key != content_of(path).hash


def test_grey_pixels_with_a_profile_for_rgb_are_greys_of_that_space(tmp_path):
    path = saved(tmp_path / "x.png", Image.new("L", (4, 4), 100), profiles.rgb_profile(profiles.PROPHOTO, 1.8))
    assert np.abs(opened(path) - 255 * profiles.encoded(np.array((100 / 255) ** 1.8))).max() < 1.5


def test_print_colours_are_those_of_their_profile(tmp_path):
    inks = {(c, m, y, k): (100.0, 0.0, 0.0) for c in (0, 1) for m in (0, 1) for y in (0, 1) for k in (0, 1)}
    inks |= {which: (0.0, 0.0, 0.0) for which in inks if which[3]}  # black alone prints, and all in one grey
    path = saved(tmp_path / "x.jpg", Image.new("CMYK", (16, 16), (255, 255, 0, 0)), profiles.cmyk_profile(inks))
    assert opened(path).min() >= 254  # Pillow's own arithmetic makes blue of it
    black = saved(tmp_path / "k.tif", Image.new("CMYK", (4, 4), (0, 0, 0, 255)), profiles.cmyk_profile(inks))
    assert opened(black).max() <= 1
    assert content_of(path).key != content_of(path).hash


@pytest.mark.parametrize("mode", ["RGBA", "P"])
def test_transparency_and_palettes_are_converted_before_they_come_on_white(tmp_path, mode):
    image = Image.fromarray(GENTLE).convert("RGBA")
    image.putalpha(Image.fromarray(np.where(np.arange(50) < 25, 255, 0).astype(np.uint8)[None].repeat(40, 0)))
    if mode == "P":
        image = Image.fromarray(GENTLE).quantize(8)
        image.info["transparency"] = 0
    path = tmp_path / "x.png"
    image.save(path, icc_profile=profiles.rgb_profile(profiles.PROPHOTO, 1.8))
    with Image.open(path) as again:
        rgba = np.asarray(again.convert("RGBA")).astype(float)
    alpha = rgba[..., 3:] / 255
    expected = profiles.in_srgb(rgba[..., :3], profiles.PROPHOTO, 1.8) * alpha + 255 * (1 - alpha)
    assert np.abs(opened(path) - expected).max() < 2


def test_what_is_converted_is_extracted_anew_and_nothing_else_is(tmp_path):
    """A cache of the first version held features of the numbers as they stood."""
    wide = saved(tmp_path / "wide.png", GENTLE, profiles.rgb_profile(profiles.PROPHOTO, 1.8))
    plain = saved(tmp_path / "plain.png", COLOURS, SRGB_PROFILES["a table of 1024"])
    make_old(tmp_path)
    cache = FeatureCache(tmp_path / "cache")
    old = np.zeros((2, 3), np.float32)
    cache.add("toy 1", [content_of(wide).hash, content_of(plain).hash], {0: old})
    cache.flush()
    for calls in (1, 0):
        extractor = ToyExtractor()
        found = extract_features(tmp_path, ["wide.png", "plain.png"], extractor, [0], cache, progress=False)
        assert sum(extractor.batches) == calls
        assert np.abs(found.states[0][0] * 255 - opened(wide).mean((0, 1))).max() < 2
        assert found.states[0][1].tolist() == [0, 0, 0]


def test_a_note_is_said_once_and_again_by_the_next_run(tmp_path, capsys):
    for name in "abc":
        saved(tmp_path / f"{name}.png", COLOURS + ord(name), b"nonsense")
    make_old(tmp_path)
    for _ in range(2):
        cache = FeatureCache(tmp_path / "cache")
        for _ in range(2):
            extract_features(tmp_path, ["a.png", "b.png", "c.png"], ToyExtractor(), [0], cache, progress=False)
        assert capsys.readouterr().err == (
            "note: a.png, b.png, c.png: its colour profile can't be used, and is ignored\n"
        )


def test_the_page_and_the_report_show_what_the_model_sees(tmp_path):
    import base64

    from src.ab_page.gallery import make_gallery
    from src.ab_page.pictures import Pictures
    from src.features import data_url

    path = saved(tmp_path / "x.png", GENTLE, profiles.rgb_profile(profiles.PROPHOTO, 1.8))
    seen = opened(path).mean((0, 1))
    page = Pictures(make_gallery(tmp_path, {"x.png": 1})).full(1)
    report = base64.b64decode(data_url(path).partition(",")[2])
    for jpeg in (page, report):
        with Image.open(io.BytesIO(jpeg)) as image:
            assert "icc_profile" not in image.info
            assert np.abs(np.asarray(image).mean((0, 1)) - seen).max() < 2
