"""--list: which images a text file names."""

import os

import pytest

from src.common.errors import UserError
from src.scoring.image_list import read_list
from tests.toys import make_image


@pytest.fixture
def here(tmp_path):
    for name in ("a.png", "sub/b.png", "#c.png", " d.png"):
        make_image(tmp_path / "photos" / name)
    return tmp_path


def listed(here, text, **how):
    data = text if isinstance(text, bytes) else text.encode()
    (here / "list.txt").write_bytes(data)
    return read_list(here / "list.txt", here / "photos", **how)


def test_a_line_is_a_path_from_the_directory_or_an_absolute_one_in_it(here):
    text = f"\ufeff# picked\r\nsub/b.png\r\n\r\n{here}/photos/a.png\n./sub/../a.png\n"
    assert listed(here, text) == ["a.png", "sub/b.png"]


def test_what_no_plain_line_can_hold_is_json_text(here):
    assert listed(here, '"#c.png"\n d.png\n"\\u0061.png"') == [" d.png", "#c.png", "a.png"]


@pytest.mark.skipif(os.name == "nt", reason="names are text on Windows")
def test_a_name_that_is_no_text_is_its_bytes_or_json(here):
    make_image(here / "photos" / os.fsdecode(b"\xff.png"))
    assert listed(here, b"\xff.png\n") == listed(here, '"\\udcff.png"') == [os.fsdecode(b"\xff.png")]


@pytest.mark.parametrize("kind", ["string", "binary", "large_binary"])
def test_a_column_of_a_parquet_file_may_hold_text_or_its_bytes(here, kind):
    pyarrow = pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    parquet = pytest.importorskip("pyarrow.parquet")
    parquet.write_table(
        pyarrow.table({"path": pyarrow.array([b"a.png", None, b"sub/b.png"], pyarrow.binary()).cast(kind)}),
        here / "list.parquet",
    )
    assert read_list(here / "list.parquet", here / "photos") == ["a.png", "sub/b.png"]


def test_images_that_are_gone_are_named_and_left_out(here, capsys):
    assert listed(here, "a.png\ngone.png\n") == ["a.png"]
    assert "1 image is in" in (said := capsys.readouterr().err)
    assert "gone.png" in said
    assert listed(here, "gone.png\n", may_be_gone=True) == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "names no image"),
        ("gone.png\n", "names no image that is in .*gone.png"),
        ("a.png\n../list.txt\n", "line 2: ../list.txt is not in"),
        ("/etc/passwd\n", "line 1: .*is not in"),
        ('"a.png\n', "line 1: no JSON text"),
        (b"PAR1\0\0", "is no text"),
    ],
)
def test_a_bad_list_is_one_sentence(here, text, said):
    with pytest.raises(UserError, match=f"--list=.*{said}"):
        listed(here, text)


def test_a_list_that_is_not_there_is_one_sentence(here):
    with pytest.raises(UserError, match=r"--list=.*can't be read"):
        read_list(here / "none.txt", here / "photos")
