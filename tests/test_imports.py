"""The plan of the house, held against the code: who may import whom."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SCRIPTS = sorted(ROOT.glob("aesthetic_*.py"))
MODULES = sorted((ROOT / "src").rglob("*.py"))

# Each room, and the other rooms it may import; errors and files may be imported by all.
ALLOWED: dict[str, set[str]] = {
    "errors": set(),
    "files": set(),
    "hidden_states": set(),
    "option_kinds": {"hidden_states"},
    "options": {"option_kinds"},
    "arguments": {"option_kinds", "options"},
    "images": set(),
    "score_formats": set(),
    "scorefile": {"score_formats", "split"},
    "error_weights": {"score_formats", "scorefile"},
    "assisted_scores": {"error_weights", "metrics", "scorefile"},
    "split": set(),
    "folds": {"feature_cache", "near_duplicates", "scorefile", "split"},
    "devices": set(),
    "extractors": {"devices", "hidden_states"},
    "feature_cache": {"images"},
    "predecessor_cache": {"images", "extractors", "feature_cache"},
    "features": {"images", "extractors", "feature_cache", "predecessor_cache"},
    "near_duplicates": {"extractors", "feature_cache", "features"},
    "metrics": set(),
    "losses": set(),
    "predictor": {"hidden_states", "losses"},
    "scaling": set(),
    "training": {"devices", "losses", "predictor", "scaling"},
    "baseline": {"dataset", "metrics", "predictor", "scaling"},
    "study": set(),
    "interruption": set(),
    "balance": {"scorefile"},
    "choices": {"arguments", "feature_cache", "metrics", "ratings"},
    "dataset": {"balance", "choices", "predictor", "training"},
    "objective": {"dataset", "metrics", "predictor"},
    "search": {"dataset", "interruption", "losses", "objective", "predictor", "study", "training"},
    "best_model": {"dataset", "predictor"},
    "model_scores": {
        "arguments",
        "feature_cache",
        "features",
        "images",
        "predictor",
        "score_formats",
        "scorefile",
        "scoring",
        "split",
    },
    "run_record": {"assisted_scores", "balance", "baseline", "best_model", "dataset", "report", "scorefile", "split"},
    "training_results": {
        "analysis",
        "assisted_scores",
        "baseline",
        "best_model",
        "dataset",
        "full_report",
        "model_scores",
        "predictor",
        "report",
        "scorefile",
    },
    "training_options": {"arguments", "balance", "error_weights", "scorefile", "split"},
    "analysis": {"metrics"},
    "choice_agreement": {"ratings"},
    "learning_curve": {"metrics", "predictor", "training"},
    "layer_sweep": {
        "baseline",
        "dataset",
        "extractors",
        "feature_cache",
        "features",
        "hidden_states",
        "metrics",
        "plots",
        "predictor",
        "report",
        "search",
    },
    "study_export": {"study"},
    "report": {"analysis", "assisted_scores", "choice_agreement", "metrics", "ratings"},
    "plots": {"analysis", "learning_curve"},
    "thumbnails": {"images"},
    "report_page": set(),
    "full_report": {
        "analysis",
        "assisted_scores",
        "learning_curve",
        "metrics",
        "model_scores",
        "plots",
        "report",
        "report_page",
        "scorefile",
        "study_export",
        "thumbnails",
    },
    "spotlight_data": {"model_scores", "scorefile", "selection"},
    "spotlight_viewer": set(),
    "assistance": {"extractors", "feature_cache", "features", "ratings"},
    "ratings": {"metrics", "scaling"},
    "ab_page": {"images", "ratings"},
    "gate": set(),
    "first_stage": {"arguments", "feature_cache", "folds", "gate", "scorefile", "scoring", "split"},
    "scoring": {"arguments", "extractors", "feature_cache", "features", "gate", "predictor"},
    "selection": {"scoring"},
    "score_output": {"score_formats", "scorefile", "scoring"},
    "score_update": {"score_formats", "scorefile"},
    "handing_on": {"xmp"},
    "xmp": set(),
    "watch": {"images"},
}
NO_TORCH = {
    "hidden_states",
    "arguments",
    "options",
    "errors",
    "files",
    "metrics",
    "split",
    "scorefile",
    "score_formats",
    "error_weights",
    "report",
    "report_page",
    "thumbnails",
    "analysis",
    "choice_agreement",
    "ratings",
    "ab_page",
    "score_update",
    "handing_on",
    "xmp",
    "watch",
}


def room(path: Path) -> str:
    """src/ratings/elo.py is in the room ratings, src/split.py in split."""
    return path.relative_to(ROOT / "src").parts[0].removesuffix(".py")


def imports(path: Path) -> set[str]:
    """Full names of all modules a file imports, wherever in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            found.add(node.module or "")
    return found


@pytest.mark.parametrize("path", [p for p in MODULES if p.parent != ROOT / "src" or p.name != "__init__.py"], ids=str)
def test_a_room_imports_only_the_rooms_it_may(path):
    here = room(path)
    assert here in ALLOWED, f"{path}: a room that the plan does not know; add it here and in README's tree"
    rooms = {name.split(".")[1] for name in imports(path) if name.startswith("src.")}
    assert rooms - {here, "errors", "files"} <= ALLOWED[here]
    assert not [name for name in imports(path) if name.startswith(("aesthetic_", "tests", "benchmarks", "examples"))]


@pytest.mark.parametrize("path", [p for p in MODULES if room(p) in NO_TORCH], ids=str)
def test_rooms_that_need_no_torch_do_not_import_it(path):
    assert not {name for name in imports(path) if name.split(".")[0] in ("torch", "transformers", "optuna")}


def test_every_room_of_the_plan_is_there():
    assert {room(path) for path in MODULES} - {"__init__"} == set(ALLOWED)


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_a_scripts_main_is_readable_in_forty_lines(path):
    functions = [
        node for node in ast.parse(path.read_text(encoding="utf-8")).body if isinstance(node, ast.FunctionDef)
    ]
    main = next(node for node in functions if node.name == "main")
    assert main.end_lineno - main.lineno + 1 <= 40
