"""A thread that works behind the page, and that a finished program doesn't wait for."""

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any


class Behind:
    """One thread that does one thing after the other. Unlike an executor's it ends with the program, done or not."""

    def __init__(self, name: str) -> None:
        self._waiting: queue.SimpleQueue[tuple[Callable[[], Any], Future]] = queue.SimpleQueue()
        self._closed = False
        threading.Thread(target=self._work, name=name, daemon=True).start()

    def submit(self, act: Callable[[], Any]) -> Future:
        """Do it when all before it is done; cancelled at once where this is closed."""
        future: Future = Future()
        if self._closed:
            future.cancel()
        else:
            self._waiting.put((act, future))
        return future

    def close(self) -> None:
        """Begin nothing any more; what is under way goes on."""
        self._closed = True

    def _work(self) -> None:
        while True:
            act, future = self._waiting.get()
            if self._closed or not future.set_running_or_notify_cancel():
                future.cancel()
                continue
            try:
                future.set_result(act())
            except BaseException as error:
                future.set_exception(error)
