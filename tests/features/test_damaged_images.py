"""Files that are damaged or odd beside good pixels: what is read, what is said, and that threads don't mix."""

import io
import struct
import tracemalloc
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFile, PngImagePlugin

from src.features.extraction import extract_features
from src.features.feature_cache import FeatureCache
from src.features.images import UnreadableImage, content_of, damage, open_image
from src.features.images.colours import BROKEN
from tests import profiles
from tests.toys import ToyExtractor, make_old

CHANCE = np.random.default_rng(0)
ROWS, COLUMNS = np.mgrid[0:400, 0:320]
PHOTO = np.stack([ROWS * 255 // 400, COLUMNS * 255 // 320, (ROWS + COLUMNS) % 256], -1).astype(np.uint8)
PHOTO = PHOTO // 2 + CHANCE.integers(0, 100, PHOTO.shape, dtype=np.uint8)


def jpeg(**how) -> bytes:
    target = io.BytesIO()
    Image.fromarray(PHOTO).save(target, "JPEG", **how)
    return target.getvalue()


def png(info=None, **how) -> bytes:
    target = io.BytesIO()
    Image.fromarray(PHOTO).save(target, "PNG", pnginfo=info, **how)
    return target.getvalue()


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def squeezed_zeros(mebibytes: int) -> bytes:
    """In zlib's format, a thousandth as long: one mebibyte, compressed once, again and again."""
    packing = zlib.compressobj(9)
    start, again = (packing.compress(bytes(2**20)) + packing.flush(zlib.Z_FULL_FLUSH) for _ in range(2))
    adler = (mebibytes * 2**20 % 65521) << 16 | 1  # of zeros
    return start + again * (mebibytes - 1) + packing.flush()[:-4] + struct.pack(">I", adler)


def written(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def pixels(path: Path) -> np.ndarray:
    return np.asarray(open_image(path)).astype(int)


def decoded(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB")).astype(int)


# ---- PNG: texts ----


@pytest.mark.parametrize("place", ["before", "behind"])
@pytest.mark.parametrize("kind", ["zTXt", "iTXt"])
def test_a_png_with_megabytes_of_workflow_is_read(tmp_path, kind, place):
    text = PngImagePlugin.PngInfo()
    workflow = '{"nodes": [1, 2, 3]}' * 100_000  # 2 MB
    (text.add_text if kind == "zTXt" else text.add_itxt)("workflow", workflow, zip=True)
    data = png(text)
    if place == "behind":
        start = data.index(kind.encode()) - 4
        end = start + 12 + int.from_bytes(data[start : start + 4], "big")
        last = data.rindex(b"IEND") - 4
        data = data[:start] + data[end:last] + data[start:end] + data[last:]
    path = written(tmp_path / "x.png", data)
    with pytest.raises(ValueError, match="too large"), Image.open(path) as image:
        image.load()
    np.testing.assert_array_equal(pixels(path), PHOTO)
    assert content_of(path).key == content_of(path).hash


def test_so_is_one_with_many_texts_that_are_too_much_together(tmp_path, monkeypatch):
    monkeypatch.setattr(PngImagePlugin, "MAX_TEXT_MEMORY", 2**23)  # Pillow's own is 2**26
    texts = 10 * chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(2**20)))
    data = png()
    path = written(tmp_path / "x.png", data[:33] + texts + data[33:])
    with pytest.raises(ValueError, match="Too much memory"), Image.open(path) as image:
        image.load()
    np.testing.assert_array_equal(pixels(path), PHOTO)


def test_a_bomb_of_text_is_never_unpacked(tmp_path, monkeypatch):
    data = png()
    path = written(tmp_path / "x.png", data[:33] + chunk(b"zTXt", b"a\0\0" + squeezed_zeros(128)) + data[33:])
    unpacked = []
    original = zlib.decompressobj

    def watched(*args):
        unpacking = original(*args)

        class Watched:
            unconsumed_tail = b""

            def decompress(self, data, most=0):
                unpacked.append(most)
                assert 0 < most <= 2**20
                got = unpacking.decompress(data, most)
                self.unconsumed_tail = unpacking.unconsumed_tail
                return got

        return Watched()

    monkeypatch.setattr(PngImagePlugin.zlib, "decompressobj", watched)
    np.testing.assert_array_equal(pixels(path), PHOTO)
    assert unpacked


@pytest.mark.parametrize("kind", [b"tEXt", b"zTXt", b"iTXt", b"tIME"])
def test_a_damaged_text_does_not_spoil_good_pixels(tmp_path, kind):
    data = png()
    bad = bytearray(chunk(kind, b"a\0\0nonsense"))
    bad[-1] ^= 1  # its checksum
    path = written(tmp_path / "x.png", data[:33] + bad + data[33:])
    np.testing.assert_array_equal(pixels(path), PHOTO)


def test_a_profile_of_more_than_a_megabyte_is_applied(tmp_path):
    wide = profiles.rgb_profile(profiles.PROPHOTO, 1.8)
    large = bytearray(wide + bytes(3 * 2**20))
    large[:4] = struct.pack(">I", len(large))
    data = png()
    profile = chunk(b"iCCP", b"big\0\0" + zlib.compress(bytes(large)))
    path = written(tmp_path / "x.png", data[:33] + profile + data[33:])
    assert np.abs(pixels(path) - np.clip(profiles.in_srgb(PHOTO, profiles.PROPHOTO, 1.8), 0, 255)).mean() < 1
    assert content_of(path).key != content_of(path).hash


def with_profile(data: bytes, squeezed: bytes) -> bytes:
    return data[:33] + chunk(b"iCCP", b"big\0\0" + squeezed) + data[33:]


def test_a_profile_of_more_than_the_limit_is_ignored(tmp_path, monkeypatch):
    monkeypatch.setattr(damage, "LARGEST_PROFILE", 2**21)
    wide = profiles.rgb_profile(profiles.PROPHOTO, 1.8)
    for size, is_used in ((2**21 - 1, True), (2**21 + 1, False)):
        large = bytearray(wide.ljust(size, b"\0"))
        large[:4] = struct.pack(">I", size)
        path = written(tmp_path / f"{size}.png", with_profile(png(), zlib.compress(bytes(large))))
        assert (pixels(path) != PHOTO).any() == is_used
        content = content_of(path)
        assert (content.key != content.hash) == is_used
        assert (content.note == BROKEN) == (not is_used)


def test_a_bomb_of_a_profile_is_never_unpacked(tmp_path):
    assert damage.LARGEST_PROFILE <= 2**24
    path = written(tmp_path / "x.png", with_profile(png(), squeezed_zeros(128)))
    tracemalloc.start()
    try:
        found, content = pixels(path), content_of(path)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    np.testing.assert_array_equal(found, PHOTO)
    assert (content.key, content.note) == (content.hash, BROKEN)
    assert most < 2**26


def test_damaged_pixels_of_a_png_stay_damaged(tmp_path):
    data = png()
    for cut in (data[: len(data) // 2], data[:300] + bytes(200) + data[500:]):
        with pytest.raises(UnreadableImage):
            open_image(written(tmp_path / "x.png", cut))


# ---- JPEG: its end ----


@pytest.mark.parametrize("progressive", [False, True])
def test_a_jpeg_without_its_last_two_bytes_is_the_same_picture(tmp_path, progressive):
    data = jpeg(progressive=progressive)
    path = written(tmp_path / "x.jpg", data[:-2])
    np.testing.assert_array_equal(pixels(path), decoded(data))
    assert content_of(path).note == ""


@pytest.mark.parametrize("tail", ["cut", "zeros"])
def test_of_a_jpeg_whose_second_half_is_missing_the_first_is_used_with_a_note(tmp_path, tail, capsys):
    data = jpeg()
    half = len(data) // 2
    path = written(tmp_path / "x.jpg", data[:half] + (bytes(len(data) - half) if tail == "zeros" else b""))
    found = pixels(path)
    same = np.abs(found - decoded(data)).max((1, 2)) == 0
    grey = (np.abs(found - 128) <= 1).all((1, 2))
    assert same.sum() + grey.sum() >= 400 - 2 * 16  # all but the rows where it breaks off
    assert content_of(path).note == f"the lower {grey.mean():.0%} of the picture is missing"
    assert 0.4 < grey.mean() < 0.6
    make_old(tmp_path)
    for _ in range(2):  # from the cache, too
        extract_features(tmp_path, ["x.jpg"], ToyExtractor(), [0], FeatureCache(tmp_path / "c"), progress=False)
        assert capsys.readouterr().err == f"note: x.jpg: the lower {grey.mean():.0%} of the picture is missing\n"


def test_zeros_that_were_decoded_as_pixels_before_are_extracted_anew(tmp_path):
    data = jpeg()
    content = content_of(written(tmp_path / "x.jpg", data[: len(data) // 2] + bytes(len(data) // 2)))
    assert content.key != content.hash


def test_of_a_jpeg_of_which_less_than_a_quarter_is_there_nothing_is_used(tmp_path):
    data = jpeg()
    with pytest.raises(UnreadableImage, match=r"^truncated: \d+% of the picture is there$"):
        open_image(written(tmp_path / "x.jpg", data[: len(data) // 6]))


def test_a_few_missing_rows_are_not_worth_a_note(tmp_path):
    data = jpeg()
    path = written(tmp_path / "x.jpg", data[: int(0.99 * len(data))])
    assert content_of(path).note == ""
    assert open_image(path).size == (320, 400)


@pytest.mark.parametrize("share", [0.4, 0.6, 0.9, 0.98])
def test_a_progressive_jpeg_that_breaks_off_is_said_to_be_less_sharp(tmp_path, share):
    data = jpeg(progressive=True)
    path = written(tmp_path / "x.jpg", data[: int(share * len(data))])
    assert content_of(path).note == "its end is missing, so that it is less sharp than it was"
    assert np.abs(pixels(path) - decoded(data)).mean() < 20


@pytest.mark.parametrize("behind", [b"\0" * 5000, b"a film, as phones append it", b"\xff\xd8 another"])
def test_what_stands_behind_the_end_of_a_jpeg_changes_nothing(tmp_path, behind):
    data = jpeg()
    path = written(tmp_path / "x.jpg", data + behind)
    np.testing.assert_array_equal(pixels(path), decoded(data))
    content = content_of(path)
    assert (content.key, content.note) == (content.hash, "")


def test_the_end_of_the_thumbnail_within_is_not_that_of_the_picture(tmp_path):
    exif = b"Exif\0\0MM\0*" + jpeg(quality=5)[:40_000] + b"\xff\xd9"
    data = jpeg(exif=exif)
    path = written(tmp_path / "x.jpg", data[: len(exif) + (len(data) - len(exif)) // 2])
    assert "of the picture is missing" in content_of(path).note


def test_pillows_own_settings_stay_as_they_are_while_threads_read_good_and_bad_files(tmp_path):
    data, text = jpeg(), PngImagePlugin.PngInfo()
    text.add_text("workflow", "x" * 3_000_000, zip=True)
    files = {"cut.jpg": data[:-2], "half.jpg": data[: len(data) // 2], "good.jpg": data, "text.png": png(text)}
    files |= {"bad.png": png()[:3000], "bad.bmp": b"BM" + bytes(60)}
    for name, content in files.items():
        written(tmp_path / name, content)
    settings = ImageFile.LOAD_TRUNCATED_IMAGES, PngImagePlugin.MAX_TEXT_CHUNK, PngImagePlugin.MAX_TEXT_MEMORY

    def look(name: str) -> str:
        assert settings[:2] == (ImageFile.LOAD_TRUNCATED_IMAGES, PngImagePlugin.MAX_TEXT_CHUNK)
        try:
            return str(np.asarray(open_image(tmp_path / name)).sum())
        except UnreadableImage as error:
            return error.reason

    alone = {name: look(name) for name in files}
    assert alone["bad.png"] == "truncated"
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(look, list(files) * 5))
    assert together == list(alone.values()) * 5
    assert settings == (
        ImageFile.LOAD_TRUNCATED_IMAGES,
        PngImagePlugin.MAX_TEXT_CHUNK,
        PngImagePlugin.MAX_TEXT_MEMORY,
    )


@pytest.mark.parametrize("suffix", [".webp", ".avif"])
def test_compressed_pixels_that_end_in_zeros_have_a_note(tmp_path, suffix):
    target = io.BytesIO()
    Image.fromarray(PHOTO[:200, :160]).save(target, suffix[1:].upper())
    data = target.getvalue()
    assert content_of(written(tmp_path / f"whole{suffix}", data)).note == ""
    path = written(tmp_path / f"x{suffix}", data[: len(data) // 2] + bytes(len(data) - len(data) // 2))
    try:
        open_image(path)
    except UnreadableImage:
        return  # refused, which says enough
    assert content_of(path).note == "it ends in zeros: a part of the picture is missing"


def test_zeros_behind_a_whole_webp_are_no_damage(tmp_path):
    target = io.BytesIO()
    Image.fromarray(PHOTO).save(target, "WEBP")
    assert content_of(written(tmp_path / "x.webp", target.getvalue() + bytes(4096))).note == ""
