"""Finding, opening and hashing images; the expected pixels are worked out by hand or with numpy."""

import hashlib
import io
import os
import random
import struct
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from src.common.errors import UserError
from src.features.images import IMAGE_SUFFIXES, UnreadableImage, content_hash, file_stamps, find_images, open_image
from tests.toys import make_image, make_old

NOISE = np.random.default_rng(0).integers(0, 256, (24, 32, 3), dtype=np.uint8)


def pixels(path: Path) -> np.ndarray:
    image = open_image(path)
    assert image.mode == "RGB"
    return np.asarray(image)


def reason(path: Path) -> str:
    with pytest.raises(UnreadableImage) as caught:
        open_image(path)
    return caught.value.reason


def png_bytes(colour_type: int, size: tuple[int, int], rows: bytes, *chunks: tuple[bytes, bytes]) -> bytes:
    """A 16-bit PNG written by hand, for the kinds that Pillow reads but does not write."""
    header = struct.pack(">IIBBBBB", *size, 16, colour_type, 0, 0, 0)
    coded = b"\x89PNG\r\n\x1a\n"
    for kind, data in ((b"IHDR", header), *chunks, (b"IDAT", zlib.compress(rows)), (b"IEND", b"")):
        coded += struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    return coded


# ---- finding ----


def test_images_are_found_in_sub_folders_sorted_with_forward_slashes(tmp_path):
    quoted = "ünï 'quoted'.avif" if os.name == "nt" else 'ünï "quoted".avif'
    for name in ("b.PNG", "a/z.jpeg", "a/b/c, with comma.Webp", quoted, "a.tiff/inside.gif"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "notes.txt").touch()
    (tmp_path / "png").touch()
    expected = ["a.tiff/inside.gif", "a/b/c, with comma.Webp", "a/z.jpeg", "b.PNG", quoted]
    assert find_images(tmp_path) == expected


def test_every_suffix_of_the_list_is_found_and_written_and_read(tmp_path):
    for suffix in IMAGE_SUFFIXES:
        make_image(tmp_path / f"x{suffix}", (200, 100, 50), (16, 16))
    found = find_images(tmp_path)
    assert {Path(path).suffix for path in found} == IMAGE_SUFFIXES
    for path in found:
        assert np.abs(pixels(tmp_path / path).astype(int) - (200, 100, 50)).max() <= 6, path


def test_hidden_files_and_folders_are_left_out(tmp_path):
    for name in (".x.png", ".aesthetic_cache/y.png", "a/.b/z.png", "a/seen.png"):
        make_image(tmp_path / name)
    assert find_images(tmp_path) == ["a/seen.png"]


@pytest.mark.skipif(os.name == "nt", reason="links need a privilege on Windows")
def test_links_to_folders_are_followed_but_never_in_a_circle(tmp_path):
    make_image(tmp_path / "elsewhere/x.png")
    make_image(tmp_path / "images/a/y.png")
    (tmp_path / "images/linked").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "images/a/up").symlink_to(tmp_path / "images")
    (tmp_path / "elsewhere/back").symlink_to(tmp_path / "images")
    assert find_images(tmp_path / "images") == ["a/y.png", "linked/x.png"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_named_pipe_is_no_image_but_a_broken_link_is_listed_to_be_reported(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "broken.png").symlink_to(tmp_path / "nowhere.png")
    assert find_images(tmp_path) == ["broken.png"]
    assert reason(tmp_path / "broken.png") == "no such file"


@pytest.mark.skipif(os.name == "nt", reason="links need a privilege on Windows")
def test_a_link_to_itself_is_reported_and_takes_nothing_else_with_it(tmp_path, capsys):
    make_image(tmp_path / "a/x.png")
    for name in ("a/bad.png", "a/circle"):
        (tmp_path / name).symlink_to(tmp_path / name)
    assert find_images(tmp_path / "a") == ["bad.png", "x.png"]
    assert find_images(tmp_path) == ["a/bad.png", "a/x.png"]
    assert "circle: can't be listed (Too many levels of symbolic links)" in capsys.readouterr().err
    assert reason(tmp_path / "a/bad.png") == "Too many levels of symbolic links"


def test_a_directory_that_is_missing_or_a_file_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"nowhere: No such file or directory; give an existing directory"):
        find_images(tmp_path / "nowhere")
    with pytest.raises(UserError, match=r"x\.png: is a file; give the directory that holds the images"):
        find_images(make_image(tmp_path / "x.png"))


