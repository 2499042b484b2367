"""PNG files with scores: names, texts, stars."""

import math

import pytest
from PIL import Image

from src.scoring.xmp import persons_rating
from tests.comfyui.pack import UserError, module

saving = module("saving")
LIMITS = (10, 30, 60, 85)


def test_a_name_holds_what_its_prefix_asks_for():
    marks = saving.marks_of([0.5, 1.25, -0.125], [50.0, 90.0, math.nan], LIMITS)
    names = [mark.in_name("%rank%_%score%_%stars%_%percentile%") for mark in marks[:2]]
    assert names == ["2_0.500_3_50", "1_1.250_5_90"]
    assert marks[2].in_name("%stars%/%rank%") == "%stars%/3"


def test_ranks_have_equally_many_digits_and_what_has_no_score_is_last():
    marks = saving.marks_of([math.nan, *range(10)], None, LIMITS)
    assert [mark.in_name("%rank%") for mark in marks[:3]] == ["11", "10", "09"]


def test_a_score_far_below_zero_has_a_rank():
    marks = saving.marks_of([math.nan, -20000.0, -math.inf], None, LIMITS)
    assert [mark.rank for mark in marks] == [3, 1, 2]


def test_no_image_takes_the_file_of_another_where_comfyui_counts_wrongly(tmp_path):
    """As it does for a prefix such as best/, whose files it doesn't find again."""
    marks = saving.marks_of([2.0, 1.0], None, LIMITS)
    images = [Image.new("RGB", (4, 3), colour) for colour in ("red", "blue")]
    for _ in range(2):
        saving.save(images, marks, lambda prefix, *size: (str(tmp_path), "best", 1, "", prefix), "best/", None, False)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == [f"best_0000{number}_.png" for number in (1, 2, 3, 4)]


@pytest.mark.parametrize("text", ["10,30,60", "10,30,60,x", "30,10,60,85", "10,30,60,101", "nan,1,2,3", ""])
def test_limits_that_are_no_four_rising_percentiles_are_refused(text):
    with pytest.raises(UserError, match="no four rising percentiles; right would be 10,30,60,85"):
        saving.star_limits(text)


@pytest.mark.parametrize(("prefix", "rating"), [("%stars%/a", False), ("%percentile%", False), ("a", True)])
def test_stars_of_nothing_are_refused(prefix, rating):
    with pytest.raises(UserError, match="connect those of Score Images"):
        saving.check_asked(prefix, rating, saving.marks_of([1.0], None, LIMITS))


def test_a_rating_in_a_file_is_ours_until_a_person_changes_it(tmp_path):
    def place(prefix, width, height):
        return str(tmp_path), f"{prefix}{width}x{height}", 7, "", prefix

    marks = saving.marks_of([1.0], [70.0], LIMITS)
    assert saving.save([Image.new("RGB", (4, 3))], marks, place, "a", {"prompt": "{}"}, True) == [
        ("a4x3_00007_.png", "")
    ]
    path = tmp_path / "a4x3_00007_.png"
    with Image.open(path) as opened:
        assert opened.text["aesthetic_score"] == opened.text["Score"] == "1.000000"
        assert 'xmp:Rating="4"' in opened.text["XML:com.adobe.xmp"]
        changed = opened.text["XML:com.adobe.xmp"].replace('xmp:Rating="4"', 'xmp:Rating="5"')
        pixels = opened.copy()
    assert persons_rating(path) is None
    pixels.save(path, pnginfo=_with_xmp(changed))
    assert persons_rating(path) == (path, "5")


def _with_xmp(packet):
    from PIL.PngImagePlugin import PngInfo

    info = PngInfo()
    info.add_itxt("XML:com.adobe.xmp", packet)
    return info
