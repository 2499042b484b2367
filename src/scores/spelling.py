"""The images of a score table, and the files of a folder: which of them are the same, however they are spelled."""

import os
import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import PurePosixPath

import numpy as np

from .document import Document, listing, shown
from .scorefile import ScoreTable, select


def match_images(
    table: ScoreTable,
    images: Sequence[str],
    keep_unscored: bool = False,
    ignore_case: bool = os.name == "nt",
) -> tuple[ScoreTable, list[str]]:
    """The images of the table that exist and have a score, spelled as in `images`, and sentences on the others.

    images: relative paths of what is in the directory. keep_unscored: also the images whose score is nan.
    Names that differ only in blanks around them or in Unicode normalisation are the same (macOS decomposes accents,
    and so do its zip files); those that differ in the case of their extension, on Windows in any case.
    """
    found = _spellings(table, images, ignore_case)
    pairs = list(zip(table.paths, found, strict=True))
    lost = [path for path, image in pairs if image is None]
    other = [
        f"{image} for {path}" for path, image in pairs if image and _extension(image) != _extension(path.strip())
    ]
    extra = set(images) - set(found)
    name, problems = table.document.name, []
    if lost:
        hint = f"; the directory has {shown(images[0])}" if images and len(lost) == len(found) else ""
        problems.append(
            f"{len(lost)} of {len(found)} images in {name} are not in the directory: {listing(lost)}{hint}"
        )
    if other:
        problems.append(
            f"{len(other)} of {len(found)} images in {name} are found by another case of their extension: "
            f"{listing(other)}"
        )
    if extra:
        names = listing(image for image in images if image in extra)
        problems.append(f"{len(extra)} of {len(images)} images in the directory are not in {name}: {names}")
    wanted = np.ones(len(found), dtype=bool) if keep_unscored else ~np.isnan(table.scores)
    keep = [place for place, image in enumerate(found) if image is not None and wanted[place]]
    return replace(select(table, keep), paths=[found[place] or "" for place in keep]), problems


def _spellings(table: ScoreTable, images: Sequence[str], ignore_case: bool) -> list[str | None]:
    """For each image of the table the one in `images` that it means: the same name, else one that differs in form."""
    exact = set(images)
    keys = [table.document.keys[row] for row in table.rows]  # as in the file: on Linux a backslash may be in a name
    names = [
        (key, path, _raw(table.document, path), path.strip()) for key, path in zip(keys, table.paths, strict=True)
    ]
    found = [next((name for name in spelled if name in exact), None) for spelled in names]
    free = sorted(exact - set(found), reverse=True)
    _find_alike(found, table.paths, {_composed(image, ignore_case): image for image in free}, ignore_case, _composed)
    free = sorted(exact - set(found))
    forms = [_without_case_of_extension(image, ignore_case) for image in free]
    often = Counter(forms)
    alone = {form: image for form, image in zip(forms, free, strict=True) if often[form] == 1}
    _find_alike(found, table.paths, alone, ignore_case, _without_case_of_extension)
    return found


def _raw(document: Document, path: str) -> str:
    """The name whose bytes these are, where the file is no UTF-8: a folder may have such names too."""
    if document.encoding != "cp1252":
        return path
    return path.encode("cp1252", "replace").decode("utf-8", "surrogateescape")


def _find_alike(
    found: list[str | None],
    paths: Sequence[str],
    alike: dict[str, str],
    ignore_case: bool,
    form: Callable[[str, bool], str],
) -> None:
    """Fill the gaps in `found`: the last row of those that mean one image gets it."""
    for place in reversed(range(len(found))):
        if found[place] is None and alike:
            found[place] = alike.pop(form(paths[place], ignore_case), None)


def _extension(path: str) -> str:
    return PurePosixPath(path).suffix


def _composed(path: str, ignore_case: bool) -> str:
    text = unicodedata.normalize("NFC", path)
    return text.casefold() if ignore_case else text


def _without_case_of_extension(path: str, ignore_case: bool) -> str:
    suffix = _extension(path)
    return _composed(path.removesuffix(suffix) + suffix.casefold(), ignore_case)
