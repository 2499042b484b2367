"""The page itself: one HTML file that asks nobody for anything but, to enlarge them, the images where they lie."""

import json
from collections.abc import Iterator, Sequence
from html import escape
from os import fsencode
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO
from urllib.parse import quote

import numpy as np

from ...common import UserError, address, check_writable, page_head, replacing
from ..settings import GallerySettings
from ..xmp import star_ratings
from .pictures import MOST_INSIDE, beside, folder_beside, inside, remove_others

if TYPE_CHECKING:
    from ..models import Scored

STATIC = Path(__file__).with_name("static")
SCRIPTS = ("shared.js", "filter.js", "grid.js", "picks.js", "zoom.js", "view.js", "keys.js")  # in this order
BLOCK = 100  # pictures in one element of the page: the first ones are there before the last ones are read


def check_gallery(settings: GallerySettings) -> Path | None:
    """The page's path, None where none is asked for; refused now rather than after an hour."""
    if not settings.gallery:
        return None
    page = Path(settings.gallery).expanduser()
    if page.suffix.lower() not in (".html", ".htm"):
        raise UserError(f"--gallery={settings.gallery}: a page ends with .html, such as gallery.html")
    check_writable("gallery", page)
    if folder_beside(page).exists() and not folder_beside(page).is_dir():
        raise UserError(f"--gallery={page}: {folder_beside(page)} is a file; the pictures would go there")
    return page


def write_gallery(
    page: Path, directory: Path, scored: "Scored", settings: GallerySettings, again: str, reload: bool = False
) -> None:
    """Replace the page by one of these images, best first by the first model, the earlier path first where they tie.

    again: the command that does something with a list of them, but for --list. reload: the page looks for a newer one
    by itself. Raises UserError where it can't be written.
    """
    best_first = scored.part(np.argsort(-scored.scores[:, 0], kind="stable"))
    is_inside = len(best_first) <= MOST_INSIDE and not reload
    names = None if is_inside else beside(page, directory, best_first.paths, progress=not reload)
    about = {
        "inside": is_inside,
        "block": BLOCK,
        "names": names,
        "thumbnails": f"{quote(folder_beside(page).name)}/",
        "reload": reload,
        "again": again,
        "images": f"{address(directory, page)}/",
        "directory": str(directory.resolve()),
        **_columns(best_first, settings.stars),
    }
    with replacing(page) as temporary, temporary.open("wb") as file:
        _write_page(file, f"{directory.resolve().name}, best first", about)
        for number, block in enumerate(_blocks(inside(directory, best_first.paths)) if is_inside else ()):
            file.write(_data(f"block{number}", block))
        file.write(b"</body>\n</html>\n")
    remove_others(page, names or [])


def _columns(scored: "Scored", limits: Sequence[float]) -> dict[str, Any]:
    """What is known of each image; percentiles and stars only of a model that knows its train images."""
    percentiles = scored.models[0].percentiles(scored.scores[:, 0])
    known = bool(np.isfinite(percentiles).all()) and len(percentiles) > 0
    odd = {row: quote(fsencode(path)) for row, path in enumerate(scored.paths) if not _is_text(path)}
    return {
        "paths": list(scored.paths),
        "addresses": odd,  # of names that are no text: a browser can't know their bytes
        "scores": [float(f"{score:.5g}") for score in scored.scores[:, 0].tolist()],
        "percentiles": [round(p, 1) for p in percentiles.tolist()] if known else None,
        "stars": star_ratings(percentiles, limits).tolist() if known else None,
    }


def _is_text(path: str) -> bool:
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True


def _blocks(items: Iterator[str | None]) -> Iterator[list[str | None]]:
    block: list[str | None] = []
    for item in items:
        block.append(item)
        if len(block) == BLOCK:
            yield block
            block = []
    if block:
        yield block


def _data(name: str, value: Any) -> bytes:
    """JSON as an element of the page; ASCII, and nothing in it ends the element."""
    text = json.dumps(value, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")
    return f'<script type="application/json" id="{name}">{text}</script>\n'.encode("ascii")


def _write_page(file: BinaryIO, title: str, about: dict[str, Any]) -> None:
    """All but the pictures within it. The script comes before them, as it can show the first ones already."""
    parts = [(STATIC / name).read_text(encoding="utf-8") for name in SCRIPTS]
    script = "\n" + "\n".join(["(() => {", '"use strict";', *parts, "})();"]) + "\n"
    style = (STATIC / "gallery.css").read_text(encoding="utf-8")
    body = (STATIC / "body.html").read_text(encoding="utf-8")
    head = page_head(title, style, script)
    file.write(head.encode("utf-8", "replace"))
    file.write(body.replace("{title}", escape(title)).encode("utf-8", "replace"))
    file.write(_data("about", about))
    file.write(f"<script>{script}</script>\n".encode())