def test_a_sub_folder_that_cannot_be_listed_is_named(tmp_path, monkeypatch, capsys):
    make_image(tmp_path / "a/x.png")
    make_image(tmp_path / "b/y.png")
    scan = os.scandir

    def forbidden(folder):
        if Path(folder).name == "a":
            raise PermissionError(13, "Permission denied")
        return scan(folder)

    monkeypatch.setattr(os, "scandir", forbidden)
    assert find_images(tmp_path) == ["b/y.png"]
    assert f"{tmp_path / 'a'}: can't be listed (Permission denied)" in capsys.readouterr().err


# ---- opening ----

# What a viewer must do to the stored pixels, by the EXIF standard's table of where row 0 and column 0 belong.
UPRIGHT = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.transpose(1, 0, 2),
    6: lambda a: a.transpose(1, 0, 2)[:, ::-1],
    7: lambda a: a[::-1, ::-1].transpose(1, 0, 2),
    8: lambda a: a.transpose(1, 0, 2)[::-1],
}


@pytest.mark.parametrize("suffix", [".png", ".tif", ".webp"])
@pytest.mark.parametrize("orientation", UPRIGHT)
def test_exif_orientation_is_applied_once(tmp_path, suffix, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(NOISE).save(tmp_path / f"x{suffix}", exif=exif, lossless=True)
    np.testing.assert_array_equal(pixels(tmp_path / f"x{suffix}"), UPRIGHT[orientation](NOISE))


def test_broken_exif_does_not_spoil_good_pixels(tmp_path):
    Image.fromarray(NOISE).save(tmp_path / "x.png", exif=b"Exif\0\0II*\0\xff\xff\xff\xffnonsense")
    np.testing.assert_array_equal(pixels(tmp_path / "x.png"), NOISE)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "PA"])
def test_transparency_is_put_on_white(tmp_path, mode):
    colour = {"RGBA": (0, 100, 200, 51), "LA": (100, 51), "PA": (0, 51)}[mode]  # 51 / 255 is one fifth opaque
    image = Image.new(mode, (3, 2), colour)
    if mode == "PA":
        image.putpalette([0, 100, 200] + [0] * 765)
    image.save(tmp_path / "x.tif")
    expected = (224, 224, 224) if mode == "LA" else (204, 224, 244)  # 255 - (255 - value) / 5
    assert np.abs(pixels(tmp_path / "x.tif").astype(int) - expected).max() <= 1


@pytest.mark.parametrize(("mode", "transparent"), [("P", 0), ("P", b"\x00\xff"), ("L", 0), ("RGB", (0, 0, 0))])
def test_a_transparent_colour_becomes_white(tmp_path, mode, transparent):
    image = Image.new(mode, (2, 1), 0 if mode != "RGB" else (0, 0, 0))
    if mode == "P":
        image.putpalette([0, 0, 0, 10, 20, 30])
    image.putpixel((1, 0), {"P": 1, "L": 10, "RGB": (10, 20, 30)}[mode])
    image.save(tmp_path / "x.png", transparency=transparent)
    opaque = [10, 10, 10] if mode == "L" else [10, 20, 30]
    assert pixels(tmp_path / "x.png").tolist() == [[[255, 255, 255], opaque]]


def test_the_colour_under_full_transparency_never_shows(tmp_path):
    Image.new("RGBA", (2, 2), (255, 0, 0, 0)).save(tmp_path / "x.png")
    assert (pixels(tmp_path / "x.png") == 255).all()


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_sixteen_bit_grey_is_scaled_not_clipped(tmp_path, suffix):
    Image.fromarray(np.arange(256, dtype=np.uint16).reshape(16, 16) * 257).save(tmp_path / f"x{suffix}")
    expected = np.arange(256).reshape(16, 16)
    for channel in range(3):
        np.testing.assert_array_equal(pixels(tmp_path / f"x{suffix}")[..., channel], expected)


