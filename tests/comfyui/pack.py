"""The clone as a node pack, loaded as ComfyUI loads it: by its path, under a name that no import could say."""

import importlib.util
import sys
from importlib import import_module
from types import ModuleType

from tests import ROOT

NAME = str(ROOT).replace(".", "_x_")


def load_pack() -> ModuleType:
    """The top-level `__init__.py`."""
    if NAME not in sys.modules:
        spec = importlib.util.spec_from_file_location(NAME, ROOT / "__init__.py")
        sys.modules[NAME] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[NAME])
    return sys.modules[NAME]


def module(name: str) -> ModuleType:
    """A module of the package `comfyui`, such as "keeping"; or of the toolkit in the pack, such as "..src.common"."""
    load_pack()
    return import_module(f".{name}" if name[0] != "." else name, f"{NAME}.comfyui")


UserError = module("..src.common").UserError
