"""Copy, move and link: nothing overwritten, nothing twice, and what belongs to an image goes along."""

import os

import pytest

from src.common.errors import UserError
from src.scoring import placing
from src.scoring.handed_on import end_move, note_move, read_tables, unfinished_move, write_table
from src.scoring.handing_on import carry_out, check_handing_on, check_target, not_handed_on, plan
from src.scoring.placing import add_name, copy_new, link_new
from src.scoring.settings import HandingOnSettings

WAYS = ["copy", "move", "link"]


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "in" / "sub").mkdir(parents=True)
    for name in ("a.png", "sub/a.png", "b.png"):
        (tmp_path / "in" / name).write_text(f"content of {name}")
    return tmp_path


def hand(folder, way, *named, **how):
    """One run from in/ to out/; what it says."""
    steps = plan(way, folder / "in", folder / "out", named, **how)
    rows = [[step.target.name, step.path] for step in steps]
    return carry_out(way, folder / "out", steps, ["relative_path", "source"], rows)


def write(folder, **texts):
    """Files in in/, __ in a name standing for a dot."""
    for name, text in texts.items():
        (folder / "in" / name.replace("__", ".")).write_text(text)


def contents(folder):
    """{name: text} of all files in it but tables."""
    return {path.name: path.read_text() for path in folder.iterdir() if path.is_file() and path.suffix != ".csv"}


def test_names_that_are_taken_get_numbers_also_when_only_case_differs(folder):
    (folder / "out").mkdir()
    (folder / "out" / "X.png").touch()
    named = [("a.png", "x.png"), ("sub/a.png", "x.png"), ("b.png", "b.png")]
    steps = plan("copy", folder / "in", folder / "out", named)
    assert [step.target.name for step in steps] == ["x_2.png", "x_3.png", "b.png"]


def test_times_and_permissions_that_a_drive_refuses_stop_no_copy(folder, monkeypatch):
    def refuse(*arguments, **how):
        raise PermissionError(1, "Operation not permitted")

    for name in ("chmod", "utime", "link"):
        monkeypatch.setattr(os, name, refuse)
    for way in ("copy", "move"):
        hand(folder, way, ("a.png", "x.png"), ("b.png", "y.png"))
        assert contents(folder / "out") == {"x.png": "content of a.png", "y.png": "content of b.png"}
    assert [path.name for path in (folder / "in").iterdir()] == ["sub"]


@pytest.mark.parametrize("way", WAYS)
def test_each_way_keeps_content_never_overwrites_and_writes_a_table(folder, way):
    (folder / "out").mkdir()
    (folder / "out" / "x.png").write_text("theirs")
    assert hand(folder, way, ("a.png", "x.png")).endswith("see scores.csv there.")
    assert (folder / "out" / "scores.csv").read_text(encoding="utf-8") == "relative_path,source\nx_2.png,a.png\n"
    assert contents(folder / "out") == {"x.png": "theirs", "x_2.png": "content of a.png"}
    assert (folder / "in" / "a.png").exists() == (way != "move")


@pytest.mark.parametrize("way", WAYS)
def test_what_is_there_already_is_passed_over_also_under_another_of_our_names(folder, way):
    everything = [("a.png", "1.png"), ("sub/a.png", "2.png"), ("b.png", "3.png")]
    write(folder, a__txt="caption")
    hand(folder, "link" if way == "link" else "copy", *everything[:2])
    renamed = [("b.png", "1_of_now.png"), ("a.png", "2_of_now.png"), ("sub/a.png", "3_of_now.png")]
    said = hand(folder, way, *renamed)
    assert said.startswith("1 image ")
    assert ", 2 were there already; see scores_2.csv there." in said
    assert contents(folder / "out") == {
        "1.png": "content of a.png",
        "1.txt": "caption",
        "2.png": "content of sub/a.png",
        "1_of_now.png": "content of b.png",
    }
    assert [table.rows for table in read_tables(folder / "out")] == [
        [["1.png", "a.png"], ["2.png", "sub/a.png"]],
        [["1_of_now.png", "b.png"]],
    ]
    left = [path for path in (folder / "in").rglob("*") if path.is_file()]
    assert len(left) == (0 if way == "move" else 4)


