"""Copy, move and link: names that stay in the folder, and nothing overwritten."""

import os

import pytest

from src.common.errors import UserError
from src.scoring import handing_on
from src.scoring.handing_on import carry_out, check_format, check_target, copy_new, move_new, new_name, plan

VALUES = {"rank": 7, "score": 1.23456, "percentile": 50.0}


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "in" / "sub").mkdir(parents=True)
    for name in ("a.png", "sub/a.png", "b.png"):
        (tmp_path / "in" / name).write_text(f"content of {name}")
    return tmp_path


def test_the_default_format_sorts_by_rank_and_keeps_the_name():
    assert new_name("{rank:05}_{score:.3f}_{name}{extension}", "sub/a b.PNG", VALUES) == "00007_1.235_a b.PNG"


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


def test_names_that_are_taken_get_numbers_also_when_only_case_differs(folder):
    (folder / "out").mkdir()
    (folder / "out" / "X.png").touch()
    steps = plan(folder / "in", folder / "out", [("a.png", "x.png"), ("sub/a.png", "x.png"), ("b.png", "b.png")])
    assert [step.target.name for step in steps] == ["x_2.png", "x_3.png", "b.png"]


@pytest.mark.parametrize("way", ["copy", "move", "link"])
def test_each_way_keeps_content_never_overwrites_and_writes_a_table(folder, way):
    out = folder / "out"
    for round in (1, 2):
        if way == "move" and round == 2:
            (folder / "in" / "a.png").write_text("content of a.png")
        steps = plan(folder / "in", out, [("a.png", "x.png")])
        table = carry_out(way, out, steps, ["relative_path", "source"], [[steps[0].target.name, "a.png"]])
        assert table.read_text(encoding="utf-8") == f"relative_path,source\n{steps[0].target.name},a.png\n"
    assert sorted(path.name for path in out.iterdir()) == ["scores.csv", "scores_2.csv", "x.png", "x_2.png"]
    assert (out / "x.png").read_text() == (out / "x_2.png").read_text() == "content of a.png"
    assert (folder / "in" / "a.png").exists() == (way != "move")


@pytest.mark.parametrize("act", [copy_new, move_new, handing_on.link_new])
def test_a_file_that_appeared_since_the_plan_stays_and_so_does_the_source(folder, act):
    target = folder / "x.png"
    target.write_text("theirs")
    with pytest.raises(FileExistsError):
        act(folder / "in" / "a.png", target)
    assert target.read_text() == "theirs"
    assert (folder / "in" / "a.png").read_text() == "content of a.png"
    assert not list(folder.glob("*.part")) + list(folder.glob(".*"))


def test_moving_to_another_disk_copies_first(folder, monkeypatch):
    def other_disk(*_, **__):
        raise OSError(18, "other disk")

    monkeypatch.setattr(os, "link", other_disk)
    monkeypatch.setattr(handing_on, "os", os)
    move_new(folder / "in" / "a.png", folder / "x.png")
    assert (folder / "x.png").read_text() == "content of a.png"
    assert not (folder / "in" / "a.png").exists()


def test_a_sidecar_goes_with_its_image(folder):
    (folder / "in" / "a.png.xmp").write_text("stars")
    carry_out("move", folder / "out", plan(folder / "in", folder / "out", [("a.png", "1.png")]), ["a"], [["b"]])
    assert (folder / "out" / "1.png.xmp").read_text() == "stars"
    assert not (folder / "in" / "a.png.xmp").exists()


@pytest.mark.parametrize("way", ["copy", "move", "link"])
def test_a_sidecar_of_either_name_goes_with_its_image(folder, way):
    for name in ("a.png.xmp", "a.xmp"):
        (folder / "in" / name).write_text(name)
    carry_out(way, folder / "out", plan(folder / "in", folder / "out", [("a.png", "1.png")]), ["a"], [["b"]])
    for name, new in (("a.png.xmp", "1.png.xmp"), ("a.xmp", "1.xmp")):
        assert (folder / "out" / new).read_text() == name
        assert (folder / "in" / name).exists() == (way != "move")


def test_a_sidecar_that_two_images_share_goes_with_the_last_of_them(folder):
    for name in ("a.jpg", "a.xmp"):
        (folder / "in" / name).write_text(name)
    for image, new in (("a.png", "1.png"), ("a.jpg", "1.jpg")):
        assert (folder / "in" / "a.xmp").exists()
        steps = plan(folder / "in", folder / "out", [(image, new)])
        carry_out("move", folder / "out", steps, ["a"], [["b"]])
    assert not (folder / "in" / "a.xmp").exists()
    assert (folder / "out" / "1.xmp").read_text() == (folder / "out" / "1.jpg.xmp").read_text() == "a.xmp"


@pytest.mark.parametrize("way", ["copy", "move"])
def test_a_sidecar_both_of_whose_names_are_taken_stays_and_stops_nothing(folder, way):
    for name in ("a.jpg", "a.xmp", "a.jpg.xmp"):
        (folder / "in" / name).write_text(name)
    steps = plan(folder / "in", folder / "out", [("a.png", "a.png"), ("a.jpg", "a.jpg")])
    carry_out(way, folder / "out", steps, ["a"], [["b"], ["c"]])
    assert {path.name for path in (folder / "out").glob("a.*")} == {"a.png", "a.jpg", "a.xmp", "a.jpg.xmp"}
    assert (folder / "out" / "a.jpg.xmp").read_text() == "a.jpg.xmp"
    assert (folder / "out" / "a.xmp").read_text() == "a.xmp"


def test_a_sidecar_of_another_image_is_not_taken_away(folder):
    for name in ("a.png.jpg", "a.png.xmp"):  # the second is a.png's, and could be the first's
        (folder / "in" / name).write_text(name)
    steps = plan(folder / "in", folder / "out", [("a.png.jpg", "1.jpg")])
    carry_out("move", folder / "out", steps, ["a"], [["b"]])
    assert (folder / "in" / "a.png.xmp").read_text() == "a.png.xmp"


def test_an_image_that_is_gone_stops_with_how_far_it_came(folder):
    steps = plan(folder / "in", folder / "out", [("a.png", "a.png"), ("gone.png", "b.png")])
    with pytest.raises(UserError, match=r"could not copy gone\.png .*; 1 images are there"):
        carry_out("copy", folder / "out", steps, ["a"], [])


def test_a_target_that_is_a_file_is_refused(folder):
    with pytest.raises(UserError, match="is a file; name a folder"):
        check_target("copy_to", folder / "in" / "a.png" / "deeper")
