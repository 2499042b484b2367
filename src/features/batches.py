"""Images through an extractor, in batches: some threads open images, others run the network.

Nothing here knows where images come from and where features go: `extraction` takes files and has a cache, `in_memory`
has neither.
"""

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from contextvars import copy_context
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
from PIL import Image

from ..common import UserError, available_cores, note
from .extractors.base import Extractor
from .images import UnreadableImage

MOST_THREADS = 16
Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(kw_only=True)
class Prepared:
    """What a thread made of an image: what the network needs of it, or the reason why it can't be used.

    Neither, where it need not go through the network.
    """

    pixels: np.ndarray | None = None
    reason: str | None = None


Work = TypeVar("Work", bound=Prepared)


@dataclass
class Batches(Generic[Item, Work]):
    """How images go through an extractor.

    prepare: of one image, in several threads. sort_out: sees what that gave, in order, in the caller's thread, and
    yields what is to go through the network. wanted: the hidden states of a batch, in several threads. batch_size: 1
    or more; it shrinks, with a note, where memory does not hold so many.
    """

    extractor: Extractor
    prepare: Callable[[Item], Work]
    sort_out: Callable[[Iterable[Work]], Iterable[Work]]
    wanted: Callable[[Sequence[Work]], Sequence[int]]
    batch_size: int

    def run(self, items: Iterable[Item]) -> Generator[tuple[list[Work], dict[int, np.ndarray]], None, None]:
        """Batches of B images in their order, and {k: (B, W_k) float32}; close it, should you not go to its end."""
        threads = min(MOST_THREADS, available_cores())
        images = in_threads(self.prepare, items, threads, waiting=2 * self.batch_size + threads)
        with closing(images), self.extractor.shared() as calls:
            self.batch_size = max(1, self.batch_size // calls)
            # One more than are in work, so that none is idle while the caller has its turn.
            done = in_threads(self._extract, self._group(self.sort_out(images)), calls, waiting=calls + 1)
            with closing(done):
                yield from done

    def _group(self, images: Iterable[Work]) -> Iterator[list[Work]]:
        batch: list[Work] = []
        for prepared in images:
            batch.append(prepared)
            if len(batch) >= self.batch_size:  # it can shrink
                yield batch
                batch = []
        if batch:
            yield batch

    def _extract(self, batch: list[Work]) -> tuple[list[Work], dict[int, np.ndarray]]:
        pixels = [prepared.pixels for prepared in batch if prepared.pixels is not None]
        return batch, self._through_network(pixels, self.wanted(batch))

    def _through_network(self, pixels: list[np.ndarray], wanted: Sequence[int]) -> dict[int, np.ndarray]:
        """{k: (B, W_k)}, in as many parts as memory demands."""
        parts: list[dict[int, np.ndarray]] = []
        done = 0
        while done < len(pixels):
            part = pixels[done : done + self.batch_size]
            try:
                parts.append(self.extractor(part, wanted))
            except (RuntimeError, MemoryError) as error:
                self._halve(error, len(part))
                continue
            done += len(part)
        return {k: np.concatenate([part[k] for part in parts]) for k in wanted}

    def _halve(self, error: Exception, tried: int) -> None:
        # torch.OutOfMemoryError on CUDA; on mps and the CPU plain RuntimeErrors that say so.
        if not (isinstance(error, MemoryError) or "memory" in f"{type(error).__name__} {error}".lower()):
            raise error
        if tried == 1:
            raise UserError(
                f"{self.extractor.in_words}: no memory for a single image; free some, or use --device=cpu"
            )
        self.batch_size = tried // 2
        note(f"note: no memory for {tried} images at once; going on with {self.batch_size}")


def check(extractor: Extractor, hidden_states: Sequence[int], batch_size: int) -> None:
    """Raise UserError for a hidden state that there is not, or batches of nothing."""
    extractor.check_hidden_states(hidden_states)
    if batch_size < 1:
        raise UserError(f"batches of {batch_size} images: give 1 or more")


def pixels_of(extractor: Extractor, open_it: Callable[[int], Image.Image]) -> tuple[np.ndarray | None, str | None]:
    """What the network needs of an image, or the reason why it can't be used: for `Prepared`.

    open_it: is given the extractor's `least`, which it may heed or not.
    Raises UserError where that is the extractor's fault.
    """
    try:
        return extractor.prepare_file(open_it), None
    except UnreadableImage as error:
        return None, error.reason
    except UserError:
        raise
    except (ValueError, ArithmeticError, MemoryError) as error:  # a picture of a shape that it can't resize
        return None, f"{extractor.in_words} can't take it: {error}"


def finite_rows(features: dict[int, np.ndarray]) -> np.ndarray:
    """(B,) bool: whether all features of an image are numbers; half precision may overflow."""
    return np.all([np.isfinite(block).all(axis=1) for block in features.values()], axis=0)


def in_threads(
    function: Callable[[Item], Result], items: Iterable[Item], threads: int, waiting: int
) -> Generator[Result, None, None]:
    """function of each item, in their order; at most `waiting` are in work or done and not yet taken."""
    queue: deque[Future[Result]] = deque()
    pool = ThreadPoolExecutor(threads)
    try:
        for item in items:
            queue.append(pool.submit(copy_context().run, function, item))
            if len(queue) >= waiting:
                yield queue.popleft().result()
        while queue:
            yield queue.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
