"""What every test shares: the path of the scripts, one thread a worker, no network, no waiting for the disk; and what
kind of test it is."""

import os
import sqlite3
import sys
from pathlib import Path

import pytest
from sqlalchemy import Engine, event

from tests import turns
from tests.pages import browser  # noqa: F401 (a fixture)

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before torch: idle threads must not spin on a busy machine
os.environ.setdefault("OMP_NUM_THREADS", "1")  # a worker has a core
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before numpy: beside other work two can be 50 times slower
os.environ["HF_HUB_OFFLINE"] = "1"

sys.path.insert(0, str(Path(__file__).parents[1]))

SCRIPTS = Path(__file__).parent / "scripts"
RUN_SCRIPTS = (("tests.scorer", "Scorer"), ("tests.training", "train"), ("tests.training", "train_once"))


@event.listens_for(Engine, "connect")
def _write_without_waiting_for_the_disk(connection: object, _: object) -> None:
    """For Optuna's studies in this process: they outlive a kill so too, and no test pulls the plug."""
    if isinstance(connection, sqlite3.Connection):
        connection.execute("PRAGMA synchronous=OFF")


def pytest_configure(config):
    turns.register(config)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers():
    """One more than cores, as some tests only wait; at most 6, as no more files are long."""
    return min(6, (os.cpu_count() or 1) + 1)


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
