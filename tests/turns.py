"""Workers take turns: while a test marked `alone` runs, the others wait between two of their tests."""

import os
import tempfile
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

try:
    import fcntl
except ImportError:  # on Windows there are no turns
    fcntl = None


class Turns:
    """One for each worker. folder: of the locks, the same for all. me: the name of this worker.

    Every test holds the lock of its worker. It takes it behind the gate, which a test that is alone keeps closed
    until its end; that one waits there for the locks of all others. Who waits for the gate holds nothing.
    """

    def __init__(self, folder, me, workers):
        files = {name: (folder / name).open("w") for name in ("gate", *workers)}
        self.gate, self.mine = files.pop("gate"), files.pop(me)
        self.others = list(files.values())

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item):
        with ExitStack() as ours:
            with held(self.gate):
                ours.enter_context(held(self.mine))
                if item.get_closest_marker("alone"):
                    for other in self.others:
                        ours.enter_context(held(other))
                    return (yield)
            return (yield)


@contextmanager
def held(file):
    """Locked for the others, also where this process dies."""
    fcntl.flock(file, fcntl.LOCK_EX)
    try:
        yield
    finally:
        fcntl.flock(file, fcntl.LOCK_UN)


class Folder:
    """In the process that starts the workers: tells each where the locks are."""

    def __init__(self):
        self.temporary = tempfile.TemporaryDirectory(prefix="turns-")

    def pytest_configure_node(self, node):
        node.workerinput["turns"] = self.temporary.name

    def pytest_unconfigure(self):
        self.temporary.cleanup()


def register(config):
    """To be called when pytest is configured; without workers there is nothing to do."""
    if fcntl is None or not config.pluginmanager.hasplugin("xdist"):
        return
    if hasattr(config, "workerinput"):
        mine = config.workerinput
        workers = [f"gw{number}" for number in range(int(os.environ["PYTEST_XDIST_WORKER_COUNT"]))]
        config.pluginmanager.register(Turns(Path(mine["turns"]), mine["workerid"], workers))
    elif config.getoption("numprocesses", None):
        config.pluginmanager.register(Folder())