def test_an_image_that_was_renamed_since_is_known_by_its_content(folder):
    hand(folder, "copy", ("a.png", "1.png"))
    (folder / "in" / "a.png").rename(folder / "in" / "new.png")
    assert "0 images copied" in hand(folder, "copy", ("new.png", "7.png"))
    assert len(contents(folder / "out")) == 1


def test_an_image_that_has_changed_since_goes_beside_the_older_one(folder):
    hand(folder, "copy", ("a.png", "1.png"))
    (folder / "in" / "a.png").write_text("CONTENT OF A.PNG")  # as long as before
    hand(folder, "copy", ("a.png", "1.png"))
    assert contents(folder / "out") == {"1.png": "content of a.png", "1_2.png": "CONTENT OF A.PNG"}


@pytest.mark.parametrize("way", WAYS)
def test_two_images_of_one_content_are_two_there_too_however_often(folder, way):
    (folder / "in" / "b.png").write_text("content of a.png")
    hand(folder, "link" if way == "link" else "copy", ("a.png", "1.png"))
    for _ in range(2):
        hand(
            folder,
            way,
            *[(path, new) for path, new in (("a.png", "1.png"), ("b.png", "2.png")) if exists(folder, path)],
        )
        assert sorted(contents(folder / "out")) == ["1.png", "2.png"]


def exists(folder, path):
    return (folder / "in" / path).exists()


@pytest.mark.parametrize("way", ["copy", "move"])
def test_a_link_does_not_count_as_a_copy_and_a_move_never_removes_the_only_file(folder, way):
    hand(folder, "link", ("a.png", "1.png"))
    hand(folder, way, ("a.png", "1.png"))
    assert (folder / "out" / "1_2.png").read_text() == "content of a.png"
    assert not (folder / "out" / "1_2.png").is_symlink()


def test_moving_within_a_folder_renames_and_loses_nothing(folder):
    steps = plan("move", folder / "in", folder / "in", [("a.png", "1.png"), ("b.png", "2.png")])
    carry_out("move", folder / "in", steps, ["relative_path", "source"], [["1.png", "a.png"], ["2.png", "b.png"]])
    assert contents(folder / "in") == {"1.png": "content of a.png", "2.png": "content of b.png"}


def test_a_move_killed_between_its_halves_is_finished(folder):
    write(folder, a__txt="caption")
    (folder / "out").mkdir()
    os.link(folder / "in" / "a.png", folder / "out" / "1.png")
    said = hand(folder, "move", ("a.png", "1.png"))
    assert said == f"0 images moved to {folder / 'out'}, 1 were there already, 1 file of theirs went along."
    assert contents(folder / "out") == {"1.png": "content of a.png", "1.txt": "caption"}
    assert contents(folder / "in") == {"b.png": "content of b.png"}


def test_a_killed_move_is_known_by_what_was_asked_until_it_is_ended(folder):
    rows = [["1.png", "a.png"], ["2.png", "b.png"]]
    table = write_table(folder, ["relative_path", "source"], rows)
    note_move(folder, "top 2", table)
    assert unfinished_move(folder, "top 2").rows == rows
    assert unfinished_move(folder, "top 3") is None
    end_move(folder)
    assert unfinished_move(folder, "top 2") is None


def test_a_table_that_says_it_already_is_not_written_again(folder):
    for rows in (
        [["1.png", "a.png", 0.5], ["2.png", "b.png", None]],
        [["2.png", "b.png", None]],
        [["2.png", "b.png", 1]],
    ):
        write_table(folder, ["relative_path", "source", "score"], rows)
    assert [table.path.name for table in read_tables(folder)] == ["scores.csv", "scores_2.csv"]


