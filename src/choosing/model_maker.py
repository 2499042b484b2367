"""A process that makes models from choices, so that whoever chooses never waits for it."""

import multiprocessing
import multiprocessing.connection
import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace

from tqdm import tqdm

from ..common import UserError, be_a_helper, ignoring_ctrl_c
from .from_choices import Made, Place, Wanted, look_at_preview, make_model

Answer = Made | str
Make = Callable[[Place, Wanted], Iterator[Answer]]


def make_and_look(place: Place, wanted: Wanted) -> Iterator[Answer]:
    """The model once it is on disk, and again with what it says of the preview; a sentence where that fails."""
    made = make_model(place, wanted)
    yield made
    if place.preview_folder is not None:
        yield replace(made, preview=look_at_preview(place, wanted))


class ModelMaker:
    """Makes one model after the other; of those that are asked for meanwhile, the last one alone."""

    def __init__(
        self, place: Place, tell: Callable[[Answer], None] = lambda answer: None, make: Make = make_and_look
    ) -> None:
        """tell: called with every answer, in a thread of its own. make: what the process does."""
        self._tell, self._changed = tell, threading.Condition()
        self._next: Wanted | None = None
        self._works, self._closed = False, False
        context = multiprocessing.get_context("spawn")  # a fork would copy the locks that threads hold here
        self._pipe, there = context.Pipe()
        self._process = context.Process(target=_work, args=(make, place, there), daemon=True)
        with ignoring_ctrl_c():
            self._process.start()
        there.close()  # so that the end of the process is the end of the pipe
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    @property
    def busy(self) -> bool:
        """Is an answer to come?"""
        with self._changed:
            return self._works or self._next is not None

    def ask(self, wanted: Wanted) -> None:
        """Make a model of this; at once, or when the one under way is done."""
        with self._changed:
            if not self._closed:
                self._next = wanted
                self._changed.notify_all()

    def wait(self) -> None:
        """Until everything that was asked for is answered."""
        with self._changed:
            while (self._works or self._next is not None) and not self._closed:
                self._changed.wait(0.5)  # in short turns, so that Ctrl-C gets through on Windows

    def close(self) -> None:
        """End the process, whatever it does; the model on disk is the old one or the new one."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._process.terminate()
        self._process.join()
        self._thread.join()

    def _listen(self) -> None:
        while (wanted := self._take()) is not None:
            try:
                self._pipe.send(wanted)
                while (answer := self._pipe.recv()) is not None:
                    self._tell(answer)
            except (EOFError, OSError):
                self._end()
            with self._changed:
                self._works = False
                self._changed.notify_all()

    def _take(self) -> Wanted | None:
        with self._changed:
            while self._next is None and not self._closed:
                self._changed.wait()
            if self._closed:
                return None
            wanted, self._next, self._works = self._next, None, True
            return wanted

    def _end(self) -> None:
        """The process is gone."""
        with self._changed:
            asked, self._closed, self._next = not self._closed, True, None
        if asked:
            self._process.join()
            code = self._process.exitcode
            self._tell(f"the process that makes it ended with {code}; is there enough memory?")


def _work(make: Make, place: Place, pipe: multiprocessing.connection.Connection) -> None:
    be_a_helper()
    os.environ["HF_HUB_OFFLINE"] = "1"  # nothing is downloaded for this
    tqdm.set_lock(threading.RLock())  # its own is for several processes, and would outlive one that is ended
    while True:
        try:
            wanted = pipe.recv()
        except EOFError:
            return
        try:
            for answer in make(place, wanted):
                pipe.send(answer)
        except UserError as error:
            pipe.send(str(error))
        except Exception as error:  # whatever it is, the person is told, and goes on choosing
            pipe.send(f"{type(error).__name__}: {error}")
        pipe.send(None)
