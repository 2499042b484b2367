"""Find images below a directory; what systems and programs put there is left out, and counted."""

import os
import stat
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import NamedTuple

from ...common import Names, UserError, note
from .archives import SUFFIXES as ARCHIVES
from .archives import members
from .kinds import EXTRAS, RAW, kind_of_foreign, readable_suffixes
from .remote import objects_below

# Folders that a person did not fill: thumbnails, bins, previews of catalogues. Small letters; * is any text.
FOLDERS_OF_PROGRAMS = (
    *("@eadir", "#recycle", "#snapshot", "@tmp", "@recycle", "@recently-snapshot", ".@__thumb"),  # Synology, QNAP
    *("$recycle.bin", "system volume information", "found.[0-9][0-9][0-9]"),  # Windows
    *("lost+found", ".trash", ".trash-*", ".trashes", "network trash folder", "temporary items"),  # Unix, macOS
    *(
        "*.thumbnails",
        "mipmaps-*.d",
        "__macosx",
        "ipod photo cache",
        "appdata_oc*",
    ),  # Android, we, darktable, Nextcloud
    *("*.lrdata", "*.lrcat-data", "captureone/cache", "*/captureone/cache", "*.cocatalog"),  # Lightroom, Capture One
    *("*.photoslibrary", "*.photolibrary", "*.migratedphotolibrary", "*.aplibrary"),  # Apple's, originals and all
)
MOST_NAMES = 5  # in a message


@dataclass
class Found:
    """paths: relative, with `/`, sorted. left_out: {name of a folder or pattern: images in it}.

    foreign: {kind: images of it that can't be read}, kinds as `kind_of_foreign` has them. no_files: pipes and
    devices that are called like images.
    """

    paths: Names = field(default_factory=Names)
    left_out: Counter[str] = field(default_factory=Counter)
    foreign: Counter[str] = field(default_factory=Counter)
    no_files: int = 0

    def lines(self) -> list[str]:
        """What a person should know of what is not in `paths`."""
        return [*_left_out_lines(self.left_out), *_foreign_lines(self.foreign), *_no_file_lines(self.no_files)]


def find_images(
    directory: Path, exclude: Sequence[str] = (), say: bool = True, in_archives: bool = False
) -> list[str]:
    """Relative paths (with `/`, sorted) of every image in `directory` and its sub-folders.

    Left out: hidden files and folders (a leading dot; on Windows also the hidden attribute), other suffixes, folders
    of systems and programs, what matches a pattern of `exclude` (see `is_left_out`), raw files beside an image of the
    same name, whatever is no regular file. Links to folders are followed unless they lead back to a folder they lie
    in. say: name on stderr what is left out, and each sub-folder that can't be listed. in_archives: tar files
    and zip archives count as folders. Raises UserError if `directory` is not a folder that can be listed.
    """
    return list(find_names(directory, exclude, say, in_archives))


def find_names(directory: Path, exclude: Sequence[str] = (), say: bool = True, in_archives: bool = False) -> Names:
    """As `find_images`, in a quarter of the memory: for folders of millions."""
    found = look_for_images(directory, exclude, say, in_archives)
    for line in found.lines() if say else []:
        note(f"note: {line}")
    return found.paths


def look_for_images(
    directory: Path, exclude: Sequence[str] = (), say: bool = True, in_archives: bool = False
) -> Found:
    """As `find_images`, with what was left out counted instead of said."""
    suffixes = readable_suffixes().union(ARCHIVES if in_archives else ())
    walk = _Walk([_plain_pattern(pattern) for pattern in exclude], suffixes, say)
    try:
        walk.through(Path(directory), "", (), "")
    except NotADirectoryError:
        raise UserError(f"{directory}: is a file; give the directory that holds the images")
    except OSError as error:
        raise UserError(f"{directory}: {error.strerror or error}; give an existing directory that holds images")
    if in_archives:
        walk.found.paths = Names(_with_members(directory, walk.found.paths, exclude))
    walk.found.paths.sort()
    return walk.found


