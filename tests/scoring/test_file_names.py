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
    ("text", "path", "problem"),
    [
        ("..", "a.png", "begins or ends with a dot"),
        (".{name}", "a.png", "begins or ends with a dot"),
        ("{name}.", "a.png", "begins or ends with a dot"),
        ("CON{extension}", "a.png", "reserved"),
        ("{score:/<9}", "a.png", "plain file name"),
        ("{name}" * 3, "a" * 90 + ".png", "too long"),
    ],
)
def test_a_name_that_is_none_is_said_with_its_image(text, path, problem):
    with pytest.raises(UserError, match=problem):
        new_name(text, path, VALUES)


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
