"""Copy, move or link chosen images into a folder, under new names, without ever overwriting anything."""

import csv
import io
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..common import UserError
from ..scores import shown
from .file_names import check_format, new_name
from .output import columns_of, rows_of
from .selection import ranks
from .settings import HandingOnSettings
from .xmp import existing_sidecars, sidecar_names

if TYPE_CHECKING:
    from .models import Scored

DONE = {"copy": "copied", "move": "moved", "link": "linked"}


def check_handing_on(settings: HandingOnSettings) -> None:
    """Raise UserError for several ways, a format that gives no names, and a folder that can't be one."""
    ways = settings.ways
    if len(ways) > 1:
        raise UserError(f"--{ways[0]}_to and --{ways[1]}_to: an image can go one way only; take one of them out")
    if settings.folder:
        check_format(settings.filename_format)
        check_target(f"{ways[0]}_to", Path(settings.folder).expanduser())


def hand_on(directory: Path, scored: "Scored", chosen: np.ndarray, settings: HandingOnSettings) -> None:
    """Copy, move or link the chosen images, (n,) positions, best first, as the settings say, which name one folder.

    What was done, or would be, is printed.
    """
    (way,), target = settings.ways, Path(settings.folder or "").expanduser()
    rank = ranks(scored.scores[:, 0])
    order = chosen[rank[chosen].argsort()]
    steps = plan(directory, target, _named(scored, order, rank, settings.filename_format))
    if settings.dry_run:
        print("\n".join(f"would {way} {shown(step.path)} -> {shown(str(step.target))}" for step in steps))
        return
    columns = ["relative_path", "source", "rank", *columns_of(list(scored.models))[1:]]
    known = zip(steps, rank[order].tolist(), rows_of(scored.part(order)), strict=True)
    rows = [[step.target.name, step.path, place, *row[1:]] for step, place, row in known]
    table = carry_out(way, target, steps, columns, rows)
    print(f"{len(steps)} images {DONE[way]} to {target}; see {table.name} there.")


def _named(scored: "Scored", order: np.ndarray, rank: np.ndarray, text: str) -> list[tuple[str, str]]:
    """(relative path, new name) of the images at these positions; rank: (N,) of all."""
    scores, percentiles = scored.scores[:, 0], scored.models[0].percentiles(scored.scores[:, 0])
    values = [{"rank": int(rank[i]), "score": float(scores[i]), "percentile": float(percentiles[i])} for i in order]
    paths = [scored.paths[i] for i in order]
    return [(path, new_name(text, path, value)) for path, value in zip(paths, values, strict=True)]


class Step(NamedTuple):
    """One image and where it goes. path: relative, as it was; target: its new place."""

    path: str
    source: Path
    target: Path


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

    Sidecars (see `xmp`) go with their image; of one that another file of the name may need, a copy. Returns the
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
