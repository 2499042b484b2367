"""The images that can be chosen between: which file an id stands for."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ..features import Stamp, UnreadableImage, file_stamps, leading_out


@dataclass(frozen=True)
class Gallery:
    """Images by their id in the comparisons database. paths: of copies with one content, the first.

    follow_links: show also what links out of the folder lead to.
    """

    directory: Path
    paths: dict[int, str]
    stamps: dict[str, Stamp]
    follow_links: bool = False

    def file(self, image: int) -> Path:
        """The file of an image. KeyError for an id that isn't here; UnreadableImage if the file isn't what it was."""
        if not self.is_unchanged(image):
            raise UnreadableImage("it is gone, or was changed since the scorer began")
        if not self.follow_links and leading_out(self.directory, [self.paths[image]]):
            raise UnreadableImage("a link that leads out of the folder")
        return self.directory / self.paths[image]

    def is_unchanged(self, image: int) -> bool:
        """Has the file the size and time that it had in the beginning?"""
        path = self.paths[image]
        now, before = file_stamps(self.directory, [path]).get(path), self.stamps.get(path)
        return bool(now and before and now[:2] == before[:2])


def make_gallery(directory: Path, ids: Mapping[str, int], follow_links: bool = False) -> Gallery:
    """ids: relative path -> image id, as the comparisons database gave them."""
    paths: dict[int, str] = {}
    for path, image in ids.items():
        paths.setdefault(image, path)
    return Gallery(directory, paths, file_stamps(directory, list(paths.values())), follow_links)