def test_what_was_put_into_a_folder_of_the_directory_is_left_out_there(folder):
    out = folder / "in" / "out"
    carry_out(
        "copy",
        out,
        plan("copy", folder / "in", out, [("a.png", "1.png")]),
        ["relative_path", "source"],
        [["1.png", "a.png"]],
    )
    paths = ["a.png", "b.png", "out/1.png", "out/mine.png"]
    left = not_handed_on(folder / "in", paths, HandingOnSettings(copy_to=str(out)))
    assert left == ["a.png", "b.png", "out/mine.png"]
    assert not_handed_on(folder / "in", paths, HandingOnSettings(copy_to=str(folder / "elsewhere"))) == paths
    assert not_handed_on(folder / "in", paths, HandingOnSettings()) == paths


@pytest.mark.parametrize("act", [copy_new, add_name, link_new])
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

    monkeypatch.setattr(placing.os, "link", other_disk)
    write(folder, a__txt="caption")
    hand(folder, "move", ("a.png", "x.png"))
    assert contents(folder / "out") == {"x.png": "content of a.png", "x.txt": "caption"}
    assert not (folder / "in" / "a.png").exists()


def test_a_link_that_is_moved_leads_where_it_led(folder):
    (folder / "in" / "link.png").symlink_to("b.png")
    hand(folder, "move", ("link.png", "x.png"))
    assert (folder / "out" / "x.png").read_text() == "content of b.png"
    assert contents(folder / "in").keys() == {"a.png", "b.png"}


# What the files of a.png are called beside 1.png.
SIBLINGS = {
    "a.png.xmp": "1.png.xmp",
    "a.xmp": "1.xmp",
    "a.txt": "1.txt",
    "a.json": "1.json",
    "a.npz": "1.npz",
    "a.png.pp3": "1.png.pp3",
    "a.png.supplemental-metadata.json": "1.png.supplemental-metadata.json",
    "a_01.png.xmp": "1_01.png.xmp",
    "a.AAE": "1.AAE",
    "a_0768x1024_sdxl.npz": "1_0768x1024_sdxl.npz",
    "a_flux_te.npz": "1_flux_te.npz",
}
STRANGERS = ("ab.txt", "a_b.txt", "b.txt", "a.mp4", "a b.xmp", "b_01.png.xmp", "notes.txt", "a_03.jpg.xmp")


@pytest.mark.parametrize("way", WAYS)
def test_what_belongs_to_an_image_goes_along_and_nothing_else(folder, way):
    for name in [*SIBLINGS, *STRANGERS]:
        (folder / "in" / name).write_text(f"content of {name}")
    (folder / "in" / "a.mp4").unlink()
    said = hand(folder, way, ("a.png", "1.png"))
    expected = {new: f"content of {name}" for name, new in [*SIBLINGS.items(), ("a.png", "1.png")]}
    assert contents(folder / "out") == expected
    assert f"{len(SIBLINGS)} files of theirs went along" in said
    assert all((folder / "in" / name).exists() for name in STRANGERS if name != "a.mp4")
    assert all((folder / "in" / name).exists() == (way != "move") for name in SIBLINGS)


@pytest.mark.parametrize("way", WAYS)
def test_links_to_nowhere_and_pipes_stay_where_they_are(folder, way):
    for name, leads_to in [("a.txt", "nowhere"), ("a.png.json", "a.png.json"), ("in-circles.jpg", "in-circles.jpg")]:
        (folder / "in" / name).symlink_to(leads_to)
    if hasattr(os, "mkfifo"):
        os.mkfifo(folder / "in" / "a.png.xmp")
    hand(folder, way, ("a.png", "1.png"))
    assert sorted(path.name for path in (folder / "out").iterdir()) == ["1.png", "scores.csv"]
    assert (folder / "in" / "a.txt").is_symlink()


