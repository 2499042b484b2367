"""HEIC and raw files: with stand-ins for the packages that read them, and with them where they are installed."""

import contextlib
import importlib.util
import io
import sys
import types
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from src.features.extraction import extract_features
from src.features.feature_cache import FeatureCache
from src.features.images import UnreadableImage, content_of, find_images, kinds, open_image
from tests import profiles
from tests.raw_files import dng
from tests.toys import ToyExtractor

ROWS, COLUMNS = np.mgrid[0:600, 0:800]
PHOTO = Image.fromarray(np.stack([ROWS * 255 // 600, COLUMNS * 255 // 800, 0 * ROWS + 60], -1).astype(np.uint8))
# Where the photo's first pixel is when a camera was held so, and the picture is upright.
CORNERS = {1: (0, 0), 3: (-1, -1), 6: (0, -1), 8: (-1, 0)}
FLIPS = {1: 0, 3: 3, 6: 6, 8: 5}  # LibRaw's numbers for them
HEIC = pytest.mark.skipif(importlib.util.find_spec("pillow_heif") is None, reason="pillow-heif is not installed")
RAW = pytest.mark.skipif(importlib.util.find_spec("rawpy") is None, reason="rawpy is not installed")


def check_upright(image: Image.Image, orientation: int) -> None:
    assert image.mode == "RGB"
    assert image.size == ((800, 600) if orientation < 5 else (600, 800))
    assert np.abs(np.asarray(image)[CORNERS[orientation]].astype(int) - (0, 0, 60)).max() <= 6


def reason(path: Path) -> str:
    with pytest.raises(UnreadableImage) as caught:
        open_image(path)
    return caught.value.reason


# ---- without the packages ----


def test_without_the_packages_a_reason_names_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setattr(kinds, "find_spec", lambda module: None)
    heic = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic"
    for name in ("x.heic", "x.jpg"):  # phones and pages give it other names
        (tmp_path / name).write_bytes(heic)
        assert reason(tmp_path / name) == "a HEIC image; pip install pillow-heif reads it"
    (tmp_path / "x.dng").write_bytes(dng(PHOTO))
    assert reason(tmp_path / "x.dng") == "a raw file; pip install rawpy reads the preview in it"


# ---- with stand-ins ----


class LibRawError(Exception):
    pass


def stand_in_for_rawpy(monkeypatch, preview: Image.Image | np.ndarray | None, flip: int) -> None:
    module = types.ModuleType("rawpy")
    module.LibRawError = LibRawError
    module.ThumbFormat = types.SimpleNamespace(JPEG="jpeg", BITMAP="bitmap")

    def extract_thumb():
        if preview is None:
            raise LibRawError(b"No thumbnail in file")
        if isinstance(preview, np.ndarray):
            return types.SimpleNamespace(format="bitmap", data=preview)
        target = io.BytesIO()
        preview.save(target, "JPEG", quality=95, exif=preview.getexif())
        return types.SimpleNamespace(format="jpeg", data=target.getvalue())

    @contextlib.contextmanager
    def imread(path):
        if Path(path).read_bytes() != b"raw":
            raise LibRawError(b"Unsupported file format or not RAW file")
        yield types.SimpleNamespace(
            extract_thumb=extract_thumb,
            sizes=types.SimpleNamespace(flip=flip),
            postprocess=lambda half_size, use_camera_wb: np.full((30, 40, 3), 99, np.uint8),
        )

    module.imread = imread
    monkeypatch.setitem(sys.modules, "rawpy", module)
    monkeypatch.setattr(kinds, "find_spec", lambda name: name if name == "rawpy" else None)


@pytest.mark.parametrize("orientation", CORNERS)
@pytest.mark.parametrize("kind", ["JPEG", "JPEG that says how it lies", "bitmap"])
def test_the_preview_in_a_raw_file_is_taken_upright(tmp_path, monkeypatch, orientation, kind):
    preview = PHOTO.copy()
    if kind == "JPEG that says how it lies":
        preview.getexif()[0x0112] = orientation
    flip = 0 if kind == "JPEG that says how it lies" else FLIPS[orientation]
    stand_in_for_rawpy(monkeypatch, np.asarray(preview) if kind == "bitmap" else preview, flip)
    (tmp_path / "x.NEF").write_bytes(b"raw")
    assert find_images(tmp_path) == ["x.NEF"]
    check_upright(open_image(tmp_path / "x.NEF"), orientation)


def test_the_preview_is_reduced_as_a_jpeg_alone_is(tmp_path, monkeypatch):
    stand_in_for_rawpy(monkeypatch, PHOTO, 0)
    (tmp_path / "x.nef").write_bytes(b"raw")
    assert open_image(tmp_path / "x.nef", 300).size == (400, 300)
    assert open_image(tmp_path / "x.nef", 301).size == PHOTO.size
    stand_in_for_rawpy(monkeypatch, np.asarray(PHOTO), 0)
    assert open_image(tmp_path / "x.nef", 300).size == PHOTO.size


@pytest.mark.parametrize("preview", [None, PHOTO.resize((160, 120))])
def test_without_a_preview_of_some_size_the_raw_pixels_are_developed(tmp_path, monkeypatch, preview):
    stand_in_for_rawpy(monkeypatch, preview, 6)
    (tmp_path / "x.cr3").write_bytes(b"raw")
    image = open_image(tmp_path / "x.cr3")
    assert (image.size, image.getpixel((0, 0))) == ((40, 30), (99, 99, 99))


def test_what_is_no_raw_file_has_a_reason(tmp_path, monkeypatch):
    stand_in_for_rawpy(monkeypatch, None, 0)
    (tmp_path / "x.arw").write_bytes(b"nonsense")
    assert reason(tmp_path / "x.arw") == "no raw file that LibRaw reads (Unsupported file format or not RAW file)"


def test_features_of_raw_files_are_extracted_as_of_others(tmp_path, monkeypatch):
    stand_in_for_rawpy(monkeypatch, PHOTO, 0)
    (tmp_path / "x.raf").write_bytes(b"raw")
    (tmp_path / "y.raf").write_bytes(b"no raw")
    found = extract_features(
        tmp_path, find_images(tmp_path), ToyExtractor(), [0], FeatureCache(tmp_path / "c"), progress=False
    )
    np.testing.assert_allclose(found.states[0], [np.asarray(PHOTO).mean((0, 1)) / 255], atol=0.01)
    assert set(found.unreadable) == {"y.raf"}


# ---- with the packages ----


@RAW
@pytest.mark.parametrize("orientation", CORNERS)
def test_libraw_finds_the_preview_in_a_dng(tmp_path, orientation):
    (tmp_path / "x.dng").write_bytes(dng(PHOTO, orientation))
    check_upright(open_image(tmp_path / "x.dng"), orientation)


@RAW
def test_libraw_develops_a_dng_without_a_preview(tmp_path):
    (tmp_path / "x.dng").write_bytes(dng(None))
    assert open_image(tmp_path / "x.dng").size == (320, 240)
    (tmp_path / "x.nef").write_bytes(b"nonsense" * 100)
    assert reason(tmp_path / "x.nef").startswith("no raw file that LibRaw reads (")


@HEIC
def test_heic_is_read_whatever_its_name_and_its_profile_is_applied(tmp_path):
    import pillow_heif

    pillow_heif.from_pillow(PHOTO).save(tmp_path / "x.heic", quality=95)
    (tmp_path / "x.jpg").write_bytes((tmp_path / "x.heic").read_bytes())
    assert find_images(tmp_path) == ["x.heic", "x.jpg"]
    for name in ("x.heic", "x.jpg"):
        check_upright(open_image(tmp_path / name), 1)
    wide = Image.new("RGB", (64, 64), (200, 120, 90))
    wide.info["icc_profile"] = profiles.rgb_profile(profiles.PROPHOTO, 1.8)
    pillow_heif.from_pillow(wide).save(tmp_path / "wide.heif", quality=100)
    expected = profiles.in_srgb(np.array([200, 120, 90]), profiles.PROPHOTO, 1.8)
    assert np.abs(np.asarray(open_image(tmp_path / "wide.heif"))[32, 32] - np.clip(expected, 0, 255)).max() < 5
    assert content_of(tmp_path / "wide.heif").key != content_of(tmp_path / "wide.heif").hash
