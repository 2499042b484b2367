"""A small stand-in for ComfyUI: what 0.3.64 does of comfy_api.latest, folder_paths, comfy and comfy_execution, as far
as the nodes ask for it. `run` calls a node as ComfyUI's executor does.
"""

import inspect
import sys
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, ClassVar


class Input:
    """What a schema says of an input; `as_dict` leaves out what is None, as what the browser gets does."""

    def __init__(self, id, *, optional=False, options=None, extra_dict=None, **more):
        known = {"display_name", "tooltip", "default", "min", "max", "step", "force_input", "multiline"}
        assert set(more) <= known, set(more) - known
        self.id, self.optional, self.options, self.more = id, optional, options, more
        self.extra_dict = extra_dict or {}

    def as_dict(self):
        return {name: value for name, value in {**self.more, **self.extra_dict}.items() if value is not None}


class Output:
    def __init__(self, id=None, display_name=None, tooltip=None, is_output_list=False):
        self.id, self.display_name, self.is_output_list = id, display_name, is_output_list


def kind(name: str) -> type:
    """Input and Output of a type of ComfyUI's."""
    named = {"io_type": name}
    return type(
        name, (), {**named, "Input": type("Input", (Input,), named), "Output": type("Output", (Output,), named)}
    )


@dataclass
class Schema:
    node_id: str
    display_name: str
    category: str
    inputs: list
    outputs: list
    description: str = ""
    is_input_list: bool = False
    is_output_node: bool = False

    def validate(self):
        ids = [each.id for each in [*self.inputs, *self.outputs]]
        if len(set(ids)) < len(ids):
            raise ValueError(f"Ids must be unique between inputs and outputs: {ids}")


class ExecutionBlocker:
    def __init__(self, message):
        self.message = message


class NodeOutput:
    def __init__(self, *args, ui=None):
        self.args, self.ui = args, ui


class ComfyNode:
    hidden: Any = SimpleNamespace(prompt=None, extra_pnginfo=None)


@dataclass
class Api:
    """Of newer ComfyUI: what nodes of other packs become here."""

    registered: list = field(default_factory=list)

    @property
    def node_replacement(self):
        async def register(replacement):
            self.registered.append(replacement)

        return SimpleNamespace(register=register)


class NodeReplace:
    def __init__(self, new_node_id, old_node_id, old_widget_ids=None, input_mapping=None, output_mapping=None):
        self.new_node_id, self.old_node_id, self.old_widget_ids = new_node_id, old_node_id, old_widget_ids
        self.input_mapping, self.output_mapping = input_mapping, output_mapping


class Interrupted(Exception):
    """The person pressed Cancel."""


def modules(base: Path) -> dict[str, ModuleType | SimpleNamespace]:
    """What is to stand in sys.modules; base: where models/ and output/ are."""
    names = {"Image": "IMAGE", "Mask": "MASK", "Latent": "LATENT", "Float": "FLOAT", "Int": "INT", "String": "STRING"}
    names |= {"Boolean": "BOOLEAN", "Combo": "COMBO"}
    io = SimpleNamespace(
        **{name: kind(io_type) for name, io_type in names.items()},
        Custom=kind,
        Schema=Schema,
        ComfyNode=ComfyNode,
        NodeOutput=NodeOutput,
        FolderType=SimpleNamespace(output="output"),
    )
    ui = SimpleNamespace(
        PreviewText=lambda text: {"text": (text,)},
        SavedResult=lambda filename, subfolder, type: {"filename": filename, "subfolder": subfolder, "type": type},
        SavedImages=lambda results: {"images": results},
    )
    api = Api()
    extension = type("ComfyExtension", (), {})
    latest = {"io": io, "ui": ui, "ComfyExtension": extension, "ComfyAPI": lambda: api, "api": api}
    return {
        "comfy_api": _module("comfy_api"),
        "comfy_api.latest": _module("comfy_api.latest", **latest),
        "comfy_execution": _module("comfy_execution"),
        "comfy_execution.graph_utils": _module("comfy_execution.graph_utils", ExecutionBlocker=ExecutionBlocker),
        "comfy": _module("comfy", model_management=_management()),
        "comfy.model_management": _management(),
        "comfy.utils": _module("comfy.utils", ProgressBar=Progress),
        "comfy.cli_args": _module("comfy.cli_args", args=SimpleNamespace(disable_metadata=False)),
        "folder_paths": _folder_paths(base),
    }


