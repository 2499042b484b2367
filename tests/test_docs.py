"""What the documentation claims is what the code does."""

import re
import shlex

import pytest
import torch

from src.model.blend import Blend
from src.model.config import PredictorConfig
from src.model.file import load_predictor, save_predictor
from src.model.gp_fit import fit_gaussian_process
from src.model.network import Predictor, combine
from src.options.command_line import parse_arguments
from src.options.files import to_text
from src.options.option import SCRIPTS
from src.options.table import GROUPS, groups_of
from src.search.dataset import Dataset
from src.search.run_files import RunFiles
from tests import ROOT
from tests.search.test_search import toy_data

README = (ROOT / "README.md").read_text(encoding="utf-8")
EXAMPLE = (ROOT / "arguments-example.txt").read_text(encoding="utf-8")
OPTIONS = [option for group in GROUPS for option in group.options]


@pytest.mark.parametrize("option", OPTIONS, ids=lambda option: option.dest)
def test_every_option_stands_in_the_example_file_and_in_readmes_tables(option):
    assert re.search(rf"^#?--{option.dest}=", EXAMPLE, re.MULTILINE)
    for name in option.names:
        assert f"`{name}`" in README


def test_the_example_file_and_readme_know_no_other_options():
    known = {option.dest for option in OPTIONS}
    assert set(re.findall(r"^#?--([\w-]+)=", EXAMPLE, re.MULTILINE)) == known
    tables = "\n".join(line for line in README.splitlines() if line.startswith("| `-"))
    assert {name.lstrip("-") for name in re.findall(r"`(-[\w-]+)`", tables)} == {
        name.lstrip("-") for option in OPTIONS for name in option.names
    }


def test_readmes_tables_are_those_the_code_would_write():
    for group in GROUPS:
        assert table(group) in README, f"README's table of {group.title} should be:\n{table(group)}"


def table(group):
    """The Markdown table of one group of options."""
    lines = [f"### {group.title}", "", "| option | meaning | allowed | default |", "| --- | --- | --- | --- |"]
    for option in group.options:
        names = ", ".join(f"`{name}`" for name in option.names)
        allowed = "" if option.kind.metavar == "TEXT" else option.kind.allowed
        default = (
            "" if option.default is None else f"`{to_text(option.default)}`" if to_text(option.default) else "empty"
        )
        lines.append(f"| {names} | {option.help} | {allowed} | {default} |")
    return "\n".join(lines)


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


def test_readmes_tree_names_every_package_and_folder():
    tree = README.split("## The files")[1].split("```")[1]
    packages = {path.parent.name for path in (ROOT / "src").glob("*/__init__.py")}
    for name in [*(path.name for path in ROOT.glob("aesthetic_*.py")), *packages, "benchmarks", "examples", "docs"]:
        assert re.search(rf"^ *{re.escape(name)}/? ", tree, re.MULTILINE), name


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
    assert documented("Metadata") - ensembles - processes == set(metadata)
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
