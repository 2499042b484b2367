"""Millions of names in fewer bytes than they have letters: as a text of Python's each takes 60 bytes more."""

import heapq
import zlib
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice, pairwise
from typing import overload

BLOCK = 64  # names that are compressed together; to find one, so many are taken apart
FAST = 1  # of zlib's levels; the others save a tenth more
RUN = BLOCK << 10  # names that are sorted at once
SEPARATOR = "\0"  # is in no name of a file, on any system; where it is in one nevertheless, its block stays a list


class Names(Sequence[str]):
    """A list of texts that can be added to and sorted, and equals a list of the same texts.

    A slice is a list, so take short ones.
    """

    def __init__(self, names: Iterable[str] = ()) -> None:
        self._blocks: list[bytes | list[str]] = []  # of `BLOCK` names each
        self._last: list[str] = []  # fewer
        self._recent: tuple[int, list[str]] = -1, []  # the block that was last taken apart: neighbours are asked next
        self.extend(names)

    def append(self, name: str) -> None:
        """At the end."""
        self._last.append(name)
        if len(self._last) == BLOCK:
            self._blocks.append(_together(self._last))
            self._last = []

    def extend(self, names: Iterable[str]) -> None:
        """At the end, in their order."""
        for name in names:
            self.append(name)

    def sort(self) -> None:
        """In place, as a list would be; in the memory of 65,536 names beside what it has."""
        names, runs = self.drained(), []
        while run := Names(sorted(islice(names, RUN))):
            runs.append(run)
        if all(one[-1] <= following[0] for one, following in pairwise(runs)):
            self._blocks = list(chain.from_iterable(run._blocks for run in runs))
            self._last = runs[-1]._last if runs else []
        else:
            self.extend(heapq.merge(*(run.drained() for run in runs)))

    def drained(self) -> Iterator[str]:
        """All names in their order; none is here any more, and the memory of those that were read is free."""
        blocks, last = self._blocks[::-1], self._last
        self._blocks, self._last, self._recent = [], [], (-1, [])
        while blocks:
            yield from _apart(blocks.pop())
        yield from last

    def __len__(self) -> int:
        return BLOCK * len(self._blocks) + len(self._last)

    def __iter__(self) -> Iterator[str]:
        for block in self._blocks:
            yield from _apart(block)
        yield from self._last

    @overload
    def __getitem__(self, which: int) -> str: ...
    @overload
    def __getitem__(self, which: slice) -> list[str]: ...
    def __getitem__(self, which: int | slice) -> str | list[str]:
        places = range(len(self))[which]
        if isinstance(places, range):
            return self._slice(places)
        return self._block(places // BLOCK)[places % BLOCK]

    def _slice(self, places: range) -> list[str]:
        if not places:
            return []
        first = min(places) // BLOCK
        names = [name for number in range(first, max(places) // BLOCK + 1) for name in self._block(number)]
        return [names[place - first * BLOCK] for place in places]

    def _block(self, number: int) -> list[str]:
        if number == len(self._blocks):
            return self._last
        known, names = self._recent
        if number != known:
            names = _apart(self._blocks[number])
            self._recent = number, names
        return names

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Names | list):
            return NotImplemented
        return len(self) == len(other) and all(a == b for a, b in zip(self, other, strict=True))

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"{type(self).__name__}({list(self)!r})"


def _together(names: list[str]) -> bytes | list[str]:
    joined = SEPARATOR.join(names)
    if joined.count(SEPARATOR) != len(names) - 1:
        return names
    # Bytes of a file's name that are no UTF-8 are lone surrogates in a text.
    return zlib.compress(joined.encode("utf-8", "surrogatepass"), FAST)


def _apart(block: bytes | list[str]) -> list[str]:
    if isinstance(block, list):
        return block
    return zlib.decompress(block).decode("utf-8", "surrogatepass").split(SEPARATOR)
