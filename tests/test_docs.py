"""What the documentation claims is what the code does."""

import re
import shlex
from dataclasses import replace

import pytest
import torch
from PIL import Image, ImageStat

from src.model.blend import Blend
from src.model.config import PredictorConfig
from src.model.file import load_predictor, save_predictor
from src.model.gp_fit import fit_gaussian_process
from src.model.network import Predictor, combine
from src.options.command_line import parse_arguments
from src.options.option import SCRIPTS, Group
from src.options.page import options_page
from src.options.table import GROUPS, groups_of
from src.search.dataset import Dataset
from src.search.run_files import RunFiles
from tests import ROOT
from tests.search.test_search import toy_data

README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGE_OF_OPTIONS = (ROOT / "docs" / "options.md").read_text(encoding="utf-8")
EXAMPLE = (ROOT / "arguments-example.txt").read_text(encoding="utf-8")
OPTIONS = [option for group in GROUPS for option in group.options]


@pytest.mark.parametrize("option", OPTIONS, ids=lambda option: option.dest)
def test_every_option_stands_in_the_example_file_and_on_the_page_of_options(option):
    assert re.search(rf"^#?--{option.dest}=", EXAMPLE, re.MULTILINE)
    row = next(
        line for line in PAGE_OF_OPTIONS.splitlines() if line.startswith("| `-") and f"`--{option.dest}`" in line
    )
    assert row.split("|")[1].strip() == ", ".join(f"`{name}`" for name in option.names)
    assert option.help in row


def test_the_example_file_and_the_page_of_options_know_no_other_options():
    known = {option.dest for option in OPTIONS}
    assert set(re.findall(r"^#?--([\w-]+)=", EXAMPLE, re.MULTILINE)) == known
    tables = [line.split("|")[1] for line in PAGE_OF_OPTIONS.splitlines() if line.startswith("| `-")]
    assert {name.lstrip("-") for cell in tables for name in re.findall(r"`(-[\w-]+)`", cell)} == {
        name.lstrip("-") for option in OPTIONS for name in option.names
    }


def test_the_page_of_options_is_what_make_docs_would_write():
    assert options_page() == PAGE_OF_OPTIONS, "docs/options.md is stale: run `make docs`"


def test_an_option_that_is_changed_makes_the_page_of_options_stale(monkeypatch):
    changed = replace(GROUPS[0].options[0], help="another folder")
    others = (Group(GROUPS[0].title, (changed, *GROUPS[0].options[1:])), *GROUPS[1:])
    monkeypatch.setattr("src.options.page.GROUPS", others)
    assert options_page() != PAGE_OF_OPTIONS


def test_the_groups_of_the_example_file_have_the_order_of_help():
    titles = [group.title for group in GROUPS]
    headings = [line[2:].split(":")[0] for line in EXAMPLE.splitlines() if line.startswith("# ")]
    assert [heading for heading in headings if heading in titles] == titles


def test_a_commented_default_of_the_example_file_is_the_real_one():
    commented = dict(re.findall(r"^#--([\w-]+)=(.*)$", EXAMPLE, re.MULTILINE))
    for option in OPTIONS:
        if option.dest in commented and option.default is not None:
            assert option.kind.read(commented[option.dest]) == option.default, option.dest


@pytest.mark.parametrize("script", SCRIPTS)
def test_the_example_file_is_accepted_also_with_every_comment_sign_taken_away(tmp_path, script):
    parse_arguments(script, "", [f"@{ROOT / 'arguments-example.txt'}"])
    everything = re.sub(r"^#(--[\w-]+=.+)$", r"\1", EXAMPLE, flags=re.MULTILINE)
    (tmp_path / "all.txt").write_text(everything, encoding="utf-8")
    arguments = parse_arguments(script, "", [f"@{tmp_path / 'all.txt'}"])
    assert {option.dest for group in groups_of(script) for option in group.options} == set(vars(arguments))


