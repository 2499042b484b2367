"""Features for assisted ratings, prepared in a process of its own.

Nobody waits for it there: not for torch to load, not for images to go through the image model. Its memory is given
back at its end.
"""

import multiprocessing
import multiprocessing.connection
import os
import signal
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from ..common import UserError, be_a_helper, ignoring_ctrl_c, working
from ..features import EMBEDDED, FAST, Extractor, FeatureCache, extract_features, load_extractor
from .similarity import Similarity, make_similarity

CACHED = 0.5  # share of the images; from there on the extractor asked for is used, and the rest is extracted
FROM_OUTSIDE = {-getattr(signal, name) for name in ("SIGTERM", "SIGINT", "SIGHUP") if hasattr(signal, name)}
END_SECONDS = 10.0  # the longest that the scorer takes to end


@dataclass(frozen=True)
class Task:
    """Whose features are wanted.

    images: relative paths by id. cache: its folder. feature_extractor_model: used where features of it are in the
    cache, or where it is an embedded one. hidden_states_used: of that extractor; None: its best. device: auto, or
    torch's name of one. fp16_features: it runs in half precision, but for an embedded one that replaces it.
    extract_batch_size: images that go through it at once, 1 or more.
    """

    directory: Path
    images: Mapping[int, str]
    cache: Path
    feature_extractor_model: str
    hidden_states_used: tuple[int, ...] | None
    device: str
    fp16_features: bool
    extract_batch_size: int


@dataclass(frozen=True)
class Assistance:
    """extractor: its name. similarity: of images that have features. unreadable: why others have none.

    hidden_states, fp16: what the features are of, to get the same ones again.
    """

    extractor: str
    similarity: Similarity
    unreadable: dict[str, str]
    hidden_states: tuple[int, ...] = ()
    fp16: bool = False


def find_assistance(task: Task) -> Assistance:
    """Features from the cache or extracted, with a bar, and how similar they are. UserError where there are none."""
    cache = FeatureCache(task.cache)
    with working("Loading what assists the ratings"):
        extractor, states = choose_extractor(task, cache)
    paths = list(task.images.values())
    features = extract_features(task.directory, paths, extractor, states, cache, task.extract_batch_size)
    if not features.paths:
        raise UserError(f"none of the {len(paths)} images can be read")
    rows = {path: row for row, path in enumerate(features.paths)}
    images = np.array(sorted(image for image, path in task.images.items() if path in rows), dtype=np.int64)
    order = [rows[task.images[image]] for image in images.tolist()]
    blocks = [features.states[k][order] for k in states]  # (M, W_k) each
    widths = [block.shape[1] for block in blocks]
    similarity = make_similarity(images, np.concatenate(blocks, axis=1), widths=widths)
    return Assistance(extractor.name, similarity, features.unreadable, tuple(states), extractor.fp16)


def choose_extractor(task: Task, cache: FeatureCache) -> tuple[Extractor, tuple[int, ...]]:
    """The extractor asked for if that costs little, else the embedded one; and its hidden states.

    Little: it is an embedded one, or half of the images have its features in the cache. UserError if there is none.
    """
    asked = task.feature_extractor_model
    embedded = asked.removeprefix(FAST) in (*EMBEDDED, "embedded")
    if not embedded:
        try:
            extractor = load_extractor(asked, task.device, task.fp16_features)
            states = task.hidden_states_used or extractor.default_hidden_states
            if _cached(task, cache, extractor, states) >= CACHED:
                return extractor, states
        except UserError:  # it is not on this machine, or has no such hidden state
            pass
    name = asked if embedded else "embedded"
    extractor = load_extractor(name, task.device)
    own = task.hidden_states_used if name == asked else None
    return extractor, own or extractor.default_hidden_states


def _cached(task: Task, cache: FeatureCache, extractor: Extractor, states: tuple[int, ...]) -> float:
    """The share of the images that have all features in the cache."""
    extractor.check_hidden_states(states)
    contents, _ = cache.contents(task.directory, list(task.images.values()))
    keys = list({content.key for content in contents.values()})
    there = set(keys).intersection(*(cache.stored(*extractor.stored_as(k)).among(keys) for k in states))
    return len(there) / max(1, len(keys))


class Assistant:
    """A process that finds an Assistance, from when this is made until it is done, or `close`.

    Without a task there is none, and nothing to come.
    """

    def __init__(self, task: Task | None, find: Callable[[Task], Assistance] = find_assistance) -> None:
        """find: what the process does."""
        self._closed = threading.Event()
        self._thread: threading.Thread | None = None
        self._process: multiprocessing.context.SpawnProcess | None = None
        if task is not None:
            context = multiprocessing.get_context("spawn")  # a fork would copy the locks that threads hold here
            self._receiving, sending = context.Pipe(duplex=False)
            self._process = context.Process(target=_work, args=(find, task, sending), daemon=True)
            with ignoring_ctrl_c():
                self._process.start()
            sending.close()  # so that the end of the process is the end of the pipe

    def __enter__(self) -> "Assistant":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    @property
    def busy(self) -> bool:
        """Is there something to come?"""
        return self._thread is not None and self._thread.is_alive()

    def report(self, ready: Callable[[Assistance], None], failed: Callable[[str], None]) -> None:
        """Call one of them when it is known, from a thread of its own; neither after `close`, nor without a task."""
        if self._process:
            self._thread = threading.Thread(target=self._listen, args=(self._process, ready, failed), daemon=True)
            self._thread.start()

    def wait(self) -> None:
        """Until it was reported."""
        if self._thread:
            self._thread.join()

    def close(self) -> None:
        """End the process, whatever it does; the cache keeps what it has extracted but for the last seconds."""
        self._closed.set()
        if self._process:
            self._process.terminate()
            self._process.join()
        self.wait()

    def _listen(
        self,
        process: multiprocessing.context.SpawnProcess,
        ready: Callable[[Assistance], None],
        failed: Callable[[str], None],
    ) -> None:
        try:
            found = self._receiving.recv()
        except EOFError:
            process.join()
            found = _end(process.exitcode)
            if process.exitcode in FROM_OUTSIDE:  # it may be meant for the scorer too, which ends in a moment
                self._closed.wait(END_SECONDS)
        self._receiving.close()
        if self._closed.is_set():
            return
        if isinstance(found, Assistance):
            ready(found)
        else:
            failed(found)


def _end(code: int | None) -> str:
    """Why a process ended that said nothing."""
    if code is not None and code in FROM_OUTSIDE:
        return f"the process that reads them was ended from outside ({signal.Signals(-code).name})"
    return f"the process that reads them ended with {code}; is there enough memory?"


def _work(find: Callable[[Task], Assistance], task: Task, sending: multiprocessing.connection.Connection) -> None:
    be_a_helper()
    os.environ["HF_HUB_OFFLINE"] = "1"  # nothing is downloaded for this
    tqdm.set_lock(threading.RLock())  # its own is for several processes, and would outlive one that is ended
    try:
        sending.send(find(task))
    except UserError as error:
        sending.send(str(error))
    except Exception as error:  # whatever it is, the person is told, and goes on choosing
        sending.send(f"{type(error).__name__}: {error}")
