"""What the scripts that look at models make of their options."""

import pytest

from src.common.errors import UserError
from src.options.command_line import parse_arguments
from src.options.looking import look_settings, models_to_look_at
from src.options.option import LOOK, SPOTLIGHT
from src.scores.settings import SplitSettings
from src.scoring.settings import LookSettings


@pytest.mark.parametrize("script", [LOOK, SPOTLIGHT])
def test_the_split_is_drawn_by_the_seed_unless_it_has_its_own(script):
    assert look_settings(parse_arguments(script, "", [])) == LookSettings()
    drawn = look_settings(parse_arguments(script, "", ["--seed=7", "--fraction_for_test=0.2"])).drawn
    assert drawn == SplitSettings(fraction_for_test=0.2, eval_pick_seed=7)
    assert look_settings(parse_arguments(script, "", ["--seed=7", "--eval_pick_seed=0"])).drawn.eval_pick_seed == 0


def test_model_scores_stand_in_the_place_of_models_only_where_none_is_named(tmp_path, capsys):
    (tmp_path / "model.safetensors").touch()

    def files(*words):
        return models_to_look_at(parse_arguments(LOOK, "", words), tmp_path)

    assert files() == [tmp_path / "model.safetensors"]
    assert files("--model_scores=a.csv") == []
    assert capsys.readouterr().err == ""
    assert files("--model_scores=a.csv", "--model=model.safetensors") == [tmp_path / "model.safetensors"]
    assert capsys.readouterr().err == "note: --model_scores=a.csv is left out, as a --model is given\n"
    with pytest.raises(UserError, match="no such model"):
        files("--modelpath=none.safetensors")