class Progress:
    """Counts; raises where the person has cancelled, as the real one does."""

    cancel_after = 10**9
    done: ClassVar[list[int]] = []

    def __init__(self, total):
        self.total, self.current = total, 0

    def update(self, value):
        self.current += value
        Progress.done.append(value)
        if self.current >= Progress.cancel_after:
            raise Interrupted


def _module(name, **attributes):
    found = ModuleType(name)
    found.__dict__.update(attributes)
    return found


def _management():
    return _module("comfy.model_management", get_torch_device=lambda: SimpleNamespace(type="cpu"))


def _folder_paths(base: Path):
    known: dict[str, tuple[list[str], set[str]]] = {}

    def add(name, path):
        paths, _ = known.setdefault(name, ([], set()))
        if path not in paths:
            paths.append(path)

    def names(name):
        folders, endings = known[name]
        found = [
            path for folder in folders for path in Path(folder).glob("*") if path.suffix in endings or not endings
        ]
        return sorted({path.name for path in found})

    def full_path(name, file):
        return next((str(Path(each) / file) for each in known[name][0] if (Path(each) / file).is_file()), None)

    def save_path(prefix, output, width=0, height=0):
        folder = (Path(output) / prefix.replace("%width%", str(width))).parent
        folder.mkdir(parents=True, exist_ok=True)
        name = Path(prefix).name
        counter = 1 + max((int(path.stem.split("_")[-2]) for path in folder.glob(f"{name}_*_.png")), default=0)
        return str(folder), name, counter, str(Path(prefix).parent), prefix

    return _module(
        "folder_paths",
        folder_names_and_paths=known,
        models_dir=str(base / "models"),
        add_model_folder_path=add,
        get_filename_list=names,
        get_full_path=full_path,
        get_output_directory=lambda: str(base / "output"),
        get_save_image_path=save_path,
    )


def run(node: type, **inputs: list) -> list[list]:
    """The outputs of a node, each a list of items; inputs: lists too, of one item for a widget. Others have their
    defaults."""
    schema = node.define_schema()
    known = {each.id for each in schema.inputs}
    assert set(inputs) <= known, set(inputs) - known
    inputs = {each.id: [each.more["default"]] for each in schema.inputs if "default" in each.more} | inputs
    missing = {each.id for each in schema.inputs if not each.optional} - set(inputs)
    assert not missing, missing
    calls = [inputs] if schema.is_input_list else _mapped(inputs)
    done = [node.execute(**call) for call in calls]
    assert all(len(one.args) == len(schema.outputs) for one in done)
    gathered: list[list] = []
    for i, output in enumerate(schema.outputs):
        items = [one.args[i] for one in done]
        series = [
            [item] if isinstance(item, ExecutionBlocker) or not output.is_output_list else item for item in items
        ]
        gathered.append([item for part in series for item in part])
    return gathered


def _mapped(inputs):
    count = max(map(len, inputs.values()))
    return [{name: values[min(i, len(values) - 1)] for name, values in inputs.items()} for i in range(count)]


def validated(node: type, **values: Any) -> Any:
    """What `validate_inputs` says of the values that it asks for."""
    asked = inspect.getfullargspec(node.validate_inputs).args[1:]
    return node.validate_inputs(**{name: values[name] for name in asked})


def put_in(monkeypatch, base: Path) -> dict:
    """The stand-in, where `import` finds it, for one test."""
    found = modules(base)
    for name, each in found.items():
        monkeypatch.setitem(sys.modules, name, each)
    monkeypatch.setattr(Progress, "done", [])
    return found
