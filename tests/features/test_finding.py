"""What is no picture of the person's own is left out, and said; only files are opened; links stay in the folder."""

import os
from pathlib import Path

import pytest

from src.ab_page.gallery import make_gallery as gallery_of
from src.ab_page.pictures import Pictures
from src.features.images import (
    UnreadableImage,
    content_hash,
    find_images,
    is_left_out,
    kinds,
    look_for_images,
    open_image,
)
from src.features.images.finding import leading_out
from tests.toys import make_image

POSIX = pytest.mark.skipif(os.name == "nt", reason="Windows has no such files, or wants a privilege for links")


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


# ---- folders of systems and programs ----


def test_thumbnails_of_a_network_drive_are_left_out_and_counted(tmp_path, capsys):
    touch(
        tmp_path, "a.jpg", "@eaDir/a.jpg/SYNOPHOTO_THUMB_M.jpg", "@eaDir/a.jpg/SYNOPHOTO_THUMB_XL.jpg", "@eaDir/x.txt"
    )
    assert find_images(tmp_path) == ["a.jpg"]
    assert capsys.readouterr().err == "note: 2 images in @eaDir are left out\n"
    assert find_images(tmp_path, say=False) == ["a.jpg"]
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    "folder",
    [
        *("@eaDir", "#recycle", "$RECYCLE.BIN/S-1-5-21", ".Trash", ".Trash-1000/files", "__MACOSX", ".@__thumb"),
        *(
            "lost+found",
            "System Volume Information",
            "found.000",
            "Holiday Previews.lrdata/A",
            "CaptureOne/Cache/Proxies",
        ),
        *("mipmaps-0a1b.d/2", "Photos Library.photoslibrary/originals/1", "appdata_ocabc123/preview", ".thumbnails"),
    ],
)
def test_folders_that_nobody_filled_are_left_out_at_any_depth(tmp_path, folder):
    touch(tmp_path, "x.png", f"{folder}/y.png", f"2024/{folder.lower()}/z.png")
    found = look_for_images(tmp_path)
    assert (found.paths, found.left_out.total()) == (["x.png"], 2)
    assert is_left_out(f"2024/{folder}/z.png")


def test_folders_that_people_name_so_are_theirs(tmp_path):
    own = [
        "CaptureOne/a.jpg",
        "cache/a.jpg",
        "darktable_exported/a.jpg",
        "previews/a.jpg",
        "thumbs/a.jpg",
        "trash/a.jpg",
    ]
    touch(tmp_path, *own)
    assert find_images(tmp_path) == own
    assert not any(map(is_left_out, own))


def test_a_folder_of_a_program_can_be_named_itself(tmp_path):
    touch(tmp_path / "@eaDir", "a.jpg")
    assert find_images(tmp_path / "@eaDir") == ["a.jpg"]


def test_other_hidden_folders_are_passed_over_without_a_word(tmp_path, capsys):
    touch(tmp_path, "x.png", ".aesthetic_cache/y.png", ".git/z.png", "@eaDir/.hidden/w.png")
    assert find_images(tmp_path) == ["x.png"]
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("patterns", "left"),
    [
        (["rejected"], ["a.png", "b/a_small.png"]),
        (["Rejected"], ["a.png", "b/a_small.png"]),
        (["*_small.*"], ["a.png", "b/rejected/c.png", "rejected/d.png"]),
        (["b/rejected"], ["a.png", "b/a_small.png", "rejected/d.png"]),
        (["b\\rejected\\"], ["a.png", "b/a_small.png", "rejected/d.png"]),
        (["b/*"], ["a.png", "rejected/d.png"]),
        (["reject"], ["a.png", "b/a_small.png", "b/rejected/c.png", "rejected/d.png"]),
        (["rejected", "b"], ["a.png"]),
        (["?.png"], ["b/a_small.png"]),
    ],
)
def test_exclude_takes_names_and_paths_of_folders_and_files(tmp_path, patterns, left):
    names = ["a.png", "b/a_small.png", "b/rejected/c.png", "rejected/d.png"]
    touch(tmp_path, *names)
    found = look_for_images(tmp_path, patterns)
    assert found.paths == left
    assert found.left_out.total() == 4 - len(left)
    assert [name for name in names if not is_left_out(name, patterns)] == left


def test_what_is_left_out_is_said_in_one_line(tmp_path):
    touch(tmp_path, "@eaDir/a.jpg", "__MACOSX/b.jpg", "__MACOSX/c.jpg", "old/d.jpg", "old/deep/e.jpg")
    (line,) = look_for_images(tmp_path, ["old"]).lines()
    assert line.startswith("5 images in ")
    assert line.endswith(" are left out")
    assert set(line[len("5 images in ") : -len(" are left out")].split(", ")) == {"@eaDir", "__MACOSX", "old"}


