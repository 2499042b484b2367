"""Abstract compositions for the sample gallery, each in a palette of five colours."""

import numpy as np
from PIL import ImageDraw

from examples.drawing import BLACK, Array, Canvas, Draw, blend, mix, pick, rgb, smooth

PALETTES = [
    ["#3b1f2b", "#a23b3b", "#e2733d", "#f4b860", "#fbe7c6"],  # embers
    ["#4a2c2a", "#9c5a3c", "#d9a066", "#efd9b4", "#fff6e5"],  # clay
    ["#5c1a3d", "#b3365b", "#f0787a", "#fbb08f", "#ffe3cf"],  # rose
    ["#2a1e17", "#7a5417", "#c98a1b", "#f0c33c", "#fff0b8"],  # honey
    ["#0b1d3a", "#1f4e79", "#3f8fb8", "#8fcbd9", "#e3f4f4"],  # sea
    ["#10232a", "#1f5b5b", "#3f9c84", "#9fd3a8", "#eaf6df"],  # fern
    ["#17132e", "#3d2f73", "#6e5bb5", "#a99be0", "#e7e1fa"],  # violet
    ["#111417", "#3a4149", "#79838c", "#b9c0c5", "#f1f3f2"],  # grey
    ["#0a0a12", "#e6003c", "#00c2d1", "#ffe600", "#ffffff"],  # neon
    ["#101010", "#101010", "#f5f5f0", "#f5f5f0", "#d02020"],  # poster
    ["#12303b", "#2a7f86", "#f2e3c6", "#ef8354", "#b33a3a"],  # coast
    ["#1c2541", "#5b5f97", "#b8b8d1", "#ffc145", "#ff6b6c"],  # evening
]


def abstract(draw: Draw, canvas: Canvas, kind: str) -> None:
    colours = np.stack([rgb(colour) for colour in pick(draw, PALETTES)])
    colours = np.clip(colours + draw.normal(0, 0.03, (1, 3, 1, 1)), 0, 1).astype(np.float32)
    KINDS[kind](draw, canvas, colours if draw.random() < 0.6 else colours[::-1])


def turned(draw: Draw, canvas: Canvas) -> tuple[Array, Array]:
    """Coordinates along and across a direction of chance, 0 in the middle."""
    angle = pick(draw, [0, np.pi / 2, draw.uniform(0, np.pi)])
    x, y = canvas.x - canvas.aspect / 2, canvas.y - 0.5
    return x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)


def stripes(draw: Draw, canvas: Canvas, colours: Array) -> None:
    """Bands of equal or of any width, straight or waved; often loud."""
    along, across = turned(draw, canvas)
    across = across + pick(draw, [0, 0, 0.03, 0.08]) * np.sin(along * draw.uniform(4, 14))
    bands = draw.integers(6, 44)
    edges = np.sort(draw.uniform(-1, 1, bands)) if draw.random() < 0.4 else np.linspace(-0.9, 0.9, bands)
    picked = (np.arange(bands + 1) * draw.integers(1, 4) + draw.integers(0, 2, bands + 1)) % 5
    table = colours[picked[np.searchsorted(edges, np.linspace(-1, 1, 4096))], :, 0, 0]  # (4096, 3)
    pixel = np.full(7, 1 / 7)  # an edge is as soft as a pixel is wide: 4096 / 2 / 300
    table = np.stack([np.convolve(np.pad(channel, 3, "edge"), pixel, "valid") for channel in table.T])
    canvas.fill(table[:, ((across.clip(-1, 1) + 1) * 2047.5).astype(int)])


def rings(draw: Draw, canvas: Canvas, colours: Array) -> None:
    """A few sets of rings around their middles, one over the other."""
    canvas.fill(blend(colours[3:], canvas.y))
    for _ in range(draw.integers(1, 6)):
        x, y, size = draw.uniform(0, canvas.aspect), draw.random(), draw.uniform(0.2, 0.6)
        count = draw.integers(2, 12)
        for ring in range(count):
            colour = colours[(ring + draw.integers(0, 2)) % 5]
            canvas.disc(x, y, size * (1 - ring / count), colour, opacity=pick(draw, [1, 0.8]))


def discs(draw: Draw, canvas: Canvas, colours: Array) -> None:
    """Soft lights out of focus."""
    canvas.fill(blend(colours[:2] * 0.7, canvas.y + 0.3 * (canvas.noise(draw, 2, 2) - 0.5)))
    softness = draw.uniform(2, 30)
    for _ in range(draw.integers(12, 70)):
        x, y, radius = draw.uniform(0, canvas.aspect), draw.beta(2, 2), draw.uniform(0.02, 0.14)
        canvas.disc(x, y, radius, colours[draw.integers(1, 5)], draw.uniform(0.15, 0.7), softness)


