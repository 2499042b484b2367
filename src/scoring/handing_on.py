"""Copy, move or link chosen images into a folder, under new names, without ever overwriting or doubling anything."""

import errno
import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..common import Names, UserError, check_writable, claimed, note, number_of, remove_parts
from ..scores import shown
from .file_names import check_format, new_name
from .handed_on import (
    Table,
    add_to_table,
    end_move,
    find_there,
    has_unfinished_move,
    listed,
    note_move,
    unfinished_move,
    write_table,
)
from .names_there import NamesThere
from .output import columns_of, rows_of
from .placing import add_name, copy_new, link_new, same_content
from .selection import ranks
from .settings import HandingOnSettings
from .siblings import Folder, Sibling

if TYPE_CHECKING:
    from .models import Scored

DONE = {"copy": "copied", "move": "moved", "link": "linked"}


def check_handing_on(settings: HandingOnSettings) -> None:
    """Raise UserError for several ways, a format that gives no names, and a folder that can't be one."""
    ways = settings.ways
    if len(ways) > 1:
        raise UserError(f"--{ways[0]}_to and --{ways[1]}_to: an image can go one way only; take one of them out")
    if settings.folder:
        check_format(settings.names)
        if settings.as_they_come and "{rank" in settings.names:
            text = settings.names
            raise UserError(
                f"--filename_format={text}: there is no {{rank}} while more images may come; leave it out"
            )
        check_target(f"{ways[0]}_to", Path(settings.folder).expanduser())


def check_target(option: str, target: Path) -> None:
    """Raise UserError where the folder can't be one, or nothing can be written there."""
    above = next((folder for folder in (target, *target.parents) if os.path.lexists(folder)), None)
    if above is not None and not above.is_dir():
        raise UserError(f"--{option}={target}: {above} is a file; name a folder")
    if above is not None:
        check_writable(option, above / "scores.csv")


def may_be_over(settings: HandingOnSettings) -> bool:
    """Whether a move into the folder was killed: then there may be no image left, and only its end to be noted."""
    return bool(settings.move_to) and has_unfinished_move(Path(settings.move_to or "").expanduser())


def not_handed_on(
    directory: Path, paths: Sequence[str], settings: HandingOnSettings, say: bool = True
) -> Sequence[str]:
    """The images without those that were put into the folder, where that lies in the directory; say: how many."""
    target = Path(settings.folder or "").expanduser().resolve()
    if not (settings.folder and target.is_relative_to(directory.resolve())):
        return paths
    folder = target.relative_to(directory.resolve())
    there = {(folder / name).as_posix() for names in listed(target).values() for name in names}
    left = Names(path for path in paths if path not in there)
    if len(left) < len(paths) and say:
        number = number_of(len(paths) - len(left), "image")
        note(f"{number} in {target} left out: put there before, by the tables there")
    return left


def hand_on(
    directory: Path, scored: "Scored", chosen: np.ndarray, settings: HandingOnSettings, asked: object = None
) -> None:
    """Copy, move or link the chosen images, (n,) positions, best first, as the settings say, which name one folder.

    asked: what chose them, the same when the same is asked for again: a move that was killed goes on by it. What was
    done, or would be, is printed.
    """
    (way,), target = settings.ways, Path(settings.folder or "").expanduser()
    words = _words(directory, settings, asked)
    if table := _unfinished(settings, words):
        print(f"{target}: the same move did not come to its end; it goes on as {table.path.name} there says.")
        order = _left(directory, table)
    else:
        order = _order(scored, chosen, settings)
    with nullcontext() if settings.dry_run else _alone(way, target):
        steps = plan(way, directory, target, order.named, settings.with_siblings)
        if settings.dry_run:
            print("\n".join(line for step in steps for line in _planned(way, step)))
        else:
            how = ("", add_to_table) if settings.as_they_come else (words, write_table)
            print(carry_out(way, target, steps, order.columns, order.rows, *how), flush=True)
            end_move(target)  # after that was said: whoever did not read it asks again