# ---- images that nothing here reads ----


def test_images_that_a_package_would_read_are_counted_and_the_package_named(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(kinds, "find_spec", lambda module: None)
    touch(tmp_path, "a.HEIC", "b/c.heif", "d.hif", "e.NEF", "f.jxl", "g.jxl", "x.png", "notes.txt", "sound.raw")
    assert find_images(tmp_path) == ["x.png"]
    assert capsys.readouterr().err.splitlines() == [
        "note: 2 .jxl images are left out; nothing here reads them; save as PNG",
        "note: 3 HEIC images are left out; pip install pillow-heif reads them",
        "note: 1 raw image is left out; pip install rawpy reads it",
    ]


def test_with_the_packages_they_are_found(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(kinds, "find_spec", lambda module: module)
    touch(tmp_path, "a.HEIC", "e.NEF", "x.png")
    assert find_images(tmp_path) == ["a.HEIC", "e.NEF", "x.png"]
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("installed", [True, False])
def test_a_raw_file_beside_its_jpeg_is_the_same_picture(tmp_path, monkeypatch, installed):
    monkeypatch.setattr(kinds, "find_spec", lambda module: module if installed else None)
    touch(tmp_path, "a.cr2", "A.JPG", "b/a.cr2", "c.psd", "c.dng")
    found = look_for_images(tmp_path)
    assert found.paths == (["A.JPG", "b/a.cr2", "c.dng"] if installed else ["A.JPG"])
    assert found.foreign == ({".psd": 1} if installed else {".psd": 1, "raw": 2})


# ---- what is no file ----


@POSIX
@pytest.mark.parametrize("target", ["/dev/zero", "pipe", "/dev/null", "folder.txt"])
def test_a_link_to_what_is_no_file_is_no_image_and_is_never_read(tmp_path, target):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder.txt").mkdir()
    (tmp_path / "x.png").symlink_to(target)
    found = look_for_images(tmp_path)
    assert found.paths == []
    left = "1 image by name is left out; pipes and devices are no files"
    assert found.lines() == ([] if target == "folder.txt" else [left])
    for read in (open_image, content_hash):
        with pytest.raises(UnreadableImage, match=r"^(a device|a pipe|a folder), not a file$"):
            read(tmp_path / "x.png")


@POSIX
def test_links_within_the_folder_lead_nowhere_else(tmp_path):
    make_image(tmp_path / "images/a.png")
    make_image(tmp_path / "elsewhere/secret.png")
    make_image(tmp_path / "images 2/b.png")  # its name begins like the folder's
    links = {
        "in.png": "a.png",
        "out.png": "../elsewhere/secret.png",
        "all": "../elsewhere",
        "near.png": "../images 2/b.png",
    }
    for name, target in links.items():
        (tmp_path / "images" / name).symlink_to(target)
    (tmp_path / "images/broken.png").symlink_to("nowhere.png")
    (tmp_path / "images/circle.png").symlink_to("circle.png")
    (tmp_path / "link to images").symlink_to("images")
    for directory in (tmp_path / "images", tmp_path / "link to images"):
        found = find_images(directory)
        assert found == ["a.png", "all/secret.png", "broken.png", "circle.png", "in.png", "near.png", "out.png"]
        assert leading_out(directory, found) == ["all/secret.png", "near.png", "out.png"]


@POSIX
def test_the_page_serves_nothing_from_outside_of_the_folder(tmp_path):
    make_image(tmp_path / "images/a.png")
    make_image(tmp_path / "secret.png")
    (tmp_path / "images/out.png").symlink_to("../secret.png")
    pictures = Pictures(gallery_of(tmp_path / "images", {"a.png": 1, "out.png": 2}))
    assert pictures.full(1)
    with pytest.raises(UnreadableImage, match="a link that leads out of the folder"):
        pictures.scaled(2, 64, 64)


@POSIX
def test_a_file_that_becomes_such_a_link_later_is_not_served_either(tmp_path):
    make_image(tmp_path / "secret.png")
    path = make_image(tmp_path / "images/a.png")
    pictures = Pictures(gallery_of(tmp_path / "images", {"a.png": 1}))
    times = path.stat()
    path.unlink()
    path.symlink_to("../secret.png")
    os.utime(tmp_path / "secret.png", ns=(times.st_atime_ns, times.st_mtime_ns))
    with pytest.raises(UnreadableImage):
        pictures.full(1)
