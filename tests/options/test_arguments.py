"""Argument files and command lines, as people write them."""

import os
import shlex
import subprocess
import sys
import time
from pathlib import Path

import pytest

from src.common.errors import UserError
from src.options.command_line import parse_arguments
from src.options.files import expand, write_arguments
from src.options.option import CHOOSE, LOOK, SCORE, SCRIPTS, TRAIN
from src.options.paths import image_directory, model_path, model_paths
from src.options.table import GROUPS, groups_of
from src.options.training import output_paths
from tests import ROOT
from tests.forks import run


def parse(*words):
    return parse_arguments(TRAIN, "A description.", list(words))


def file(tmp_path, text, name="arguments.txt", encoding="utf-8"):
    (tmp_path / name).write_text(text, encoding=encoding)
    return f"@{tmp_path / name}"


def test_a_file_has_one_option_a_line_with_comments_and_blank_lines(tmp_path):
    text = "# first\n\n--trials=7\n   # indented\n   --name = my study \n--database=\n\t--seed\t3\n"
    arguments = parse(file(tmp_path, text))
    assert (arguments.trials, arguments.name, arguments.database, arguments.seed) == (7, "my study", "", 3)


def test_values_may_contain_spaces_equals_signs_and_hashes(tmp_path):
    arguments = parse(file(tmp_path, "--name=a = b # c\n--directory=C:\\My Pictures\\=#1\n"))
    assert arguments.name == "a = b # c"
    assert arguments.directory == "C:\\My Pictures\\=#1"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_byte_order_mark_and_windows_line_ends_are_accepted(tmp_path, encoding, end):
    (tmp_path / "arguments.txt").write_bytes(f"--trials=7{end}--name=Jürgen{end}".encode(encoding))
    arguments = parse(f"@{tmp_path / 'arguments.txt'}")
    assert (arguments.trials, arguments.name) == (7, "Jürgen")


def test_later_words_override_earlier_ones(tmp_path):
    assert parse("--trials=3", file(tmp_path, "--trials=7\n")).trials == 7
    assert parse(file(tmp_path, "--trials=7\n"), "--trials=3").trials == 3


def test_a_file_may_name_another_found_from_where_it_lies(tmp_path):
    (tmp_path / "sub").mkdir()
    file(tmp_path, "--trials=7\n--seed=1\n", "base.txt")
    file(tmp_path / "sub", "@../base.txt\n--seed=2\n")
    arguments = parse(f"@{tmp_path / 'sub' / 'arguments.txt'}")
    assert (arguments.trials, arguments.seed) == (7, 2)


def test_files_that_name_each_other_are_refused(tmp_path):
    file(tmp_path, "@b.txt\n", "a.txt")
    file(tmp_path, "@a.txt\n", "b.txt")
    with pytest.raises(UserError, match="names itself, directly or through other files"):
        parse(f"@{tmp_path / 'a.txt'}")


def test_an_option_and_its_value_may_be_two_words():
    arguments = parse("-d", "my photos", "--min_log_lr", "-4", "--resume", "--fp16_features", "off")
    assert (arguments.directory, arguments.min_log_lr, arguments.resume) == ("my photos", -4.0, True)
    assert arguments.fp16_features is False


def test_both_names_of_the_feature_extractor_mean_the_same():
    assert parse("--feature_extractor=a/b").feature_extractor_model == "a/b"
    assert parse("--feature_extractor_model=a/b").feature_extractor_model == "a/b"