def test_the_tree_of_files_names_every_package_and_folder_that_is_kept():
    tree = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8").split("```")[3]
    packages = {path.parent.name for path in (ROOT / "src").glob("*/__init__.py")}
    for name in [*(path.name for path in ROOT.glob("aesthetic_*.py")), *packages, "benchmarks", "examples", "docs"]:
        assert re.search(rf"^ *{re.escape(name)}/? ", tree, re.MULTILINE), name


def test_readme_is_short_and_shows_its_pictures_light_and_dark():
    assert len(README.splitlines()) <= 130
    shown = re.findall(r"<picture>.*?</picture>", README, re.DOTALL)
    assert len(shown) == 2
    for each in shown:
        dark, light = re.findall(r"docs/pictures/[\w-]+\.jpg", each)
        assert re.search(r'alt="[^"]{30,}"', each)
        for path in (light, dark):
            assert (ROOT / path).stat().st_size < 300_000
            with Image.open(ROOT / path) as picture:
                assert picture.width == 1200
                brightness = ImageStat.Stat(picture.convert("L")).median[0]
            assert (brightness < 100) == (path == dark), path


def test_the_index_of_docs_names_every_page():
    index = (ROOT / "docs" / "README.md").read_text(encoding="utf-8")
    assert set(re.findall(r"\]\(([\w-]+\.md)\)", index)) == {path.name for path in PAGES[2:]} - {"README.md"}


PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_to_a_file_that_is_there_and_to_a_heading_of_it(page):
    for link in re.findall(r"\]\((?!https?:)([^)\s]+)\)", page.read_text(encoding="utf-8")):
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


def anchors(page):
    """What GitHub calls the headings of a page: small letters, hyphens for spaces, and the second of a name is -1."""
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    found: list[str] = []
    for heading in re.findall(r"^#+ +(.*?) *$", text, re.MULTILINE):
        slug = re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")
        earlier = sum(re.fullmatch(rf"{re.escape(slug)}(-\d+)?", one) is not None for one in found)
        found.append(f"{slug}-{earlier}" if earlier else slug)
    return found


def commands(page):
    """(script, words) of each `python aesthetic_….py …` in a block or between backticks; variables are 1."""
    text = page.read_text(encoding="utf-8")
    blocks = re.findall(r"^ *```\w*\n(.*?)^ *```", text, re.MULTILINE | re.DOTALL)
    lines = "\n".join(blocks).replace("\\\n", " ").splitlines()
    outside = re.sub(r"^ *```.*?^ *```", "", text, flags=re.MULTILINE | re.DOTALL)
    for line in [*lines, *re.findall(r"`([^`]+)`", outside)]:
        if found := re.search(r"python[\w.]*\s+(aesthetic_\w+\.py)\b(.*)", line, re.DOTALL):
            line = re.sub(r"\$\w+", "1", found[2]).removesuffix("&")
            yield found[1], shlex.split(line, comments=True)


COMMANDS = [(page.name, script, words) for page in PAGES for script, words in commands(page)]


@pytest.mark.parametrize(("page", "script", "words"), COMMANDS, ids=lambda value: "".join(value))
def test_every_command_in_the_docs_is_understood(page, script, words):
    for name in ("@arguments.txt", "@arguments-example.txt"):
        words = [f"@{ROOT / 'arguments-example.txt'}" if word == name else word for word in words]
    parse_arguments(script, "", words)


def test_the_commands_in_the_docs_are_found():
    assert {script for _, script, _ in COMMANDS} == set(SCRIPTS)
    assert len(COMMANDS) > 15


ABOUT_FILES = (ROOT / "docs" / "predictor-files.md").read_text(encoding="utf-8")


def documented(heading):
    """Names in the first column of the tables below a heading of docs/predictor-files.md."""
    text = ABOUT_FILES.split(f"## {heading}\n")[1].split("\n## ")[0]
    cells = [line.split("|")[1] for line in text.splitlines() if line.startswith("| `")]
    return {name for cell in cells for name in re.findall(r"`([^`]+)`", cell)}


@pytest.mark.parametrize("mode", ["join", "weight"])
def test_a_predictor_file_holds_what_the_docs_say(tmp_path, mode):
    config = PredictorConfig("toy", (0, 1), mode, (6, 6), (5, 4), extractor_identity="toy-1")
    inputs = torch.zeros(80, 12) if mode == "join" else torch.zeros(80, 2, 6)
    data = toy_data()
    data = Dataset(config, inputs, data.scores, data.weights, data.split)
    same = ("study", "model_type", "score_column", "loss_model", "split_counts", "baselines")
    again = ("model_seed", "eval_pick_seed", "fraction_for_eval", "fraction_for_test", "ignore_existing_split")
    about = dict.fromkeys((*same, *again), "x")
    behind_a_filter = ("filter_model", "filter_threshold", "filter_hash", "filter_images")
    with_options = (
        "folds",
        "group_column",
        "test_images",
        "balance",
        "weight_by_error",
        "comparison_counts",
        "scores_assisted_by",
    )
    about |= dict.fromkeys((*behind_a_filter, *with_options), "x")
    best = RunFiles(tmp_path / "model.safetensors", data, about)
    best.save(Predictor(config), 3, {"dropout": 0.1}, {"eval_mse": 1.0})
    predictor, metadata = load_predictor(best.path)
    ensembles = {"member_layers", "member_dropout_rates", "trials", "single_best_metrics"}
    processes = {"kind", "gp_sizes", "blend_share"}
    from_choices = {"made_from", "choices", "rater", "held_out_choices", "repeated_choices"}
    assert documented("Metadata") - ensembles - processes - from_choices == set(metadata)
    keys = {name.removesuffix(".weight") for name in documented("Tensors") if name != ".bias"}
    assert {name.rpartition(".")[0] for name in predictor.state_dict()} <= keys


def test_a_gaussian_processs_and_a_blends_file_hold_what_the_docs_say_on_top(tmp_path):
    config = PredictorConfig("toy", (0,), "join", (6,), (5, 4))
    process = fit_gaussian_process(config, toy_data().inputs, toy_data().scores)
    for predictor in (process, Blend(process, Predictor(config))):
        save_predictor(tmp_path / "m.safetensors", predictor, {})
        metadata = load_predictor(tmp_path / "m.safetensors")[1]
        assert {"kind", "gp_sizes"} < set(metadata) < documented("Metadata")
    names = {name.rpartition(".")[2] for name, _ in process.named_parameters()}
    assert names <= documented("Tensors")


def test_an_ensembles_file_holds_what_the_docs_say_on_top(tmp_path):
    config = PredictorConfig("toy", (0,), "join", (6,), (5, 4))
    save_predictor(tmp_path / "m.safetensors", combine([Predictor(config), Predictor(config)]), {})
    metadata = load_predictor(tmp_path / "m.safetensors")[1]
    assert {"member_layers", "member_dropout_rates"} < set(metadata)
    assert set(metadata) < documented("Metadata")
