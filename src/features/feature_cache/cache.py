"""Features on disk, keyed by image content, extractor and hidden state. docs/feature-cache.md describes the files.

`shards.py` holds the features, `index.py` says where.
"""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import numpy as np
from tqdm import tqdm

from ...common import UserError, relative_to
from ..images import HASH_BYTES, Content, Stamp, UnreadableImage, file_stamps
from .files import as_bytes, file_row, known_contents, read_content
from .index import FileRow, ShardRow, Tables, note
from .mending import MendingIndex
from .places import Places
from .row_table import KEY
from .shards import SUFFIX, DamagedShard, Shard, compact, merged, read_shard, write_shard

FOLDER_NAME = ".aesthetic_cache"
ROWS_IN_MEMORY = 512  # of one hidden state, then they are written
SECONDS_IN_MEMORY = 10.0
# Rows, and how many shards of fewer rows are made into one: first what ten seconds gave, then what memory held. Of a
# larger one all would be read for a few of its rows.
MERGED = ((256, 16), (2048, 8))
SETTLED = MERGED[-1][0]  # rows from which a shard stays as it is
STALE_PART_SECONDS = 3600.0


def default_folder(directory: Path) -> Path:
    """Where the features of the images in `directory` are kept unless a person says otherwise."""
    return directory / FOLDER_NAME


