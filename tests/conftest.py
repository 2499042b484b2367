"""What every test shares: the path of the scripts, idle threads that rest, no network, no waiting for the disk."""

import os
import sqlite3
import sys
from pathlib import Path

from sqlalchemy import Engine, event

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before torch: idle threads must not spin on a busy machine
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before numpy: beside other work two can be 50 times slower
os.environ["HF_HUB_OFFLINE"] = "1"

sys.path.insert(0, str(Path(__file__).parents[1]))


@event.listens_for(Engine, "connect")
def _write_without_waiting_for_the_disk(connection: object, _: object) -> None:
    """For Optuna's studies in this process: they outlive a kill so too, and no test pulls the plug."""
    if isinstance(connection, sqlite3.Connection):
        connection.execute("PRAGMA synchronous=OFF")