def test_defaults_are_those_promised():
    arguments = parse()
    assert (arguments.model, arguments.database, arguments.fraction_for_eval) == (
        "model.safetensors",
        "sqlite:///db.sqlite",
        0.25,
    )
    spans = {"train_epochs": (5, 50), "warmup_ratio": (0, 0.2), "log_lr": (-4.5, -2.5), "log_weight_lr": (-4.5, -2.5)}
    spans |= {"batch_size": (1, 100), "first_layer_size": (10, 1000), "second_layer_size": (10, 1000)}
    spans |= {"dropout": (0, 0.8), "input_dropout": (0, 0.8), "output_dropout": (0, 0)}
    for name, (low, high) in spans.items():
        assert (getattr(arguments, f"min_{name}"), getattr(arguments, f"max_{name}")) == (low, high)


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("--trails=3", "there is no option --trails; did you mean --trials?"),
        ("--min_droput=0", "there is no option --min_droput; did you mean --min_dropout?"),
        ("--xyzzy", "there is no option --xyzzy; --help lists them all"),
        ("trials=3", "'trials=3' is no option; options begin with --; did you mean --trials?"),
        ("--trial=3", "did you mean --trials?"),
        ("--trials=3.5", "--trials=3.5: must be a whole number from 0"),
        ("--trials=-1", "--trials=-1: must be a whole number from 0"),
        ("--max_dropout=1.5", "--max_dropout=1.5: must be a number from 0 to 0.99"),
        ("--max_dropout=nan", "--max_dropout=nan: must be a number from 0 to 0.99"),
        ("--sampler=best", "--sampler=best: must be one of tpe, CmaEs, gp, random, QMC"),
        ("--resume=maybe", "--resume=maybe: must be on or off"),
        ("--hidden_states_used=0,x", "--hidden_states_used=0,x: must be different whole numbers from 0"),
        ("--hidden_states_used=0,0", "--hidden_states_used=0,0: must be different whole numbers from 0"),
        ("--hidden_states_used=0,,2", "must be different whole numbers from 0 with commas between, such as 0,2,5"),
        ("--fixed_hidden_state_weights=a", "--fixed_hidden_state_weights=a: must be numbers with commas between"),
        ("--min_dropout=0.9", "--min_dropout=0.9 is above --max_dropout=0.8"),
        ("--model=", "--model=: must be a text that is not empty"),
        ("--trials", "--trials: its value is missing"),
    ],
)
def test_bad_words_are_refused_with_what_would_be_right(tmp_path, word, message):
    with pytest.raises(UserError) as error:
        parse(word)
    assert message in str(error.value)
    if word != "trials=3":
        with pytest.raises(UserError) as error:
            parse(file(tmp_path, f"# comment\n{word}\n"))
        assert message in str(error.value)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("--trails=3", "arguments.txt, line 2: there is no option --trails"),
        ("--trials=abc", "arguments.txt, line 2: --trials=abc: must be"),
        ("--trials=y", "arguments.txt, line 2: --trials=y: must be"),
        ("--trials", "arguments.txt, line 2: --trials: its value is missing; write --trials=VALUE"),
        ("trials=3", "arguments.txt, line 2: 'trials=3' is no option; options begin with --"),
    ],
)
def test_messages_say_in_which_line_of_which_file(tmp_path, line, message):
    with pytest.raises(UserError) as error:
        parse(file(tmp_path, f"--directory=gallery\n{line}\n"))  # ends with y too
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--trials=--"], "--trials=--: must be a whole number"),
        (["--trials=1_000"], "--trials=1_000: must be a whole number"),
        (["--trials=" + "9" * 5000], "--trials=9+: must be a whole number"),
        (["--filter_threshold=inf"], "--filter_threshold=inf: must be a number"),
        (["--fixed_hidden_state_weights=nan,1"], "must be numbers with commas between"),
        (["--name=a\udcffb"], "--name=a.*b: must be a text in UTF-8, in one line"),
        (["--rater=a\nb"], "--rater=a.*b: must be a text in UTF-8, in one line"),
        (["--balance_by=a\0b"], r"'--balance_by=a\\x00b': holds a NUL"),
        (["@a\0b"], "is no name of a file .*; name an argument file after @"),
        (["@" + "a" * 300], r"@a+: can't be read \(File name too long\)"),
        (["-d", "--"], "its value is missing"),
    ],
)
def test_odd_values_are_refused_in_one_sentence_of_bounded_length(words, message):
    with pytest.raises(UserError, match=message) as error:
        parse(*words)
    assert len(str(error.value)) < 500


@pytest.mark.parametrize("pattern", ["(", "(" * 5000, "a{99999999999}"])
def test_a_regular_expression_that_can_not_be_read_is_refused(pattern):
    with pytest.raises(UserError, match="must be a regular expression"):
        parse_arguments(CHOOSE, "", [f"--regex={pattern}"])


