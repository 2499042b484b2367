"""A PostgreSQL server of the tests' own on 127.0.0.1, from the system's packages."""

import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path

from tests.waiting import wait_for

OWNER = "postgres"  # the server refuses to be root's


def missing():
    """What is not there, in a line; empty where all is."""
    if importlib.util.find_spec("psycopg") is None:
        return "psycopg is not installed: pip install -r requirements-postgres.txt"
    return "" if _programs() else "PostgreSQL is not installed: apt-get install postgresql"


def _programs():
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    where = shutil.which("initdb") or (found and str(found[-1]))
    return Path(where).parent if where else None


@contextmanager
def postgres():
    """The URL of an empty database; the server ends with the block."""
    as_owner = {"user": OWNER, "group": OWNER} if sys.platform != "win32" and os.getuid() == 0 else {}
    folder = Path(tempfile.mkdtemp(prefix="postgres-"))
    if as_owner:
        shutil.chown(folder, OWNER, OWNER)
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": folder, **as_owner}
    make = [_programs() / "initdb", "-D", folder / "data", "-U", "tester", "-A", "trust", "--no-sync"]
    subprocess.run(make, check=True, **quiet)
    port = _free_port()
    words = ["-D", folder / "data", "-k", folder, "-p", str(port), "-c", "listen_addresses=127.0.0.1"]
    server = subprocess.Popen([_programs() / "postgres", *words, "-c", "fsync=off"], **quiet)
    try:
        wait_for(lambda: _answers(port))
        yield f"postgresql+psycopg://tester@127.0.0.1:{port}/postgres"
    finally:
        server.send_signal(signal.SIGINT)  # with SIGTERM it would wait for whoever is connected
        server.wait()
        shutil.rmtree(folder)


def _free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _answers(port):
    import psycopg

    try:
        psycopg.connect(f"postgresql://tester@127.0.0.1:{port}/postgres", connect_timeout=1).close()
    except psycopg.OperationalError:
        return False
    return True