def what_is_left(
    directory: Path,
    paths: Sequence[str],
    chosen: np.ndarray,
    outfile: Path | None,
    settings: HandingOnSettings,
    asked: object = None,
) -> tuple[np.ndarray, Path | None]:
    """The chosen images, (n,) positions among the paths, and the outfile, as far as they are still to be dealt with.

    Both as they are, unless a move was killed and the same is asked for again: then the images that it has left, and
    no outfile where that is there, as it was written before any image was moved. asked: as of `hand_on`.
    """
    table = _unfinished(settings, _words(directory, settings, asked))
    if table is None:
        return chosen, outfile
    places = {path: place for place, path in enumerate(paths)}
    left = np.array([places[row[1]] for row in table.rows if row[1] in places], dtype=np.int64)
    if outfile and outfile.exists():
        note(f"note: {outfile} stays as it is: the move that goes on had written it")
        outfile = None
    return left, outfile


def _unfinished(settings: HandingOnSettings, words: str) -> Table | None:
    if not settings.move_to or settings.as_they_come:
        return None
    return unfinished_move(Path(settings.move_to).expanduser(), words)


def _words(directory: Path, settings: HandingOnSettings, asked: object) -> str:
    """What was asked for, to be compared."""
    return json.dumps([str(directory.resolve()), asdict(replace(settings, dry_run=False)), asked], default=str)


class Order(NamedTuple):
    """Which images go, best first. named: (relative path, new name); columns, rows: what the table says of them."""

    named: list[tuple[str, str]]
    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]


def _left(directory: Path, table: Table) -> Order:
    """What a move that was killed has left where it was."""
    rows = [row for row in table.rows if os.path.lexists(directory / row[1])]
    return Order([(row[1], row[0]) for row in rows], table.columns, rows)


def _order(scored: "Scored", chosen: np.ndarray, settings: HandingOnSettings) -> Order:
    """Of the images at these positions, with new names as the format says."""
    rank = ranks(scored.scores[:, 0])
    positions = chosen[rank[chosen].argsort()]
    named = _named(scored, positions, rank, settings.names)
    ranked = not settings.as_they_come
    columns = ["relative_path", "source", *["rank"] * ranked, *columns_of(scored.models)[1:]]
    known = zip(named, rank[positions].tolist(), rows_of(scored.part(positions)), strict=True)
    return Order(named, columns, [[name, path, *[place] * ranked, *row[1:]] for (path, name), place, row in known])


@contextmanager
def _alone(way: str, target: Path) -> Iterator[None]:
    """No other run puts anything into the folder, which is made, meanwhile. What a killed one left half is gone."""
    try:
        target.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"--{way}_to={target}: can't be made ({error.strerror}); name another folder")
    with claimed(target / "scores.csv", "a run that copies, moves or links images"):
        remove_parts(target)
        yield


def _named(scored: "Scored", order: np.ndarray, rank: np.ndarray, text: str) -> list[tuple[str, str]]:
    """(relative path, new name) of the images at these positions; rank: (N,) of all."""
    scores, percentiles = scored.scores[:, 0], scored.models[0].percentiles(scored.scores[:, 0])
    values = [{"rank": int(rank[i]), "score": float(scores[i]), "percentile": float(percentiles[i])} for i in order]
    paths = [scored.paths[i] for i in order]
    return [(path, new_name(text, path, value)) for path, value in zip(paths, values, strict=True)]


class Step(NamedTuple):
    """One image and where it goes, or lies already. path: relative, as it was; target: its new place."""

    path: str
    source: Path
    target: Path
    there: bool
    siblings: list[Sibling]
    folder: Folder | None


def plan(
    way: str, directory: Path, target: Path, named: Sequence[tuple[str, str]], with_siblings: bool = True
) -> list[Step]:
    """Where each image goes. named: (relative path, new name).

    A name that is taken, by a file there or another image, gets a number: a.png, a_2.png. So does one whose siblings'
    names are taken, or that would take another image's siblings for its own.
    """
    there = find_there(target, directory, named, links=way == "link")
    names, folders, steps = NamesThere(target), dict[Path, Folder](), list[Step]()
    for path, name in named:
        source, folder = directory / path, None
        if with_siblings and source.parent.is_dir():
            folder = folders.get(source.parent) or folders.setdefault(source.parent, Folder(source.parent))
        if path not in there:
            name = names.take(path, name, partial(_siblings, folder, source.name))
        place = there.get(path, target / name)
        siblings = _siblings(folder, source.name, place.name)
        steps.append(Step(path, source, place, path in there, siblings, folder))
    return steps


