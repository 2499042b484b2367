"""Abstract compositions for the sample gallery, each in a palette of five colours."""

import numpy as np
from PIL import ImageDraw

from examples.drawing import Array, Canvas, Draw, blend, mix, rgb, smooth

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
    colours = np.stack([rgb(colour) for colour in PALETTES[draw.integers(len(PALETTES))]])
    colours = np.clip(colours + draw.normal(0, 0.03, (1, 3)), 0, 1).astype(np.float32)
    KINDS[kind](draw, canvas, colours if draw.random() < 0.6 else colours[::-1])
    canvas.picture += draw.normal(0, 0.006, canvas.x.shape).astype(np.float32)[..., None]


def turned(draw: Draw, canvas: Canvas) -> tuple[Array, Array]:
    """Coordinates along and across a direction of chance, 0 in the middle."""
    angle = draw.choice([0, np.pi / 2, draw.uniform(0, np.pi)])
    x, y = canvas.x - canvas.aspect / 2, canvas.y - 0.5
    return x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)


def stripes(draw: Draw, canvas: Canvas, colours: Array) -> None:
    """Bands of equal or of any width, straight or waved; often loud."""
    along, across = turned(draw, canvas)
    across = across + draw.choice([0, 0, 0.03, 0.08]) * np.sin(along * draw.uniform(4, 14))
    bands = draw.integers(6, 44)
    edges = np.sort(draw.uniform(-1, 1, bands)) if draw.random() < 0.4 else np.linspace(-0.9, 0.9, bands)
    picked = colours[(np.arange(bands + 1) * draw.integers(1, 4) + draw.integers(0, 2, bands + 1)) % 5]
    canvas.picture = picked[0] + np.zeros_like(canvas.picture)
    for edge, colour in zip(edges, picked[1:], strict=True):
        canvas.cover(np.clip((across - edge) * canvas.height + 0.5, 0, 1), colour)


def rings(draw: Draw, canvas: Canvas, colours: Array) -> None:
    """A few sets of rings around their middles, one over the other."""
    canvas.picture = blend(colours[3:], canvas.y)
    for _ in range(draw.integers(1, 6)):
        x, y, size = draw.uniform(0, canvas.aspect), draw.random(), draw.uniform(0.2, 0.6)
        count = draw.integers(2, 12)
        for ring in range(count):
            radius = size * (1 - ring / count)
            mask = np.clip((radius - np.hypot(canvas.x - x, canvas.y - y)) * canvas.height + 0.5, 0, 1)
            canvas.cover(mask * draw.choice([1, 0.8]), colours[(ring + draw.integers(0, 2)) % 5])


def discs(draw: Draw, canvas: Canvas, colours: Array) -> None:
    """Soft lights out of focus."""
    canvas.picture = blend(colours[:2] * 0.7, canvas.y + 0.3 * (canvas.noise(draw, 2, 2) - 0.5))
    softness = draw.uniform(2, 30)
    for _ in range(draw.integers(12, 70)):
        radius = draw.uniform(0.02, 0.14)
        distance = np.hypot(canvas.x - draw.uniform(0, canvas.aspect), canvas.y - draw.beta(2, 2))
        mask = np.clip((radius - distance) * canvas.height / softness + 0.5, 0, 1)
        canvas.cover(mask * draw.uniform(0.15, 0.7), colours[draw.integers(1, 5)])


def grid(draw: Draw, canvas: Canvas, colours: Array) -> None:
    """Rectangles cut again and again, with or without black lines between them."""
    canvas.picture = colours[4] + np.zeros_like(canvas.picture)
    boxes = [(0.0, 0.0, canvas.aspect, 1.0)]
    for _ in range(draw.integers(5, 36)):
        left, top, right, bottom = boxes.pop(
            np.argmax([(r - x) * (b - t) * draw.uniform(0.3, 1) for x, t, r, b in boxes])
        )
        cut = draw.uniform(0.3, 0.7)
        if right - left > bottom - top:
            middle = left + (right - left) * cut
            boxes += [(left, top, middle, bottom), (middle, top, right, bottom)]
        else:
            middle = top + (bottom - top) * cut
            boxes += [(left, top, right, middle), (left, middle, right, bottom)]
    gap, line = draw.choice([0, 0.004, 0.01]), colours[0] * 0.5
    for left, top, right, bottom in boxes:
        inside = np.minimum.reduce([canvas.x - left, right - canvas.x, canvas.y - top, bottom - canvas.y])
        canvas.cover(np.clip(inside * canvas.height + 1, 0, 1), line)
        canvas.cover(
            np.clip((inside - gap) * canvas.height + 0.5, 0, 1), colours[draw.choice(5, p=[0.1, 0.2, 0.2, 0.2, 0.3])]
        )


