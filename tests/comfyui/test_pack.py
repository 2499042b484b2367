"""The clone as a pack: how fast it is there, what the registry is told, and that every node has help."""

import json
import re
import subprocess
import sys

import pytest

from tests import ROOT

tomllib = pytest.importorskip("tomllib")  # Python 3.11
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
WORKFLOWS = sorted((ROOT / "example_workflows").glob("*.json"))
IDS = {path.stem for path in (ROOT / "web/docs").glob("*.md")}

# argv: the clone. Says what the pack's import brought, and the processor time that took, on the stand-in.
LOAD = """
import asyncio, sys, time
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from tests.comfyui import standin
sys.modules.update(standin.modules(Path(sys.argv[1])))
import importlib.util
before, start = set(sys.modules), time.process_time()
spec = importlib.util.spec_from_file_location("a/pack", sys.argv[1] + "/__init__.py")
sys.modules["a/pack"] = pack = importlib.util.module_from_spec(spec)
spec.loader.exec_module(pack)
nodes = asyncio.run(asyncio.run(pack.comfy_entrypoint()).get_node_list())
[node.define_schema() for node in nodes]
taken = time.process_time() - start
print(taken, len(nodes), *sorted({name.split(".")[0] for name in set(sys.modules) - before}))
"""


def test_the_pack_is_there_in_a_tenth_of_a_second_and_brings_nothing_heavy():
    done = [
        subprocess.run([sys.executable, "-c", LOAD, str(ROOT)], capture_output=True, text=True, check=True, cwd=ROOT)
        for _ in range(2)
    ]
    said = [each.stdout.split() for each in done]
    assert min(float(words[0]) for words in said) < 0.1
    assert said[0][1] == "7"
    assert not {"torch", "numpy", "PIL", "transformers", "optuna", "scipy"} & set(said[0][2:])


# argv: the clone, a model, a folder. Scores and logs a choice with no packages but those of docs/comfyui.md.
BARE = """
import sys
sys.path.insert(0, sys.argv[1])
absent = "optuna sklearn threadpoolctl filelock watchdog starlette pandas matplotlib onnx onnxruntime transformers"
sys.modules.update(dict.fromkeys(absent.split()))
from pathlib import Path
import torch
from PIL import Image
from tests.comfyui.pack import module
scorer = module("models").load(sys.argv[2], "cpu")
said = module("scoring").score(scorer, torch.rand(2, 30, 40, 3), 2, lambda done: None)
pictures = [Image.new("RGB", (4, 4), (i, 0, 0)) for i in range(3)]
print(len(said.scores), module("choices").log_choice(pictures, [1], Path(sys.argv[3]) / "c.sqlite", "me"))
"""


@pytest.mark.script
def test_the_nodes_need_no_package_of_the_scripts(model, tmp_path):
    words = [str(ROOT), str(model), str(tmp_path)]
    ended = subprocess.run([sys.executable, "-c", BARE, *words], capture_output=True, text=True, cwd=ROOT)
    assert ended.stdout.split() == ["2", "1"], ended.stderr


def test_the_registry_is_told_what_it_asks_for():
    project, comfy = PROJECT["project"], PROJECT["tool"]["comfy"]
    assert "comfyui" not in project["name"].lower()
    assert re.fullmatch(r"\d+\.\d+\.\d+", project["version"])
    assert project["license"] == "Apache-2.0"
    assert set(comfy) == {"PublisherId", "DisplayName", "Icon", "requires-comfyui"}
    assert comfy["requires-comfyui"] == ">=0.3.64"


def test_requirements_for_comfyui_are_those_that_the_registry_is_told():
    lines = (ROOT / "requirements-comfyui.txt").read_text(encoding="utf-8").splitlines()
    wanted = [line for line in lines if line and not line.startswith("#")]
    assert wanted == PROJECT["project"]["dependencies"]
    names = {re.match(r"[\w-]+", line)[0].lower() for line in wanted}
    assert not names & {"torch", "transformers", "onnxruntime", "onnx", "numpy", "huggingface_hub", "optuna"}


def test_what_the_registry_packs_has_all_that_the_nodes_need():
    ignored = (ROOT / ".comfyignore").read_text(encoding="utf-8").split()
    assert "requirements.txt" in ignored  # ComfyUI-Manager would install it
    for needed in ("src", "comfyui", "web", "example_workflows", "__init__.py", "pyproject.toml", "docs", "LICENSE"):
        assert not {needed, f"{needed}/", f"/{needed}", f"/{needed}/"} & set(ignored)


def test_the_pack_runs_no_code_from_texts_and_installs_nothing():
    for path in [ROOT / "__init__.py", *(ROOT / "comfyui").rglob("*.py"), *(ROOT / "src").rglob("*.py")]:
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"(?<![\w.])(eval|exec)\(", text), path
        assert not re.search(r"""["']pip["']""", text), path
    for path in (ROOT / "comfyui").rglob("*.py"):
        assert not re.search(r"(?<![\w.])print\(", path.read_text(encoding="utf-8")), path


def test_every_node_has_help_that_names_its_inputs_and_outputs(comfy):
    assert {node.__name__ for node in comfy.nodes} == IDS
    for node in comfy.nodes:
        schema = node.define_schema()
        text = (ROOT / f"web/docs/{schema.node_id}.md").read_text(encoding="utf-8")
        assert text.startswith(f"# {schema.display_name}\n")
        for each in [*schema.inputs, *schema.outputs]:
            named = getattr(each, "display_name", None) or each.id
            assert f"**{named}**" in text, (schema.node_id, named)


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_an_example_has_a_picture_and_knows_its_nodes(path):
    picture = path.with_suffix(".jpg")
    assert 5_000 < picture.stat().st_size < 300_000
    workflow = json.loads(path.read_text(encoding="utf-8"))
    ours = {node["type"] for node in workflow["nodes"]} & IDS
    assert ours
    assert f"example_workflows/{path.stem}.jpg" in (ROOT / "docs/comfyui.md").read_text(encoding="utf-8")


def test_the_page_of_docs_describes_every_node(comfy):
    page = (ROOT / "docs/comfyui.md").read_text(encoding="utf-8")
    for node in comfy.nodes:
        assert f"**{node.define_schema().display_name}**" in page
