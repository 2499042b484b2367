"""One HTML file that needs nothing else: points in a plane; the one under the mouse shows its picture."""

import json
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'"
WIDTH, HEIGHT, EDGE = 900, 640, 24  # of the drawing, and free around the points
STYLE = """
:root { color-scheme: light dark; }
body { font: 15px/1.4 system-ui, sans-serif; margin: 24px auto; max-width: 940px; padding: 0 12px; }
svg { width: 100%; max-height: calc(100vh - 320px); min-height: 300px; border: 1px solid #8886; border-radius: 6px; }
circle { cursor: pointer; fill-opacity: .75; }
circle:focus, circle.on { stroke: currentColor; stroke-width: 2; outline: none; fill-opacity: 1; }
.legend span { margin-right: 18px; white-space: nowrap; }
.legend i { display: inline-block; width: 11px; height: 11px; border-radius: 50%; margin-right: 6px; }
#shown { display: flex; gap: 14px; align-items: center; min-height: 110px; }
#shown { position: sticky; bottom: 0; background: Canvas; } /* always in view */
"""
SCRIPT = """
const points = JSON.parse(document.getElementById("points").textContent);
const shown = document.getElementById("shown"), picture = document.createElement("img");
const words = document.createElement("div");
function show(circle) {
  document.querySelectorAll("circle.on").forEach(other => other.classList.remove("on"));
  circle.classList.add("on");
  const point = points[circle.dataset.i];
  picture.src = point.picture;
  picture.alt = point.path;
  words.textContent = point.path + " \\u2013 " + point.style + ", cluster " + point.cluster;
  shown.replaceChildren(picture, words);
}
for (const kind of ["mouseover", "focusin", "click"])
  document.querySelector("svg").addEventListener(kind, event => {
    if (event.target.dataset.i !== undefined) show(event.target);
  });
"""


def points_page(
    title: str, labels: Sequence[str], points: Sequence[Mapping[str, Any]], legend: Mapping[str, str]
) -> str:
    """points: each with x, y, colour, path, style, cluster, and picture, a data: URL. legend: {style: colour}."""
    colours = "".join(f'<span><i style="background:{c}"></i>{escape(name)}</span>' for name, c in legend.items())
    known = [{key: point[key] for key in ("path", "style", "cluster", "picture")} for point in points]
    # In a script element nothing is escaped but what could end it.
    data = json.dumps(known, ensure_ascii=True).replace("<", "\\u003c")
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{POLICY}">
<title>{escape(title)}</title>
<style>{STYLE}</style>
</head>
<body>
<h1>{escape(title)}</h1>
<p class="legend">{colours}</p>
<svg viewBox="0 0 {WIDTH} {HEIGHT}">{_circles(points)}</svg>
<p>Across: {escape(labels[0])}. Up: {escape(labels[1])}.</p>
<div id="shown">Point at an image, or go through them with the Tab key.</div>
<script type="application/json" id="points">{data}</script>
<script>{SCRIPT}</script>
</body>
</html>
"""


def _circles(points: Sequence[Mapping[str, Any]]) -> str:
    xs, ys = [point["x"] for point in points], [point["y"] for point in points]
    across = (WIDTH - 2 * EDGE) / ((max(xs) - min(xs)) or 1)
    up = (HEIGHT - 2 * EDGE) / ((max(ys) - min(ys)) or 1)
    return "".join(
        f'<circle data-i="{i}" tabindex="0" r="5" fill="{point["colour"]}" '
        f'cx="{EDGE + (point["x"] - min(xs)) * across:.1f}" cy="{HEIGHT - EDGE - (point["y"] - min(ys)) * up:.1f}"/>'
        for i, point in enumerate(points)
    )
