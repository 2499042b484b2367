"""The settings of all packages: their defaults are those of the options, and each field is documented."""

import argparse
import os
import subprocess
import sys
from dataclasses import MISSING, fields, is_dataclass
from importlib import import_module

import pytest

from src.options.table import GROUPS
from src.options.training import study_name
from tests import ROOT

OPTIONS = {option.dest: option for group in GROUPS for option in group.options}
MODULES = [f"src.{path.parent.name}.settings" for path in sorted(ROOT.glob("src/*/settings.py"))]
ALL = [
    kind
    for name in MODULES
    for kind in vars(import_module(name)).values()
    if isinstance(kind, type) and is_dataclass(kind) and kind.__module__ == name
]


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.__name__)
def test_the_default_of_an_option_is_that_of_its_setting(kind):
    for field in fields(kind):
        option = OPTIONS.get(field.name)
        if option and option.default is not None and not option.repeatable and field.default is not MISSING:
            assert option.default == field.default, f"--{field.name}"


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.__name__)
def test_settings_do_not_change_and_say_what_each_field_is(kind):
    assert kind.__dataclass_params__.frozen
    for field in fields(kind):
        if not is_dataclass(field.default) and field.default_factory is MISSING:  # settings say it themselves
            assert field.name in kind.__doc__, field.name


def test_settings_bring_no_torch():
    assert "src.scoring.settings" in MODULES
    code = f"import sys, {', '.join(MODULES)}; print('torch' in sys.modules or 'matplotlib' in sys.modules)"
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert result.stdout == "False\n"


@pytest.mark.skipif(os.name == "nt", reason="names are text there")
def test_a_study_is_named_after_its_folder_as_far_as_that_is_text(tmp_path):
    assert study_name(argparse.Namespace(name=None), tmp_path / "photos") == "photos"
    assert study_name(argparse.Namespace(name=None), tmp_path / "odd\udcff") == "odd?"
    assert study_name(argparse.Namespace(name="mine"), tmp_path / "odd\udcff") == "mine"
