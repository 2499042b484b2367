"""Names that chosen images get in another folder: `--filename_format`."""

import os
import re
import string
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from ..common import UserError

FIELDS: dict[str, Any] = {"rank": 1, "score": 0.5, "percentile": 50.0, "name": "image", "extension": ".png"}
# What Windows allows in no name; elsewhere such names would only be trouble for whoever gets the folder.
FORBIDDEN = re.compile(r'[\x00-\x1f<>:"/\\|?*]')
RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)
LONGEST = 255  # bytes of a name, on most file systems


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
        text.format(**FIELDS)
    except (ValueError, OverflowError) as error:
        raise UserError(f"--filename_format={text}: {error}; right would be {{rank:05}}_{{score:.3f}}")
    literal = "".join(part for part, *_ in string.Formatter().parse(text))
    if FORBIDDEN.search(literal):
        raise UserError(f'--filename_format={text}: a file name holds none of < > : " / \\ | ? *; leave them out')


def new_name(text: str, path: str, values: Mapping[str, float]) -> str:
    """The name of an image by --filename_format. path: relative; values: rank, score, percentile.

    It ends with the image's extension, whether the format says so or not: without, it would be no image any more.
    Raises UserError where that is no file name.
    """
    old = PurePosixPath(path)
    extension = FORBIDDEN.sub("_", old.suffix)
    name = text.format(**values, name=FORBIDDEN.sub("_", old.stem), extension=extension)
    problem = None
    if name.strip(". ") == "" or name.startswith(".") or name.endswith((".", " ")):
        problem = "begins or ends with a dot or space"
    elif RESERVED.fullmatch(name):
        problem = "is reserved on Windows"
    elif FORBIDDEN.search(name):
        problem = "is no plain file name"
    elif len(os.fsencode(name + extension)) > LONGEST - 10:  # room for a number
        problem = "is too long"
    if problem:
        raise UserError(f"--filename_format={text}: '{name[:60]}', from {path}, {problem}; choose another format")
    return name if name.lower().endswith(extension.lower()) else name + extension