def test_a_bare_word_that_is_a_file_or_a_folder_is_told_what_it_may_mean(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").mkdir()
    for name in ("arguments.txt", "best.safetensors"):
        (tmp_path / name).touch()
    for word, meant in (
        ("arguments.txt", "@arguments.txt"),
        ("photos", "-d photos"),
        ("photos/", "-d photos/"),
        ("best.safetensors", "-m best.safetensors"),
        ("trails=3", "--trials"),
    ):
        with pytest.raises(UserError, match=f"'{word}' is no option; .*; did you mean {meant}\\?"):
            parse(word)
    with pytest.raises(UserError, match="--help lists them all"):
        parse("x" * 5000)


@pytest.mark.script
def test_a_path_that_no_file_can_have_is_one_sentence():
    for path, said in (("a" * 300, "no file has so long a name"), ("~nobody-of-this-name/a", "names nobody here")):
        words = [sys.executable, TRAIN, "-d", path]
        result = run(words, cwd=ROOT)
        assert (result.returncode, len(result.stderr.splitlines())) == (2, 1)
        assert said in result.stderr


def test_choices_may_be_written_in_any_case():
    assert parse("--sampler=TPE").sampler == "tpe"
    assert parse("--sampler=cmaes").sampler == "CmaEs"


def test_a_missing_file_and_one_in_another_encoding_are_named(tmp_path):
    with pytest.raises(UserError, match=r"nothing.txt: can't be read \(No such file"):
        parse(f"@{tmp_path / 'nothing.txt'}")
    with pytest.raises(UserError, match="is not UTF-8 text; in Notepad choose Save as, Encoding UTF-8"):
        parse(file(tmp_path, "--name=ä\n", encoding="utf-16"))


def test_options_of_another_script_are_accepted_and_left_alone_with_a_note_if_typed(tmp_path, capsys):
    arguments = parse(file(tmp_path, "--number=20\n"), "--trials=3")
    assert arguments.trials == 3
    assert not hasattr(arguments, "number")
    assert capsys.readouterr() == ("", "")
    parse("--number=20", "--regex", "a")
    assert capsys.readouterr().err.splitlines() == [
        "note: --number is for aesthetic_ab_scorer.py; here it does nothing",
        "note: --regex is for aesthetic_ab_scorer.py, aesthetic_data_analysis.py, "
        "aesthetic_score_from_model.py; here it does nothing",
    ]
    assert parse("--number=not checked here").trials == 60


def test_an_option_that_does_nothing_without_another_may_wait_in_a_file_but_not_be_typed(tmp_path):
    words = file(tmp_path, "--stars=1,2,3,4\n--in_place\n"), "--in_place=off", "--xmp_name=full"
    assert parse_arguments(SCORE, "", words).stars == (1, 2, 3, 4)
    assert parse_arguments(SCORE, "", [words[0], "--xmp_name=stem", "--write_xmp"]).xmp_name == "stem"
    assert parse_arguments(SCORE, "", [file(tmp_path, "--write_xmp\n", "other.txt"), "--xmp_name=stem"]).write_xmp
    for more in ([], ["--write_xmp=off"]):
        with pytest.raises(UserError, match="--xmp_name does nothing without --write_xmp; add it, or leave"):
            parse_arguments(SCORE, "", [words[0], "--xmp_name=stem", *more])
    assert parse_arguments(TRAIN, "", ["--xmp_name=stem", "--in_place"]).trials == 60  # another script's


def test_one_of_several_options_is_enough_for_what_needs_any():
    assert parse_arguments(SCORE, "", ["--dry_run", "--copy_to=best"]).dry_run
    with pytest.raises(UserError, match="--dry_run does nothing without --copy_to or --move_to or"):
        parse_arguments(SCORE, "", ["--dry_run"])


@pytest.mark.parametrize(
    ("script", "words", "needed"),
    [
        (CHOOSE, ["--k=0.1"], "--rating=elo"),
        (CHOOSE, ["--low_count_weight=0.1"], "--pairing=classic"),
        (CHOOSE, ["--weight_max=3"], "--weight_by_speed"),
        (CHOOSE, ["--default_seconds=3"], "--weight_by_speed"),
        (TRAIN, ["--balance_bins=3"], "--balance"),
        (TRAIN, ["--normalise_weights"], "--loss_model=wmse"),
        (TRAIN, ["--comparisons=a"], "--loss_model=choices"),
        (TRAIN, ["--rater=you"], "--loss_model=choices"),
        (TRAIN, ["--max_log_weight_lr=-3"], "--hidden_states_mode=weight"),
    ],
)
def test_what_is_typed_needs_the_option_or_the_value_that_it_is_for(script, words, needed, tmp_path):
    with pytest.raises(UserError, match=f"does nothing without {needed}( or .*)?; add it"):
        parse_arguments(script, "", words)
    value = "" if "=" in needed or needed == "--weight_by_speed" else "=max"
    parse_arguments(script, "", [*words, needed + value])
    parse_arguments(script, "", [file(tmp_path, words[0] + "\n")])


def test_what_options_need_is_an_option_of_the_same_scripts():
    options = {option.dest: option for group in GROUPS for option in group.options}
    for option in options.values():
        for name, _, value in (need.partition("=") for need in (*option.needs, *option.idle_with)):
            assert option.scripts & options[name].scripts
            if value:
                options[name].kind.read(value)
        assert set(option.alone or ()) <= set(options)


@pytest.mark.parametrize(
    ("script", "words", "other"),
    [
        (TRAIN, ["--sampler=random"], "--model_type=ridge"),
        (TRAIN, ["--ensemble=3"], "--model_type=ridge"),
        (TRAIN, ["--loss_model=ab"], "--model_type=ridge"),
        (TRAIN, ["--fraction_for_eval=0.3"], "--folds=5"),
        (TRAIN, ["--high_end_fix"], "--variable_high_end_fix"),
        (TRAIN, ["--model=b.safetensors"], "--modelpath=a.safetensors"),
        (SCORE, ["--top=3"], "--convert=a.safetensors"),
        (SCORE, ["--outfile=a.csv"], "--export_onnx=a.onnx"),
        (LOOK, ["--report=a.html"], "--study=list"),
    ],
)
def test_what_is_typed_is_refused_beside_what_takes_its_effect(tmp_path, script, words, other):
    with pytest.raises(UserError, match=f"{words[0].split('=')[0]} does nothing beside {other.split('=')[0]}"):
        parse_arguments(script, "", [*words, other])
    parse_arguments(script, "", words)
    parse_arguments(script, "", [other])
    if words[0] != "--model=b.safetensors":
        parse_arguments(script, "", [file(tmp_path, words[0] + "\n"), other])


def test_what_a_conversion_heeds_may_stand_beside_it():
    words = ("--convert=a.safetensors", "--export_onnx=a.onnx", "-d", "a", "-m", "b", "--head_input=l2")
    assert parse_arguments(SCORE, "", words).convert == "a.safetensors"


def test_options_that_a_script_never_looks_at_are_said_to_be_others(capsys):
    parse_arguments(SCORE, "", ["--seed=3", "--scores=a.csv"])
    said = capsys.readouterr().err
    assert "note: --seed is for " in said
    assert "note: --scores is for " in said


def test_the_arguments_written_are_the_arguments_read(tmp_path):
    arguments = parse("-d", "a b=#c", "--hidden_states_used=0,2", "--resume", "--max_dropout=0.5", "--database=")
    path = tmp_path / "a folder" / "model.arguments.txt"
    path.parent.mkdir()
    write_arguments(path, TRAIN, arguments)
    again = path.read_text(encoding="utf-8").splitlines()[0].partition(": ")[2]
    python, script, *words = shlex.split(again)
    assert (python, script) == ("python", TRAIN)
    assert parse(*words) == arguments


def test_help_shows_the_groups_in_order_and_every_option(capsys):
    with pytest.raises(SystemExit) as end:
        parse("--help")
    text = capsys.readouterr().out
    assert end.value.code == 0
    titles = [text.index(f"{group.title}:") for group in groups_of(TRAIN)]
    assert titles == sorted(titles)
    for group in groups_of(TRAIN):
        for option in group.options:
            assert all(name in text for name in option.names)


@pytest.mark.alone
@pytest.mark.script
@pytest.mark.parametrize("script", SCRIPTS)
def test_help_answers_in_half_a_second(script):
    seconds = []
    for _ in range(10):  # the best, as other programs run here too
        start = time.perf_counter()
        result = subprocess.run([sys.executable, script, "--help"], cwd=ROOT, capture_output=True, text=True)
        seconds.append(time.perf_counter() - start)
        assert result.returncode == 0
        assert f"python {script}" in result.stdout
        if seconds[-1] < 0.5:
            break
    assert min(seconds) < 0.5


@pytest.mark.script
def test_a_usererror_is_one_line_and_exit_code_2():
    result = run([sys.executable, TRAIN, "--trails=3"], cwd=ROOT)
    assert result.returncode == 2
    assert result.stderr == "error: there is no option --trails; did you mean --trials?\n"
    assert result.stdout == ""


def test_the_directory_must_be_there(tmp_path):
    with pytest.raises(UserError, match="--directory is missing: name the folder"):
        image_directory(parse())
    with pytest.raises(UserError, match="no such folder; name the folder of your images"):
        image_directory(parse("-d", str(tmp_path / "none")))
    with pytest.raises(UserError, match="no such folder; write it without quotes"):
        image_directory(parse(f'--directory="{tmp_path}"'))


def test_the_model_lies_in_the_directory_or_anywhere(tmp_path):
    assert model_path(parse(), tmp_path) == tmp_path / "model.safetensors"
    assert (
        model_path(parse(f"--modelpath={tmp_path}{os.sep}a.safetensors"), Path("elsewhere"))
        == tmp_path / "a.safetensors"
    )
    with pytest.raises(UserError, match=r"--model=best.pth: a model file ends with .safetensors"):
        model_path(parse("--model=best.pth"), tmp_path)
    with pytest.raises(UserError, match="there is no folder"):
        model_path(parse("--model=sub/best.safetensors"), tmp_path)


def test_words_know_where_they_came_from(tmp_path):
    words = expand(["--seed=1", file(tmp_path, "\n--trials=7\n")])
    assert [word.where for word in words] == ["", f"{tmp_path / 'arguments.txt'}, line 2: "]


def test_models_of_the_command_line_replace_those_of_files_and_may_be_several(tmp_path):
    (tmp_path / "a.txt").write_text("--model=file.safetensors\n--regex=x\n--modelpath=else.safetensors\n")
    file = f"@{tmp_path / 'a.txt'}"
    assert parse_arguments(SCORE, "", [file]).model == ["file.safetensors"]
    assert parse_arguments(SCORE, "", []).model == []
    for words in (["-m", "b", "--model=c"], ["-mb", "--model", "c"]):
        arguments = parse_arguments(SCORE, "", [file, *words])
        assert (arguments.model, arguments.modelpath, arguments.regex) == (["b", "c"], [], ["x"])
    assert parse_arguments(TRAIN, "", [file, "-m", "b"]).model == "b"
    assert parse_arguments(TRAIN, "", [file, "-m", "b"]).modelpath is None
    assert parse_arguments(TRAIN, "", [file]).modelpath == "else.safetensors"
    assert parse_arguments(TRAIN, "", [file, "--modelpath=b"]).modelpath == "b"


def test_models_that_are_to_be_used_must_be_there(tmp_path):
    def paths(*words):
        return model_paths(parse_arguments(SCORE, "", [*words]), tmp_path / "photos")

    (tmp_path / "photos").mkdir()
    for name in ("model.safetensors", "photos/model.safetensors", "photos/b.safetensors"):
        (tmp_path / name).touch()
    here, inside = tmp_path / "model.safetensors", tmp_path / "photos" / "model.safetensors"
    assert paths() == paths("-m", "model.safetensors") == [inside]
    assert paths("-m", str(here), "-m", "b.safetensors") == [here, tmp_path / "photos" / "b.safetensors"]
    assert paths(f"--modelpath={here}", f"--modelpath={inside}") == [here, inside]
    (tmp_path / "heads").mkdir()
    (tmp_path / "heads" / "x.pth").touch()
    assert paths("-m", "../heads/x.pth") == [tmp_path / "heads" / "x.pth"]
    with pytest.raises(UserError, match=r"--model=b: a model file ends with .safetensors"):
        paths("-m", "b")
    with pytest.raises(UserError, match=r"--model=c.safetensors: no such model in .*photos, nor at c.safetensors"):
        paths("-m", "c.safetensors")
    with pytest.raises(UserError, match=r"--modelpath=b.safetensors: no such model at b.safetensors; train one"):
        paths("--modelpath=b.safetensors")


def test_a_savefile_of_the_file_is_taken_back_on_the_command_line(tmp_path):
    (tmp_path / "a.txt").write_text("--directory=photos\n--savefile=all.csv\n", encoding="utf-8")
    arguments = parse(f"@{tmp_path / 'a.txt'}", "--savefile=")
    assert arguments.savefile == ""
    assert output_paths(arguments, tmp_path)[1] is None