class FeatureCache:
    """folder: made if it is missing; several processes may use it at once, each with an object of its own.

    An object is for one thread. Raises UserError where the folder can't be used.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = Path(folder).expanduser()
        self._shards = self.folder / "shards"
        self._rows: dict[tuple[str, int], list[tuple[bytes, np.ndarray]]] = {}  # to be written
        self._files: list[FileRow] = []  # to be written
        self._keys: dict[Path, bytes] = {}
        self._places: dict[tuple[str, int], Places] = {}
        self._last_flush = time.monotonic()
        self.said: set[str] = set()  # paths whose notes were shown
        try:
            self._shards.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(f"{self.folder}: can't be made ({error.strerror}); give another --cache_directory")
        self._index = MendingIndex(self.folder / "index.sqlite", self._take_stock)
        self._reconcile()

    # ---- files and their contents ----

    def hashes(self, directory: Path, paths: Sequence[str]) -> tuple[dict[str, str], dict[str, str]]:
        """{path: content hash} of the files that can be read, and {path: reason} of the others; a bar from 1 s on."""
        contents, unreadable = self.contents(directory, paths)
        return {path: content.hash for path, content in contents.items()}, unreadable

    def contents(self, directory: Path, paths: Sequence[str]) -> tuple[dict[str, Content], dict[str, str]]:
        """As `hashes`, with the keys of their features and what is wrong with them."""
        stamps = file_stamps(directory, paths)
        known = self.known(directory, stamps)
        found = {path: content for path, content in known.items() if content.key}
        unreadable = {}
        rest = [path for path in dict.fromkeys(paths) if path not in found]
        with ThreadPoolExecutor() as pool:
            looks = pool.map(lambda path: read_content(directory / path, known.get(path)), rest)
            bar = tqdm(looks, desc="reading", total=len(rest), unit="image", delay=1)
            for path, content in zip(rest, bar, strict=True):
                if isinstance(content, UnreadableImage):
                    unreadable[path] = content.reason
                else:
                    found[path] = content
                    self.remember(directory, path, stamps.get(path), content)
        self.flush()
        return found, unreadable

    def known(self, directory: Path, stamps: Mapping[str, Stamp]) -> dict[str, Content]:
        """Contents of those files that are as they were when last hashed, by size and times.

        key is empty where the first version of this cache kept no more than the hash: `content_of` finds it.
        """
        key = self._key(directory)
        return self._index.read(lambda tables: known_contents(tables, key, stamps))

    def known_hashes(self, directory: Path, stamps: Mapping[str, Stamp]) -> dict[str, str]:
        """The hashes of `known`."""
        return {path: content.hash for path, content in self.known(directory, stamps).items()}

    def remember(self, directory: Path, path: str, stamp: Stamp | None, content: Content) -> None:
        """Keep what is in a file that was read after its stamp was taken. On disk after the next `flush`."""
        if stamp and stamp.settled:
            self._files.append(file_row(self._key(directory), path, stamp, content))
            self._flush_if_due(0)

    def _key(self, directory: Path) -> bytes:
        if directory not in self._keys:
            # Relative to the cache, so that a directory that is moved together with its cache stays known.
            self._keys[directory] = as_bytes(relative_to(directory.resolve(), self.folder.resolve()))
        return self._keys[directory]

    # ---- features ----

    def stored(self, extractor: str, hidden_state: int) -> Places:
        """Keys of contents whose features at this hidden state are on disk, as a set. extractor: its identity."""
        for _ in range(2):
            places, damaged = self._index.read(lambda tables: self._look_up(tables, extractor, hidden_state))
            if not damaged:
                break
            self._put_right(damaged)
        self._places[extractor, hidden_state] = places
        return places

    def _look_up(self, tables: Tables, extractor: str, hidden_state: int) -> tuple[Places, list[str]]:
        """And the shards whose rows in the index are damaged."""
        places = self._places.get((extractor, hidden_state), Places())
        settled, recent = tables.shards_of(extractor, hidden_state, SETTLED * HASH_BYTES)
        if places.names == (*settled, *recent):
            return places, []
        if places.names[: places.settled] != settled[: places.settled]:  # some were deleted
            places = Places()
        damaged = []

        def blocks(names: Sequence[str]) -> Iterator[tuple[str, bytes]]:
            """One after the other: the hashes of all would be memory for a second table."""
            for name in names:
                if (hashes := tables.hashes_of(name)) is None:
                    damaged.append(name)
                elif hashes:
                    yield name, hashes

        others = [other.table for (name, _), other in self._places.items() if name == extractor]
        return places.with_shards(blocks(settled[places.settled :]), blocks(recent), others), damaged

    def add(self, extractor: str, hashes: Sequence[str], features: Mapping[int, np.ndarray]) -> None:
        """Take {k: (B, W_k) float32} of images with these keys; they are on disk after the next `flush`.

        Flushes by itself after 512 rows or 10 seconds, which is what a crash can cost. Raises ValueError for features
        that are not finite.
        """
        if not all(np.isfinite(block).all() for block in features.values()):
            raise ValueError(f"{extractor}: features must be finite")
        joined = b"".join(map(bytes.fromhex, hashes))
        for k, block in features.items():
            self._rows.setdefault((extractor, k), []).append((joined, np.asarray(block, dtype=np.float32)))
        self._flush_if_due(max(sum(len(block) for _, block in rows) for rows in self._rows.values()))

    def _flush_if_due(self, rows: int) -> None:
        if rows >= ROWS_IN_MEMORY or time.monotonic() - self._last_flush > SECONDS_IN_MEMORY:
            self.flush()

    def flush(self) -> None:
        """Write what is still in memory."""
        written = []
        for (extractor, k), rows in self._rows.items():
            features = compact(np.concatenate([block for _, block in rows]))
            shard = Shard(extractor, k, b"".join(hashes for hashes, _ in rows), features)
            written.append(_row(write_shard(self._shards, shard), shard))
        if written or self._files:
            self._index.write(lambda tables: _enter(tables, written, self._files))
        self._rows, self._files, self._last_flush = {}, [], time.monotonic()
        for row in written:
            self._merge_small_shards(row.extractor, row.hidden_state)

    def load(
        self, extractor: str, hashes: Sequence[str], hidden_states: Sequence[int]
    ) -> tuple[dict[int, np.ndarray], np.ndarray]:
        """{k: (N, W_k) float32} in the order of hashes, and (N,) bool: whether the row is there at every k.

        Rows that are not there hold zeros; where none is, W_k is 0. A damaged shard is deleted, with a note.
        """
        keys = [bytes.fromhex(digest) for digest in hashes]
        complete = np.ones(len(keys), dtype=bool)
        features = {}
        for k in hidden_states:
            features[k], there = self._load_state(extractor, k, keys)
            complete &= there
        return features, complete

    def _load_state(self, extractor: str, hidden_state: int, keys: list[bytes]) -> tuple[np.ndarray, np.ndarray]:
        for _ in range(2):
            features, there, wrong = self._load_rows(extractor, hidden_state, b"".join(keys))
            if not wrong:
                break
            self._put_right(wrong)
        return features, there

    def _load_rows(
        self, extractor: str, hidden_state: int, wanted: bytes
    ) -> tuple[np.ndarray, np.ndarray, list[str]]:
        """(N, W) and (N,) as `load` gives them, and the shards that hold others than the index says."""
        places = self.stored(extractor, hidden_state)
        shards, rows = places.find(wanted)
        keys = np.frombuffer(wanted, KEY)  # (N,)
        features, there = np.zeros((len(keys), 0), np.float32), np.zeros(len(keys), dtype=bool)
        wrong = []
        for number in np.unique(shards[shards >= 0]):
            if (shard := self._read(places.names[number])) is None:
                continue
            positions = np.flatnonzero(shards == number)
            if not _is_held(shard, rows[positions], ShardRow("", extractor, hidden_state, keys[positions].tobytes())):
                wrong.append(places.names[number])
                continue
            if features.shape[1] == 0:
                features = np.zeros((len(keys), shard.features.shape[1]), np.float32)
            features[positions] = shard.features[rows[positions]]
            there[positions] = True
        return features, there, wrong

    # ---- shards ----

    def _read(self, name: str) -> Shard | None:
        """None, with a note, if the shard is damaged or gone; its features then count as missing."""
        try:
            return read_shard(self._shards / name)
        except FileNotFoundError:  # deleted by hand, or merged by another process a moment ago
            self._reconcile()
        except DamagedShard as error:
            note(f"{self._shards / name}: damaged ({error}); its features are extracted again")
            self._index.write(lambda tables: self._drop(tables, [name]))
        return None

    def _put_right(self, names: Sequence[str]) -> None:
        """Let the index say of these shards what they say themselves."""
        for name in names:
            note(f"{self._index.path}: its row of {name} was wrong; made anew from the shard")
            if (shard := self._read(name)) is not None:
                row = _row(name, shard)
                self._index.write(lambda tables, row=row: tables.put_right(row))  # type: ignore[misc]
        self._places.clear()

    def _drop(self, tables: Tables, names: Iterable[str]) -> None:
        tables.drop_shards(names)
        for name in names:
            with suppress(OSError):  # Windows deletes no file that another process reads; _reconcile finds it again
                (self._shards / name).unlink()

    def _merge_small_shards(self, extractor: str, hidden_state: int) -> None:
        # All under the lock, files too: else another process could take up again what is about to be deleted.
        self._index.write(lambda tables: self._merge(tables, extractor, hidden_state))

    def _merge(self, tables: Tables, extractor: str, hidden_state: int) -> None:
        for rows, count in MERGED:
            names = tables.small_shards(extractor, hidden_state, rows * HASH_BYTES)
            if len(names) >= count:
                self._make_one(tables, names)

    def _make_one(self, tables: Tables, names: list[str]) -> None:
        """The new file is there before the others go: a crash in between leaves some rows twice, and loses none."""
        with suppress(DamagedShard, FileNotFoundError):  # reported when they are loaded
            whole = merged([read_shard(self._shards / name) for name in names])
            tables.add_shards([_row(write_shard(self._shards, whole), whole)])
            self._drop(tables, names)

    def _reconcile(self) -> None:
        """Make the index agree with the shards on disk: take up those it lacks, forget those that are gone."""
        self._remove_stale_parts()
        if self._index.read(Tables.shard_names) != self._names_on_disk():
            self._index.write(self._take_stock)

    def _take_stock(self, tables: Tables) -> None:
        known, there = tables.shard_names(), self._names_on_disk()
        for name in sorted(there - known):
            self._take_up(tables, name)
        tables.drop_shards(known - there)
        if gone := len(known - there):
            note(f"{self._shards}: {gone} files are gone; what only they held is extracted again when it is needed")

    def _take_up(self, tables: Tables, name: str) -> None:
        try:
            tables.add_shards([_row(name, read_shard(self._shards / name))])
        except (DamagedShard, FileNotFoundError) as error:
            note(f"{self._shards / name}: damaged ({error}); it is deleted")
            self._drop(tables, [name])

    def _names_on_disk(self) -> set[str]:
        return {path.name for path in self._shards.glob(f"*{SUFFIX}")}

    def _remove_stale_parts(self) -> None:
        for path in self._shards.glob("*.part"):  # a crash leaves one behind
            with suppress(OSError):
                if time.time() - path.stat().st_mtime > STALE_PART_SECONDS:
                    path.unlink()


def _is_held(shard: Shard, rows: np.ndarray, wanted: ShardRow) -> bool:
    """Whether the shard is what the index takes it for, at these rows. wanted: with the hashes of these."""
    held, keys = np.frombuffer(shard.hashes, KEY), np.frombuffer(wanted.hashes, KEY)
    same_use = (shard.extractor, shard.hidden_state) == (wanted.extractor, wanted.hidden_state)
    return same_use and rows.max() < len(held) and bool((held[rows] == keys).all())


def _enter(tables: Tables, shards: Iterable[ShardRow], files: Iterable[FileRow]) -> None:
    tables.add_shards(shards)
    tables.add_files(files)


def _row(name: str, shard: Shard) -> ShardRow:
    return ShardRow(name, shard.extractor, shard.hidden_state, shard.hashes)
