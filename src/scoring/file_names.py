"""Names that chosen images get in another folder: `--filename_format`."""

import os
import re
import string
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from ..common import UserError, note
from ..scores import shown

FIELDS: dict[str, Any] = {"rank": 1, "score": 0.5, "percentile": 50.0, "name": "image", "extension": ".png"}
# What Windows allows in no name; elsewhere such names would only be trouble for whoever gets the folder.
FORBIDDEN = re.compile(r'[\x00-\x1f<>:"/\\|?*]')
RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)
LONGEST = 255  # bytes of a name, on most file systems
ROOM = 20  # of these for a number, and for what sidecars append


def check_format(text: str) -> None:
    """Raise UserError unless --filename_format gives plain file names of the fields it may have."""
    known = "{" + "}, {".join(FIELDS) + "}"
    try:
        fields = [(field, spec or "") for _, field, spec, _ in string.Formatter().parse(text) if field is not None]
    except ValueError as error:
        raise UserError(f"--filename_format={text}: {error}; right would be {{rank:05}}_{{name}}{{extension}}")
    for field, spec in fields:
        if field not in FIELDS:  # also {name.__class__}, {name[0]}, {}
            raise UserError(f"--filename_format={text}: there is no {{{field}}}; it may hold {known}")
        if "{" in spec or re.search(r"\d{3}", spec):
            raise UserError(f"--filename_format={text}: '{spec}' is no width or precision below 100")
    try:
        sample = text.format(**FIELDS)
    except (ValueError, OverflowError) as error:
        raise UserError(f"--filename_format={text}: {error}; right would be {{rank:05}}_{{score:.3f}}")
    literal = "".join(part for part, *_ in string.Formatter().parse(text))
    if FORBIDDEN.search(literal):
        raise UserError(f'--filename_format={text}: a file name holds none of < > : " / \\ | ? *; leave them out')
    if problem := _problem(sample):
        raise _refused(text, f"'{sample[:60]}' {problem}")


def new_name(text: str, path: str, values: Mapping[str, float]) -> str:
    """The name of an image by --filename_format. path: relative; values: rank, score, percentile.

    It ends with the image's extension, whether the format says so or not: without, it would be no image any more.
    What would be no name on every system is made one, with a note. Raises UserError where the format is to blame.
    """
    old = PurePosixPath(path)
    extension = FORBIDDEN.sub("_", old.suffix)
    name = text.format(**values, name=FORBIDDEN.sub("_", old.stem), extension=extension)
    if FORBIDDEN.search(name):
        raise _refused(text, f"'{name[:60]}', from {path}, is no plain file name")
    whole = name if name.lower().endswith(extension.lower()) else name + extension
    mended = _mended(whole, extension)
    if problem := _problem(whole):
        note(f"note: {shown(path)}: its new name {problem}; it is called {shown(mended)}")
    return mended


def _refused(text: str, problem: str) -> UserError:
    return UserError(f"--filename_format={text}: {problem}; choose another format")


def _problem(name: str) -> str:
    """Why this can't be a name everywhere, "" where it can."""
    if name.strip(". ") == "" or name.startswith(".") or name.endswith((".", " ")):
        return "begins or ends with a dot or space"
    if RESERVED.fullmatch(name):
        return "is reserved on Windows"
    return "is too long" if len(os.fsencode(name)) > LONGEST - ROOM else ""


def _mended(name: str, extension: str) -> str:
    """The same where it is a name everywhere; else without dots at its ends, with a _ behind a device, or shorter."""
    if not _problem(name):
        return name
    stem = name[: len(name) - len(extension)].lstrip(". ") if extension else name.strip(". ")
    if RESERVED.fullmatch(f"{stem}{extension}"):
        stem = re.sub(r"^[^.]*", r"\g<0>_", stem)
    while stem and len(os.fsencode(stem + extension)) > LONGEST - ROOM:
        stem = stem[:-1]
    return (stem.rstrip(" ") or "image") + extension
