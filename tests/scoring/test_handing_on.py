"""Copy, move and link: nothing overwritten, and sidecars go along."""

import os

import pytest

from src.common.errors import UserError
from src.scoring import handing_on
from src.scoring.handing_on import carry_out, check_handing_on, check_target, copy_new, move_new, plan
from src.scoring.settings import HandingOnSettings


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "in" / "sub").mkdir(parents=True)
    for name in ("a.png", "sub/a.png", "b.png"):
        (tmp_path / "in" / name).write_text(f"content of {name}")
    return tmp_path


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


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (HandingOnSettings(move_to="a", link_to="b"), "--move_to and --link_to: an image can go one way only"),
        (HandingOnSettings(copy_to="a", filename_format="{nil}"), "there is no {nil}"),
        (HandingOnSettings(link_to=__file__), "--link_to=.*is a file; name a folder"),
    ],
)
def test_what_can_not_be_handed_on_is_refused(settings, message):
    with pytest.raises(UserError, match=message):
        check_handing_on(settings)
    check_handing_on(HandingOnSettings(filename_format="{nil}"))  # which counts only where images go somewhere