def marble(draw: Draw, canvas: Canvas, colours: Array) -> None:
    """Veins of colour, from noise that is bent by noise."""
    bend = canvas.noise(draw, draw.uniform(1, 3), 3)
    swirl = canvas.noise(draw, 2, draw.integers(2, 6))
    value = 0.5 + 0.5 * np.sin(6.28 * (draw.uniform(0.6, 3.5) * bend + draw.uniform(0.3, 1.6) * swirl))
    canvas.picture = blend(colours, value)


def clouds(draw: Draw, canvas: Canvas, colours: Array) -> None:
    """Colours that run into each other."""
    canvas.picture = blend(
        colours, canvas.noise(draw, draw.uniform(0.8, 2), draw.integers(1, 4), draw.uniform(0.6, 3))
    )


def spiral(draw: Draw, canvas: Canvas, colours: Array) -> None:
    x = canvas.x - canvas.aspect * draw.uniform(0.35, 0.65)
    y = canvas.y - draw.uniform(0.35, 0.65)
    radius, angle = np.hypot(x, y) + 1e-4, np.arctan2(y, x)
    arms, wind = draw.integers(1, 9), draw.uniform(3, 26)
    turn = np.sin(arms * angle + wind * (np.log(radius) if draw.random() < 0.5 else 2 * radius))
    sharp = draw.choice([1, 3, 12])
    canvas.picture = blend(colours, 0.5 + 0.5 * np.tanh(sharp * turn) / np.tanh(sharp))
    canvas.picture = mix(canvas.picture, colours[draw.choice([0, 4])], np.exp(-((radius / 0.12) ** 2)))


def fields(draw: Draw, canvas: Canvas, colours: Array) -> None:
    """Two or three large fields with soft edges, one above the other."""
    canvas.picture = colours[1] * (0.9 + 0.15 * canvas.noise(draw, 4, 5))[..., None]
    top, soft = 0.06, draw.uniform(0.015, 0.05)
    heights = draw.dirichlet(np.full(draw.integers(2, 4), 6)) * 0.82
    ragged = 0.02 * (canvas.noise(draw, 8, 3) - 0.5)
    for height, colour in zip(heights, colours[draw.permutation([0, 2, 3, 4])], strict=False):
        bottom = top + height
        inside = np.minimum.reduce(
            [canvas.x - 0.07, canvas.aspect - 0.07 - canvas.x, canvas.y - top, bottom - canvas.y]
        )
        paint = colour * (0.88 + 0.2 * canvas.noise(draw, 6, 5, 2))[..., None]
        canvas.cover(smooth(inside + ragged, -soft, soft) * 0.95, paint)
        top = bottom + 0.03


def waves(draw: Draw, canvas: Canvas, colours: Array) -> None:
    """Sheets of cut paper, each throwing a shadow on the one behind."""
    canvas.picture = blend(colours[3:], canvas.y)
    layers = draw.integers(4, 10)
    for layer in range(layers):
        x, top = canvas.x[0], 0.12 + 0.85 * layer / layers
        line = top + draw.uniform(0.02, 0.09) * np.sin(x * draw.uniform(2, 9) + draw.uniform(0, 6.28))
        line = line + 0.03 * np.sin(x * draw.uniform(6, 14) + draw.uniform(0, 6.28))
        canvas.cover(
            0.35 * np.exp(-np.clip(line - canvas.y, 0, 1) / 0.03) * (canvas.y < line), np.zeros(3, np.float32)
        )
        canvas.cover(canvas.below(line), blend(colours[::-1], np.array([layer / (layers - 1)]))[0])


