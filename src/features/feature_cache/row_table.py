"""At which row of a long sequence a content stands: 20 bytes a row, in one table that grows in place."""

import hashlib

import numpy as np

from ..images import HASH_BYTES

# Compared bytewise. NumPy drops NULs at the end, from all alike, so that equal stays equal and other stays other.
KEY = np.dtype(f"S{HASH_BYTES}")
ROW = np.dtype(np.uint32)
AT_ONCE = 1 << 16  # rows that are moved, and that wait at least, before they are sorted in
SHARE = 8  # more wait where there are more: one for so many that are there


class RowTable:
    """The contents of rows 0, 1, 2 and so on, sorted, with the row of each.

    Rows are only ever added, in blocks: whoever knows the first `count` of them can share it with one who knows more.
    It grows in place: to make a new one of a million rows would take 20 MB for the time of that.
    """

    def __init__(self) -> None:
        self._keys, self._rows = bytearray(), bytearray()  # sorted; earlier rows first among equals
        self._waiting = bytearray()  # hashes of the rows behind these, in their order
        self._blocks: dict[int, bytes] = {}  # by their first rows, a digest of each

    def __len__(self) -> int:
        return (len(self._keys) + len(self._waiting)) // HASH_BYTES

    @property
    def nbytes(self) -> int:
        """What it takes of memory."""
        return len(self._keys) + len(self._rows) + len(self._waiting)

    def has_block(self, first: int, hashes: bytes) -> bool:
        """Whether a block of these hashes was added as row `first` and those behind it."""
        return self._blocks.get(first) == _digest(hashes)

    def add_block(self, hashes: bytes) -> None:
        """Rows behind all others: 16 bytes each, joined. Found after the next `settle`."""
        self._blocks[len(self)] = _digest(hashes)
        self._waiting += hashes
        if len(self._waiting) >= max(HASH_BYTES * AT_ONCE, len(self._keys) // SHARE):
            self.settle()

    def settle(self) -> None:
        """Sort in what was added."""
        if not self._waiting:
            return
        added = np.frombuffer(self._waiting, KEY)
        order = np.argsort(added, kind="stable")
        added, rows = added[order], (order + len(self._keys) // HASH_BYTES).astype(ROW)
        where = np.searchsorted(np.frombuffer(self._keys, KEY), added, side="right")
        _insert(self._keys, where, added)
        _insert(self._rows, where, rows)
        self._waiting = bytearray()

    def find(self, hashes: bytes, count: int) -> np.ndarray:
        """(N,) the first rows of N joined hashes, -1 where none of the first `count` rows is of it."""
        wanted, keys = np.frombuffer(hashes, KEY), np.frombuffer(self._keys, KEY)
        if not len(keys):
            return np.full(len(wanted), -1)
        place = np.minimum(keys.searchsorted(wanted), len(keys) - 1)
        rows = np.frombuffer(self._rows, ROW)[place].astype(np.int64)
        rows[(keys[place] != wanted) | (rows >= count)] = -1
        return rows

    def has(self, digest: bytes, count: int) -> bool:
        """Whether one of the first `count` rows is of this content; in half the time of `find`."""
        wanted, keys = np.frombuffer(digest, KEY), np.frombuffer(self._keys, KEY)
        place = int(keys.searchsorted(wanted)[0])
        is_there = place < len(keys) and keys[place] == wanted[0]
        return bool(is_there and np.frombuffer(self._rows, ROW)[place] < count)

    def contents(self, count: int) -> np.ndarray:
        """The contents of the first `count` rows, each once."""
        return np.unique(np.frombuffer(self._keys, KEY)[np.frombuffer(self._rows, ROW) < count])

    def first(self, count: int) -> "RowTable":
        """A copy of the first `count` rows, which are whole blocks."""
        self.settle()
        result, rows = RowTable(), np.frombuffer(self._rows, ROW)
        result._keys += np.frombuffer(self._keys, KEY)[rows < count].tobytes()
        result._rows += rows[rows < count].tobytes()
        result._blocks = {first: digest for first, digest in self._blocks.items() if first < count}
        return result


def _digest(hashes: bytes) -> bytes:
    return hashlib.blake2b(hashes, digest_size=HASH_BYTES).digest()


def _insert(column: bytearray, where: np.ndarray, added: np.ndarray) -> None:
    """What `np.insert` gives, in place: from the back, so that each value is moved once, and few at once."""
    behind = len(column) // added.itemsize
    column += bytes(added.nbytes)
    values = np.frombuffer(column, added.dtype)
    step = max(1, len(added) * AT_ONCE // len(values))
    for first in reversed(range(0, len(added), step)):
        part, begin = slice(first, first + step), int(where[first])
        whole = np.insert(values[begin:behind], where[part] - begin, added[part])
        values[begin + first : begin + first + len(whole)] = whole
        behind = begin