def _with_members(directory: Path, paths: Sequence[str], exclude: Sequence[str]) -> Iterator[str]:
    for path in paths:
        try:
            yield from expanded(directory, path, exclude)
        except UserError as error:
            note(f"note: {error}")


def expanded(directory: Path, path: str, exclude: Sequence[str] = ()) -> list[str]:
    """The images in an archive, sorted, by their paths through it; of any other path itself.

    Raises UserError where the archive can't be read.
    """
    if _suffix(path) not in ARCHIVES or not (directory / path).is_file():
        return [path]
    suffixes = readable_suffixes()
    names = [name for name in members(directory / path) if _suffix(name) in suffixes]
    return [f"{path}/{name}" for name in names if not is_left_out(f"{path}/{name}", exclude)]


def images_below(address: str, exclude: Sequence[str] = ()) -> list[str]:
    """Addresses of every image below a remote folder, sorted; left out is what `is_left_out`.

    Raises UserError where it can't be listed.
    """
    suffixes, root = readable_suffixes(), address.rstrip("/") + "/"
    found = [each for each in objects_below(address) if _suffix(each) in suffixes]
    return [each for each in found if not is_left_out(each.removeprefix(root), exclude)]


def is_left_out(path: str, exclude: Sequence[str] = ()) -> bool:
    """Whether `find_images` passes over this relative path (with `/`) for a name or folder in it.

    A pattern without `/` is that of a name of a file or folder, one with `/` of a relative path; * stands for any
    text, ? for any character; case does not matter.
    """
    patterns = [_plain_pattern(pattern) for pattern in exclude]
    parts = path.split("/")
    places = [_Place("/".join(parts[: i + 1]), part, i < len(parts) - 1) for i, part in enumerate(parts)]
    return any(place.name.startswith(".") or _reason(place, patterns) for place in places)


def leading_out(directory: Path, paths: Sequence[str]) -> list[str]:
    """Those of these relative paths that are, or go through, links to what lies outside of the directory."""
    root = directory.resolve()
    folders = {folder: _is_outside(directory / folder, root) for folder in {_folder(path) for path in paths}}
    return [
        path
        for path in paths
        if folders[_folder(path)] or ((directory / path).is_symlink() and _is_outside(directory / path, root))
    ]


def _folder(path: str) -> str:
    return path.rpartition("/")[0]


def _is_outside(path: Path, root: Path) -> bool:
    """False where it leads nowhere."""
    try:
        return not path.resolve().is_relative_to(root)
    except (OSError, RuntimeError):  # a link to itself
        return False


class _Place(NamedTuple):
    path: str
    name: str
    is_folder: bool


def _reason(place: _Place, patterns: Sequence[str]) -> str:
    """The name that what lies here is left out under; empty where it is not."""
    if place.is_folder and any(_fits(place, pattern) for pattern in FOLDERS_OF_PROGRAMS):
        return place.name
    return next((pattern for pattern in patterns if _fits(place, pattern)), "")


def _fits(place: _Place, pattern: str) -> bool:
    return fnmatchcase((place.path if "/" in pattern else place.name).lower(), pattern)


def _plain_pattern(pattern: str) -> str:
    return pattern.replace("\\", "/").removeprefix("./").rstrip("/").lower()


