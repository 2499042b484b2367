"""The page of a report: one HTML file that needs nothing else and asks nobody for anything. Everything is escaped."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

STYLE = Path(__file__).with_name("style.css")
# The browser itself refuses whatever a mistake here might ask for.
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


@dataclass(frozen=True)
class Tile:
    """One large number: what it is, its value, and what to know of it."""

    label: str
    value: str
    note: str


@dataclass(frozen=True)
class Plot:
    """svg: an `<svg>` element, the one thing here that isn't escaped. caption: what it shows and how to read it."""

    title: str
    svg: str
    caption: str


@dataclass(frozen=True)
class Thumbnail:
    """url: data:, None where the image can't be read. score, model_score: in score units."""

    path: str
    url: str | None
    score: float
    model_score: float


def page(
    title: str, lead: str, facts: Sequence[tuple[str, str]], tiles: Sequence[Tile], sections: Sequence[str]
) -> str:
    """The whole page. lead: the sentence below the title. facts: (name, value), small. sections: HTML."""
    known = "".join(f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>" for name, value in facts)
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="{POLICY}">
<link rel="icon" href="data:,">
<title>{escape(title)}</title>
<style>
{STYLE.read_text(encoding="utf-8")}</style>
</head>
<body>
<main>
<header>
<h1>{escape(title)}</h1>
<p class="lead">{escape(lead)}</p>
<dl class="facts">{known}</dl>
</header>
<section class="tiles" aria-label="Summary">{"".join(_tile(tile) for tile in tiles)}</section>
{"".join(sections)}
</main>
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
    svg = plot.svg.replace("<svg", f'<svg role="img" aria-label="{escape(plot.title)}"', 1)
    return f"<figure><h3>{escape(plot.title)}</h3>{svg}<figcaption>{escape(plot.caption)}</figcaption></figure>"


def _thumbnail(item: Thumbnail) -> str:
    path, name = escape(item.path), escape(item.path.rpartition("/")[2])
    picture = f'<img src="{item.url}" alt="{path}">' if item.url else '<div class="missing">can’t be read</div>'
    scores = (
        f'<span class="you">{item.score:.2f}</span><span class="arrow"> → </span>'
        f'<span class="model">{item.model_score:.2f}</span>'
    )
    return (
        f'<figure title="{path}"><div class="frame">{picture}</div>'
        f'<figcaption><span class="scores">{scores}</span><span class="name">{name}</span></figcaption></figure>'
    )
