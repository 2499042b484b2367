"""Optuna's own server before a database, on 127.0.0.1: what --database=grpc://host:port is a client of."""

import socket
import subprocess
import sys
from contextlib import contextmanager
from importlib.util import find_spec

from tests import ROOT
from tests.forks import start

# The arguments are the database's URL and the server's port.
SERVER = """
import sys
import optuna
from src.search.storage import open_storage
optuna.storages.run_grpc_proxy_server(open_storage(sys.argv[1]), host="127.0.0.1", port=int(sys.argv[2]))
"""


def missing():
    """What is not there, in a line; empty where all is."""
    return "" if find_spec("grpc") else "grpcio is not installed: pip install -r requirements-postgres.txt"


@contextmanager
def before(database):
    """The URL of the server, a process of its own; it ends with the block."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    words = [sys.executable, "-c", SERVER, database, str(port)]
    with start(words, cwd=ROOT, stderr=subprocess.DEVNULL) as server:
        try:
            yield f"grpc://127.0.0.1:{port}"
        finally:
            server.kill()