def test_sixteen_bit_grey_has_its_transparent_value_on_white(tmp_path):
    rows = b"\0" + struct.pack(">3H", 0, 257, 65535)
    (tmp_path / "x.png").write_bytes(png_bytes(0, (3, 1), rows, (b"tRNS", struct.pack(">H", 257))))
    assert pixels(tmp_path / "x.png")[0, :, 0].tolist() == [0, 255, 255]


@pytest.mark.parametrize("colour_type", [2, 6])
def test_sixteen_bit_colour_is_scaled_not_clipped(tmp_path, colour_type):
    colour = (10 * 257, 100 * 257, 250 * 257) + ((65535,) if colour_type == 6 else ())
    rows = b"\0" + struct.pack(f">{len(colour)}H", *colour)
    (tmp_path / "x.png").write_bytes(png_bytes(colour_type, (1, 1), rows))
    assert pixels(tmp_path / "x.png").tolist() == [[[10, 100, 250]]]


@pytest.mark.parametrize("white", [1.0, 255.0, 65535.0, 3e6])
def test_floating_point_values_are_scaled_by_the_white_that_holds_them(tmp_path, white):
    values = np.array([[0, 0.5, 1, -1, np.nan]], dtype=np.float32) * np.float32(white)
    Image.fromarray(values).save(tmp_path / "x.tif")
    assert pixels(tmp_path / "x.tif")[0, :, 0].tolist() == [0, 128, 255, 0, 0]


def test_32_bit_integers_count_as_16_bit_unless_they_are_larger(tmp_path):
    Image.fromarray(np.array([[0, 257, 65535]], dtype=np.int32)).save(tmp_path / "x.tif")
    assert pixels(tmp_path / "x.tif")[0, :, 0].tolist() == [0, 1, 255]
    Image.fromarray(np.array([[0, 400_000, 1_000_000]], dtype=np.int32)).save(tmp_path / "y.tif")
    assert pixels(tmp_path / "y.tif")[0, :, 0].tolist() == [0, 102, 255]


@pytest.mark.parametrize("suffix", [".jpg", ".tif"])
def test_cmyk_keeps_its_colours(tmp_path, suffix):
    Image.new("CMYK", (16, 16), (0, 255, 255, 0)).save(tmp_path / f"x{suffix}")  # no cyan: red
    assert np.abs(pixels(tmp_path / f"x{suffix}").astype(int) - (255, 0, 0)).max() <= 3


def test_lab_palette_and_one_bit_images_keep_their_colours(tmp_path):
    Image.new("LAB", (4, 4), (255, 128, 128)).save(tmp_path / "lab.tif")  # L = 100, a = b = 0
    assert pixels(tmp_path / "lab.tif").min() >= 250
    Image.fromarray(NOISE).quantize(16).save(tmp_path / "palette.png")
    expected = np.asarray(Image.open(tmp_path / "palette.png").convert("RGB"))
    np.testing.assert_array_equal(pixels(tmp_path / "palette.png"), expected)
    Image.fromarray(np.array([[True, False]])).save(tmp_path / "bit.png")
    assert pixels(tmp_path / "bit.png")[0, :, 0].tolist() == [255, 0]


@pytest.mark.parametrize("suffix", [".gif", ".webp", ".png", ".tif"])
def test_of_an_animation_the_first_frame_is_taken(tmp_path, suffix):
    first, second = Image.new("RGB", (8, 8), "red"), Image.new("RGB", (8, 8), "blue")
    first.save(tmp_path / f"x{suffix}", save_all=True, append_images=[second], lossless=True)
    assert np.abs(pixels(tmp_path / f"x{suffix}").astype(int) - (255, 0, 0)).max() <= 1


# ---- files that can't be opened ----


