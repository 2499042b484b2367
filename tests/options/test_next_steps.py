"""The commands that scripts end with: they are to be copied, so they must be whole and must parse."""

import shlex
import sys
from argparse import Namespace
from pathlib import Path

import pytest

from src.common import words
from src.options import (
    CHOOSE,
    LOOK,
    SCORE,
    TRAIN,
    after_choosing,
    after_looking,
    after_scoring,
    after_training,
    next_steps,
    parse_arguments,
    scoring_again,
)

DEFAULT = "ChrisGoringe/vitH16"  # of --feature_extractor_model
SCORING = {
    "copy_to": None,
    "move_to": None,
    "link_to": None,
    "dry_run": False,
    "exclude": None,
    "cache_directory": None,
    "head_extractor": None,
    "head_input": None,
    "gate": True,
    "shard": None,
    "outfile": None,
    "list": None,
    "regex": None,
}


@pytest.fixture
def photos(tmp_path, monkeypatch):
    """A folder with a space and a quote in its name, from elsewhere by a relative path and an argument file."""
    folder = tmp_path / "anna's photos"
    folder.mkdir()
    (tmp_path / "my arguments.txt").write_text("--directory=wrong\n--seed=7\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["script", "@my arguments.txt", "--seed=3"])
    return Path("anna's photos")


def read(command, script):
    """What the script takes the command for, typed in another folder."""
    python, path, *given = shlex.split(command)
    assert Path(python).name.startswith("python")
    assert Path(path).is_file()
    return parse_arguments(script, "", given)


def commands(text):
    """The lines below "Next, …:"."""
    lines = text.strip().splitlines()
    assert all(line.startswith("Next, ") and line.endswith(":") for line in lines[::2])
    return lines[1::2]


def test_what_follows_choosing_trains_on_its_scores_with_the_same_arguments(photos, monkeypatch, tmp_path):
    command = after_choosing(photos, photos / "scores.csv", DEFAULT)
    monkeypatch.chdir("/")
    found = read(command, TRAIN)
    folder = tmp_path / photos
    assert (found.directory, found.scores, found.seed) == (str(folder), str(folder / "scores.csv"), 7)


def test_who_named_no_image_model_trains_by_one_that_needs_no_download(photos, monkeypatch):
    """Choosing made do with it too. Where the default is on this machine, or something was asked for, that stays."""
    monkeypatch.setattr(next_steps, "in_cache", lambda name: False)

    def trains_by(*given):
        monkeypatch.setattr(sys, "argv", ["script", *given])
        found = read(after_choosing(photos, photos / "scores.csv", DEFAULT), TRAIN)
        return found.feature_extractor_model, found.hidden_states_used

    assert trains_by() == ("embedded", None)
    assert trains_by("--hidden_states_used=0,2") == ("embedded", None)
    assert trains_by("--feature_extractor_model=facebook/dinov2-base", "--hidden_states_used=0,2") == (
        "facebook/dinov2-base",
        (0, 2),
    )
    assert trains_by("--feature_extractor", "anna's photos") == (str(photos.resolve()), None)
    assert trains_by("@my arguments.txt") == (DEFAULT, None)
    monkeypatch.setattr(next_steps, "in_cache", lambda name: name == DEFAULT)
    assert trains_by() == (DEFAULT, None)


def test_what_follows_training_looks_at_the_model_and_uses_it(photos, monkeypatch, tmp_path):
    text = after_training(Namespace(scores="scores.csv"), photos, photos / "model.safetensors")
    monkeypatch.chdir("/")
    look, score = commands(text)
    model = str(tmp_path / photos / "model.safetensors")
    found = read(look, LOOK)
    assert (found.modelpath, found.report, found.scores) == ([model], "report.html", "scores.csv")
    found = read(score, SCORE)
    assert (found.modelpath, found.gallery) == ([model], str(tmp_path / photos / "gallery.html"))


def test_where_the_model_was_trained_on_all_images_there_is_nothing_to_look_at(photos):
    model = photos / "model.safetensors"
    (score,) = commands(after_training(Namespace(scores="scores.csv"), photos, model, new=False))
    assert "aesthetic_score_from_model.py" in score


def test_what_was_said_of_the_same_images_is_said_again(photos, monkeypatch, tmp_path):
    given = ["script", "--score_column=beauty", "--exclude", "*.gif", "--exclude=old", "--cache_directory=kept"]
    monkeypatch.setattr(sys, "argv", given)
    model = photos / "model.safetensors"
    look, score = commands(after_training(Namespace(scores="scores.csv"), photos, model))
    scored = Namespace(**{**SCORING, "exclude": ["*.gif", "old"], "cache_directory": "kept"})
    (copy,) = commands(after_scoring(scored, photos, [model], None, 1000))
    train = after_choosing(photos, photos / "scores.csv", DEFAULT)
    monkeypatch.chdir("/")
    assert read(look, LOOK).score_column == "beauty"
    for command, script in ((look, LOOK), (score, SCORE), (copy, SCORE), (train, TRAIN)):
        found = read(command, script)
        assert (found.exclude, found.cache_directory) == (["*.gif", "old"], str(tmp_path / "kept"))


def test_a_script_that_was_given_no_words_has_a_next_command_too(photos, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["script"])
    assert read(after_choosing(photos, photos / "scores.csv", DEFAULT), TRAIN).scores.endswith("scores.csv")


def test_what_follows_looking_uses_the_models_if_there_are_any(photos):
    assert after_looking(photos, []) == ""
    (score,) = commands(after_looking(photos, [photos / "a.safetensors", photos / "b.safetensors"]))
    assert len(read(score, SCORE).modelpath) == 2


def test_what_follows_scoring_copies_the_best_then_chooses_between_them(photos, tmp_path):
    scored = Namespace(**SCORING)
    (copy,) = commands(after_scoring(scored, photos, [photos / "model.safetensors"], None, 1000))
    found = read(copy, SCORE)
    assert (found.top, found.copy_to) == (100, str(tmp_path / "anna's photos_best"))
    (tmp_path / "best").mkdir()
    (tmp_path / "best" / "scores.csv").write_text("relative_path,source\n", encoding="utf-8")
    for way, more in (("move_to", ""), ("link_to", " --follow_links")):
        (choose,) = commands(after_scoring(Namespace(**{**SCORING, way: "best"}), photos, [], None, 1000))
        assert choose.endswith(f"aesthetic_ab_scorer.py --directory={tmp_path / 'best'} --scores=my_scores.csv{more}")


def test_what_was_copied_to_where_choices_were_made_is_chosen_from_with_the_rest(photos, tmp_path):
    (tmp_path / "mine" / "round 2").mkdir(parents=True)
    (tmp_path / "mine" / "round 2" / "scores.csv").write_text("relative_path,source\n", encoding="utf-8")
    copying, model = Namespace(**{**SCORING, "copy_to": "mine/round 2"}), photos / "model.safetensors"
    (choose,) = commands(after_scoring(copying, photos, [model], None, 1000))
    assert read(choose, CHOOSE).directory == str(tmp_path / "mine" / "round 2")
    (tmp_path / "mine" / "comparisons.sqlite").touch()
    (choose,) = commands(after_scoring(copying, photos, [model], None, 1000))
    found = read(choose, CHOOSE)
    assert (found.directory, found.modelpath) == (str(tmp_path / "mine"), str(tmp_path / model))
    assert (found.new_from_model, found.scores, found.follow_links) == (True, None, False)  # None: scores.csv
    (tmp_path / "mine" / "my_scores.csv").touch()
    linking = Namespace(**{**SCORING, "link_to": "mine/round 2"})
    (choose,) = commands(after_scoring(linking, photos, [model, model], None, 1000))
    found = read(choose, CHOOSE)
    assert (found.new_from_model, found.scores, found.follow_links) == (False, "my_scores.csv", True)


def test_where_nothing_was_copied_there_is_nothing_to_choose_between(photos, tmp_path):
    copying = Namespace(**{**SCORING, "copy_to": "best"})
    assert after_scoring(copying, photos, [], None, 1000) == ""
    (tmp_path / "best").mkdir()
    (tmp_path / "best" / "scores.csv").write_text("relative_path,source\n", encoding="utf-8")
    assert after_scoring(copying, photos, [], None, 1000)
    copying.dry_run = True
    assert after_scoring(copying, photos, [], None, 1000) == ""


def test_what_scoring_was_told_in_an_argument_file_is_told_again(photos, tmp_path):
    told = {
        "exclude": ["a*", "b"],
        "cache_directory": "kept",
        "head_extractor": "clip",
        "head_input": "l2",
        "gate": False,
    }
    (copy,) = commands(after_scoring(Namespace(**{**SCORING, **told}), photos, [photos / "a.pth"], None, 100))
    told["cache_directory"] = str(tmp_path / "kept")
    assert {name: vars(read(copy, SCORE))[name] for name in told} == told
    again = vars(read(scoring_again(Namespace(**{**SCORING, **told}), photos, [photos / "a.pth"]), SCORE))
    assert {name: again[name] for name in told} == {**told, "exclude": []}  # images will be named one by one
    assert again["modelpath"] == [str(tmp_path / "anna's photos" / "a.pth")]


def test_of_a_part_of_the_images_the_best_of_that_part_are_copied(photos, tmp_path):
    (tmp_path / "my list.txt").write_text("a.png\n", encoding="utf-8")
    scored = Namespace(**{**SCORING, "list": "my list.txt", "regex": ["a b", "^c"]})
    (copy,) = commands(after_scoring(scored, photos, [photos / "model.safetensors"], None, 100))
    found = read(copy, SCORE)
    assert (found.list, found.regex, found.top) == (str(tmp_path / "my list.txt"), ["a b", "^c"], 25)


@pytest.mark.parametrize(("images", "top"), [(1, 1), (40, 10), (400, 100), (10**6, 100)])
def test_of_few_images_a_quarter_is_copied(photos, images, top):
    (copy,) = commands(after_scoring(Namespace(**SCORING), photos, [photos / "model.safetensors"], None, images))
    assert read(copy, SCORE).top == top


def test_shards_are_put_together_next(photos, tmp_path):
    scored = Namespace(**{**SCORING, "shard": "1/4", "outfile": "all.csv"})
    (merge,) = commands(after_scoring(scored, photos, [], tmp_path / "all.1-of-4.csv", 1000))
    found = read(merge, SCORE)
    assert (found.merge, found.outfile) == (True, str(tmp_path / "all.csv"))


def test_the_short_word_stands_for_python_only_where_a_shell_finds_this_one(tmp_path, monkeypatch):
    other = tmp_path / "python"
    other.write_text("")
    other.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert shlex.split(after_choosing(tmp_path, tmp_path / "a.csv", DEFAULT))[0] == sys.executable
    monkeypatch.setattr(next_steps.sys, "executable", str(other))
    assert shlex.split(after_choosing(tmp_path, tmp_path / "a.csv", DEFAULT))[0] == "python"


def test_argument_files_are_quoted_for_powershell(monkeypatch):
    monkeypatch.setattr(words.os, "name", "nt")
    assert words.command_of(["python", "@a.txt", "@b c.txt", "-d", "x y"]) == 'python "@a.txt" "@b c.txt" -d "x y"'
