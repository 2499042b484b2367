"""A page and what it shows; it can be kept up to date while images come."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..settings import GallerySettings
from .page import write_gallery

if TYPE_CHECKING:
    from ..models import Scored


@dataclass
class Gallery:
    """again, reload: see `write_gallery`."""

    page: Path
    directory: Path
    shown: "Scored"
    settings: GallerySettings
    again: str
    reload: bool = False

    def write(self) -> None:
        """The page as it is now."""
        write_gallery(self.page, self.directory, self.shown, self.settings, self.again, self.reload)

    def add(self, new: "Scored", chosen: np.ndarray) -> None:
        """Images were scored, of which those at these positions belong on the page; what is gone leaves it."""
        known, paths = self.shown, set(new.paths)
        stay = [i for i, path in enumerate(known.paths) if path not in paths and (self.directory / path).is_file()]
        self.shown = known.part(np.array(stay, dtype=np.int64)).and_those(new.part(chosen))
        self.write()
