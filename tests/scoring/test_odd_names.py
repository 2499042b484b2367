"""Images whose names are hard: what is done with the others goes on, and each of them is named."""

import sys

import pytest

import aesthetic_score_from_model as script
from src.scoring import models as scoring
from src.scoring.handed_on import add_to_table, read_tables, write_table
from tests.scripts.test_score_script import make_model
from tests.toys import ToyExtractor, colour, make_image

LONG = [f"{'é' * 124}.png", f"{'a' * 251}.png"]  # 252 and 255 bytes
NAMES = ["con.png", *LONG, "plain.png"]


@pytest.fixture
def score(tmp_path, monkeypatch, capsys):
    """Output and notes of one run on a folder of such images."""
    for i, name in enumerate(NAMES):
        make_image(tmp_path / "photos" / name, colour(i))
    make_model(tmp_path / "photos" / "model.safetensors")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(scoring, "load_extractor", lambda *_: ToyExtractor())

    def run(*words):
        monkeypatch.setattr(sys, "argv", ["score", "-d", "photos", *words])
        script.main()
        return capsys.readouterr()

    return run


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such names")
def test_stars_go_to_all_images_that_can_have_a_sidecar(score, tmp_path):
    out, notes = score("--write_xmp")
    assert "2 sidecars written" in out
    assert sorted(path.name for path in (tmp_path / "photos").glob("*.xmp")) == ["con.png.xmp", "plain.png.xmp"]
    assert notes.count("would need a name of more than 255 bytes") == 2
    out, _ = score("--write_xmp", "--xmp_name=stem")
    assert "2 sidecars written, 2 had them already" in out


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such names")
@pytest.mark.parametrize("way", ["copy", "move", "link"])
def test_all_images_are_handed_on_under_names_that_any_system_takes(score, tmp_path, way):
    out, notes = score(f"--{way}_to=best", "--filename_format={name}{extension}")
    assert "4 images" in out
    names = sorted(path.name for path in (tmp_path / "best").glob("*.png"))
    assert names == ["a" * 231 + ".png", "con_.png", "plain.png", "é" * 115 + ".png"]
    assert notes.count("; it is called ") == 3
    assert "con.png: its new name is reserved on Windows; it is called con_.png" in notes


def test_by_the_default_format_no_name_is_a_devices(score, tmp_path):
    _, notes = score("--copy_to=best")
    assert len(list((tmp_path / "best").glob("*.png"))) == 4
    assert notes.count("; it is called ") == 2  # the long ones


@pytest.mark.parametrize("write", [write_table, add_to_table])
def test_tables_hold_names_with_any_end_of_a_line(tmp_path, write):
    columns, rows = ["relative_path", "source", "score"], [["a\rb.png", "c\r\nd\ne.png", 1.5], ['"', ",", None]]
    for _ in range(2):
        write(tmp_path, columns, rows)
    (table,) = read_tables(tmp_path)
    assert [*map(tuple, table.rows[:2])] == [("a\rb.png", "c\r\nd\ne.png", "1.5"), ('"', ",", "")]
