"""Command lines and argument files of a study's sub-commands."""

import re
import subprocess
import sys

import pytest

from src.common import UserError
from src.options import to_text
from studies.feature_decoder.options import STUDY as DECODER
from studies.style_folders.options import STUDY, read_command
from tests import ROOT


def test_a_file_gives_options_and_later_words_override_it(tmp_path):
    (tmp_path / "a.txt").write_text("# mine\n--head=linear\n--epochs 7\n--resume\n", encoding="utf-8")
    found = read_command(["classify", "photos", f"@{tmp_path / 'a.txt'}", "--epochs", "9"])
    assert (found.command, str(found.root), found.head, found.epochs, found.resume) == (
        "classify",
        "photos",
        "linear",
        9,
        True,
    )
    assert found.batch_size == 16


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["classify", "photos", "--haed=mlp"], "there is no option --haed; did you mean --head?"),
        (["clasify", "photos"], "there is no sub-command clasify; did you mean classify?"),
        ([], "say what to do, one of classify"),
        (["classify"], "the folder is missing; write: python studies/style_folders.py classify FOLDER"),
        (["classify", "a", "b"], "'b' is one word too many"),
        (["classify", "a", "--head=deep"], "--head=deep: must be one of linear, mlp, conv"),
        (["classify", "a", "--epochs"], "--epochs: its value is missing"),
        (["classify", "a", "--resample=-3"], "--resample=-3: must be none, mean, max, min"),
        (["classify", "a", "--group_regex=("], "--group_regex=(: must be a regular expression"),
        (["predict", "a", "--epochs=3"], "--epochs is for classify, autoencode"),
    ],
)
def test_what_there_is_not_is_refused_and_the_nearest_named(words, said):
    with pytest.raises(UserError, match=f"^{re.escape(said)}"):
        read_command(words)


def test_a_file_for_all_sub_commands_may_hold_options_of_others(tmp_path):
    (tmp_path / "a.txt").write_text("--epochs=3\n--model=x\n", encoding="utf-8")
    assert read_command(["predict", "p", f"@{tmp_path / 'a.txt'}"]).model == "x"
    (tmp_path / "a.txt").write_text("\n--epoch=3\n", encoding="utf-8")
    with pytest.raises(UserError, match=r"a\.txt, line 2: there is no option --epoch; "):
        read_command(["predict", "p", f"@{tmp_path / 'a.txt'}"])


@pytest.mark.parametrize(
    ("study", "command"), [(study, command) for study in (STUDY, DECODER) for command in study.commands]
)
def test_help_names_every_option_and_a_default_is_one_that_may_be_given(study, command):
    for option in study.commands[command].options:
        assert f"--{option.dest} " in study.help_text(command)
        if option.default is not None:
            assert option.kind.read(to_text(option.default)) == option.default
    assert command in study.help_text(None)


def test_sets_of_states_taps_and_paths_are_lists_of_their_kind():
    found = DECODER.read_command(["sweep", "photos", "--states=0:3,7:0,1;2", "--taps=9,1", "--size=112"])
    assert (found.states, found.taps, found.size) == (((0,), (3, 7), (0, 1, 1002)), (1, 9), 112)
    assert DECODER.read_command(["reconstruct", "x.npy", "--images=a.png,b c.png"]).images == ("a.png", "b c.png")
    with pytest.raises(UserError, match="--states=0:x: must be hidden states, with : between the sets"):
        DECODER.read_command(["sweep", "photos", "--states=0:x"])
    with pytest.raises(UserError, match=r"the input is missing; write: python studies/feature_decoder\.py recon"):
        DECODER.read_command(["reconstruct"])


@pytest.mark.script
@pytest.mark.parametrize(("script", "option"), [("style_folders", "--resample"), ("feature_decoder", "--perceptor")])
def test_help_is_there_without_torch(script, option):
    command = {"style_folders": "classify", "feature_decoder": "train"}[script]
    words = [sys.executable, "-X", "importtime", ROOT / f"studies/{script}.py", command, "--help"]
    result = subprocess.run(words, capture_output=True, text=True, check=False)
    assert result.returncode == 0
    assert option in result.stdout
    assert "| torch\n" not in result.stderr
