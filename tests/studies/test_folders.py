"""Which image is of which style, and for what it is used."""

import numpy as np
import pytest

from src.common import UserError
from studies.common.looking import cache_of
from studies.common.splitting import draw, group_names
from studies.style_folders.folders import SPLITS, find_styles, split_styles
from tests.studies.conftest import arguments, draw_picture, make_styles


def split(root, *words):
    given = arguments("classify", root, *words)
    return split_styles(find_styles(given), given, cache_of(given))


def test_styles_are_the_folders_sorted_and_an_image_is_known_by_its_path(tmp_path):
    make_styles(tmp_path / "g", {"rings": 2, "bars": 2})
    styles = find_styles(arguments("classify", tmp_path / "g"))
    assert styles.names == ["bars", "rings"]
    assert styles.paths == ["bars/000.png", "bars/001.png", "rings/000.png", "rings/001.png"]
    assert styles.codes.tolist() == [0, 0, 1, 1]


def test_every_style_is_split_in_the_shares_asked_for_and_the_same_again(gallery):
    styles = split(gallery, "--fraction_for_val=0.25", "--fraction_for_test=0.25")
    assert {name: styles.counts(styles.rows(name)) for name in SPLITS} == {
        "train": {"bars": 12, "dots": 6, "rings": 4},
        "val": {"bars": 6, "dots": 3, "rings": 2},
        "test": {"bars": 6, "dots": 3, "rings": 2},
    }
    assert (split(gallery, "--fraction_for_val=0.25", "--fraction_for_test=0.25").split == styles.split).all()
    assert (
        split(gallery, "--fraction_for_val=0.25", "--fraction_for_test=0.25", "--seed=9").split != styles.split
    ).any()


def test_groups_of_an_expression_stay_on_one_side(gallery):
    styles = split(gallery, r"--group_regex=(\d)\.png$", "--fraction_for_test=0.3")
    sides = {}
    for path, side in zip(styles.paths, styles.split, strict=True):
        sides.setdefault(path[-5], set()).add(side)  # the last digit of its number, in all styles
    assert all(len(found) == 1 for found in sides.values())
    assert len(sides) == 10


def test_an_expressions_brackets_are_the_group_and_what_it_does_not_find_stands_alone():
    assert group_names(["a/x1.png", "a/x2.png", "b/7.png"], r"/([a-z]+)\d") == ["group x", "group x", "path b/7.png"]


def test_near_identical_images_stay_on_one_side(gallery):
    for i in range(8):
        draw_picture("dots", i).resize((48, 48)).save(gallery / "dots" / f"{i:03} large.png")
    for seed in range(3):
        styles = split(gallery, f"--seed={seed}", "--fraction_for_test=0.4")
        side = dict(zip(styles.paths, styles.split, strict=True))
        assert all(side[f"dots/{i:03}.png"] == side[f"dots/{i:03} large.png"] for i in range(8))


def test_folders_train_and_test_are_kept_val_is_drawn_and_copies_leave_train(tmp_path, capsys):
    make_styles(tmp_path / "train", {"bars": 10, "dots": 10})
    make_styles(tmp_path / "test", {"bars": 3, "dots": 3}, first=50)
    draw_picture("dots", 51).resize((48, 48)).save(tmp_path / "train/dots/copy.png")
    styles = split(tmp_path, "--fraction_for_val=0.3")
    assert styles.counts(styles.rows("test")) == {"bars": 3, "dots": 3}
    assert styles.counts(styles.rows("val")) == {"bars": 3, "dots": 3}
    assert "train/dots/copy.png" not in styles.paths
    assert "1 train images are nearly the same as ones of val or test" in capsys.readouterr().err


def test_a_style_of_one_group_stays_in_train(tmp_path):
    make_styles(tmp_path / "g", {"bars": 8, "dots": 1})
    styles = find_styles(arguments("classify", tmp_path / "g"))
    for seed in range(5):
        found = draw(styles.paths, styles.codes, np.arange(9), {"val": 0.3, "test": 0.3}, seed)
        assert found[8] == "train"


def test_a_style_that_test_lacks_is_named(tmp_path, capsys):
    make_styles(tmp_path / "train", {"bars": 6, "dots": 6})
    make_styles(tmp_path / "test", {"bars": 3}, first=50)
    split(tmp_path)
    assert "note: test has no image of dots: nothing is said of them there" in capsys.readouterr().err


def test_a_style_only_in_test_is_refused(tmp_path):
    make_styles(tmp_path / "train", {"bars": 6, "rings": 6})
    make_styles(tmp_path / "test", {"bars": 3, "dots": 3}, first=50)
    with pytest.raises(UserError, match="train has no image of dots"):
        split(tmp_path)


def test_one_style_no_styles_and_empty_folders_are_refused(tmp_path):
    make_styles(tmp_path / "one", {"bars": 3})
    with pytest.raises(UserError, match="holds only the style bars; give a folder that holds"):
        find_styles(arguments("classify", tmp_path / "one"))
    (tmp_path / "one" / "cubism").mkdir()
    with pytest.raises(UserError, match="cubism: holds no image; put images of that style into it, or"):
        find_styles(arguments("classify", tmp_path / "one"))
    (tmp_path / "none").mkdir()
    with pytest.raises(UserError, match="none: holds no folders of images"):
        find_styles(arguments("classify", tmp_path / "none"))


def test_a_limit_takes_so_many_of_each_style(gallery):
    styles = find_styles(arguments("classify", gallery, "--limit_per_class=5"))
    assert styles.counts(np.arange(len(styles.paths))) == {"bars": 5, "dots": 5, "rings": 5}
