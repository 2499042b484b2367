"""Images in tar files and zip archives, read in place, and behind addresses."""

import io
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest

from src.common.errors import UserError
from src.features.extraction import extract_features
from src.features.feature_cache import FeatureCache
from src.features.images import UnreadableImage, content_of, file_stamps, find_images, image_file, open_image
from src.features.images import lying as lying_module
from src.features.images.archives import members
from src.scoring.image_list import read_list
from tests.toys import ToyExtractor, colour, make_gallery, make_image, make_old


def png(i):
    data = io.BytesIO()
    from PIL import Image

    Image.new("RGB", (8, 6), colour(i)).save(data, "PNG")
    return data.getvalue()


def make_tar(path, names, mode="w"):
    with tarfile.open(path, mode) as tar:
        for i, name in enumerate(names):
            info, data = tarfile.TarInfo(name), png(i)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))


def make_zip(path, names, compression=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", compression) as archive:
        for i, name in enumerate(names):
            archive.writestr(name, png(i))


@pytest.mark.parametrize("make", [make_tar, make_zip])
def test_an_archive_is_a_folder_and_its_images_are_those_of_files(tmp_path, make):
    name = "photos.tar" if make is make_tar else "photos.ZIP"
    make(tmp_path / name, ["0001.png", "./sub/0002.png", "0001.json", ".hidden.png", "__MACOSX/0001.png"])
    assert find_images(tmp_path) == []
    paths = find_images(tmp_path, in_archives=True)
    assert paths == [f"{name}/0001.png", f"{name}/sub/0002.png"]
    for path, i in zip(paths, (0, 1), strict=True):
        assert open_image(image_file(tmp_path, path)).getpixel((0, 0)) == colour(i)
        make_image(tmp_path / f"{i}.png", colour(i))
        (tmp_path / f"{i}.png").write_bytes(png(i))
        assert content_of(image_file(tmp_path, path)) == content_of(tmp_path / f"{i}.png")


def test_features_of_an_archive_are_those_of_its_files_and_are_known_again(tmp_path):
    paths = make_gallery(tmp_path / "files", 6)
    with tarfile.open(tmp_path / "all.tar", "w") as tar:
        for path in paths:
            tar.add(tmp_path / "files" / path, path)
    make_old(tmp_path)
    toy = ToyExtractor()
    files = extract_features(tmp_path / "files", paths, toy, (0,), FeatureCache(tmp_path / "c1"))
    inside = [f"all.tar/{path}" for path in paths]
    found = extract_features(tmp_path, inside, toy, (0,), FeatureCache(tmp_path / "c2"))
    assert found.extracted == 6
    assert np.array_equal(found.states[0], files.states[0])
    again = FeatureCache(tmp_path / "c2")
    assert set(again.known(tmp_path, file_stamps(tmp_path, inside))) == set(inside)  # nothing is read to know them
    assert extract_features(tmp_path, inside, toy, (0,), again).extracted == 0


def test_a_changed_archive_is_read_anew(tmp_path):
    make_tar(tmp_path / "a.tar", ["x.png"])
    before = content_of(image_file(tmp_path, "a.tar/x.png"))
    make_tar(tmp_path / "a.tar", ["other.png", "x.png"])
    assert content_of(image_file(tmp_path, "a.tar/x.png")) != before


def test_of_two_members_of_one_name_the_later_counts(tmp_path):
    make_tar(tmp_path / "a.tar", ["x.png", "x.png"])
    assert members(tmp_path / "a.tar") == ["x.png"]
    assert open_image(image_file(tmp_path, "a.tar/x.png")).getpixel((0, 0)) == colour(1)


def test_a_folder_may_be_called_like_an_archive(tmp_path):
    make_image(tmp_path / "a.zip" / "x.png")
    assert find_images(tmp_path, in_archives=True) == ["a.zip/x.png"]
    assert isinstance(image_file(tmp_path, "a.zip/x.png"), Path)


@pytest.mark.parametrize("path", ["a.tar/gone.png", "a.zip/gone.png"])
def test_what_an_archive_has_not_is_no_such_file(tmp_path, path):
    make_tar(tmp_path / "a.tar", ["x.png"])
    make_zip(tmp_path / "a.zip", ["x.png"])
    with pytest.raises(UnreadableImage, match="no such file"):
        open_image(image_file(tmp_path, path))


def test_damaged_archives_are_named_and_left_out_of_a_folder(tmp_path, capsys):
    (tmp_path / "a.tar").write_bytes(b"nothing of a kind" * 100)
    (tmp_path / "b.zip").write_bytes(b"PK nothing")
    make_tar(tmp_path / "c.tar", ["x.png"], "w:gz")
    make_tar(tmp_path / "d.tar", ["x.png"])
    assert find_images(tmp_path, in_archives=True) == ["d.tar/x.png"]
    said = capsys.readouterr().err
    assert [name in said for name in ("a.tar", "b.zip", "c.tar", "d.tar")] == [True, True, True, False]


def test_a_truncated_member_and_one_that_can_not_be_unpacked_are_said(tmp_path):
    make_zip(tmp_path / "a.zip", ["x.png"], zipfile.ZIP_STORED)
    data = bytearray((tmp_path / "a.zip").read_bytes())
    data[60] ^= 255
    (tmp_path / "a.zip").write_bytes(data)
    with pytest.raises(UnreadableImage, match="can't be unpacked: Bad CRC-32"):
        open_image(image_file(tmp_path, "a.zip/x.png"))


def test_a_list_names_archives_and_what_is_in_them(tmp_path):
    make_tar(tmp_path / "a.tar", ["x.png", "y.png"])
    make_zip(tmp_path / "b.zip", ["z.png", "w.png"])
    (tmp_path / "list.txt").write_text("a.tar\nb.zip/z.png\nb.zip/gone.png\n")
    assert read_list(tmp_path / "list.txt", tmp_path) == ["a.tar/x.png", "a.tar/y.png", "b.zip/z.png"]


@pytest.fixture
def store():
    """A folder in fsspec's memory, with two images and a text."""
    fsspec = pytest.importorskip("fsspec", reason="fsspec is not installed")
    system = fsspec.filesystem("memory")
    for name, i in (("a.png", 0), ("sub/b.png", 1)):
        system.pipe_file(f"/bucket/{name}", png(i))
    system.pipe_file("/bucket/readme.txt", b"text")
    yield system
    system.rm("/bucket", recursive=True)


def test_images_behind_addresses_are_listed_and_read(store, tmp_path):
    from src.features.images import images_below

    assert images_below("memory://bucket") == ["memory:///bucket/a.png", "memory:///bucket/sub/b.png"]
    assert images_below("memory://bucket/", ["sub"]) == ["memory:///bucket/a.png"]
    found = extract_features(
        tmp_path, images_below("memory://bucket"), ToyExtractor(), (0,), FeatureCache(tmp_path / "c")
    )
    assert found.states[0] * 255 == pytest.approx(np.array([colour(0), colour(1)]), abs=0.2)


def test_what_is_wrong_with_an_address_is_one_sentence(store, tmp_path):
    with pytest.raises(UnreadableImage, match="no such file"):
        open_image(image_file(tmp_path, "memory://bucket/gone.png"))
    with pytest.raises(UserError, match=r"nostore://: .*; see requirements-remote.txt"):
        image_file(tmp_path, "nostore://bucket/gone.png")


def test_an_image_in_an_archive_or_a_store_has_no_file_of_its_own(tmp_path):
    make_tar(tmp_path / "a.tar", ["x.png"])
    paths = ["x.png", "a.tar/x.png", "s3://bucket/x.png"]
    assert lying_module.no_own_files(tmp_path, paths) == paths[1:]