def _siblings(folder: Folder | None, image: str, new: str) -> list[Sibling]:
    return folder.of(image, new) if folder else []


def _planned(way: str, step: Step) -> Iterator[str]:
    if step.there:
        removed = ", and would be removed here" if way == "move" else ""
        yield f"{shown(step.path)} is there already as {shown(str(step.target))}{removed}"
    else:
        yield f"would {way} {shown(step.path)} -> {shown(str(step.target))}"
    for sibling in step.siblings:
        if not same_content(sibling.source, step.target.with_name(sibling.name)):
            yield f"  with {shown(sibling.source.name)} -> {shown(sibling.name)}"


@dataclass
class Done:
    """How far it came."""

    steps: int = 0
    images: int = 0
    siblings: int = 0


def carry_out(
    way: str,
    target: Path,
    steps: Sequence[Step],
    columns: Sequence[str],
    rows: Sequence[Sequence[Any]],
    asked: str = "",
    write: Callable[[Path, Sequence[str], Sequence[Sequence[Any]]], Path] = write_table,
) -> str:
    """Copy, move or link, with a table of what went where, written before the first image moves.

    rows: one for each step; those of images that are there already are left out. asked: see `hand_on`. write: puts
    rows into a table of the folder. Returns what to say. Raises UserError where something fails, saying how far it
    came; nothing is ever overwritten.
    """
    done, table = Done(), None
    try:
        new = [[s.target.name, s.path, *row[2:]] for s, row in zip(steps, rows, strict=True) if not s.there]
        if new:
            target.mkdir(parents=True, exist_ok=True)
            table = write(target, columns, new)
        if way == "move" and table and asked:
            note_move(target, asked, table)
        for step in steps:
            _carry(way, step, done)
    except OSError as error:
        where = steps[done.steps].path if done.steps < len(steps) else target
        said = error.strerror or error
        raise UserError(f"{target}: could not {way} {where} ({said}); {number_of(done.steps, 'image', 'is')} there")
    return _summary(way, target, done, table)


def _summary(way: str, target: Path, done: Done, table: Path | None) -> str:
    parts = [f"{number_of(done.images, 'image')} {DONE[way]} to {target}"]
    parts += [f"{done.steps - done.images} were there already"] if done.steps > done.images else []
    parts += [f"{number_of(done.siblings, 'file')} of theirs went along"] if done.siblings else []
    return ", ".join(parts) + (f"; see {table.name} there." if table else ".")


def _carry(way: str, step: Step, done: Done) -> None:
    """One image with its siblings. Of a move the source goes last: killed at any moment, it can be done again."""
    act = {"copy": copy_new, "move": add_name, "link": link_new}[way]
    if not step.there:
        act(step.source, step.target)
        done.images += 1
    came = [sibling for sibling in step.siblings if _bring(act, way, step, sibling, done)]
    if way == "move":
        _remove(step, came)
    done.steps += 1


def _remove(step: Step, came: Sequence[Sibling]) -> None:
    """What was moved, but for siblings that other files need."""
    for sibling in came:
        if step.folder and not step.folder.is_shared(sibling.source.name):
            sibling.source.unlink(missing_ok=True)
    step.source.unlink()
    if step.folder:
        step.folder.gone(step.source.name)


def _bring(act: Callable[[Path, Path], None], way: str, step: Step, sibling: Sibling, done: Done) -> bool:
    """Whether a sibling is there now. Where another file has its name, it gets the image's whole name and its ending.

    What a person has changed since an image was copied or linked stays.
    """
    again = step.there and way != "move"
    names = [sibling.name] if again else [sibling.name, step.target.name + sibling.source.suffix]
    for place in map(step.target.with_name, names):
        if os.path.lexists(place):
            if same_content(sibling.source, place):
                return True
            continue
        try:
            act(sibling.source, place)
        except OSError as error:
            if error.errno == errno.ENAMETOOLONG:
                continue
            raise
        done.siblings += 1
        return True
    if not again:
        note(f"note: {shown(str(sibling.source))}: stays, for there are other files of its names")
    return False
