"""The index, made anew from the shards when it turns out damaged."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from ...common import UserError
from .index import DamagedIndex, Index, Tables, note

Answer = TypeVar("Answer")


class MendingIndex:
    """path: made if it is missing. take_stock: enters all shards that there are, on open tables.

    Raises UserError where it can't be used.
    """

    def __init__(self, path: Path, take_stock: Callable[[Tables], None]) -> None:
        self.path = path
        self._index, self._take_stock = Index(path), take_stock
        self._mended(self._index.make_tables)

    def read(self, question: Callable[[Tables], Answer]) -> Answer:
        """The answer to a question, asked again should the index be made anew."""

        def ask() -> Answer:
            with self._index.reading() as tables:
                return question(tables)

        return self._mended(ask)

    def write(self, act: Callable[[Tables], Answer]) -> Answer:
        """All of it or nothing; no other process writes meanwhile. To do it twice must be no harm."""

        def do() -> Answer:
            with self._index.writing() as tables:
                return act(tables)

        return self._mended(do)

    def _mended(self, act: Callable[[], Answer]) -> Answer:
        try:
            return act()
        except DamagedIndex as error:
            note(f"{self.path}: damaged ({error}); made anew from the shards, no features are lost")
        try:
            self._index.start_anew()
            with self._index.writing() as tables:
                self._take_stock(tables)
            return act()
        except DamagedIndex as error:
            raise UserError(f"{self.path}: damaged again ({error}); give another --cache_directory")
