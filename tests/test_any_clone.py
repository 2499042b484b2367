"""A clone is a package, for ComfyUI; its tests are found and run all the same, whatever its folder is called."""

import os
import shutil
import subprocess
import sys

import pytest

from tests import ROOT

NEEDED = ("__init__.py", "pyproject.toml", "src/__init__.py", "src/common", "tests/common/test_metrics.py")
NEEDED += (
    "tests/__init__.py",
    "tests/conftest.py",
    "tests/forks.py",
    "tests/pages.py",
    "tests/turns.py",
    "tests/common/__init__.py",
)


@pytest.mark.script
def test_a_clone_may_be_called_as_a_package_that_it_uses(tmp_path):
    clone = tmp_path / "numpy"
    for part in NEEDED:
        copy = shutil.copytree if (ROOT / part).is_dir() else shutil.copy
        (clone / part).parent.mkdir(parents=True, exist_ok=True)
        copy(ROOT / part, clone / part)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist"]
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST_")}
    ended = subprocess.run(command, cwd=clone, env=environment, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "passed" in ended.stdout