def triangles(draw: Draw, canvas: Canvas, colours: Array) -> None:
    """Crystals: cells around points of chance, flat or shaded."""
    count = draw.integers(14, 120)
    points = draw.random((count, 2)) * [canvas.aspect, 1]
    distance = np.stack([(canvas.x - x) ** 2 + (canvas.y - y) ** 2 for x, y in points.astype(np.float32)])
    nearest = distance.argmin(0)
    tone = (points @ draw.normal(size=2))[nearest]
    tone = (tone - tone.min()) / (np.ptp(tone) + 1e-6) + draw.normal(0, draw.choice([0.05, 0.3]), count)[nearest]
    canvas.picture = blend(colours, np.clip(tone, 0, 1))
    canvas.picture *= (1 - draw.choice([0, 1.2]) * np.sqrt(distance.min(0)))[..., None].clip(0.4, 1)


def rays(draw: Draw, canvas: Canvas, colours: Array) -> None:
    """Beams from one point, as on an old poster."""
    x, y = draw.uniform(0.2, 0.8) * canvas.aspect, draw.uniform(0.3, 1.1)
    angle = np.arctan2(canvas.y - y, canvas.x - x)
    beams = draw.integers(5, 26)
    wave = np.sin(angle * beams + draw.uniform(0, 6.28))
    distance = np.hypot(canvas.x - x, canvas.y - y)
    beam = np.clip(wave * distance * canvas.height / beams * draw.choice([0.1, 1]) + 0.5, 0, 1)
    first, second = draw.choice(5, 2, replace=False)
    canvas.picture = mix(blend(colours[[first, 3]], distance), blend(colours[[second, 4]], distance), beam)
    canvas.cover(np.clip((draw.uniform(0.05, 0.3) - distance) * canvas.height + 0.5, 0, 1), colours[draw.integers(5)])


def confetti(draw: Draw, canvas: Canvas, colours: Array) -> None:
    """Scraps of all colours all over the place: clutter."""
    canvas.picture = colours[draw.integers(5)] + np.zeros_like(canvas.picture)
    for colour in colours[draw.permutation(5)]:

        def paint(pen: ImageDraw.ImageDraw, scale: float) -> None:
            for _ in range(draw.integers(10, 70)):
                x, y, size = draw.uniform(0, canvas.aspect), draw.random(), draw.uniform(0.01, 0.06)
                corners = np.sort(draw.uniform(0, 6.28, draw.integers(3, 6)))
                pen.polygon(
                    [((x + size * np.cos(a)) * scale, (y + size * np.sin(a)) * scale) for a in corners], fill=255
                )

        canvas.cover(canvas.shapes(paint), colour)


def threads(draw: Draw, canvas: Canvas, colours: Array) -> None:
    """Lines that follow a current."""
    canvas.picture = blend(colours[:2], canvas.y)
    current = canvas.noise(draw, draw.uniform(1, 3), 2) * draw.uniform(3, 9)
    for colour in colours[2:]:
        points = draw.random((60, 2)) * [canvas.aspect, 1]
        path = [points]
        for _ in range(45):
            row, column = (
                np.clip(p * canvas.height, 0, m - 1).astype(int)
                for p, m in zip(points.T[::-1], canvas.x.shape, strict=True)
            )
            points = points + 0.012 * np.stack([np.cos(current[row, column]), np.sin(current[row, column])], 1)
            path.append(points)
        width = draw.uniform(0.003, 0.012)

        def paint(pen: ImageDraw.ImageDraw, scale: float, path: list[Array] = path, width: float = width) -> None:
            for thread in np.stack(path, 1):
                pen.line(
                    [tuple(point) for point in thread * scale],
                    fill=255,
                    width=max(1, int(width * scale)),
                    joint="curve",
                )

        canvas.cover(canvas.shapes(paint) * 0.9, colour)


KINDS = {
    function.__name__: function
    for function in (
        stripes,
        rings,
        discs,
        grid,
        marble,
        clouds,
        spiral,
        fields,
        waves,
        triangles,
        rays,
        confetti,
        threads,
    )
}
