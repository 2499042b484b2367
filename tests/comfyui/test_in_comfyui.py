"""The nodes in ComfyUI itself, where COMFYUI_DIR names a checkout of it: loaded, validated and executed as it does.

0.3.64 runs so on a CPU, by `COMFYUI_PYTHON` where its packages are not in this environment; docs/comfyui.md says how.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests import ROOT

COMFYUI = os.environ.get("COMFYUI_DIR")
pytestmark = [
    pytest.mark.skipif(not COMFYUI, reason="COMFYUI_DIR names no checkout of ComfyUI"),
    pytest.mark.script,
]


@pytest.fixture(scope="module")
def said(model, tmp_path_factory):
    """What in_comfyui.py found in one process: ComfyUI takes half a minute to come up."""
    base = tmp_path_factory.mktemp("comfyui")
    for name in ("models/aesthetic", "input", "output", "temp", "user", "custom_nodes"):
        (base / name).mkdir(parents=True)
    shutil.copy(model, base / "models/aesthetic/model.safetensors")
    pack = base / "custom_nodes/aesthetic-toolkit.1"
    pack.symlink_to(ROOT, target_is_directory=True)
    command = [os.environ.get("COMFYUI_PYTHON", sys.executable), str(Path(__file__).with_name("in_comfyui.py"))]
    ended = subprocess.run(
        [*command, COMFYUI, str(base), str(pack)], capture_output=True, text=True, cwd=COMFYUI, timeout=600
    )
    assert ended.returncode == 0, ended.stderr[-3000:]
    return json.loads(ended.stdout.splitlines()[-1])


def test_the_pack_is_loaded_with_its_help_and_its_examples(said):
    assert said["loaded"] is True
    assert len(said["nodes"]) == 7
    assert said["web"] == [str(ROOT / "web")]


@pytest.mark.parametrize("name", [path.stem for path in sorted((ROOT / "example_workflows").glob("*.json"))])
def test_an_example_is_valid_and_runs(said, name):
    assert said[name]["valid"] is True, said[name]
    assert said[name]["error"] is None


def test_what_is_kept_is_saved_with_its_score_and_its_workflow(said):
    (saved,) = said["score_images"]["saved"]
    assert set(saved["texts"]) >= {"prompt", "workflow", "aesthetic_score", "Score"}
    assert saved["name"].startswith(f"{float(saved['texts']['Score']):.3f}_")


def test_a_choice_is_stored(said):
    assert [name for name, found in said.items() if isinstance(found, dict) and found.get("choices")] == ["choose"]


def test_a_second_run_is_cached_and_a_changed_model_runs_again(said):
    assert said["again"] == []
    assert "AestheticScoreImages" in said["after a change"]


def test_a_wrong_type_is_named(said):
    assert "images, received_type(AESTHETIC_MODEL) mismatch input_type(IMAGE)" in said["wrong type"]


def test_a_model_that_is_not_there_is_said(said):
    assert "there is no 'gone.safetensors' in models/aesthetic; it has model.safetensors" in said["no model"]


def test_an_image_model_that_cannot_be_had_is_one_sentence(said):
    assert "can't be had" in said["no image model"]
    assert "\n" not in said["no image model"]


def test_cancel_stops_scoring_in_the_middle(said):
    assert said["cancelled"] == "execution_interrupted"
    assert 0 < said["scored before that"] < 40


def test_lists_go_one_by_one_and_a_gate_stops_what_is_after_it(said):
    assert said["gate"]["error"] is None
    assert said["gate"]["executed"] is False
