"""The pictures that a run leaves: confusion, captioned images, points. All on white, all as PNG."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from ..common.pictures import COLOURS, INK, plain, write_figure

MOST_NUMBERS = 20  # styles whose confusion is also written out in the picture


def draw_confusion(path: Path, names: Sequence[str], confusion: np.ndarray) -> None:
    """confusion: (C, C) images, true styles down, what they were taken for across; shades are shares of a row."""
    count = len(names)
    side = min(12.0, 3.0 + 0.6 * count)
    figure = Figure(figsize=(side + 1, side), layout="constrained")
    axes = figure.subplots()
    shares = confusion / np.maximum(confusion.sum(axis=1, keepdims=True), 1)
    shown = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    axes.set_xticks(range(count), names, rotation=45, ha="right", rotation_mode="anchor")
    axes.set_yticks(range(count), names)
    axes.set_xlabel("taken for")
    axes.set_ylabel("style")
    if count <= MOST_NUMBERS:
        for (i, j), images in np.ndenumerate(confusion):
            axes.text(j, i, str(images), ha="center", va="center", color="white" if shares[i, j] > 0.55 else INK)
    figure.colorbar(shown, ax=axes, label="share of the style's images", shrink=0.8)
    write_figure(path, figure)


def draw_captioned(path: Path, images: Sequence[np.ndarray], captions: Sequence[str], columns: int = 6) -> None:
    """Images (H, W, 3) uint8, each with a caption of a line or two above it."""
    count = -(-len(images) // columns)
    figure = Figure(figsize=(1.9 * columns, 2.2 * count), layout="constrained")
    for axes in (grid := figure.subplots(count, columns, squeeze=False)).flat:
        axes.set_axis_off()
    for axes, image, caption in zip(grid.flat, images, captions, strict=False):
        axes.imshow(image)
        axes.set_title(caption, fontsize=8)
    write_figure(path, figure)


def draw_points(
    path: Path, panels: Sequence[tuple[str, np.ndarray, np.ndarray, Sequence[str]]], labels: Sequence[str]
) -> None:
    """Panels side by side: (title, (N, 2) points, (N,) codes, the names of the codes). labels: of the two axes."""
    figure = Figure(figsize=(5.6 * len(panels), 5), layout="constrained")
    for axes, (title, points, codes, names) in zip(
        figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True
    ):
        for code, name in enumerate(names):
            mine = points[codes == code]
            axes.plot(*mine.T, "o", color=colour(code), label=name, markersize=3.6, alpha=0.7, markeredgewidth=0)
        axes.set_title(title, fontsize=10)
        axes.set_xlabel(labels[0])
        axes.set_ylabel(labels[1])
        plain(axes)
        axes.legend(frameon=False, fontsize=8, markerscale=1.6, loc="best")
    write_figure(path, figure)


def colour(code: int) -> str:
    """Of a style or a cluster; from the eleventh on they come again."""
    return COLOURS[code % len(COLOURS)]
