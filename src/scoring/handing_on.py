"""Copy, move or link chosen images into a folder, under new names, without ever overwriting anything."""

import csv
import io
import os
import re
import shutil
import string
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from ..common import UserError
from .xmp import existing_sidecars, sidecar_names

FIELDS: dict[str, Any] = {"rank": 1, "score": 0.5, "percentile": 50.0, "name": "image", "extension": ".png"}
# What Windows allows in no name; elsewhere such names would only be trouble for whoever gets the folder.
FORBIDDEN = re.compile(r'[\x00-\x1f<>:"/\\|?*]')
RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)
LONGEST = 255  # bytes of a name, on most file systems
WAYS = ("copy", "move", "link")


class Step(NamedTuple):
    """One image and where it goes. path: relative, as it was; target: its new place."""

    path: str
    source: Path
    target: Path


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


def plan(directory: Path, target: Path, named: Sequence[tuple[str, str]]) -> list[Step]:
    """Where each image goes. named: (relative path, new name).

    A name that is taken, by a file there or another image, gets a number: a.png, a_2.png.
    """
    taken = {path.name.casefold() for path in target.iterdir()} if target.is_dir() else set()
    steps = []
    for path, name in named:
        free = _free_name(name, taken)
        taken.add(free.casefold())
        steps.append(Step(path, directory / path, target / free))
    return steps


def _free_name(name: str, taken: set[str]) -> str:
    stem, suffix = PurePosixPath(name).stem, PurePosixPath(name).suffix
    number = 2
    while name.casefold() in taken:
        name, number = f"{stem}_{number}{suffix}", number + 1
    return name


def check_target(option: str, target: Path) -> None:
    """Raise UserError where the folder can't be one."""
    above = next((folder for folder in (target, *target.parents) if os.path.lexists(folder)), None)
    if above is not None and not above.is_dir():
        raise UserError(f"--{option}={target}: {above} is a file; name a folder")


def carry_out(
    way: str, target: Path, steps: Sequence[Step], columns: Sequence[str], rows: Sequence[Sequence[Any]]
) -> Path:
    """Copy, move or link, with a table of what went where, written before the first image moves.

    Sidecars (see `src.xmp`) go with their image; of one that another file of the name may need, a copy. Returns the
    table's path: scores.csv, with a number if it is taken. Raises UserError where something fails, saying how far it
    came; nothing is ever overwritten.
    """
    act = {"copy": copy_new, "move": move_new, "link": link_new}[way]
    done, carried = 0, set[Path]()
    try:
        target.mkdir(parents=True, exist_ok=True)
        table = _write_table(target, columns, rows)
        for step in steps:
            act(step.source, step.target)
            carried |= _carry_sidecars(copy_new if way == "move" else act, step)
            done += 1
    except OSError as error:
        where = steps[done].path if done < len(steps) else target
        raise UserError(f"{target}: could not {way} {where} ({error.strerror or error}); {done} images are there")
    finally:
        if way == "move":
            with suppress(OSError):  # what can't be removed stays, and a copy went
                _remove_lone(carried)
    return table


def _carry_sidecars(act: Callable[[Path, Path], None], step: Step) -> set[Path]:
    """The sidecars that went to the new name; a.xmp under the full one, or not at all, where that is taken."""
    names, carried = sidecar_names(step.target), set()
    for name, sidecar in existing_sidecars(step.source).items():
        free = next((names[one] for one in (name, "full") if not os.path.lexists(names[one])), None)
        if free:
            act(sidecar, free)
            carried.add(sidecar)
    return carried


def _remove_lone(sidecars: set[Path]) -> None:
    """Remove those that no file needs any more: a.jpg and a.png share a.xmp, and so may a raw file of any ending."""
    files = [file for folder in {path.parent for path in sidecars} for file in folder.iterdir() if file.is_file()]
    needed = {path for file in files if file.suffix.lower() != ".xmp" for path in sidecar_names(file).values()}
    for sidecar in sidecars - needed:
        sidecar.unlink()


def copy_new(source: Path, target: Path) -> None:
    """Copy to a file that does not exist yet; FileExistsError if it does. Never leaves half a file."""
    part = target.with_name(f".{target.name[:40]}.{os.getpid()}.part")
    try:
        shutil.copy2(source, part)
        _take_place(part, target)
    finally:
        part.unlink(missing_ok=True)


def _take_place(part: Path, target: Path) -> None:
    """Rename, but never over something."""
    if os.name == "nt":
        part.rename(target)  # refuses by itself
        return
    try:
        os.link(part, target, follow_symlinks=False)  # refuses by itself
    except FileExistsError:
        raise
    except OSError:  # a file system without links, such as FAT
        if os.path.lexists(target):
            raise FileExistsError(17, "it exists", str(target))
        part.rename(target)


def move_new(source: Path, target: Path) -> None:
    """Move to a name that does not exist yet; FileExistsError if it does. The source goes last."""
    try:
        if os.name == "nt":
            source.rename(target)  # refuses by itself
            return
        os.link(source, target, follow_symlinks=False)
    except OSError:  # another disk, or one without links
        if os.path.lexists(target):
            raise FileExistsError(17, "it exists", str(target))
        copy_new(source, target)
    source.unlink()


def link_new(source: Path, target: Path) -> None:
    """A symbolic link to the image; where those are not allowed (Windows), a hard link."""
    try:
        target.symlink_to(source.resolve())
    except FileExistsError:
        raise
    except OSError:
        os.link(source, target)


def _write_table(target: Path, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> Path:
    text = io.StringIO()
    csv.writer(text).writerows([columns, *rows])
    data = text.getvalue().replace("\r\n", "\n").encode("utf-8", "surrogateescape")
    for name in _numbered("scores.csv"):
        with suppress(FileExistsError), (target / name).open("xb") as file:
            file.write(data)
            return target / name
    raise AssertionError("endless")


def _numbered(name: str) -> Iterator[str]:
    stem, suffix = PurePosixPath(name).stem, PurePosixPath(name).suffix
    yield name
    number = 2
    while True:
        yield f"{stem}_{number}{suffix}"
        number += 1