def grid(draw: Draw, canvas: Canvas, colours: Array) -> None:
    """Rectangles cut again and again, with or without dark lines between them."""
    boxes = [(0.0, 0.0, canvas.aspect, 1.0)]
    for _ in range(draw.integers(5, 36)):
        sizes = [(right - left) * (bottom - top) for left, top, right, bottom in boxes]
        boxes += halves(draw, *boxes.pop(int(np.argmax(sizes * draw.uniform(0.3, 1, len(sizes))))))
    canvas.fill(colours[0] * 0.5)
    gap = pick(draw, [0, 0.004, 0.01])
    for left, top, right, bottom in boxes:
        window = canvas.window(left + gap, top + gap, right - gap, bottom - gap)
        colour = colours[draw.choice(5, p=[0.1, 0.2, 0.2, 0.2, 0.3])]
        canvas.cover(np.ones_like(canvas.x[window]), colour, window)


def halves(
    draw: Draw, left: float, top: float, right: float, bottom: float
) -> list[tuple[float, float, float, float]]:
    """A rectangle cut in two across its longer side."""
    cut = draw.uniform(0.3, 0.7)
    if right - left > bottom - top:
        middle = left + (right - left) * cut
        return [(left, top, middle, bottom), (middle, top, right, bottom)]
    middle = top + (bottom - top) * cut
    return [(left, top, right, middle), (left, middle, right, bottom)]


def marble(draw: Draw, canvas: Canvas, colours: Array) -> None:
    """Veins of colour, from noise that is bent by noise."""
    bend = canvas.noise(draw, draw.uniform(1, 3), 3)
    swirl = canvas.noise(draw, 2, draw.integers(2, 6))
    value = 0.5 + 0.5 * np.sin(6.28 * (draw.uniform(0.6, 3.5) * bend + draw.uniform(0.3, 1.6) * swirl))
    canvas.fill(blend(colours, value))


def clouds(draw: Draw, canvas: Canvas, colours: Array) -> None:
    """Colours that run into each other."""
    noise = canvas.noise(draw, draw.uniform(0.8, 2), draw.integers(1, 4), draw.uniform(0.6, 3))
    canvas.fill(blend(colours, noise))


def spiral(draw: Draw, canvas: Canvas, colours: Array) -> None:
    x = canvas.x - canvas.aspect * draw.uniform(0.35, 0.65)
    y = canvas.y - draw.uniform(0.35, 0.65)
    radius, angle = np.hypot(x, y) + 1e-4, np.arctan2(y, x)
    arms, wind = int(draw.integers(1, 9)), draw.uniform(3, 26)
    turn = np.sin(arms * angle + wind * (np.log(radius) if draw.random() < 0.5 else 2 * radius))
    sharp = pick(draw, [1, 3, 12])
    canvas.fill(blend(colours, 0.5 + 0.5 * np.tanh(sharp * turn) / float(np.tanh(sharp))))
    canvas.cover(np.exp(-((radius / 0.12) ** 2)), colours[pick(draw, [0, 4])])


def fields(draw: Draw, canvas: Canvas, colours: Array) -> None:
    """Two or three large fields with soft edges, one above the other."""
    canvas.fill(colours[1] * (0.9 + 0.15 * canvas.noise(draw, 4, 5)))
    top, soft = 0.06, draw.uniform(0.015, 0.05)
    heights = draw.dirichlet(np.full(draw.integers(2, 4), 6)) * 0.82
    ragged = 0.02 * (canvas.noise(draw, 8, 3) - 0.5)
    sides = np.minimum(canvas.x, canvas.aspect - canvas.x) - 0.07
    for height, colour in zip(heights.tolist(), colours[draw.permutation([0, 2, 3, 4])], strict=False):
        inside = np.minimum(sides, np.minimum(canvas.y - top, top + height - canvas.y))
        paint = colour * (0.88 + 0.2 * canvas.noise(draw, 6, 5, 2))
        canvas.cover(smooth(inside + ragged, -soft, soft) * 0.95, paint)
        top += height + 0.03


