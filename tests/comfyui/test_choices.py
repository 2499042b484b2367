"""A choice in ComfyUI is one in the A/B scorer's file: who won, against whom, once, with images it finds."""

import pytest
from PIL import Image

from src.features import FeatureCache, find_images
from src.ratings import Comparisons, read_choices
from tests.comfyui.pack import UserError, module

choices = module("choices")


def picture(i, size=(6, 4)):
    return Image.new("RGB", size, (i, 2 * i, 255 - i))


def stored(path, rater="me"):
    """(winner, shown) of each comparison, as places in the order in which images were registered."""
    with Comparisons(path) as comparisons:
        log = comparisons.log(rater)
    return [(int(log.winners[i]), log.screen(i).tolist()) for i in range(len(log))]


def test_a_picked_image_beats_all_others_and_the_scorer_finds_them(tmp_path):
    path = tmp_path / "aesthetic/comparisons.sqlite"
    assert choices.log_choice([picture(i) for i in range(3)], [1], path, "me") == 1
    assert stored(path) == [(1, [0, 1, 2])]
    found = find_images(path.parent)
    assert len(found) == 3
    read = read_choices(path, "me", path.parent, found, FeatureCache(tmp_path / "cache"))
    assert read.screens.wanted.tolist() in [[[1, 0, 0]], [[0, 1, 0]], [[0, 0, 1]]]
    assert sorted(read.numbers.tolist()) == [0, 1, 2]


def test_the_same_choice_is_stored_once_and_another_one_too(tmp_path):
    path = tmp_path / "c.sqlite"
    images = [picture(i) for i in range(2)]
    for _ in range(2):
        choices.log_choice(images, [0], path, "me")
    choices.log_choice(images, [1], path, "me")
    choices.log_choice(images, [0], path, "you")
    assert stored(path) == [(0, [0, 1]), (1, [0, 1])]
    assert stored(path, "you") == [(0, [0, 1])]
    assert len(list((tmp_path / choices.FOLDER).iterdir())) == 2


def test_of_several_picked_each_beats_the_others_and_none_another(tmp_path):
    path = tmp_path / "c.sqlite"
    assert choices.log_choice([picture(i) for i in range(4)], [3, 0], path, "me") == 2
    assert stored(path) == [(3, [1, 2, 3]), (0, [0, 1, 2])]


def test_more_images_than_a_screen_holds_are_several_screens(tmp_path):
    path = tmp_path / "c.sqlite"
    assert choices.log_choice([picture(i) for i in range(20)], [5], path, "me") == 3
    shown = [screen for _, screen in stored(path)]
    assert all(len(screen) <= 9 and 5 in screen for screen in shown)
    assert sorted(i for screen in shown for i in screen if i != 5) == [i for i in range(20) if i != 5]


@pytest.mark.parametrize("picked", [[], [0, 1]])
def test_where_none_or_all_are_picked_nothing_is_written(tmp_path, picked):
    assert choices.log_choice([picture(0), picture(1)], picked, tmp_path / "c.sqlite", "me") == 0
    assert list(tmp_path.iterdir()) == []


def test_copies_of_an_image_are_one_and_a_picked_one_does_not_lose_against_itself(tmp_path):
    path = tmp_path / "c.sqlite"
    assert choices.log_choice([picture(0), picture(1), picture(0)], [0], path, "me") == 1
    assert stored(path) == [(0, [0, 1])]
    assert choices.log_choice([picture(0), picture(0)], [0], path, "me") == 0


@pytest.mark.parametrize("text", ["../c.sqlite", "/etc/c.sqlite", "a/../../c.sqlite", "", ".", "gone/../../../c"])
def test_a_file_that_is_not_below_the_output_folder_is_refused(tmp_path, text):
    with pytest.raises(UserError, match="is no file below"):
        choices.comparisons_path(text, tmp_path)


def test_a_path_below_the_output_folder_may_be_absolute(tmp_path):
    assert choices.comparisons_path("a/./b.sqlite", tmp_path) == tmp_path / "a/b.sqlite"
    assert choices.comparisons_path(str(tmp_path / "b.sqlite"), tmp_path) == tmp_path / "b.sqlite"
