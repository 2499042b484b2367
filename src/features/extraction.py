"""Images to features: from the cache where they are there, else through the extractor, and then into the cache."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, nullcontext
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from threading import Lock

import numpy as np
from tqdm import tqdm

from ..common import UserError, note
from .batches import Batches, Prepared, check, finite_rows, pixels_of
from .extractors.base import Extractor
from .feature_cache import FeatureCache, Places
from .images import Content, Stamp, UnreadableImage, content_of, file_stamps, image_file, open_image
from .predecessor_cache import take_over

CHUNK = 1000  # images whose features of all hidden states are in memory at once
ATTEMPTS = 4
MOST_NAMES = 5  # in a message


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
    check(extractor, hidden_states, batch_size)
    take_over(directory, paths, extractor, hidden_states, cache)
    stamps = file_stamps(directory, paths)
    contents = cache.known(directory, stamps)
    unreadable: dict[str, str] = {}
    extracted = 0
    for _ in range(ATTEMPTS):  # more than once only if shards turn out damaged, or another process moves them
        work = _Extraction(directory, extractor, hidden_states, cache, batch_size, stamps, contents, unreadable)
        work.run(paths, progress)
        extracted += work.extracted
        readable = [path for path in paths if path not in unreadable]
        keys = [contents[path].key for path in readable]
        states, complete = _load(cache, extractor, keys, hidden_states)
        if complete.all():
            _say_what_is_wrong(cache, {path: contents[path].note for path in readable if contents[path].note})
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
class _File(Prepared):
    """What a thread made of a file. content: None where that can't be read."""

    path: str
    content: Content | None = None

    @property
    def key(self) -> str:
        """What the cache keeps its features under; empty where it can't be read."""
        return self.content.key if self.content else ""


@dataclass
class _Extraction:
    """One pass over the images that lack features. Fills `contents` and `unreadable`, and the cache."""

    directory: Path
    extractor: Extractor
    hidden_states: Sequence[int]
    cache: FeatureCache
    batch_size: int
    stamps: dict[str, Stamp]
    contents: dict[str, Content]
    unreadable: dict[str, str]
    stored: dict[int, Places] = field(default_factory=dict)
    claimed: set[str] = field(default_factory=set)
    lacking: dict[str, list[int]] = field(default_factory=dict)  # {key: hidden states}, as each is asked for thrice
    unusable: dict[str, str] = field(default_factory=dict)  # by content: {key: reason}
    extracted: int = 0
    lock: Lock = field(default_factory=Lock)

    def run(self, paths: Sequence[str], progress: bool | tqdm) -> None:
        self.stored = {k: self.cache.stored(*self.extractor.stored_as(k)) for k in self.hidden_states}
        keys = list({self._key(path) for path in paths} - {""})
        whole = set(keys).intersection(*(places.among(keys) for places in self.stored.values()))
        missing = [path for path in dict.fromkeys(paths) if self._key(path) not in whole]
        todo = [path for path in missing if path not in self.unreadable]
        if not todo:
            return
        try:
            with _bar(progress, len(todo)) as bar:
                self._work_through(todo, bar)
        finally:
            self.cache.flush()
        for path in todo:
            if self._key(path) in self.unusable:
                self.unreadable[path] = self.unusable[self._key(path)]

    def _key(self, path: str) -> str:
        """Empty where its content is not known yet."""
        return self.contents[path].key if path in self.contents else ""

    def _missing(self, key: str) -> list[int]:
        if key not in self.lacking:
            self.lacking[key] = [k for k in self.hidden_states if key not in self.stored[k]]
        return self.lacking[key]

    def _work_through(self, todo: list[str], bar: tqdm) -> None:
        """Threads open files and run the network; this one hands over and stores."""

        def wanted(batch: Sequence[_File]) -> list[int]:
            return sorted({k for file in batch for k in self._missing(file.key)})

        batches = Batches(self.extractor, self._prepare, partial(self._sort_out, bar), wanted, self.batch_size)
        with closing(batches.run(todo)) as done:
            for batch, features in done:
                self._store(batch, features)
                bar.update(len(batch))

    def _sort_out(self, bar: tqdm, files: Iterable[_File]) -> Iterator[_File]:
        """Take note of each file; those that lack features go on."""
        for file in files:
            self._take_note(file)
            if file.pixels is None:
                bar.update()
            else:
                yield file

    def _prepare(self, path: str) -> _File:
        """Runs in several threads."""
        content, file = self.contents.get(path), image_file(self.directory, path)
        try:
            if content is None or not content.key:
                content = content_of(file, content.hash if content else "")
        except UnreadableImage as error:
            return _File(path, reason=error.reason)
        if not self._claim(content.key):
            return _File(path, content)
        pixels, reason = pixels_of(self.extractor, lambda least: open_image(file, least))
        return _File(path, content, pixels=pixels, reason=reason)

    def _claim(self, key: str) -> bool:
        """Whether the image of this content is to be opened: it lacks features, and nobody else has it in hand."""
        with self.lock:
            if key in self.claimed or not self._missing(key):
                return False
            self.claimed.add(key)
            return True

    def _take_note(self, file: _File) -> None:
        path, content = file.path, file.content
        if content is None:
            self.unreadable[path] = file.reason or "can't be read"
            return
        if not self._key(path):
            self.contents[path] = content
            self.cache.remember(self.directory, path, self.stamps.get(path), content)
        if file.reason:
            self.unusable[content.key] = file.reason

    def _store(self, batch: list[_File], features: dict[int, np.ndarray]) -> None:
        """Put into the cache what was not there."""
        keys = [file.key for file in batch]
        self.extracted += len(batch)
        finite = finite_rows(features)  # (B,)
        lacking: dict[tuple[int, ...], list[int]] = {}  # rows by the states that are to be stored, mostly all alike
        for row, key in enumerate(keys):
            if finite[row]:
                lacking.setdefault(tuple(self._missing(key)), []).append(row)
            else:
                self.unusable[key] = f"{self.extractor.in_words}: no finite features; leave out --fp16_features"
        for states, rows in lacking.items():
            blocks: dict[str, dict[int, np.ndarray]] = {}  # by identity: all states of one are written together
            for k in states:
                identity, own = self.extractor.stored_as(k)
                blocks.setdefault(identity, {})[own] = features[k][rows]
            for identity, stored in blocks.items():
                self.cache.add(identity, [keys[row] for row in rows], stored)


def _say_what_is_wrong(cache: FeatureCache, notes: Mapping[str, str]) -> None:
    """notes: {path: what is wrong with an image that is used all the same}; each path is named once."""
    by_note: dict[str, list[str]] = {}
    for path, wrong in notes.items():
        if path not in cache.said:
            by_note.setdefault(wrong, []).append(path)
    for wrong, paths in by_note.items():
        more = f" and {len(paths) - MOST_NAMES} more" if len(paths) > MOST_NAMES else ""
        note(f"note: {', '.join(paths[:MOST_NAMES])}{more}: {wrong}")
    cache.said |= notes.keys()


def _bar(progress: bool | tqdm, images: int) -> AbstractContextManager[tqdm]:
    """The caller's own bar, left open; or one of ours, shown or not."""
    if isinstance(progress, tqdm):
        return nullcontext(progress)
    return tqdm(total=images, desc="features", unit="image", disable=not progress)
