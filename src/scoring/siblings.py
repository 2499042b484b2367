"""Files that belong to an image by their names: captions, sidecars, cached features, what editors write beside it.

Of a.jpg: a.jpg.* of any ending; a.txt and the like, which other files of that name share (a.png, a.cr2,
a.safetensors); a_01.jpg.xmp, darktable's versions; a_0768x1024_sdxl.npz and a_flux_te.npz, what trainers of image
models cache.
"""

import os
import re
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from ..features import IMAGE_SUFFIXES

# Endings of files that belong to any file of their name.
SHARED = frozenset(
    {
        ".xmp",
        ".txt",
        ".caption",
        ".tags",
        ".json",
        ".yaml",
        ".yml",
        ".npz",
        ".npy",
        ".aae",
        ".pp3",
        ".dop",
        ".arp",
        ".on1",
        ".vrd",
        ".thm",
    }
)
VERSION = re.compile(r"(.+)_\d\d(\.[^.]+)\.xmp", re.IGNORECASE)
CACHED = re.compile(r"(.+?)_(\d{3,5}x\d{3,5}(_\w+)?|[a-z0-9]+_te)\.npz", re.IGNORECASE)


class Sibling(NamedTuple):
    """A file that goes with an image. name: what it is called beside the image under its new name."""

    source: Path
    name: str


class Folder:
    """What belongs to what in one folder, as it was when this was made, less what was said to be gone."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._owners: dict[str, set[str]] = {}  # sibling -> the files it belongs to
        self._siblings: dict[str, list[str]] = defaultdict(list)
        entries = [entry for entry in os.scandir(path) if not entry.name.startswith(".")]
        names = [entry.name for entry in entries if not _holds(entry.is_dir)]
        files = [entry.name for entry in entries if _holds(entry.is_file)]  # no pipes, and no links to nowhere
        whole = {os.path.normcase(name): name for name in names if "." in name}
        full = {name: owner for name in names if not _is_image(name) and (owner := _full_owner(name, whole))}
        plain = [name for name in names if name not in full and _suffix(name) not in SHARED]
        stems: dict[str, list[str]] = defaultdict(list)
        for name in plain:
            stems[os.path.normcase(PurePosixPath(name).stem)].append(name)
        for name in sorted(files):
            owners = [full[name]] if name in full else _owners_by_stem(name, stems)
            self._owners[name] = set(owners)
            for owner in owners:
                self._siblings[owner].append(name)

    def of(self, image: str, new: str) -> list[Sibling]:
        """The siblings of an image, by name, beside its new name."""
        found = [name for name in self._siblings.get(image, []) if name in self._owners]
        return [Sibling(self.path / name, renamed(name, image, new)) for name in found]

    def is_shared(self, sibling: str) -> bool:
        """Whether files that are still here need it too."""
        return len(self._owners.get(sibling, ())) > 1

    def gone(self, image: str) -> None:
        """An image was moved, and what was its alone."""
        for name in self._siblings.pop(image, []):
            owners = self._owners.get(name, set())
            owners.discard(image)
            if not owners:
                self._owners.pop(name, None)


def renamed(sibling: str, image: str, new: str) -> str:
    """What a sibling of `image` is called beside it under its new name."""
    if os.path.normcase(sibling).startswith(os.path.normcase(image) + "."):
        return new + sibling[len(image) :]
    old_path, new_path = PurePosixPath(image), PurePosixPath(new)
    rest = sibling[len(old_path.stem) :]
    if VERSION.fullmatch(sibling) and _suffix(sibling[:-4]) == old_path.suffix.lower():
        rest = rest[:3] + new_path.suffix + sibling[-4:]
    return new_path.stem + rest


def _holds(question: Callable[[], bool]) -> bool:
    """False also of a link that leads in circles, or to where nobody may look."""
    try:
        return question()
    except OSError:
        return False


def _full_owner(name: str, whole: dict[str, str]) -> str | None:
    """The file whose whole name this one's begins with, the longest: a.jpg of a.jpg.xmp."""
    dots = [place for place, letter in enumerate(name) if letter == "." and place]
    found = (whole.get(os.path.normcase(name[:place])) for place in reversed(dots))
    return next((owner for owner in found if owner and owner != name), None)


def _owners_by_stem(name: str, stems: dict[str, list[str]]) -> list[str]:
    if _suffix(name) not in SHARED:
        return []
    if owners := stems.get(os.path.normcase(PurePosixPath(name).stem)):
        return owners
    if version := VERSION.fullmatch(name):
        return [one for one in stems.get(os.path.normcase(version[1]), []) if _suffix(one) == version[2].lower()]
    cached = CACHED.fullmatch(name)
    return stems.get(os.path.normcase(cached[1]), []) if cached else []


def _suffix(name: str) -> str:
    return PurePosixPath(name).suffix.lower()


def _is_image(name: str) -> bool:
    return _suffix(name) in IMAGE_SUFFIXES
