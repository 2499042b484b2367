"""The plan of the house, held against the code: which package may import which, how long a file may be."""

import ast
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from tests import ROOT

SRC = ROOT / "src"
SCRIPTS = [*sorted(ROOT.glob("aesthetic_*.py")), *sorted((ROOT / "studies").glob("[!_]*.py"))]
MODULES = sorted(SRC.rglob("*.py"))
NODES = sorted((ROOT / "comfyui").rglob("*.py"))
STUDIES = sorted((ROOT / "studies").rglob("*.py"))

# Each package, and those it may import; data flow down this list.
ALLOWED = {
    "common": "devices",
    "features": "common",
    "scores": "common features",
    "ratings": "common features",
    "ab_page": "common features ratings",
    "model": "common",
    "choosing": "common features scores ratings model",
    "scoring": "common features scores model",
    "search": "common features scores ratings model scoring",
    "report": "common features scores ratings model scoring search",
    "options": "common features scores ratings ab_page model scoring search report",
}


@dataclass(frozen=True)
class Outline:
    """The imports of a file, and name and lines of each function, wherever in it; whole trees take long to keep."""

    imports: list[ast.Import | ast.ImportFrom]
    functions: list[tuple[str, int]]


@cache
def outline(path: Path) -> Outline:
    found, statements = Outline([], []), [ast.parse(path.read_text(encoding="utf-8"))]
    for node in statements:  # which grow meanwhile: neither import nor function is in an expression
        for inside in ("body", "orelse", "finalbody", "handlers", "cases"):
            statements += getattr(node, inside, ())
        if isinstance(node, ast.Import | ast.ImportFrom):
            found.imports.append(node)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            found.functions.append((node.name, node.end_lineno - node.lineno + 1))
    return found


def absolute_imports(path: Path) -> list[str]:
    """The modules from which something is imported otherwise than relatively."""
    froms = [node for node in outline(path).imports if isinstance(node, ast.ImportFrom) and not node.level]
    return [node.module for node in froms if node.module]


@cache
def imports(path: Path) -> set[tuple[str, ...]]:
    """What a file imports, wherever in it, as the parts of full names: of ours down to the module."""
    found: set[tuple[str, ...]] = set()
    for node in outline(path).imports:
        if isinstance(node, ast.Import):
            found |= {tuple(alias.name.split(".")) for alias in node.names}
        else:
            above = path.relative_to(ROOT).parts[: -node.level] if node.level else ()
            base = (*above, *(node.module or "").split("."))
            found |= {tuple(part for part in (*base, *end) if part) for end in [(), *((a.name,) for a in node.names)]}
    return found


def test_src_imports_nothing_that_stands_beside_it():
    beside = ("tests", "benchmarks", "examples", "studies", "aesthetic")
    for path in MODULES:
        assert not {name for name in imports(path) if name[0].split("_")[0] in beside}, path


@pytest.mark.parametrize("here", ALLOWED)
def test_a_package_imports_only_those_above_it_by_their_public_names(here):
    own = [path for path in MODULES if SRC / here in path.parents]
    for path, name in [(module, name) for module in own for name in imports(module)]:
        if name[0] == "src" and len(name) > 1 and name[1] != here:
            assert name[1] in ALLOWED[here].split(), f"{path} imports {name[1]}"
            whole = ".".join(name)
            assert len(name) < 4 or name[1:3] == ("common", "lazy"), f"{path}: {whole}: import it from the package"


def test_imports_inside_src_are_relative():
    for path in MODULES:
        assert not [module for module in absolute_imports(path) if module.split(".")[0] == "src"], path


def test_no_modules_import_each_other_in_a_circle():
    module = {tuple(path.relative_to(ROOT).with_suffix("").parts): path for path in MODULES}
    names = {name for name in module if name[-1] != "__init__"}
    graph = {name: imports(module[name]) & names - {name} for name in names}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" imports ".join(".".join(name) for name in error.args[1]))


def test_src_holds_nothing_but_packages():
    found = {path.name for path in SRC.iterdir() if path.name not in ("__pycache__", "__init__.py")}
    assert found == set(ALLOWED)


@pytest.mark.parametrize("path", NODES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_nodes_take_public_names_of_the_toolkit_by_relative_imports(path):
    assert not {module.split(".")[0] for module in absolute_imports(path)} & {"src", "comfyui", "tests"}
    assert not [name for name in imports(path) if name[0] == "src" and len(name) > 3]


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_study_takes_public_names_of_the_toolkit_and_reads_no_command_line_itself(path):
    assert not [name for name in imports(path) if name[0] == "src" and len(name) > 3]
    assert ("argparse", "ArgumentParser") not in imports(path)


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_a_scripts_main_is_readable_in_forty_lines(path):
    assert dict(outline(path).functions)["main"] <= 40


FOLDERS = ("src", "examples", "benchmarks", "comfyui", "docs", "studies", "web")
OWN = [path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*"))] + SCRIPTS
CODE = [path for path in OWN if path.suffix in (".py", ".js", ".css", ".html")]


def test_a_file_has_at_most_350_lines():
    lines = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in CODE}
    assert not {path: count for path, count in lines.items() if count > 350}


def test_a_function_has_at_most_50_lines():
    files = [path for path in CODE if path.suffix == ".py"]
    assert not [(path, name) for path in files for name, lines in outline(path).functions if lines > 50]


# Of these packages what needs torch or optuna; all else must start without: choosing, options, scores, reports.
SLOW = {
    "common": "devices",
    "scores": "",
    "ratings": "",
    "ab_page": "",
    "choosing": "",
    "options": "",
    "scoring": "flow model_scores models scored_images scorer workers",
    "report": "announcement drawings full_report held_out_choices layer_sweep learning_curve material more_images "
    "plots spotlight_data study_export training_results",
}
QUICK = [
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    for path in MODULES
    if (here := path.relative_to(SRC).parts)[0] in SLOW and path.stem not in SLOW[here[0]].split()
]
ONE_BY_ONE = """
import importlib, sys
for name in sys.argv[1:]:
    importlib.import_module(name)
    if found := {"torch", "transformers", "optuna"} & set(sys.modules):
        sys.exit(f"{name} imports {', '.join(sorted(found))}")
"""


def test_what_needs_no_torch_brings_none():
    command = [sys.executable, "-c", ONE_BY_ONE, *QUICK]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
