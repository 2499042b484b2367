"""Runs in ComfyUI's own environment; argv: its checkout, a base folder, the pack. Prints what it found, as JSON.

Nothing of ComfyUI is replaced, but a drawn batch stands where VAE Decode would give one: there is no checkpoint here.
"""

import asyncio
import copy
import json
import os
import shutil
import sys
from pathlib import Path

COMFYUI, BASE, PACK = sys.argv[1:4]
sys.argv = ["main.py", "--cpu", "--disable-api-nodes", "--base-directory", BASE]  # as ComfyUI reads them
os.environ["HF_HUB_OFFLINE"] = "1"
sys.path.insert(0, COMFYUI)

import comfy.options  # noqa: E402

comfy.options.enable_args_parsing()

import execution  # noqa: E402
import nodes  # noqa: E402
import torch  # noqa: E402
from PIL import Image  # noqa: E402

WORKFLOWS = sorted((Path(PACK) / "example_workflows").glob("*.json"))


class Server:
    """What the executor tells the browser."""

    client_id = "test"
    last_node_id = None
    last_prompt_id = None

    def __init__(self):
        self.messages = []

    def send_sync(self, event, data, sid=None):
        self.messages.append((event, data))


class Drawn:
    """A batch of pictures, in the place of VAE Decode."""

    RETURN_TYPES, FUNCTION, CATEGORY = ("IMAGE",), "draw", "test"

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"count": ("INT", {"default": 8})}}

    def draw(self, count):
        return (torch.rand(count, 48, 64, 3, generator=torch.Generator().manual_seed(0)),)


class Latents:
    """What a sampler would give."""

    RETURN_TYPES, FUNCTION, CATEGORY = ("LATENT",), "draw", "test"

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"count": ("INT", {"default": 8})}}

    def draw(self, count):
        return ({"samples": torch.zeros(count, 4, 6, 8)},)


def prompt_of(workflow):
    """What the browser makes of a workflow before it sends it."""
    origin = {link[0]: [str(link[1]), link[2]] for link in workflow["links"]}
    prompt = {}
    for node in workflow["nodes"]:
        inputs, values = {}, list(node.get("widgets_values") or [])
        for each in node["inputs"]:
            if "widget" in each and values:
                inputs[each["name"]] = values.pop(0)
                if each["name"] == "seed":
                    values.pop(0)  # what becomes of it after a run
            if each["link"] is not None:
                inputs[each["name"]] = origin[each["link"]]
        prompt[str(node["id"])] = {"class_type": node["type"], "inputs": inputs}
    return prompt


def drawn(prompt):
    """Without a checkpoint: what is behind VAE Decode goes, and its place is taken."""
    of_models = {"CheckpointLoaderSimple", "CLIPTextEncode", "EmptyLatentImage"}
    kept = {key: node for key, node in prompt.items() if node["class_type"] not in of_models}
    for node in kept.values():
        stand_in = {"VAEDecode": "TestDrawn", "KSampler": "TestLatents"}.get(node["class_type"])
        if stand_in:
            node["class_type"], node["inputs"] = stand_in, {"count": 8}
        if node["class_type"] == "AestheticLogChoice":
            node["inputs"]["picked"] = "4,0"
    return kept


class Run:
    """One executor, as a server has one."""

    def __init__(self):
        self.server = Server()
        self.executor = execution.PromptExecutor(self.server)

    def __call__(self, prompt, workflow=None):
        self.server.messages.clear()
        prompt = copy.deepcopy(prompt)  # ComfyUI notes in it what has changed
        valid = asyncio.run(execution.validate_prompt("p", prompt, None))
        if not valid[0]:
            return {"valid": False, "why": json.dumps([valid[1], valid[3]], default=str), "error": None}
        extra = {"client_id": "test", "extra_pnginfo": {"workflow": workflow or {}}}
        self.executor.execute(prompt, "p", extra, valid[2])
        failed = [data["exception_message"] for event, data in self.server.messages if event == "execution_error"]
        return {"valid": True, "error": failed[0].strip() if failed else None, "executed": self.executed(prompt)}

    def executed(self, prompt):
        """The types of what ran, not of what was cached."""
        cached = {key for event, data in self.server.messages if event == "execution_cached" for key in data["nodes"]}
        ran = {data["node"] for event, data in self.server.messages if event == "executing" and data.get("node")}
        return sorted({prompt[key]["class_type"] for key in ran - cached})

    def ended(self):
        return [event for event, _ in self.server.messages if event.startswith("execution_")][-1]


def saved():
    found = []
    for path in sorted((Path(BASE) / "output/aesthetic").glob("*.png")):
        with Image.open(path) as opened:
            found.append({"name": path.name, "texts": opened.text})
    return found


