"""A list of images in the place of the folder's: `--list`. Other kinds of lists would be read here, too."""

import json
import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from ..common import UserError, note, number_of
from ..scores import shown

MOST_NAMED = 3  # of images that are not there


def read_list(path: Path, directory: Path, may_be_gone: bool = False) -> list[str]:
    """Relative paths (with `/`, sorted, each once) of the images that a text file names and that are there.

    A line each: relative to the directory, or absolute and in it; one that begins with a quote is JSON text, one with
    # a comment. Images that are not there are named on stderr, and left out. may_be_gone: all of them may be. Raises
    UserError where the file can't be read, a line leads out of the directory, or no image is there.
    """
    named = list(dict.fromkeys(_images(path, directory)))
    there = sorted(image for image in named if (directory / image).is_file())
    if not named or not (there or may_be_gone):
        which = f", such as {shown(named[0])}" if named else ""
        raise UserError(f"--list={path}: names no image that is in {directory}{which}; write a path a line")
    if gone := sorted({*named} - {*there}):
        more = f" and {len(gone) - MOST_NAMED} more" if len(gone) > MOST_NAMED else ""
        names = ", ".join(map(shown, gone[:MOST_NAMED]))
        note(f"note: {number_of(len(gone), 'image', 'is')} in {path} and not in {directory}: {names}{more}")
    return there


def _images(path: Path, directory: Path) -> Iterator[str]:
    try:
        text = path.read_bytes().decode("utf-8-sig", "surrogateescape")
    except OSError as error:
        raise UserError(f"--list={path}: can't be read ({error.strerror}); name a text file, a path a line")
    if "\0" in text:
        raise UserError(f"--list={path}: is no text; write a path a line")
    for number, line in enumerate(text.split("\n"), 1):
        line = line.rstrip("\r")
        if line.strip() and not line.startswith("#"):
            yield _relative(_unquoted(line, path, number), directory, f"--list={path}, line {number}")


def _unquoted(line: str, path: Path, number: int) -> str:
    if not line.startswith('"'):
        return line
    try:
        return str(json.loads(line))
    except ValueError as error:
        raise UserError(f"--list={path}, line {number}: no JSON text ({error}); take the quotes off, or close them")


def _relative(text: str, directory: Path, where: str) -> str:
    """As `find_images` would call it."""
    native = text if os.name != "nt" else text.replace("\\", "/")
    root = Path(os.path.abspath(directory))  # noqa: PTH100 (resolve() would follow links out of the directory)
    whole = Path(os.path.normpath(root / native))
    for base in (root, root.resolve()):
        if whole.is_relative_to(base) and whole != base:
            return PurePosixPath(whole.relative_to(base)).as_posix()
    raise UserError(f"{where}: {shown(text)} is not in {directory}; name images below the --directory")
