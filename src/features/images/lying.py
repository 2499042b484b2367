"""Where an image lies, by its name: in a file of its own, in an archive, or in a store behind an address."""

import os
from collections.abc import Iterable
from pathlib import Path

from . import archives, remote
from .held import Held


def image_file(directory: Path, path: str) -> Path | Held:
    """What `open_image` and `content_of` take. path: relative, in an archive or not, or an address."""
    if remote.is_remote(path):
        return remote.held_object(path)
    lying = archives.lies_in(directory, path)
    return archives.held_member(directory, lying) if lying else directory / path


def is_there(directory: Path, path: str) -> bool:
    """Whether there is such a file. An address is taken to be right: whoever reads it will see."""
    if remote.is_remote(path):
        return True
    if os.path.isfile(os.path.join(directory, path)):  # noqa: PTH113, PTH118 (asked ten million times)
        return True
    lying = archives.lies_in(directory, path)
    return lying is not None and archives.member_size(directory, lying) is not None


def no_own_files(directory: Path, paths: Iterable[str]) -> list[str]:
    """Those of these images that lie in archives or stores: nothing can be put beside them, nor can they be moved."""
    return [path for path in paths if remote.is_remote(path) or archives.lies_in(directory, path)]