def test_each_kind_of_bad_file_has_its_reason(tmp_path):
    (tmp_path / "empty.png").touch()
    assert reason(tmp_path / "empty.png") == "not an image: an empty file"
    (tmp_path / "text.jpg").write_text("hello, world")
    assert reason(tmp_path / "text.jpg") == "not an image, or a damaged one (it begins with b'hello, world')"
    assert reason(tmp_path / "missing.png") == "no such file"
    (tmp_path / "folder.png").mkdir()
    assert reason(tmp_path / "folder.png") == "a folder, not a file"


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".gif"])
def test_a_truncated_file_is_called_so(tmp_path, suffix):
    Image.fromarray(NOISE).save(tmp_path / f"x{suffix}")
    data = (tmp_path / f"x{suffix}").read_bytes()
    (tmp_path / f"x{suffix}").write_bytes(data[: len(data) * 3 // 4])
    assert reason(tmp_path / f"x{suffix}") == "truncated"


def test_a_file_without_permission_is_called_so(tmp_path, monkeypatch):
    path = make_image(tmp_path / "x.png")

    def forbidden(*_args, **_kwargs):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Image, "open", forbidden)
    assert reason(path) == "no permission to read it"


def test_the_decompression_bomb_limit_stays_on(tmp_path, monkeypatch):
    path = make_image(tmp_path / "x.png", size=(100, 100))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 4000)
    assert reason(path).startswith("larger than Pillow's decompression-bomb limit (Image size (10000 pixels)")


def test_between_the_limit_and_its_double_an_image_opens_silently_unless_the_warning_is_made_an_error(
    tmp_path, monkeypatch
):
    path = make_image(tmp_path / "x.png", size=(100, 100))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 6000)
    with warnings.catch_warnings(record=True) as seen:
        assert open_image(path).size == (100, 100)
    assert seen == []
    with warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        assert "decompression-bomb limit" in reason(path)


def test_a_format_that_would_start_another_program_is_not_tried(tmp_path):
    (tmp_path / "x.png").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\nshowpage\n")
    assert reason(tmp_path / "x.png").startswith("not an image")


@pytest.mark.parametrize("suffix", sorted(IMAGE_SUFFIXES - {".jpeg", ".tiff"}))
def test_garbled_bytes_give_an_image_or_a_reason_and_nothing_else(tmp_path, suffix, capfd):
    exif = Image.Exif()
    exif[0x0112] = 6
    good = io.BytesIO()
    Image.fromarray(NOISE).save(good, Image.registered_extensions()[suffix], exif=exif)
    chance = random.Random(suffix)
    for _ in range(40):
        data = bytearray(good.getvalue())
        for _ in range(chance.choice((1, 3, 30))):
            data[chance.randrange(min(len(data), chance.choice((64, 400, len(data)))))] = chance.randrange(256)
        path = tmp_path / f"x{suffix}"
        path.write_bytes(data[: chance.choice((len(data), chance.randrange(len(data))))])
        try:
            outcome = open_image(path).mode
        except UnreadableImage as error:
            outcome = error.reason
        assert outcome
        assert "\n" not in outcome


# ---- hashes and stamps ----


def test_the_content_hash_is_128_bits_of_blake2b(tmp_path):
    data = bytes(range(256)) * 10_000  # more than one block
    (tmp_path / "x.png").write_bytes(data)
    assert content_hash(tmp_path / "x.png") == hashlib.blake2b(data, digest_size=16).hexdigest()
    with pytest.raises(UnreadableImage, match="no such file"):
        content_hash(tmp_path / "missing.png")


def test_stamps_are_of_the_files_asked_for_and_young_files_are_not_relied_on(tmp_path):
    make_image(tmp_path / "a/old.png")
    make_image(tmp_path / "older.png")
    make_old(tmp_path)
    make_image(tmp_path / "a/young.png")
    stamps = file_stamps(tmp_path, ["a/old.png", "a/young.png", "older.png", "a/missing.png", "nowhere/x.png"])
    assert {path: stamp.settled for path, stamp in stamps.items()} == {
        "a/old.png": True,
        "a/young.png": False,
        "older.png": True,
    }
    assert stamps["older.png"].size == (tmp_path / "older.png").stat().st_size
    assert stamps["older.png"].mtime_ms == (tmp_path / "older.png").stat().st_mtime_ns // 1_000_000
