"""What stands in a landscape: trees, boats, windows of houses."""

import math

from PIL import ImageDraw

from examples.drawing import Array, Draw, Window, mix, pick, rgb
from examples.scene import Scene


def paint_trees(scene: Scene, line: Array, size: float, count: int, near: float, pines: bool | None = None) -> None:
    """Trees with their feet on `line`, (W,), all pines or all round ones."""
    draw, canvas = scene.draw, scene.canvas
    tree = paint_pine if (draw.random() < 0.6 if pines is None else pines) else paint_round
    feet, sizes = draw.uniform(0, canvas.aspect, count), size * draw.uniform(0.6, 1.3, count)

    def paint(pen: ImageDraw.ImageDraw, scale: float) -> None:
        for foot, height in zip(feet.tolist(), sizes.tolist(), strict=True):
            ground = float(line[min(int(foot * canvas.height), canvas.width - 1)]) + 0.01
            tree(draw, pen, foot * scale, ground * scale, height * scale)

    canvas.cover(canvas.shapes(paint), mix(scene.light.haze, rgb(scene.light.near), 0.25 + 0.75 * near))


def paint_pine(draw: Draw, pen: ImageDraw.ImageDraw, x: float, y: float, height: float) -> None:
    left, right = [], []
    for tier, wide in enumerate(draw.uniform(0.8, 1.15, 7).tolist(), 1):
        width, level = height * 0.03 * tier * wide, y - height * (1 - tier / 7.7)
        left += [(x - width, level), (x - width * 0.45, level - height * 0.012)]
        right += [(x + width, level), (x + width * 0.45, level - height * 0.012)]
    pen.polygon([(x, y - height), *left, *right[::-1]], fill=255)
    pen.rectangle((x - height * 0.02, y - height * 0.12, x + height * 0.02, y), fill=255)


def paint_round(draw: Draw, pen: ImageDraw.ImageDraw, x: float, y: float, height: float) -> None:
    pen.polygon([(x - height * 0.05, y), (x - height * 0.02, y - height * 0.6), (x + height * 0.05, y)], fill=255)
    for turn, out, size in draw.random((22, 3)).tolist():
        reach, r = height * 0.26 * out**0.5, height * (0.06 + 0.08 * size)
        u, v = x + reach * math.cos(6.28 * turn), y - height * 0.66 + 0.85 * reach * math.sin(6.28 * turn)
        pen.ellipse((u - r, v - r, u + r, v + r), fill=255)


def paint_boat(scene: Scene) -> None:
    draw, canvas, light = scene.draw, scene.canvas, scene.light
    x, y = draw.uniform(0.2, 0.8) * canvas.aspect, scene.horizon + draw.uniform(0.02, 0.12)
    size = draw.uniform(0.05, 0.11)
    hull = [(-0.5, 0.0), (0.5, 0.0), (0.35, 0.17), (-0.35, 0.17)]
    sails = [(0.02, -0.06), (0.02, -1.1), (0.5, -0.06)], [(-0.04, -0.06), (-0.04, -0.95), (-0.38, -0.06)]

    def paint(pen: ImageDraw.ImageDraw, scale: float) -> None:
        for corners in (hull, *sails):
            pen.polygon([((x + size * u) * scale, (y + size * v) * scale) for u, v in corners], fill=255)

    canvas.cover(canvas.shapes(paint), mix(rgb(light.near), rgb(light.shine), pick(draw, [0.05, 0.9])))


def paint_windows(scene: Scene, wall: Window, pane: Array, share: float) -> None:
    """Panes in rows on a wall, that share of them."""
    draw, canvas = scene.draw, scene.canvas
    if canvas.x[wall].size == 0:
        return
    step = draw.uniform(0.02, 0.032)
    across, down = (canvas.x[wall] - canvas.x[wall].min()) / step, (canvas.y[wall] - canvas.y[wall].min()) / step
    there = draw.random((64, 64)) < share
    panes = (across % 1 > 0.4) & (down % 1 > 0.4) & there[down.astype(int) % 64, across.astype(int) % 64]
    canvas.cover(panes & (across < across.max() - 0.35), pane, wall)
