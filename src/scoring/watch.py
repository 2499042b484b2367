"""Wait for new images in a folder, and for each to be written to its end."""

import queue
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from ..common import UserError
from ..features import find_images, is_left_out, readable_suffixes
from ..scores import shown

SETTLED_SECONDS = 1.0  # a file that has not changed for so long may be whole
PATIENCE_SECONDS = 5.0  # one that is not readable after so long is reported, and tried again should it change
POLL_SECONDS = 0.2

# Takes relative paths of settled files; returns {path: reason} of those that are not readable (yet).
Handle = Callable[[list[str]], dict[str, str]]


class State(NamedTuple):
    """By which a file is known to have changed."""

    size: int
    mtime_ns: int


def state_of(path: Path) -> State | None:
    """None where there is no such file."""
    try:
        status = path.stat()
    except OSError:
        return None
    return State(status.st_size, status.st_mtime_ns)


def states_of(directory: Path, paths: Iterable[str]) -> dict[str, State | None]:
    """Of files by their relative paths."""
    return {path: state_of(directory / path) for path in paths}


@dataclass
class _Waiting:
    """A file that is to be handled once it settles. tried: in this state it was not readable."""

    state: State | None
    since: float
    tried: bool = False
    reason: str = ""


@dataclass
class Watch:
    """Hands new and changed images of `directory` to `handle`, until KeyboardInterrupt.

    seen: files that are known already, in the states in which they are; all others that are there count as new.
    report: is told of files that can't be read and do not change any more, once for each state of a file.
    """

    directory: Path
    seen: Mapping[str, State | None]
    handle: Handle
    report: Callable[[str, str], None]
    settled_seconds: float = SETTLED_SECONDS
    patience_seconds: float = PATIENCE_SECONDS
    exclude: Sequence[str] = ()  # as `find_images` takes it
    done: dict[str, State | None] = field(init=False)
    waiting: dict[str, _Waiting] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.done = dict(self.seen)

    def run(self) -> None:
        """Returns only by an exception: KeyboardInterrupt, or UserError where the directory is gone."""
        events: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        with _observer(self.directory, events):
            self._look_around()  # what came between the first listing and now
            while True:
                self._take(events)
                if not self.directory.is_dir():  # nothing would be heard of one that takes its place
                    raise UserError(f"{self.directory}: the folder is no longer there; start again once it is")
                self.step(time.monotonic())

    def _take(self, events: "queue.SimpleQueue[str | None]") -> None:
        """All events there are; waits a moment for the first."""
        try:
            path = events.get(timeout=POLL_SECONDS)
            while True:
                if path is None:
                    self._look_around()
                else:
                    self.notice(path)
                path = events.get_nowait()
        except queue.Empty:
            return

    def _look_around(self) -> None:
        for path in find_images(self.directory, self.exclude, say=False):
            self.notice(path)

    def notice(self, path: str) -> None:
        """A file that may be new or changed."""
        if is_left_out(path, self.exclude):
            return
        state = state_of(self.directory / path)
        if state is not None and self.done.get(path) != state and path not in self.waiting:
            self.waiting[path] = _Waiting(state, time.monotonic())

    def step(self, now: float) -> None:
        """Handle what has settled by now (seconds, of time.monotonic)."""
        ready = [path for path, waiting in list(self.waiting.items()) if self._is_ready(path, waiting, now)]
        if ready:
            states = {path: self.waiting[path].state for path in ready}
            unreadable = self.handle(ready)
            for path in ready:
                if path in unreadable:
                    self.waiting[path].tried, self.waiting[path].reason = True, unreadable[path]
                else:
                    del self.waiting[path]
                    self.done[path] = states[path]
        self.give_up(now - self.patience_seconds)

    def give_up(self, since: float = float("inf")) -> None:
        """Report the unreadable files that did not change since then (of time.monotonic); by default all of them."""
        for path, waiting in list(self.waiting.items()):
            if waiting.tried and waiting.since < since:
                self.report(path, waiting.reason)
                del self.waiting[path]
                self.done[path] = waiting.state

    def _is_ready(self, path: str, waiting: _Waiting, now: float) -> bool:
        state = state_of(self.directory / path)
        if state is None:  # gone, as temporary files go
            del self.waiting[path]
            return False
        if state != waiting.state:
            self.waiting[path] = _Waiting(state, now)
            return False
        return not waiting.tried and now - waiting.since >= self.settled_seconds


def keep_watching(
    directory: Path,
    seen: Mapping[str, State | None],
    handle: Handle,
    head: str,
    exclude: Sequence[str] = (),
) -> None:
    """`Watch` until Ctrl-C, with notes on stderr.

    seen: the files as they were before the first pass. head: what stands above the lines that `handle` prints.
    """

    def report(path: str, reason: str) -> None:
        print(f"note: {shown(path)}: {reason}; not scored unless it changes", file=sys.stderr, flush=True)

    print(f"Watching {directory}; Ctrl-C stops.\n{head}", file=sys.stderr, flush=True)
    waiting = Watch(directory, seen, handle, report, exclude=exclude)
    try:
        waiting.run()
    except KeyboardInterrupt:
        waiting.give_up()
        print("Stopped.", file=sys.stderr)


def image_path(root: Path, changed: str) -> str | None:
    """The relative path of a changed file below root, None if it is no image that `find_images` would find."""
    try:
        relative = Path(changed).relative_to(root)
    except ValueError:
        return None
    path = relative.as_posix()
    return path if relative.suffix.lower() in readable_suffixes() and not is_left_out(path) else None


@contextmanager
def _observer(directory: Path, events: "queue.SimpleQueue[str | None]") -> Iterator[None]:
    """Puts a relative path into `events` whenever an image changes, None when a folder does."""
    try:
        from watchdog.events import FileSystemEvent, FileSystemEventHandler
        from watchdog.observers import Observer
        from watchdog.observers.polling import PollingObserver
    except ImportError:
        raise UserError("--watch needs the package watchdog; run: pip install watchdog")
    root = directory.resolve()

    class Handler(FileSystemEventHandler):
        def on_any_event(self, event: FileSystemEvent) -> None:
            if event.event_type in ("opened", "closed_no_write", "deleted"):
                return
            changed = str(event.dest_path or event.src_path)
            if event.is_directory:
                if event.event_type in ("created", "moved"):
                    events.put(None)
            elif path := image_path(root, changed):
                events.put(path)

    observer: Any = Observer()
    observer.schedule(Handler(), str(root), recursive=True)
    try:
        observer.start()
    except OSError as error:  # Linux: too many folders for its limit
        print(f"note: {directory}: watched by looking again and again ({error})", file=sys.stderr)
        observer = PollingObserver()
        observer.schedule(Handler(), str(root), recursive=True)
        observer.start()
    try:
        yield
    finally:
        observer.stop()
        observer.join()
