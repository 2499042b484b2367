"""Where the features of many contents are, in few bytes: a million take 24 MB, a dictionary would take 250."""

from collections.abc import Iterable, Iterator, Sequence, Set
from dataclasses import dataclass, field

import numpy as np

from ..images import HASH_BYTES

# Compared bytewise. NumPy drops NULs at the end, from all alike, so that equal stays equal and other stays other.
KEY = np.dtype(f"S{HASH_BYTES}")
BLOCK = 1 << 16  # rows that are compared at once


def _none(dtype: np.dtype | type) -> np.ndarray:
    return np.zeros(0, dtype)


@dataclass(frozen=True, eq=False)
class Places(Set[str]):
    """The contents, as hexadecimal hashes, whose features of one extractor at one hidden state are on disk.

    names: shards, oldest first. keys: (N,) sorted, those of older shards first among equals. shards, rows: (N,),
    where each is: the place in `names`, and the row in that shard.
    """

    names: tuple[str, ...] = ()
    keys: np.ndarray = field(default_factory=lambda: _none(KEY))
    shards: np.ndarray = field(default_factory=lambda: _none(np.int32))
    rows: np.ndarray = field(default_factory=lambda: _none(np.int32))

    def with_shards(self, added: Iterable[tuple[str, bytes]], others: Iterable["Places"] = ()) -> "Places":
        """These and newer shards: (name, hashes of its rows, joined).

        In the memory of those of the others that say the same of shards of other names.
        """
        names, new = _table_of(added, len(self.names))
        if not names:
            return self
        if not len(self.keys):
            same = (each for each in others if all(map(np.array_equal, _columns(each), new)))
            return Places(self.names + names, *_columns(next(same, Places((), *new))))
        parts = list(zip(_columns(self), new, strict=True))
        where = np.searchsorted(self.keys, new[0], side="right")
        places = where + np.arange(len(where))  # of what is new, in the table of all
        for other in others:
            if _is_made_of(other, parts, places):
                return Places(self.names + names, *_columns(other))
        return Places(self.names + names, *(np.insert(old, where, added) for old, added in parts))

    def find(self, hashes: bytes) -> tuple[np.ndarray, np.ndarray]:
        """(N,) place of the shard in `names`, -1 where there is none, and (N,) row there, of N joined hashes."""
        wanted = np.frombuffer(hashes, KEY)
        if not len(self.keys):
            return np.full(len(wanted), -1), np.zeros(len(wanted), np.int32)
        place = np.minimum(np.searchsorted(self.keys, wanted), len(self.keys) - 1)
        return np.where(self.keys[place] == wanted, self.shards[place], -1), self.rows[place]

    def among(self, digests: Sequence[str]) -> set[str]:
        """Those of these hashes that are here; a hundred times as fast as asking for each."""
        shards, _ = self.find(bytes.fromhex("".join(digests)))
        return {digest for digest, shard in zip(digests, shards.tolist(), strict=True) if shard >= 0}

    def __contains__(self, digest: object) -> bool:
        return bool(self.find(bytes.fromhex(str(digest)))[0][0] >= 0)

    def __iter__(self) -> Iterator[str]:
        return (bytes(key).ljust(HASH_BYTES, b"\0").hex() for key in np.unique(self.keys))

    def __len__(self) -> int:
        return len(np.unique(self.keys))

    @classmethod
    def _from_iterable(cls, it):  # type: ignore[no-untyped-def]
        return set(it)


def _columns(places: Places) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return places.keys, places.shards, places.rows


def _table_of(added: Iterable[tuple[str, bytes]], first: int) -> tuple[tuple[str, ...], tuple[np.ndarray, ...]]:
    """Names of shards, and the columns of what is in them, sorted. first: the place in `names` of the first."""
    names, lengths, joined = [], [], bytearray()
    for name, hashes in added:
        names.append(name)
        lengths.append(len(hashes) // HASH_BYTES)
        joined += hashes
    if not names:
        return (), ()
    keys = np.frombuffer(joined, KEY)
    order = np.argsort(keys, kind="stable")
    shards = np.repeat(np.arange(first, first + len(names), dtype=np.int32), lengths)[order]
    rows = np.concatenate([np.arange(length, dtype=np.int32) for length in lengths])[order]
    return tuple(names), (keys[order], shards, rows)


def _is_made_of(table: Places, parts: Iterable[tuple[np.ndarray, np.ndarray]], places: np.ndarray) -> bool:
    """Whether the columns of the table are these old ones with these new values inserted at `places`.

    Nothing of their size is copied: that would be memory for a second table of a million rows.
    """
    is_old = np.ones(len(table.keys), dtype=bool)
    if len(places) and places[-1] >= len(is_old):
        return False
    is_old[places] = False
    for column, (old, new) in zip(_columns(table), parts, strict=True):
        if len(column) != len(old) + len(new) or not np.array_equal(column[places], new):
            return False
        start = 0
        for block in range(0, len(column), BLOCK):
            kept = column[block : block + BLOCK][is_old[block : block + BLOCK]]
            if not np.array_equal(kept, old[start : start + len(kept)]):
                return False
            start += len(kept)
    return True
