"""Images to features: from the cache where they are there, else through the extractor, and then into the cache."""

import sys
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, closing, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import TypeVar

import numpy as np
from tqdm import tqdm

from ..common import UserError
from .extractors.base import Extractor, available_cores
from .feature_cache import FeatureCache, Places
from .images import Stamp, UnreadableImage, content_hash, file_stamps, open_image
from .predecessor_cache import take_over

MOST_THREADS = 16
CHUNK = 1000  # images whose features of all hidden states are in memory at once
ATTEMPTS = 4
Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass
class Features:
    """paths: those asked for, in that order, without the unreadable ones. states: {k: (N, W_k) float32}, a row each.

    unreadable: {path: reason}. A state is (0, 0) where no image could be read. extracted: images that went through
    the network, as the cache had them not.
    """

    paths: list[str]
    states: dict[int, np.ndarray]
    unreadable: dict[str, str]
    extracted: int = 0


def extract_features(
    directory: Path,
    paths: Sequence[str],
    extractor: Extractor,
    hidden_states: Sequence[int],
    cache: FeatureCache,
    batch_size: int = 16,
    progress: bool | tqdm = True,
) -> Features:
    """Features of images, given by their relative paths; what is not in the cache is extracted and put there.

    What the predecessor's cache beside the images knows is taken over first.

    Files of equal content are extracted once. An image that can't be used is put in `unreadable` and stops nothing.
    Ctrl-C, like any error, keeps what is done. What is returned is always what the cache holds, so that the next run
    gets the same numbers to the last bit; extracted anew in another batch, they may differ by one step of float16
    (a thousandth). Raises UserError for a hidden state that there is not, and where the cache can't be written.
    """
    extractor.check_hidden_states(hidden_states)
    if batch_size < 1:
        raise UserError(f"batches of {batch_size} images: give 1 or more")
    take_over(directory, paths, extractor, hidden_states, cache)
    stamps = file_stamps(directory, paths)
    hashes = cache.known_hashes(directory, stamps)
    unreadable: dict[str, str] = {}
    extracted = 0
    for _ in range(ATTEMPTS):  # more than once only if shards turn out damaged, or another process moves them
        work = _Extraction(directory, extractor, hidden_states, cache, batch_size, stamps, hashes, unreadable)
        work.run(paths, progress)
        extracted += work.extracted
        readable = [path for path in paths if path not in unreadable]
        keys = [hashes[path] for path in readable]
        states, complete = _load(cache, extractor, keys, hidden_states)
        if complete.all():
            return Features(readable, states, unreadable, extracted)
    raise UserError(f"{cache.folder}: what is written there can't be read back; delete it and start again")


def fill_cache(
    directory: Path, paths: Sequence[str], extractor: Extractor, cache: FeatureCache, batch_size: int = 16
) -> None:
    """Put the features of all hidden states into the cache; each image goes through the network once.

    Nothing is returned: all hidden states of many images may be more than memory holds.
    """
    states = extractor.hidden_states
    with _bar(True, len(paths)) as bar:
        for start in range(0, len(paths), CHUNK):
            chunk = paths[start : start + CHUNK]
            extract_features(directory, chunk, extractor, states, cache, batch_size, bar)
            bar.update(start + len(chunk) - bar.n)  # those that were there


def _load(
    cache: FeatureCache, extractor: Extractor, keys: list[str], hidden_states: Sequence[int]
) -> tuple[dict[int, np.ndarray], np.ndarray]:
    """{k: (N, W_k)} of the contents with these hashes, and (N,) bool: whether the cache had all of a row."""
    states, complete = {}, np.ones(len(keys), dtype=bool)
    for k in hidden_states:
        identity, own = extractor.stored_as(k)
        loaded, there = cache.load(identity, keys, [own])
        states[k] = loaded[own]
        complete &= there
    return states, complete


@dataclass
class _Prepared:
    """What a worker thread made of a file: its hash and, if it is needed, what the network needs of it."""

    path: str
    digest: str | None = None
    reason: str | None = None
    pixels: np.ndarray | None = None


