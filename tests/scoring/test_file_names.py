"""Names of images that are handed on: plain ones, that stay in the folder."""

import pytest

from src.common.errors import UserError
from src.scoring.file_names import check_format, new_name
from src.scoring.settings import HandingOnSettings

VALUES = {"rank": 7, "score": 1.23456, "percentile": 50.0}


def test_the_default_format_sorts_by_rank_and_keeps_the_name():
    assert new_name(HandingOnSettings.filename_format, "sub/a b.PNG", VALUES) == "00007_1.235_a b.PNG"


@pytest.mark.parametrize(
    "text",
    ["../{name}", "{name}/{rank}", "/{name}", "a\\{name}", "C:{name}", "{name}\0", "{rank:>4}|{name}"],
)
def test_a_format_that_leads_out_of_the_folder_is_refused(text):
    with pytest.raises(UserError, match="a file name holds none of"):
        check_format(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{name.__class__}", "there is no {name.__class__}"),
        ("{name[0]}", r"there is no {name\[0\]}"),
        ("{}", "there is no {}"),
        ("{nme}", "there is no {nme}"),
        ("{rank:{score}}", "is no width"),
        ("{rank:0999999999}", "is no width"),
        ("{rank:.3q}", "right would be"),
        ("{name", "right would be"),
    ],
)
def test_a_format_with_other_fields_is_refused(text, message):
    with pytest.raises(UserError, match=message):
        check_format(text)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("..", "begins or ends with a dot"),
        (".{name}", "begins or ends with a dot"),
        ("{name}.", "begins or ends with a dot"),
        ("CON{extension}", "reserved"),
        ("x" * 240 + "{name}", "too long"),
    ],
)
def test_a_format_that_gives_no_names_is_refused_at_the_start(text, problem):
    with pytest.raises(UserError, match=f"--filename_format=.* {problem}.*; choose another format"):
        check_format(text)


def test_a_format_whose_filling_is_no_plain_name_is_said_with_its_image():
    with pytest.raises(UserError, match=r"'1.23456//', from a.png, is no plain file name"):
        new_name("{score:/<9}", "a.png", VALUES)


@pytest.mark.parametrize(
    ("text", "path", "name", "problem"),
    [
        ("{name}{extension}", "sub/con.jpg", "con_.jpg", "is reserved on Windows"),
        ("{name}{extension}", "LPT1.v2.jpg", "LPT1_.v2.jpg", "is reserved on Windows"),
        ("{name}", "sub/. .png", "image.png", "begins or ends with a dot or space"),
        ("{name}{extension}", "a" * 251 + ".png", "a" * 231 + ".png", "is too long"),
        ("{name}{extension}", "é" * 125 + ".png", "é" * 115 + ".png", "is too long"),
        ("{name}{extension}", "\udcff" * 251 + ".png", "\udcff" * 231 + ".png", "is too long"),
        ("{rank}_{name}{extension}", "con.jpg", "7_con.jpg", ""),
    ],
)
def test_an_image_whose_name_is_none_everywhere_gets_one_and_is_named(capsys, text, path, name, problem):
    assert new_name(text, path, VALUES) == name
    said = capsys.readouterr().err
    assert (f"its new name {problem}; it is called" in said) == bool(problem)


@pytest.mark.parametrize(
    ("text", "path", "name"),
    [
        ("{name}", "sub/a.PNG", "a.PNG"),
        ("{rank}", "a.v2.jpg", "7.jpg"),
        ("{name}", "a.v2.jpg", "a.v2.jpg"),
        ("{name}.JPG", "a.jpg", "a.JPG"),
        ("{rank}.jpg", "a.png", "7.jpg.png"),
    ],
)
def test_an_image_keeps_its_extension_also_where_the_format_has_none(text, path, name):
    assert new_name(text, path, VALUES) == name


def test_what_windows_forbids_in_a_name_becomes_an_underscore():
    assert new_name("{name}{extension}", 'sub/a:b"c?.png', VALUES) == "a_b_c_.png"