@dataclass
class _Walk:
    patterns: list[str]
    suffixes: frozenset[str]
    say: bool
    found: Found = field(default_factory=Found)

    def through(self, folder: Path, prefix: str, above: tuple[tuple[int, int], ...], counted: str) -> None:
        """counted: all that is in here is left out under this name."""
        status = folder.stat()
        here = (status.st_dev, status.st_ino)
        if here in above:  # a link back to a folder that we are in
            return
        with os.scandir(folder) as entries:
            listed = list(entries)
        files: list[str] = []
        for entry in listed:
            is_folder = self._is_folder(entry)
            why = counted or _reason(_Place(prefix + entry.name, entry.name, is_folder), self.patterns)
            if _is_hidden(entry) and not (is_folder and why and not counted):
                continue
            if is_folder:
                self._below(Path(entry.path), f"{prefix}{entry.name}/", (*above, here), why)
            elif self._is_called_image(entry):
                if _is_file(entry):
                    self._take(entry.name, why, files)
                elif not why:
                    self.found.no_files += 1
        self._sort_out(prefix, files)

    def _take(self, name: str, why: str, files: list[str]) -> None:
        if not why:
            files.append(name)
        elif _suffix(name) in self.suffixes:
            self.found.left_out[why] += 1

    def _sort_out(self, prefix: str, files: list[str]) -> None:
        """Of the files of one folder: a raw file beside an image of the same name is the same picture."""
        others = {_stem(name) for name in files if _suffix(name) in self.suffixes - RAW.suffixes}
        for name in files:
            suffix = _suffix(name)
            if suffix in RAW.suffixes and _stem(name) in others:
                continue
            if suffix in self.suffixes:
                self.found.paths.append(prefix + name)
            else:
                self.found.foreign[kind_of_foreign(suffix)] += 1

    def _is_called_image(self, entry: os.DirEntry[str]) -> bool:
        suffix = _suffix(entry.name)
        return suffix in self.suffixes or bool(kind_of_foreign(suffix))

    def _is_folder(self, entry: os.DirEntry[str]) -> bool:
        """Also of a link to itself or into a forbidden folder, unless by its name it leads to an image."""
        try:
            return entry.is_dir()
        except OSError:
            return _suffix(entry.name) not in self.suffixes

    def _below(self, folder: Path, prefix: str, above: tuple[tuple[int, int], ...], counted: str) -> None:
        try:
            self.through(folder, prefix, above, counted)
        except OSError as error:
            if self.say and not counted:
                note(f"note: {folder}: can't be listed ({error.strerror}); its images are left out")


def _suffix(name: str) -> str:
    return os.path.splitext(name)[1].lower()  # noqa: PTH122 (a Path for each file would take longer than the walk)


def _stem(name: str) -> str:
    return os.path.splitext(name)[0].lower()  # noqa: PTH122


def _is_file(entry: os.DirEntry[str]) -> bool:
    """A broken link too: it is reported when it can't be opened."""
    if not entry.is_symlink():
        return entry.is_file()
    try:
        return stat.S_ISREG(entry.stat().st_mode)
    except OSError:
        return True


def _is_hidden(entry: os.DirEntry[str]) -> bool:
    if entry.name.startswith("."):
        return True
    if sys.platform != "win32":
        return False
    return bool(entry.stat(follow_symlinks=False).st_file_attributes & stat.FILE_ATTRIBUTE_HIDDEN)


def _left_out_lines(left_out: Counter[str]) -> list[str]:
    if not (images := left_out.total()):
        return []
    names = list(left_out)
    more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
    return [f"{_counted(images)} in {', '.join(names[:MOST_NAMES])}{more} {_are(images)} left out"]


def _foreign_lines(foreign: Counter[str]) -> list[str]:
    lines = []
    for kind, images in sorted(foreign.items()):
        extra = next((extra for extra in EXTRAS if extra.name == kind), None)
        it = "it" if images == 1 else "them"
        cure = f"pip install {extra.package} reads {it}" if extra else f"nothing here reads {it}; save as PNG"
        lines.append(f"{_counted(images, kind)} {_are(images)} left out; {cure}")
    return lines


def _no_file_lines(no_files: int) -> list[str]:
    if not no_files:
        return []
    return [f"{_counted(no_files)} by name {_are(no_files)} left out; pipes and devices are no files"]


def _counted(images: int, kind: str = "") -> str:
    return " ".join(filter(None, [str(images), kind, "image" if images == 1 else "images"]))


def _are(images: int) -> str:
    return "is" if images == 1 else "are"