@dataclass
class _Extraction:
    """One pass over the images that lack features. Fills `hashes` and `unreadable`, and the cache."""

    directory: Path
    extractor: Extractor
    hidden_states: Sequence[int]
    cache: FeatureCache
    batch_size: int
    stamps: dict[str, Stamp]
    hashes: dict[str, str]
    unreadable: dict[str, str]
    stored: dict[int, Places] = field(default_factory=dict)
    claimed: set[str] = field(default_factory=set)
    unusable: dict[str, str] = field(default_factory=dict)  # by content: {hash: reason}
    extracted: int = 0
    lock: Lock = field(default_factory=Lock)

    def run(self, paths: Sequence[str], progress: bool | tqdm) -> None:
        self.stored = {k: self.cache.stored(*self.extractor.stored_as(k)) for k in self.hidden_states}
        digests = list({self.hashes[path] for path in paths if path in self.hashes})
        whole = set(digests).intersection(*(places.among(digests) for places in self.stored.values()))
        missing = [path for path in dict.fromkeys(paths) if self.hashes.get(path) not in whole]
        todo = [path for path in missing if path not in self.unreadable]
        if not todo:
            return
        try:
            with _bar(progress, len(todo)) as bar:
                self._work_through(todo, bar)
        finally:
            self.cache.flush()
        for path in todo:
            if self.hashes.get(path) in self.unusable:
                self.unreadable[path] = self.unusable[self.hashes[path]]

    def _missing(self, digest: str) -> list[int]:
        return [k for k in self.hidden_states if digest not in self.stored[k]]

    def _work_through(self, todo: list[str], bar: tqdm) -> None:
        """Some threads open files, others run the network; this one hands over and stores."""
        threads = min(MOST_THREADS, available_cores())
        images = _in_threads(self._prepare, todo, threads, waiting=2 * self.batch_size + threads)
        with closing(images), self.extractor.shared() as calls:
            self.batch_size = max(1, self.batch_size // calls)
            # One more than are in work, so that none is idle while features are stored.
            done = _in_threads(self._extract, self._batches(images, bar), calls, waiting=calls + 1)
            with closing(done):
                for batch, features in done:
                    self._store(batch, features)
                    bar.update(len(batch))

    def _batches(self, images: Iterable[_Prepared], bar: tqdm) -> Iterator[list[_Prepared]]:
        batch: list[_Prepared] = []
        for prepared in images:
            self._take_note(prepared)
            if prepared.pixels is None:
                bar.update()
                continue
            batch.append(prepared)
            if len(batch) >= self.batch_size:  # it can shrink
                yield batch
                batch = []
        if batch:
            yield batch

    def _prepare(self, path: str) -> _Prepared:
        """Runs in several threads."""
        digest = self.hashes.get(path)
        try:
            digest = digest or content_hash(self.directory / path)
            if not self._claim(digest):
                return _Prepared(path, digest)
            image = open_image(self.directory / path)
            return _Prepared(path, digest, pixels=self.extractor.prepare(image))
        except UnreadableImage as error:
            return _Prepared(path, digest, reason=error.reason)
        except (ValueError, ArithmeticError, MemoryError) as error:  # a picture of a shape that it can't resize
            return _Prepared(path, digest, reason=f"{self.extractor.name} can't take it: {error}")

    def _claim(self, digest: str) -> bool:
        """Whether the image of this content is to be opened: it lacks features, and nobody else has it in hand."""
        with self.lock:
            if digest in self.claimed or not self._missing(digest):
                return False
            self.claimed.add(digest)
            return True

    def _take_note(self, prepared: _Prepared) -> None:
        path, digest = prepared.path, prepared.digest
        if digest is None:
            self.unreadable[path] = prepared.reason or "can't be read"
            return
        if path not in self.hashes:
            self.hashes[path] = digest
            self.cache.remember(self.directory, path, self.stamps.get(path), digest)
        if prepared.reason:
            self.unusable[digest] = prepared.reason

    def _extract(self, batch: list[_Prepared]) -> tuple[list[_Prepared], dict[int, np.ndarray]]:
        """The batch and its features at the states that one of its images lacks. Runs in several threads."""
        pixels = [prepared.pixels for prepared in batch if prepared.pixels is not None]
        wanted = sorted({k for prepared in batch for k in self._missing(prepared.digest or "")})
        return batch, self._through_network(pixels, wanted)

    def _store(self, batch: list[_Prepared], features: dict[int, np.ndarray]) -> None:
        """Put into the cache what was not there."""
        digests = [prepared.digest or "" for prepared in batch]
        self.extracted += len(batch)
        finite = np.all([np.isfinite(block).all(axis=1) for block in features.values()], axis=0)  # (B,)
        lacking: dict[tuple[int, ...], list[int]] = {}  # rows by the states that are to be stored, mostly all alike
        for row, digest in enumerate(digests):
            if finite[row]:
                lacking.setdefault(tuple(self._missing(digest)), []).append(row)
            else:
                self.unusable[digest] = f"{self.extractor.name} gives no finite features; leave out --fp16_features"
        for states, rows in lacking.items():
            blocks: dict[str, dict[int, np.ndarray]] = {}  # by identity: all states of one are written together
            for k in states:
                identity, own = self.extractor.stored_as(k)
                blocks.setdefault(identity, {})[own] = features[k][rows]
            for identity, stored in blocks.items():
                self.cache.add(identity, [digests[row] for row in rows], stored)

    def _through_network(self, pixels: list[np.ndarray], wanted: list[int]) -> dict[int, np.ndarray]:
        """{k: (B, W_k)}, in as many parts as memory demands."""
        parts: list[dict[int, np.ndarray]] = []
        done = 0
        while done < len(pixels):
            part = pixels[done : done + self.batch_size]
            try:
                parts.append(self.extractor(part, wanted))
            except (RuntimeError, MemoryError) as error:
                self._halve_batch(error, len(part))
                continue
            done += len(part)
        return {k: np.concatenate([part[k] for part in parts]) for k in wanted}

    def _halve_batch(self, error: Exception, tried: int) -> None:
        # torch.OutOfMemoryError on CUDA; on mps and the CPU plain RuntimeErrors that say so.
        if not (isinstance(error, MemoryError) or "memory" in f"{type(error).__name__} {error}".lower()):
            raise error
        if tried == 1:
            raise UserError(f"{self.extractor.name}: no memory for a single image; free some, or use --device=cpu")
        self.batch_size = tried // 2
        tqdm.write(f"note: no memory for {tried} images at once; going on with {self.batch_size}", file=sys.stderr)


def _bar(progress: bool | tqdm, images: int) -> AbstractContextManager[tqdm]:
    """The caller's own bar, left open; or one of ours, shown or not."""
    if isinstance(progress, tqdm):
        return nullcontext(progress)
    return tqdm(total=images, desc="features", unit="image", disable=not progress)


def _in_threads(
    function: Callable[[Item], Result], items: Iterable[Item], threads: int, waiting: int
) -> Generator[Result, None, None]:
    """function of each item, in their order; at most `waiting` are in work or done and not yet taken."""
    queue: deque[Future[Result]] = deque()
    pool = ThreadPoolExecutor(threads)
    try:
        for item in items:
            queue.append(pool.submit(function, item))
            if len(queue) >= waiting:
                yield queue.popleft().result()
        while queue:
            yield queue.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
