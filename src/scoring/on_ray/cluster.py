"""Ray: started here or joined, and what is asked of it."""

import importlib.util
import logging
import os
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from ...common import UserError, available_cores, first_line, note, working

SECONDS_TO_ANSWER = 5.0
SECONDS_BETWEEN_STARTS = 3.0
# What an actor asks for. It is a whole one, as nothing else takes the other half; but Ray runs together what asks for
# the same, and would have the actors open the images.
SHARE_OF_A_CPU = 0.5
SRC = Path(__file__).parents[2]
Result = TypeVar("Result")


class NotStarted(UserError):
    """Ray was gone before it did anything: on a busy machine its parts now and then miss each other."""


@dataclass(frozen=True)
class Plan:
    """What scoring takes of a cluster. actors: 1 or more, each with so many CPUs and GPUs; all else opens images."""

    actors: int
    cpus: float
    gpus: int


def plan(resources: Mapping[str, float], nodes: int, device: str) -> Plan:
    """An actor for each GPU; without any, one for each machine, whose threads run on all its cores.

    Ray starts actors first, and counts a CPU for whatever runs: with none left no image would ever be opened. So one
    is left at least. device: as `ScoringSettings` has it. Raises UserError where that can't be.
    """
    cpus, gpus = int(resources.get("CPU", 0)), int(resources.get("GPU", 0))
    if device == "cuda" and not gpus:
        raise UserError("--device=cuda: Ray knows of no GPU; start it where there are some, or leave that out")
    if device in ("auto", "cuda") and gpus and cpus:
        return Plan(gpus, 0, 1)
    if cpus < 2:
        raise UserError(
            f"--engine=ray: Ray has {cpus} CPUs, and needs 2: one for the image model, one that opens images"
        )
    return Plan(min(nodes, cpus - 1), SHARE_OF_A_CPU, 0)


def check_ray(address: str | None) -> None:
    """UserError now, rather than behind all else, where Ray is not installed, or nobody is at the address.

    Ray itself asks for three minutes there, and then ends the process.
    """
    if importlib.util.find_spec("ray") is None:
        raise UserError("--engine=ray: Ray is not installed; run: pip install -r requirements-ray.txt")
    if not address or address == "auto":
        return
    host, colon, port = address.rpartition(":")
    if not colon or not port.isdigit() or "/" in address:
        raise UserError(f"--ray_address={address}: write auto, or the head's host:port, such as 10.0.0.1:6379")
    try:
        socket.create_connection((host.strip("[]"), int(port)), SECONDS_TO_ANSWER).close()
    except (OSError, OverflowError) as error:
        raise UserError(
            f"--ray_address={address}: nobody answers there ({first_line(error)}); on the head, run: ray start --head"
        )


def imported() -> Any:
    """The package ray, with its data; UserError where it is missing."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # it would report to its makers
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")  # it would print what concerns its makers
    try:
        with working("Loading Ray"):
            import ray
            import ray.data
    except ImportError as error:
        raise UserError(f"--engine=ray: {first_line(error)}; run: pip install -r requirements-ray.txt")
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    return ray


def twice(run: Callable[[], Result]) -> Result:
    """What it gives; it is tried once more where Ray could not be started in it."""
    try:
        return run()
    except NotStarted as error:
        note(f"note: {error}; trying once more")
    time.sleep(SECONDS_BETWEEN_STARTS)
    return run()


@contextmanager
def joined(address: str | None) -> Iterator[Any]:
    """Ray, left again at the end. address: of a cluster; None: it is started here.

    One that this process had already is taken as it is, and stays. Raises NotStarted where there is none.
    """
    ray = imported()
    if ray.is_initialized():
        yield ray
        return
    options: dict[str, Any] = {"logging_level": "ERROR", "log_to_driver": False}
    if address:
        # Its machines may know nothing of this code.
        options |= {"address": address, "runtime_env": {"py_modules": [str(SRC)]}}
    else:
        options |= {"num_cpus": max(2, available_cores()), "include_dashboard": False}
    try:
        with _found_by_workers(), working("Starting Ray"):
            _start(ray, options)
        yield ray
    finally:
        ray.shutdown()


def _start(ray: Any, options: dict[str, Any]) -> None:
    try:
        ray.init(**options)
    except (Exception, SystemExit) as error:  # it ends the process where a cluster does not answer
        what = f"the cluster at {options['address']} can't be joined" if "address" in options else "can't be started"
        raise NotStarted(
            f"--engine=ray: {what} ({first_line(error) if isinstance(error, Exception) else 'no answer'})"
        )


@contextmanager
def _found_by_workers() -> Iterator[None]:
    """What is started in this block finds our code, wherever this was started."""
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (str(SRC.parent), before)))
    try:
        yield
    finally:
        del os.environ["PYTHONPATH"]
        if before is not None:
            os.environ["PYTHONPATH"] = before
