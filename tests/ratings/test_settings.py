"""What may be set of choosing: the defaults stand once, and the options have them."""

from dataclasses import replace

import pytest

from src.common.errors import UserError
from src.options.command_line import parse_arguments
from src.options.option import CHOOSE
from src.options.settings import settings_of
from src.ratings.assistance import Task
from src.ratings.settings import PairingSettings, RatingSettings


@pytest.mark.parametrize("kind", [RatingSettings, PairingSettings])
def test_the_defaults_of_the_settings_are_those_of_the_options(kind):
    assert settings_of(kind, parse_arguments(CHOOSE, "", [])) == kind()


def test_every_setting_is_the_option_of_its_name():
    words = ["--rating=elo", "--k=0.3", "--weight_by_speed", "--default_seconds=2", "--weight_min=0.1"]
    words += ["--weight_max=9", "--rescale=none", "--new_from_model", "--pairing=classic", "--number=7"]
    words += ["--number_to_compare=3", "--low_count_weight=0.5", "--hidden_repeats=0.25", "--seed=1"]
    words += ["--held_out_screens=0.2"]
    arguments = parse_arguments(CHOOSE, "", words)
    assert settings_of(RatingSettings, arguments) == RatingSettings("elo", 0.3, True, 2.0, 0.1, 9.0, "none", True)
    assert settings_of(PairingSettings, arguments) == PairingSettings("classic", 7, 3, 0.5, 0.25, 0.2, 1)


def test_whose_features_assist_is_said_by_the_options_of_features(tmp_path):
    words = ["--feature_extractor=toy", "--hidden_states_used=0,2", "--fp16_features", "--extract_batch_size=4"]
    arguments = parse_arguments(CHOOSE, "", [*words, "--device=cpu"])
    task = settings_of(Task, arguments, directory=tmp_path, images={1: "a.png"}, cache=tmp_path / "cache")
    assert task == Task(tmp_path, {1: "a.png"}, tmp_path / "cache", "toy", (0, 2), "cpu", True, 4)


def test_a_least_weight_above_the_most_is_refused_and_an_equal_one_is_not():
    settings = RatingSettings(weight_min=2.0)
    with pytest.raises(UserError, match=r"--weight_min=2\.5 is above --weight_max=2\.0"):
        replace(settings, weight_min=2.5)
