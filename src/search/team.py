"""Processes of our own that train beside this one. Each takes tasks through a pipe, and ends when that is closed."""

import pickle
import tempfile
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..common import be_a_helper, ignoring_ctrl_c, note
from .trainer import Trainer

FEATURES, REST = "features.npy", "rest.pickle"  # what a process reads first
AHEAD = 2  # tasks that wait in a process's pipe, so that it need not wait for us

Task = Callable[[Trainer], Any]  # what is to be done by whoever has the data; goes through a pipe, as its result does


@dataclass
class _Helper:
    process: BaseProcess
    pipe: Connection
    tasks: set[int] = field(default_factory=set)  # that it has not answered
    is_ready: bool = False  # it takes seconds to begin, in which what it is given would wait


class Team:
    """So many processes; the features are one file that all of them have in memory, not copies.

    components: which most tasks will ask for.
    """

    def __init__(self, count: int, trainer: Trainer, components: int) -> None:
        self._helpers: list[_Helper] = []
        self._shared: tempfile.TemporaryDirectory | None = None
        if count < 1:
            return
        self._shared = tempfile.TemporaryDirectory(prefix="aesthetic-", ignore_cleanup_errors=True)
        folder = Path(self._shared.name)
        np.save(folder / FEATURES, trainer.data.inputs.numpy())
        ready = [trainer.ready(part, components) for part in trainer.parts] if components else []
        data = replace(trainer.data, inputs=torch.empty(0))
        # A file, as a pipe takes in no more than some kilobytes until the other side reads.
        (folder / REST).write_bytes(pickle.dumps((trainer.settings, trainer.objective, data, components, ready)))
        context = get_context("spawn")
        for _ in range(count):
            ours, theirs = context.Pipe()
            process = context.Process(target=_work, args=(theirs, folder), daemon=True)
            with ignoring_ctrl_c():
                process.start()
            theirs.close()
            self._helpers.append(_Helper(process, ours))

    @property
    def size(self) -> int:
        """Processes that are left."""
        return len(self._helpers)

    def give(self, tasks: Mapping[int, Task]) -> set[int]:
        """Hand out as many as are wanted by processes that are ready, the first first; those that were."""
        given: set[int] = set()
        for number, task in tasks.items():
            ready = [helper for helper in self._helpers if helper.is_ready]
            helper = min(ready, key=lambda one: len(one.tasks), default=None)
            if helper is None or len(helper.tasks) >= AHEAD:
                break
            helper.tasks.add(number)
            given.add(number)
            self._send(helper, pickle.dumps((number, task)))
        return given

    def collect(self, patient: bool) -> tuple[dict[int, Any], set[int]]:
        """What is done, and which tasks are back undone, as their process was killed. patient: wait for something.

        Raises what a task raised.
        """
        done: dict[int, Any] = {}
        lost: set[int] = set()
        readable = wait([helper.pipe for helper in self._helpers], None if patient else 0)
        for helper in [helper for helper in self._helpers if helper.pipe in readable]:
            try:
                number, found = pickle.loads(helper.pipe.recv_bytes())
            except (EOFError, OSError):
                lost |= self._remove(helper)
                continue
            if number is None:
                helper.is_ready = True
                self._tidy()
                continue
            if isinstance(found, Exception):
                raise found
            done[number] = found
            helper.tasks.remove(number)
        return done, lost

    def through(self, tasks: Mapping[int, Task], trainer: Trainer) -> Iterator[tuple[int, Any]]:
        """Number and result of each task, as they are done: by these processes and, with `trainer`, by this one."""
        left, given = dict(tasks), set[int]()
        while left:
            waiting = {number: task for number, task in left.items() if number not in given}
            ours = waiting.popitem() if waiting else None  # before the others are given theirs, or none might be left
            given |= self.give(waiting)
            if ours:
                yield ours[0], left.pop(ours[0])(trainer)
            if self.size:
                done, lost = self.collect(patient=not ours)
                given -= lost
                for number, found in done.items():
                    del left[number]
                    yield number, found

    def close(self) -> None:
        """End them all, whatever they are at."""
        for helper in self._helpers:
            helper.pipe.close()
            helper.process.terminate()
        for helper in self._helpers:
            helper.process.join()
        self._helpers = []
        self._tidy()

    def _tidy(self) -> None:
        """Nobody has to open the files any more: what all have open stays theirs, and no kill leaves it behind."""
        if self._shared and all(helper.is_ready for helper in self._helpers):
            self._shared.cleanup()

    def _send(self, helper: _Helper, message: bytes) -> None:
        with suppress(OSError):  # it is gone: `collect` will say so
            helper.pipe.send_bytes(message)

    def _remove(self, helper: _Helper) -> set[int]:
        helper.process.join()
        helper.pipe.close()
        self._helpers.remove(helper)
        self._tidy()
        note(
            f"note: a process that trained beside this one was ended from outside (exit code "
            f"{helper.process.exitcode}; too little memory?); the search goes on without it"
        )
        return helper.tasks


def _work(pipe: Connection, folder: Path) -> None:
    """What each process does."""
    be_a_helper(yields=False)
    torch.set_num_threads(1)
    # An answer is sent while the next task is done: whoever reads it is mostly busy.
    with suppress(EOFError, OSError), ThreadPoolExecutor(1) as sender:  # whoever started us is gone
        trainer = _receive(folder)
        sender.submit(pipe.send_bytes, pickle.dumps((None, None)))
        while True:
            number, task = pickle.loads(pipe.recv_bytes())
            try:
                found = task(trainer)
            except Exception as error:
                found = error
            sender.submit(pipe.send_bytes, pickle.dumps((number, found)))


def _receive(folder: Path) -> Trainer:
    settings, objective, data, components, ready = pickle.loads((folder / REST).read_bytes())
    inputs = torch.from_numpy(np.load(folder / FEATURES, mmap_mode="c"))  # a copy only of what is written to: nothing
    trainer = Trainer(settings, objective, replace(data, inputs=inputs))
    for part, known in zip(trainer.parts, ready, strict=False):
        trainer.keep(part, components, known)
    return trainer
