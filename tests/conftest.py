"""What every test shares: the path of the scripts, one thread a worker, no network, no waiting for the disk; and what
kind of test it is."""

import gc
import os
import shutil
import sqlite3
import sys
from contextlib import suppress
from functools import cache
from importlib import import_module
from pathlib import Path

import alembic.util
import pytest
from sqlalchemy import Engine, event

# A clone is a package, for ComfyUI, and pytest imports it by its folder's name. That may be src, tests or numpy, and
# those are to be found at their own places.
ROOT = Path(__file__).parents[1]
if getattr(sys.modules.get(ROOT.name), "__file__", None) == str(ROOT / "__init__.py"):
    del sys.modules[ROOT.name]

from tests import forks, turns  # noqa: E402
from tests.pages import browser  # noqa: E402, F401 (a fixture)

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before torch: idle threads must not spin on a busy machine
os.environ.setdefault("OMP_NUM_THREADS", "1")  # a worker has a core
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before numpy: beside other work two can be 50 times slower
os.environ["HF_HUB_OFFLINE"] = "1"
MEMORY = Path("/dev/shm")  # for the tests' folders: there fsync is free, which a busy disk takes half of all time for
if MEMORY.is_dir() and os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free > 2**31:
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(MEMORY))

gc.disable()  # while tests are collected: what is made meanwhile stays to the end

SCRIPTS = ROOT / "tests/scripts"
RUN_SCRIPTS = (  # or what is as much: a search with a study on disk, or one of studies/, from its start to its end
    *(("tests.scorer", "Scorer"), ("tests.training", "train"), ("tests.training", "train_once")),
    *(("tests.search.test_search", "run_on_disk"), ("tests.studies.test_autoencode", "run")),
    ("tests.studies.test_classify", "run"),
)


@event.listens_for(Engine, "connect")
def _write_without_waiting_for_the_disk(connection: object, _: object) -> None:
    """For Optuna's studies in this process: they outlive a kill so too, and no test pulls the plug."""
    if isinstance(connection, sqlite3.Connection):
        connection.execute("PRAGMA synchronous=OFF")


def _read_migrations_once():
    """Optuna reads all its migrations, a program each, whenever it opens a database; env.py is to run each time."""
    load = alembic.util.load_python_file
    kept = cache(load)
    alembic.util.load_python_file = lambda folder, name: (load if name == "env.py" else kept)(folder, name)


def pytest_configure(config):
    _read_migrations_once()
    turns.register(config)
    config.pluginmanager.register(forks)


def pytest_pycollect_makemodule(module_path):
    """A test module is tests.…, also where pytest would call it folder_of_the_clone.tests.…: no other process that it
    starts could import that, to find a function of it."""
    name = ".".join(module_path.relative_to(ROOT).with_suffix("").parts)
    with suppress(Exception):  # pytest meets it again, and reports it
        sys.modules[f"{ROOT.name}.{name}"] = import_module(name)


def pytest_collection_finish():
    gc.freeze()  # or every later look for garbage would go through all of torch
    gc.enable()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config):
    """One more than cores, as some tests only wait; at most 6, as no more files are long.

    With --numprocesses=logical as many as cores: the quick tests don't wait, and a worker's imports take seconds.
    """
    cores = os.cpu_count() or 1
    return min(6, cores + (config.option.numprocesses != "logical"))


def pytest_collection_modifyitems(items):
    """Marks what can be seen, and puts files with browsers and scripts first: at the end they would be waited for."""
    for item in items:
        if "browser" in item.fixturenames:
            item.add_marker("browser")
        if SCRIPTS in item.path.parents or _runs_a_script(item):
            item.add_marker("script")
    long = {mark: {item.path for item in items if item.get_closest_marker(mark)} for mark in ("browser", "script")}
    items.sort(key=lambda item: (item.path not in long["browser"], item.path not in long["script"]))


def _runs_a_script(item):
    """Whether the test itself calls what runs one; where a fixture or a helper does, it is marked by hand."""
    called = (vars(item.module).get(name) for name in item.function.__code__.co_names)
    return any((getattr(one, "__module__", ""), getattr(one, "__name__", "")) in RUN_SCRIPTS for one in called)
