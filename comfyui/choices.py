"""A choice among images in ComfyUI, into the comparisons file that the A/B scorer and training read."""

import hashlib
import os.path
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..src.common import UserError, replacing

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.PngImagePlugin import PngInfo

FOLDER = "chosen_between"  # where the images are saved, beside the comparisons file


def comparisons_path(text: str, output: str | Path) -> Path:
    """The comparisons file; a relative path is below ComfyUI's output folder, and so must it be.

    A workflow may come from anybody, so that it can't write anywhere else.
    """
    root = Path(output).absolute()
    path = Path(os.path.normpath(root / text.strip()))  # links stay: whoever made one wants it followed
    if not text.strip() or root not in path.parents or path.is_dir():
        raise UserError(
            f"comparisons: {text[:200]!r} is no file below {root}; give such as aesthetic/comparisons.sqlite"
        )
    return path


def log_choice(
    images: "Sequence[Image]", picked: Sequence[int], path: Path, rater: str, texts: "PngInfo | None" = None
) -> int:
    """Saves the images beside the comparisons file, and stores that each picked one was better than all others.

    Returns how many comparisons that are: more than one of several picked, or where there are more images than a
    screen holds; none where all or none were picked. The same choice between the same images is stored once.
    """
    from ..src.features import content_hash
    from ..src.ratings import Comparisons

    chosen = set(picked)
    if not chosen or len(chosen) == len(images):
        return 0
    (path.parent / FOLDER).mkdir(parents=True, exist_ok=True)
    files = [_save(image, path.parent / FOLDER, texts) for image in images]
    hashes = {f"{FOLDER}/{file.name}": content_hash(file) for file in files}
    with Comparisons(path, rater) as comparisons:
        known = comparisons.register(hashes).ids
        ids = [known[f"{FOLDER}/{file.name}"] for file in files]
        screens = _screens(ids, [ids[i] for i in picked])
        for winner, shown in screens:
            comparisons.add_choice(shown, winner, client_id=_name(rater, winner, shown))
    return len(screens)


def _screens(ids: Sequence[int], winners: Sequence[int]) -> list[tuple[int, list[int]]]:
    """(winner, shown) of each winner against all that lost, in the order of `ids`; copies of one image are one."""
    from ..src.ratings import MOST_AT_ONCE

    losers = [image for image in dict.fromkeys(ids) if image not in winners]
    parts = [losers[i : i + MOST_AT_ONCE - 1] for i in range(0, len(losers), MOST_AT_ONCE - 1)]
    return [(one, sorted([one, *part], key=ids.index)) for one in dict.fromkeys(winners) for part in parts]


def _save(image: "Image", folder: Path, texts: "PngInfo | None") -> Path:
    """The file of these pixels, made where there is none: the same image is one file, whenever it comes."""
    digest = hashlib.blake2b(repr((image.mode, image.size)).encode() + image.tobytes(), digest_size=12)
    file = folder / f"{digest.hexdigest()}.png"
    if not file.exists():
        with replacing(file) as temporary:
            image.save(temporary, format="PNG", pnginfo=texts, compress_level=4)
    return file


def _name(rater: str, winner: int, shown: Sequence[int]) -> str:
    """A choice by a name, so that running a workflow again does not store it again."""
    return "comfyui " + hashlib.blake2b(repr((rater, winner, list(shown))).encode(), digest_size=12).hexdigest()
