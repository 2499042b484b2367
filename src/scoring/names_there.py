"""Which names are free in a folder, so that nothing is overwritten and no image gets another one's caption."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath

from .handed_on import listed, numbered
from .placing import same_content
from .siblings import SHARED, Sibling


class NamesThere:
    """The names in a folder that images go to. Capitals make no difference: on many drives they don't."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        names = [entry.name for entry in os.scandir(folder)] if folder.is_dir() else []
        self._taken = {name.casefold() for name in names}
        self._accompanied = {_stem(name) for name in names if PurePosixPath(name).suffix.lower() in SHARED}
        # Whose files have a stem: an image's path without its ending, which a.jpg and a.png share; None: who knows.
        self._stems: dict[str, str | None] = dict.fromkeys(map(_stem, names))
        for source, known in listed(folder).items():
            self._stems |= {_stem(name): _origin(source) for name in known if name.casefold() in self._taken}

    def take(self, path: str, name: str, siblings: Callable[[str], Sequence[Sibling]]) -> str:
        """The first of name, name_2 and so on that fits. path: of the image; siblings: those it would have there."""
        free = next(one for one in numbered(name) if self._fits(path, one, siblings(one)))
        self._taken.add(free.casefold())
        self._stems[_stem(free)] = _origin(path)
        if siblings(free):
            self._accompanied.add(_stem(free))
        return free

    def _fits(self, path: str, name: str, siblings: Sequence[Sibling]) -> bool:
        if name.casefold() in self._taken:
            return False
        stem = _stem(name)
        if self._stems.get(stem, _origin(path)) != _origin(path) and (siblings or stem in self._accompanied):
            return False
        there = [sibling for sibling in siblings if sibling.name.casefold() in self._taken]
        return all(same_content(sibling.source, self._folder / sibling.name) for sibling in there)


def _stem(name: str) -> str:
    return PurePosixPath(name).stem.casefold()


def _origin(path: str) -> str:
    return PurePosixPath(path).with_suffix("").as_posix()