def test_without_siblings_nothing_goes_along(folder):
    write(folder, a__txt="caption")
    hand(folder, "move", ("a.png", "1.png"), with_siblings=False)
    assert sorted(contents(folder / "out")) == ["1.png"]
    assert (folder / "in" / "a.txt").exists()


@pytest.mark.parametrize("other", ["a.jpg", "a.CR2", "a.safetensors"])
def test_of_a_shared_sibling_a_copy_goes_until_the_last_that_needs_it_is_gone(folder, other):
    write(folder, a__txt="caption", **{other.replace(".", "__"): "other"})
    hand(folder, "move", ("a.png", "1.png"))
    assert (folder / "in" / "a.txt").read_text() == (folder / "out" / "1.txt").read_text() == "caption"
    hand(folder, "move", (other, f"2{other[1:]}"))
    assert not (folder / "in" / "a.txt").exists()
    assert (folder / "out" / "2.txt").read_text() == "caption"


def test_images_that_share_a_sibling_share_it_there_too_where_they_keep_their_name(folder):
    write(folder, a__txt="caption", a__jpg="jpg")
    hand(folder, "move", ("a.png", "a.png"), ("a.jpg", "a.jpg"))
    assert contents(folder / "out") == {"a.png": "content of a.png", "a.jpg": "jpg", "a.txt": "caption"}
    assert sorted(contents(folder / "in")) == ["b.png"]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("first", ["image", "caption"])
def test_no_image_gets_the_caption_of_another(folder, way, first):
    write(folder, **{"x__jpg": "x"})
    (folder / "in" / "sub" / "x.png").write_text("sub/x")
    (folder / "in" / "sub" / "x.txt").write_text("of sub/x")
    named = [("x.jpg", "x.jpg"), ("sub/x.png", "x.png")]
    for one in named if first == "image" else named[::-1]:
        hand(folder, way, one)
    other = {"image": {"x.jpg": "x", "x_2.png": "sub/x", "x_2.txt": "of sub/x"}}
    other |= {"caption": {"x_2.jpg": "x", "x.png": "sub/x", "x.txt": "of sub/x"}}
    assert contents(folder / "out") == other[first]


def test_a_sibling_whose_names_are_taken_meanwhile_stays_and_is_named(folder, capsys):
    write(folder, a__txt="caption")
    steps = plan("move", folder / "in", folder / "out", [("a.png", "1.png")])
    (folder / "out").mkdir()
    for name in ("1.txt", "1.png.txt"):
        (folder / "out" / name).write_text("theirs")
    carry_out("move", folder / "out", steps, ["relative_path", "source"], [["1.png", "a.png"]])
    assert (folder / "in" / "a.txt").read_text() == "caption"
    assert contents(folder / "out") == {"1.png": "content of a.png", "1.txt": "theirs", "1.png.txt": "theirs"}
    assert "a.txt: stays, for there are other files of its names" in capsys.readouterr().err


def test_what_a_person_changed_in_a_copy_stays_when_it_is_copied_again(folder):
    write(folder, a__txt="caption")
    hand(folder, "copy", ("a.png", "1.png"))
    (folder / "out" / "1.txt").write_text("mine")
    hand(folder, "copy", ("a.png", "1.png"))
    assert contents(folder / "out") == {"1.png": "content of a.png", "1.txt": "mine"}


def test_a_sidecar_of_another_image_is_not_taken_away(folder):
    for name in ("a.png.jpg", "a.png.xmp"):  # the second is a.png's, and could be the first's
        (folder / "in" / name).write_text(name)
    hand(folder, "move", ("a.png.jpg", "1.jpg"))
    assert (folder / "in" / "a.png.xmp").read_text() == "a.png.xmp"


def test_an_image_that_is_gone_stops_with_how_far_it_came(folder):
    with pytest.raises(UserError, match=r"could not copy gone\.png .*; 1 image is there"):
        hand(folder, "copy", ("a.png", "a.png"), ("gone.png", "b.png"))


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