def waves(draw: Draw, canvas: Canvas, colours: Array) -> None:
    """Sheets of cut paper, each throwing a shadow on the one behind."""
    canvas.fill(blend(colours[3:], canvas.y))
    layers, x = draw.integers(4, 10), canvas.x[0]
    sheets = blend(colours[::-1], np.linspace(0, 1, layers))  # (3, layers)
    for layer in range(layers):
        top = float(0.12 + 0.85 * layer / layers)
        line = top + draw.uniform(0.02, 0.09) * np.sin(x * draw.uniform(2, 9) + draw.uniform(0, 6.28))
        line = line + 0.03 * np.sin(x * draw.uniform(6, 14) + draw.uniform(0, 6.28))
        above = line - canvas.y
        canvas.cover(0.35 * np.exp(-above.clip(0, 0.2) / 0.03) * ((above > 0) & (above < 0.15)), BLACK)
        window, sheet, _ = canvas.below(line)
        canvas.cover(sheet, sheets[:, layer].reshape(3, 1, 1), window)


def crystals(draw: Draw, canvas: Canvas, colours: Array) -> None:
    """Cells around points of chance, flat or shaded."""
    points = draw.random((draw.integers(14, 80), 2)) * [canvas.aspect, 1]
    distance = np.stack([(canvas.x - x) ** 2 + (canvas.y - y) ** 2 for x, y in points.tolist()])
    nearest = distance.argmin(0)
    tone = points @ draw.normal(size=2)
    tone = (tone - tone.min()) / np.ptp(tone) + draw.normal(0, pick(draw, [0.05, 0.3]), len(points))
    shade = (1 - pick(draw, [0, 1.2]) * np.sqrt(distance.min(0))).clip(0.4, 1)
    canvas.fill(blend(colours, tone.astype(np.float32)[nearest]) * shade)


def rays(draw: Draw, canvas: Canvas, colours: Array) -> None:
    """Beams from one point, as on an old poster."""
    x, y = draw.uniform(0.2, 0.8) * canvas.aspect, draw.uniform(0.3, 1.1)
    beams = int(draw.integers(5, 26))
    wave = np.sin(np.arctan2(canvas.y - y, canvas.x - x) * beams + draw.uniform(0, 6.28))
    distance = np.hypot(canvas.x - x, canvas.y - y)
    beam = (wave * distance * (canvas.height / beams * pick(draw, [0.1, 1])) + 0.5).clip(0, 1)
    first, second = draw.choice(5, 2, replace=False)
    canvas.fill(mix(blend(colours[[first, 3]], distance), blend(colours[[second, 4]], distance), beam))
    canvas.disc(x, y, draw.uniform(0.05, 0.3), colours[draw.integers(5)])


def confetti(draw: Draw, canvas: Canvas, colours: Array) -> None:
    """Scraps of all colours all over the place: clutter."""
    canvas.fill(colours[draw.integers(5)])

    def paint(pen: ImageDraw.ImageDraw, scale: float) -> None:
        for _ in range(draw.integers(10, 70)):
            middle, size = draw.random(2) * [canvas.aspect, 1], draw.uniform(0.01, 0.06)
            angles = np.sort(draw.uniform(0, 6.28, draw.integers(3, 6)))
            corners = (middle + size * np.stack([np.cos(angles), np.sin(angles)], 1)) * scale
            pen.polygon(corners.ravel().tolist(), fill=255)

    for colour in colours[draw.permutation(5)]:
        canvas.cover(canvas.shapes(paint), colour)


def threads(draw: Draw, canvas: Canvas, colours: Array) -> None:
    """Lines that follow a current."""
    canvas.fill(blend(colours[:2], canvas.y))
    current = canvas.noise(draw, draw.uniform(1, 3), 2) * draw.uniform(3, 9)
    for colour in colours[2:]:
        lines, width = drift(draw, canvas, current), draw.uniform(0.003, 0.012)

        def paint(pen: ImageDraw.ImageDraw, scale: float, lines: Array = lines, width: float = width) -> None:
            for line in (lines * scale).tolist():
                pen.line([tuple(point) for point in line], fill=255, width=max(1, int(width * scale)))

        canvas.cover(canvas.shapes(paint) * 0.9, colour)


def drift(draw: Draw, canvas: Canvas, current: Array, lines: int = 60, steps: int = 45) -> Array:
    """(lines, steps, 2): where points of chance are carried by a current of angles (H, W)."""
    path = [draw.random((lines, 2)) * [canvas.aspect, 1]]
    for _ in range(steps - 1):
        column, row = (path[-1] * canvas.height).clip(0, [canvas.width - 1, canvas.height - 1]).astype(int).T
        angle = current[row, column]
        path.append(path[-1] + 0.012 * np.stack([np.cos(angle), np.sin(angle)], 1))
    return np.stack(path, 1)


DRAWN = (stripes, rings, discs, grid, marble, clouds, spiral, fields, waves, crystals, rays, confetti, threads)
KINDS = {function.__name__: function for function in DRAWN}
