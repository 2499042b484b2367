"""A process whose children are runs of the studies, each killed in the middle of a write; the last goes on to an end.

    python -m tests.studies.killed JOB

JOB: in JSON, {"study", "words", "kills": [[file, n], …]}. The first child dies where it writes that file for the n-th
time, the next one resumes and dies at its own. Children are forked, as torch takes seconds to load. The
image model is a toy, and what transfer looks at is small.
"""

import json
import os
import signal
import sys
from functools import cache
from importlib import import_module

import torch

from src.common import files
from src.features import embedded_network
from studies.common import learning, looking, observing
from studies.style_folders import transfer
from tests.toys import ToyExtractor


def run(study, words):
    arguments = import_module(f"studies.{study}.options").read_command(words)
    return command_of(study, words).main(arguments)


def command_of(study, words):
    return import_module(f"studies.{study}.{words[0]}")


def die_while_writing(name, times):
    """When this file has been written for so many times but for its last step: what is new lies beside it."""
    take_place, seen = files._take_place, []

    def kill(temporary, path):
        seen.append(path.name)
        if seen.count(name) == times and path.name == name:
            os.kill(os.getpid(), signal.SIGKILL)
        take_place(temporary, path)

    files._take_place = kill


def status_of(study, words, kill=None):
    """Of a child that does this: minus the signal by which it ended, or what it returned."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    code = 1
    try:
        if kill:
            die_while_writing(*kill)
        run(study, words)
        code = 0
    except BaseException as error:
        print(f"{type(error).__name__}: {error}", flush=True)
    finally:
        os._exit(code)


def load_before_forks():
    """What would take each child seconds: the optimiser's imports above all."""
    import_module("sklearn.linear_model")
    torch.optim.AdamW([torch.zeros(1, requires_grad=True)])
    observing.embedded_network("efficientnet-lite0")


def main():
    looking.load_extractor = lambda name, device="auto": ToyExtractor(name)
    transfer.LOOKED_AT = 32
    learning.SAVED_EACH = 0.0
    observing.embedded_network = cache(embedded_network)
    load_before_forks()
    job = json.loads(sys.argv[1])
    command_of(job["study"], job["words"])
    resume = []
    for kill in job["kills"]:
        found = status_of(job["study"], [*job["words"], *resume], kill)
        assert found == -signal.SIGKILL, f"{job['words']}: {found} at {kill}"
        resume = ["--resume"]
    found = status_of(job["study"], [*job["words"], "--resume"])
    assert found == 0, f"{job['words']}: {found} at the end"


if __name__ == "__main__":
    main()
