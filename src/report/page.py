"""The page of a report: one HTML file that needs nothing else and asks nobody for anything. Everything is escaped."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from ..common import page_head

STYLE, SCRIPT = Path(__file__).with_name("style.css"), Path(__file__).with_name("report.js")
VIEW = """<dialog id="view" aria-label="Enlarged"><img alt=""><p></p>
<div><button data-step="-1" aria-label="The image before">←</button>
<button data-step="1" aria-label="The next image">→</button> <button>Close</button></div></dialog>
<div id="pointed" role="status" hidden><img alt=""><p></p></div>"""


@dataclass(frozen=True)
class Tile:
    """One large number: what it is, its value, and what to know of it."""

    label: str
    value: str
    note: str


@dataclass(frozen=True)
class Plot:
    """svg: an `<svg>` element, the one thing here that isn't escaped. caption: what it shows and how to read it.

    points: of a map, what is shown where it is pointed at; see `map_points`.
    """

    title: str
    svg: str
    caption: str
    points: Mapping[str, Any] | None = None


def map_points(
    places: np.ndarray, paths: Sequence[str], addresses: Sequence[str], scores: np.ndarray
) -> dict[str, Any]:
    """places: (N, 2) in the picture, from its upper left corner, 0 to 1. addresses: of the images, from the page."""
    names = [path.encode("utf-8", "surrogateescape").decode("utf-8", "replace") for path in paths]
    known = {"names": names, "addresses": [*addresses], "scores": [round(score, 4) for score in scores.tolist()]}
    return {"points": places.round(4).tolist(), **known}


@dataclass(frozen=True)
class Thumbnail:
    """url: data:, None where it can't be read. address: of the image itself. score, model_score: in score units."""

    path: str
    url: str | None
    score: float
    model_score: float
    address: str = ""


def page(
    title: str, lead: str, facts: Sequence[tuple[str, str]], tiles: Sequence[Tile], sections: Sequence[str]
) -> str:
    """The whole page. lead: the sentence below the title. facts: (name, value), small. sections: HTML."""
    script = SCRIPT.read_text(encoding="utf-8")
    known = "".join(f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>" for name, value in facts)
    head = page_head(title, STYLE.read_text(encoding="utf-8"), script)
    return f"""{head}<main>
<header>
<h1>{escape(title)}</h1>
<p class="lead">{escape(lead)}</p>
<dl class="facts">{known}</dl>
</header>
<section class="tiles" aria-label="Summary">{"".join(_tile(tile) for tile in tiles)}</section>
{"".join(sections)}
</main>
{VIEW}
<script>{script}</script>
</body>
</html>
"""


def section(title: str, *parts: str, note: str = "") -> str:
    """A heading, a paragraph below it, and parts that are HTML already."""
    paragraph = f'<p class="note">{escape(note)}</p>' if note else ""
    return f"<section><h2>{escape(title)}</h2>{paragraph}{''.join(parts)}</section>\n"


def paragraphs(lines: Sequence[str]) -> str:
    """Each line a paragraph."""
    return "".join(f"<p>{escape(line)}</p>" for line in lines)


def table(rows: Sequence[Sequence[str]]) -> str:
    """Cells, a header first; the first column to the left.

    Where it is too wide it scrolls by itself, with a shadow at the edge; on a phone each row is a block of its own,
    in which every cell says its column.
    """
    head = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in rows[0])
    body = "".join(_row(rows[0], row) for row in rows[1:])
    return (
        f'<div class="scroll" tabindex="0"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'
    )


def _row(header: Sequence[str], row: Sequence[str]) -> str:
    named = zip(header[1:], row[1:], strict=True)
    cells = (f'<td data-column="{escape(name)}">{escape(cell)}</td>' for name, cell in named)
    return f'<tr><th scope="row">{escape(row[0])}</th>{"".join(cells)}</tr>'


def plots(items: Sequence[Plot]) -> str:
    """Figures in a grid."""
    return f'<div class="plots">{"".join(_plot(item) for item in items)}</div>'


def gallery(title: str, note: str, items: Sequence[Thumbnail]) -> str:
    """Thumbnails with both scores; the file's name shows below, and whole when pointed at."""
    figures = "".join(_thumbnail(item) for item in items) or "<p>none</p>"
    return f'<h3>{escape(title)}</h3><p class="note">{escape(note)}</p><div class="gallery">{figures}</div>'


def _tile(tile: Tile) -> str:
    label, value, note = escape(tile.label), escape(tile.value), escape(tile.note)
    return f'<div class="tile"><span class="label">{label}</span><strong>{value}</strong><small>{note}</small></div>'


def _plot(plot: Plot) -> str:
    known, label = "", f'role="img" aria-label="{escape(plot.title)}"'
    if plot.points:
        text = json.dumps(plot.points, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")
        known = f'<script type="application/json" id="map-points">{text}</script>'
        label = (
            f'role="application" tabindex="0" aria-label="{escape(plot.title)}; arrow keys go from image to image"'
        )
    svg = plot.svg.replace("<svg", f"<svg {label}", 1)
    return (
        f"<figure><h3>{escape(plot.title)}</h3>{svg}{known}<figcaption>{escape(plot.caption)}</figcaption></figure>"
    )


def _frame(picture: str, path: str, item: Thumbnail) -> str:
    if not (item.url and item.address):
        return f'<div class="frame">{picture}</div>'
    return (
        f'<button class="frame" aria-label="Enlarge {path}" data-address="{escape(item.address)}">{picture}</button>'
    )


def _thumbnail(item: Thumbnail) -> str:
    path, name = escape(item.path), escape(item.path.rpartition("/")[2])
    picture = f'<img src="{item.url}" alt="{path}">' if item.url else '<div class="missing">can’t be read</div>'
    scores = (
        f'<span class="you">{item.score:.2f}</span><span class="arrow"> → </span>'
        f'<span class="model">{item.model_score:.2f}</span>'
    )
    return (
        f'<figure title="{path}">{_frame(picture, path, item)}'
        f'<figcaption><span class="scores">{scores}</span><span class="name">{name}</span></figcaption></figure>'
    )
