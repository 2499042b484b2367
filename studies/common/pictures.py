"""The pictures that every study leaves: histories, rows of images. All on white, all as PNG."""

import base64
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from PIL import Image, ImageDraw, ImageFont

from src.common import replacing

INK, LINE = "#22262b", "#d9dde2"
COLOURS = (
    "#2f6fc4",
    "#d9622b",
    "#2f9469",
    "#9b4fb0",
    "#c4a02f",
    "#c23b5a",
    "#4fb0b8",
    "#7a6a5a",
    "#8d97a3",
    "#5a4fd9",
)
FAR = 20  # times the smallest number: on a plain axis it would lie on the floor
CELL, GAP = 96, 4  # pixels of an image in a sheet, and between two


def write_figure(path: Path, figure: Figure, dpi: int = 100) -> None:
    """As PNG; the figure either is there whole, or the one before it is."""
    with replacing(path) as temporary:
        figure.savefig(temporary, format="png", dpi=dpi, facecolor="white")


def draw_history(path: Path, rows: Sequence[Mapping[str, float]], best: int) -> None:
    """Losses on the left, all other numbers of the epochs on the right; a dotted line at the best epoch.

    What is of val is dashed, in the colour of the same number of train. Numbers far apart: a logarithmic axis.
    """
    figure = Figure(figsize=(9, 3.4), layout="constrained")
    losses, others = figure.subplots(1, 2)
    epochs = [row["epoch"] for row in rows]
    of_train = list(dict.fromkeys(name.removeprefix("val_") for name in rows[0] if name != "epoch"))
    for name in (name for name in rows[0] if name != "epoch"):
        axes = losses if "loss" in name else others
        colour = COLOURS[of_train.index(name.removeprefix("val_")) % len(COLOURS)]
        dashes = "--" if name.startswith("val_") else "-"
        axes.plot(epochs, [row[name] for row in rows], color=colour, linestyle=dashes, label=name, linewidth=1.6)
    for axes in (losses, others):
        shown = [float(y) for line in axes.lines for y in line.get_ydata()]
        if shown and min(shown) > 0 and max(shown) > FAR * min(shown):
            axes.set_yscale("log")
        axes.axvline(best, color=INK, linewidth=1, linestyle=(0, (1, 3)))
        axes.set_xlabel("epoch")
        plain(axes)
        if axes.lines[1:]:
            axes.legend(frameon=False, fontsize=8)
    write_figure(path, figure)


def draw_sheet(
    path: Path,
    rows: Sequence[Sequence[np.ndarray]],
    labels: Sequence[str],
    titles: Sequence[str] = (),
    captions: Sequence[Sequence[str]] = (),
) -> None:
    """Rows of images (S, S, 3) uint8; labels: left of each row. titles: above each image of the first row.

    captions: below each image, a row of them for each row.
    """
    font = ImageFont.load_default(12)
    left = 8 + max(round(font.getlength(label)) for label in labels)
    top, columns, below = 18 if titles else 0, max(len(row) for row in rows), 18 if captions else 0
    down = CELL + GAP + below
    sheet = Image.new("RGB", (left + columns * (CELL + GAP), top + len(rows) * down), "white")
    pen = ImageDraw.Draw(sheet)
    for j, title in enumerate(titles):
        pen.text((left + j * (CELL + GAP) + CELL / 2, top / 2), title, fill=INK, font=font, anchor="mm")
    for i, (row, label) in enumerate(zip(rows, labels, strict=True)):
        y = top + i * down
        pen.text((left - 6, y + CELL / 2), label, fill=INK, font=font, anchor="rm")
        for j, image in enumerate(row):
            cell = Image.fromarray(image).resize((CELL, CELL), Image.Resampling.BICUBIC)
            sheet.paste(cell, (left + j * (CELL + GAP), y))
            if captions:
                place = left + j * (CELL + GAP) + CELL / 2, y + CELL + below / 2
                pen.text(place, captions[i][j], fill=INK, font=font, anchor="mm")
    with replacing(path) as temporary:
        sheet.save(temporary, format="png")


def plain(axes: object) -> None:
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)  # type: ignore[attr-defined]
    axes.grid(color=LINE, linewidth=0.6)  # type: ignore[attr-defined]
    axes.set_axisbelow(True)  # type: ignore[attr-defined]


def as_image(pixels: np.ndarray) -> np.ndarray:
    """(3, H, W) in [0, 1], or uint8, as (H, W, 3) uint8."""
    image = pixels if pixels.dtype == np.uint8 else np.round(np.clip(pixels, 0, 1) * 255).astype(np.uint8)
    return image.transpose(1, 2, 0)


def jpeg_url(image: Image.Image) -> str:
    """An image as a data: URL, for pages that need no other file."""
    file = io.BytesIO()
    image.save(file, "JPEG", quality=80)
    return "data:image/jpeg;base64," + base64.b64encode(file.getvalue()).decode("ascii")