def main():
    shutil.copy(Path(COMFYUI) / "input/example.png", Path(BASE) / "input/example.png")
    (Path(BASE) / "models/checkpoints").mkdir(exist_ok=True)
    nodes.NODE_CLASS_MAPPINGS.update({"TestDrawn": Drawn, "TestLatents": Latents})
    said = {"loaded": asyncio.run(nodes.load_custom_node(PACK))}
    said["nodes"] = sorted(name for name in nodes.NODE_CLASS_MAPPINGS if name.startswith("Aesthetic"))
    said["web"] = [str(Path(path).resolve()) for path in nodes.EXTENSION_WEB_DIRS.values()]
    run = Run()
    for path in WORKFLOWS:
        workflow = json.loads(path.read_text(encoding="utf-8"))
        said[path.stem] = run(drawn(prompt_of(workflow)), workflow)
        said[path.stem]["saved"] = saved()
        said[path.stem]["choices"] = (Path(BASE) / "output/aesthetic/comparisons.sqlite").exists()
        shutil.rmtree(Path(BASE) / "output/aesthetic", ignore_errors=True)
    said |= cached_and_changed(run) | refused(run) | cancelled(run) | gated(run)
    print(json.dumps(said))


SCORING = {
    "1": {"class_type": "TestDrawn", "inputs": {"count": 5}},
    "2": {"class_type": "AestheticLoadModel", "inputs": {"model": "model.safetensors", "device": "auto"}},
    "3": {"class_type": "AestheticScoreImages", "inputs": {"model": ["2", 0], "images": ["1", 0], "batch_size": 2}},
}


def cached_and_changed(run):
    run(SCORING)
    again = run(SCORING)["executed"]
    model = Path(BASE) / "models/aesthetic/model.safetensors"
    os.utime(model, (1, 1))
    return {"again": again, "after a change": run(SCORING)["executed"]}


def refused(run):
    wrong = {
        **SCORING,
        "3": {"class_type": "AestheticScoreImages", "inputs": {"model": ["2", 0], "images": ["2", 0]}},
    }
    gone = {
        **SCORING,
        "2": {"class_type": "AestheticLoadModel", "inputs": {"model": "gone.safetensors", "device": "cpu"}},
    }
    missing = {
        "wrong type": run(wrong)["why"],
        "no model": json.loads(json.dumps(run(gone)["why"])).replace('\\"', '"'),
    }
    from safetensors import safe_open
    from safetensors.torch import save_file

    folder = Path(BASE) / "models/aesthetic"
    with safe_open(folder / "model.safetensors", "pt") as file:
        tensors, about = {key: file.get_tensor(key) for key in file.keys()}, file.metadata()  # noqa: SIM118
    about = {key: value.replace("efficientnet-lite0", "nobody/knows-it") for key, value in about.items()}
    save_file(tensors, folder / "other.safetensors", about)
    other = {
        **SCORING,
        "2": {"class_type": "AestheticLoadModel", "inputs": {"model": "other.safetensors", "device": "cpu"}},
    }
    return {**missing, "no image model": run(other)["error"]}


def cancelled(run):
    """Cancel, as the button does it, when the first part of forty images is scored."""
    import comfy.model_management
    import comfy.utils

    steps = []

    def hook(value, total, preview, **_):
        steps.append(value)
        comfy.model_management.interrupt_current_processing()
        comfy.model_management.throw_exception_if_processing_interrupted()

    comfy.utils.set_progress_bar_global_hook(hook)
    many = {**SCORING, "1": {"class_type": "TestDrawn", "inputs": {"count": 40}}}
    run(many)
    comfy.utils.set_progress_bar_global_hook(None)
    return {"cancelled": run.ended(), "scored before that": steps[-1]}


def gated(run):
    """What is after a gate that nothing passes is not executed; and a list of two batches is scored one by one."""
    prompt = {
        **SCORING,
        "4": {
            "class_type": "AestheticScoreGate",
            "inputs": {"images": ["3", 0], "score": ["3", 1], "threshold": 9000.0, "below": "stop"},
        },
        "5": {
            "class_type": "AestheticSaveWithScore",
            "inputs": {"images": ["4", 0], "scores": ["3", 1], "filename_prefix": "gate/a"},
        },
        "6": {
            "class_type": "AestheticKeepBest",
            "inputs": {"images": ["3", 0], "scores": ["3", 1], "k": 0, "order": "descending"},
        },
        "7": {
            "class_type": "AestheticScoreImages",
            "inputs": {"model": ["2", 0], "images": ["6", 0], "batch_size": 2},
        },
    }
    found = run(prompt)
    return {"gate": {**found, "executed": (Path(BASE) / "output/gate").exists()}}


main()
