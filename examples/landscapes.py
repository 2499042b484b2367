"""Landscapes for the sample gallery: a time of day and a place."""

from dataclasses import dataclass

import numpy as np
from PIL import ImageDraw

from examples.drawing import Array, Canvas, Draw, blend, mix, rgb, smooth


@dataclass(frozen=True)
class Light:
    """One time of day: the sky from top to horizon, the colour of its light, of what is near, and how high the sun is."""

    sky: tuple[str, str, str]
    shine: str
    near: str
    clouds: tuple[str, str]  # lit and shaded
    height: tuple[float, float]  # of the sun above the horizon, in parts of the sky; below 0 it has set
    glow: float
    sun: float = 1.0  # how likely it is to be there


LIGHTS = {
    "dawn": Light(
        ("#5f80b8", "#e2b0b4", "#ffdcae"), "#ffe6bc", "#2d3350", ("#ffe3d2", "#a48cae"), (0.05, 0.35), 0.6, 0.7
    ),
    "day": Light(
        ("#2d74c2", "#78b3e6", "#d5ebf8"), "#fffce8", "#24432a", ("#ffffff", "#b9c7d6"), (0.55, 0.85), 0.35, 0.45
    ),
    "golden": Light(
        ("#7a93bb", "#f3c27c", "#ffe5a6"), "#fff3c9", "#4b3018", ("#fff0cf", "#c99b74"), (0.15, 0.5), 0.7, 0.8
    ),
    "sunset": Light(
        ("#33346e", "#d65f76", "#ffb552"), "#ffd98c", "#2a1526", ("#ff9d6c", "#6c3c66"), (-0.02, 0.3), 0.8, 0.8
    ),
    "dusk": Light(
        ("#141b40", "#4d4680", "#d9909a"), "#f7c9b4", "#12132a", ("#8d6a98", "#2c2b58"), (-0.5, 0.1), 0.4, 0.3
    ),
    "night": Light(
        ("#040714", "#0d1a3a", "#27456b"), "#eef2ff", "#04070f", ("#31456b", "#0c152b"), (0.35, 0.8), 0.25, 0.6
    ),
    "overcast": Light(
        ("#808d99", "#a8b4bd", "#ccd3d6"), "#e8ecee", "#2c3533", ("#d3dade", "#8b97a1"), (0.4, 0.8), 0.1, 0.0
    ),
    "storm": Light(
        ("#1d232c", "#404a55", "#838b8e"), "#c9d0d2", "#12181a", ("#6c757c", "#1b2027"), (0.4, 0.8), 0.1, 0.0
    ),
    "mist": Light(
        ("#aebdbf", "#cfd8d4", "#efe9da"), "#fff6df", "#3c4a47", ("#f3f1e8", "#c0cac8"), (0.2, 0.6), 0.4, 0.4
    ),
}
GREENS = ["#3d6b35", "#567d46", "#6b7f3a", "#2f5d50", "#8a8a3c", "#a0763a", "#7b5a3c"]


def landscape(draw: Draw, canvas: Canvas, time: str, place: str) -> None:
    light = LIGHTS[time]
    horizon = draw.uniform(0.5, 0.72)
    sun_x = draw.uniform(0.15, 0.85) * canvas.aspect
    paint_sky(draw, canvas, light, horizon, sun_x, night=time == "night")
    PLACES[place](draw, canvas, light, horizon, sun_x)
    finish(draw, canvas)


def paint_sky(draw: Draw, canvas: Canvas, light: Light, horizon: float, sun_x: float, night: bool) -> None:
    colours = np.stack([rgb(colour) for colour in light.sky])
    canvas.picture = blend(colours, (canvas.y / horizon) ** draw.uniform(0.8, 1.4))
    sun_y = horizon * (1 - draw.uniform(*light.height))
    shine, radius = rgb(light.shine), draw.uniform(0.035, 0.085)
    distance = np.hypot(canvas.x - sun_x, canvas.y - sun_y)
    shines = draw.random() < light.sun
    if night:
        paint_stars(draw, canvas, light, horizon)
    if shines:
        canvas.cover(light.glow * np.exp(-((distance / 0.55) ** 1.2)), shine)
        canvas.cover(light.glow * np.exp(-((distance / (radius * 2.2)) ** 2)), shine)
        disc = np.clip((radius - distance) * canvas.height + 0.5, 0, 1)
        canvas.cover(disc, mix(shine, np.ones(3, np.float32), 0.5))
        canvas.sun = disc
    paint_clouds(draw, canvas, light, distance if shines else distance + 0.6, horizon)


def paint_stars(draw: Draw, canvas: Canvas, light: Light, horizon: float) -> None:
    stars = np.where(draw.random(canvas.x.shape) < 0.0022, draw.random(canvas.x.shape) ** 3, 0).astype(np.float32)
    stars += 0.4 * (np.roll(stars, 1, 0) + np.roll(stars, 1, 1))
    canvas.picture += stars[..., None]
    if draw.random() < 0.35:  # northern lights
        curtain = canvas.noise(draw, 2, 3, 0.5)[:1]
        foot = horizon * (0.35 + 0.5 * curtain)
        band = np.where(canvas.y < foot, np.exp((canvas.y - foot) / 0.16), np.exp((foot - canvas.y) / 0.02))
        rays = 0.35 + 0.65 * canvas.noise(draw, 3, 4, 0.12)[:1]
        green, violet = rgb("#5dffa9"), rgb("#8f6bff")
        canvas.picture += (0.75 * band * rays)[..., None] * mix(green, violet, np.clip((foot - canvas.y) / 0.3, 0, 1))


def paint_clouds(draw: Draw, canvas: Canvas, light: Light, distance: Array, horizon: float) -> None:
    cover = draw.choice([0.0, 0.3, 0.5, 0.75]) if light.glow > 0.1 else 0.85
    if cover == 0:
        return
    texture = canvas.noise(draw, draw.uniform(2, 4), 5, draw.uniform(2, 4))
    mask = smooth(texture, 1 - cover, 1.35 - cover) * (0.85 - 0.5 * smooth(canvas.y / horizon, 0.5, 1.05))
    lit, shaded = (rgb(colour) for colour in light.clouds)
    brightness = np.clip(0.75 * np.exp(-distance / 0.5) + 0.9 * (np.roll(texture, 6, 0) - texture) + 0.3, 0, 1)
    canvas.cover(mask, mix(shaded, lit, brightness))


def jagged(draw: Draw, canvas: Canvas, cells: int, octaves: int = 6) -> Array:
    """(W,) a line of peaks in [0, 1]."""
    x, total = canvas.x[0] / canvas.aspect, np.zeros(canvas.width)
    for octave in range(octaves):
        points = draw.random(cells * 2**octave + 2)
        total += np.interp(x * cells * 2**octave, np.arange(len(points)), points) / 2.1**octave
    return (total - total.min()) / (total.max() - total.min())


def rolling(draw: Draw, canvas: Canvas, waves: float) -> Array:
    """(W,) a line of round hills in [0, 1]."""
    phases = canvas.x[0][:, None] * draw.uniform(0.4, 1.6, 5) * waves * 6.28 + draw.uniform(0, 6.28, 5)
    total = (np.sin(phases) / np.arange(1, 6)).sum(1)
    return (total - total.min()) / (total.max() - total.min())


def haze(light: Light) -> Array:
    return rgb(light.sky[2])


def paint_mountains(draw: Draw, canvas: Canvas, light: Light, horizon: float, sun_x: float, layers: int = 3) -> None:
    """Ranges from far to near; the far ones fade into the haze, their sides are lit from where the sun is."""
    snow = draw.random() < 0.5
    rock = mix(rgb(light.near), rgb(draw.choice(["#6b6f7d", "#7c6a5c", "#5a6b6b"])), 0.35)
    for layer in range(layers):
        depth = (layer + 1) / layers
        top = horizon - (0.36 - 0.22 * depth) * draw.uniform(0.8, 1.25)
        line = top + (1 - jagged(draw, canvas, 2 + layer)) * (horizon - top) * 0.95
        inside = np.clip(canvas.y - line, 0, 1)
        rows = np.clip(inside * canvas.height, 0, canvas.height - 1).astype(int)
        texture = canvas.noise(draw, 5, 5)
        facets = np.gradient(texture, axis=1) * np.sign(sun_x - canvas.x.mean()) * canvas.height
        hanging = np.take_along_axis(facets, rows, 0)  # the texture hangs from the ridge
        colour = mix(haze(light), rock, 0.25 + 0.75 * depth) * (1 + 0.28 * np.clip(hanging, -1, 1))[..., None]
        if snow:
            rough = np.take_along_axis(texture, rows, 0)
            white = smooth(0.14 - inside + 0.16 * (rough - 0.5) + (0.25 - line) * 0.3, 0, 0.05)
            bright = mix(haze(light), rgb(light.shine), 0.6) * (1 + 0.2 * np.clip(hanging, -1, 0.4))[..., None]
            colour = mix(colour, bright, white * (0.9 - 0.3 * depth))
        colour = mix(colour, haze(light), 0.75 * smooth(inside, 0.02, 0.28) * (1.1 - depth))
        canvas.cover(canvas.below(line), np.clip(colour, 0, 1))


def paint_hills(draw: Draw, canvas: Canvas, light: Light, horizon: float, sun_x: float, layers: int = 4) -> None:
    green = rgb(draw.choice(GREENS))
    for layer in range(layers):
        depth = (layer + 1) / layers
        top = horizon - 0.08 + (0.98 - horizon) * layer / layers
        line = top + 0.13 * (1 - rolling(draw, canvas, 0.5 + 0.3 * (1 - depth)))
        inside = np.clip(canvas.y - line, 0, 1)
        shaded = mix(rgb(light.near), green * (0.35 + 0.65 * haze(light).mean()), 0.75 - 0.45 * depth)
        sunny = 0.35 * np.exp(-np.abs(canvas.x - sun_x) / 0.5) * np.exp(-inside / 0.06) * (light.glow > 0.1)
        colour = mix(haze(light), shaded, 0.35 + 0.65 * depth) * (0.9 + 0.2 * canvas.noise(draw, 14, 3, 2))[..., None]
        colour = mix(colour, rgb(light.shine), sunny)
        canvas.cover(canvas.below(line), mix(colour, haze(light), 0.5 * smooth(inside, 0.03, 0.2) * (1 - depth)))
        if draw.random() < 0.6:
            paint_trees(draw, canvas, light, line, 0.02 + 0.07 * depth, draw.integers(2, 14), 0.4 + 0.6 * depth)


def paint_water(draw: Draw, canvas: Canvas, light: Light, horizon: float, sun_x: float) -> None:
    """A mirror of what stands above the horizon, broken by waves that grow towards us."""
    near = np.clip((canvas.y - horizon) / (1 - horizon), 0, 1)
    ripple = canvas.noise(draw, 36, 2, 9) - 0.5
    choppy = draw.choice([0.02, 0.05, 0.12])
    mirrored = horizon - (canvas.y - horizon) * draw.uniform(0.75, 0.95) + ripple * near * choppy
    rows = np.clip(mirrored, 0, horizon - 0.005) * canvas.height
    columns = np.clip(canvas.x + ripple * near * choppy * 0.6, 0, canvas.aspect - 0.004) * canvas.height
    image = canvas.picture[rows.astype(int), columns.astype(int)]
    deep = mix(rgb(light.sky[0]), rgb(light.near), 0.4)
    colour = mix(image, deep, 0.18 + 0.3 * near) * (1 + 0.9 * choppy * ripple * (2 + 3 * near))[..., None]
    width = 0.03 + 0.13 * near
    glitter = np.exp(-(((canvas.x - sun_x) / width) ** 2)) * smooth(ripple, 0.02, 0.2) * (canvas.sun.sum() > 30)
    colour = mix(colour, rgb(light.shine), 0.75 * light.glow * glitter)
    canvas.cover(canvas.below(np.full(canvas.width, horizon)), np.clip(colour, 0, 1))


def paint_dunes(draw: Draw, canvas: Canvas, light: Light, horizon: float, sun_x: float) -> None:
    sand = mix(
        rgb(draw.choice(["#e0a865", "#d8955a", "#e8c48a", "#c97f4e"])), rgb(light.near), 1 - haze(light).mean()
    )
    for layer in range(4):
        depth = (layer + 1) / 4
        top = horizon - 0.1 + (1 - horizon) * 0.27 * layer
        line = top + (0.1 + 0.1 * depth) * (1 - rolling(draw, canvas, 0.45))
        crest = line + 0.09 * depth * (1 + np.sin(canvas.x[0] * draw.uniform(3, 8) + draw.uniform(0, 6)))
        shade = mix(sand * 0.6, rgb(light.near), 0.3)
        lit = (
            mix(sand, rgb(light.shine), 0.3) * (1 + 0.05 * np.sin((canvas.y - line) * 220 + canvas.x * 9))[..., None]
        )
        colour = mix(lit, shade, smooth(canvas.y - crest, -0.004, 0.012))
        canvas.cover(canvas.below(line), mix(colour, haze(light), 0.45 * (1 - depth)))


def paint_trees(
    draw: Draw,
    canvas: Canvas,
    light: Light,
    line: Array,
    size: float,
    count: int,
    depth: float,
    pines: bool | None = None,
) -> None:
    """Trees with their feet on `line`, all pines or all round ones."""
    pines = draw.random() < 0.6 if pines is None else pines
    feet = draw.uniform(0, canvas.aspect, count)
    sizes = size * draw.uniform(0.6, 1.3, count)

    def paint(pen: ImageDraw.ImageDraw, scale: float) -> None:
        for foot, height in zip(feet, sizes, strict=True):
            ground = line[min(int(foot * canvas.height), canvas.width - 1)] + 0.01
            (paint_pine if pines else paint_round)(draw, pen, foot * scale, ground * scale, height * scale)

    canvas.cover(canvas.shapes(paint), mix(haze(light), rgb(light.near), 0.25 + 0.75 * depth))


def paint_pine(draw: Draw, pen: ImageDraw.ImageDraw, x: float, y: float, height: float) -> None:
    tiers = 7
    left, right = [], []
    for tier in range(tiers):
        width = height * 0.21 * (tier + 1) / tiers * draw.uniform(0.8, 1.15)
        level = y - height * (1 - (tier + 1) / (tiers + 0.7))
        left += [(x - width, level), (x - width * 0.45, level - height * 0.012)]
        right += [(x + width, level), (x + width * 0.45, level - height * 0.012)]
    pen.polygon([(x, y - height), *left, *right[::-1]], fill=255)
    pen.rectangle((x - height * 0.02, y - height * 0.12, x + height * 0.02, y), fill=255)


def paint_round(draw: Draw, pen: ImageDraw.ImageDraw, x: float, y: float, height: float) -> None:
    pen.polygon([(x - height * 0.05, y), (x - height * 0.02, y - height * 0.6), (x + height * 0.05, y)], fill=255)
    for _ in range(22):
        angle, reach = draw.uniform(0, 6.28), height * 0.26 * np.sqrt(draw.random())
        cx, cy, r = (
            x + reach * np.cos(angle),
            y - height * 0.66 + 0.85 * reach * np.sin(angle),
            height * draw.uniform(0.06, 0.14),
        )
        pen.ellipse((cx - r, cy - r, cx + r, cy + r), fill=255)


def paint_forest(draw: Draw, canvas: Canvas, light: Light, horizon: float, sun_x: float) -> None:
    """Rows of pines that come out of the mist."""
    for layer in range(5):
        depth = (layer + 1) / 5
        line = horizon - 0.02 + 0.11 * layer + 0.1 * (1 - rolling(draw, canvas, 0.5))
        size = 0.1 + 0.22 * depth**1.5
        paint_trees(
            draw, canvas, light, line, size, int(9 * canvas.aspect / size**0.8), 0.1 + 0.9 * depth**1.3, pines=True
        )
        fog = smooth(canvas.y - line, -0.03, 0.12) * (1 - 0.8 * depth)
        ground = mix(haze(light), rgb(light.near), 0.25 + 0.75 * depth)
        canvas.cover(canvas.below(line), mix(ground, haze(light), 0.7 * (1 - depth)))
        canvas.cover(0.8 * fog, haze(light))


def paint_town(draw: Draw, canvas: Canvas, light: Light, horizon: float, sun_x: float) -> None:
    """Rows of houses with lit windows: clutter, unless the light is kind."""
    for layer in range(3):
        depth = (layer + 1) / 3
        wall = mix(haze(light), rgb(light.near), 0.3 + 0.6 * depth)
        x = -0.05
        while x < canvas.aspect:
            width, height = draw.uniform(0.06, 0.16), draw.uniform(0.12, 0.5) * (1.15 - 0.4 * depth)
            top, u = 1 - 0.22 * (3 - layer) * 0.6 - height, canvas.x - x
            inside = ((u >= 0) & (u < width) & (canvas.y > top)).astype(np.float32)
            canvas.cover(inside, wall * draw.uniform(0.8, 1.15))
            step = draw.uniform(0.018, 0.03)
            lit = draw.random((64, 64)) < (0.45 if light.sky[1] < "#6" else 0.2)
            column, row = (u / step).astype(int) % 64, ((canvas.y - top) / step).astype(int) % 64
            pane = ((u / step) % 1 > 0.4) & (((canvas.y - top) / step) % 1 > 0.4) & (canvas.y > top + 0.01)
            canvas.cover(
                inside * pane * lit[row, column] * (u < width - 0.01), rgb("#ffd27a") * draw.uniform(0.8, 1.1)
            )
            x += width * draw.uniform(0.9, 1.3)


def mountain_lake(draw: Draw, canvas: Canvas, light: Light, horizon: float, sun_x: float) -> None:
    paint_mountains(draw, canvas, light, horizon, sun_x)
    shore = horizon - 0.012 * rolling(draw, canvas, 1)
    paint_trees(draw, canvas, light, shore, 0.05, draw.integers(10, 50), 0.7, pines=True)
    paint_water(draw, canvas, light, horizon, sun_x)
    if draw.random() < 0.5:
        bank = 1.06 - 0.2 * rolling(draw, canvas, 0.4)
        canvas.cover(canvas.below(bank), rgb(light.near))
        paint_trees(draw, canvas, light, bank, 0.3, draw.integers(1, 6), 1.0)


def sea(draw: Draw, canvas: Canvas, light: Light, horizon: float, sun_x: float) -> None:
    if draw.random() < 0.5:  # an island or a cape
        side = smooth(draw.choice([-1, 1]) * (canvas.x[0] - draw.uniform(0.2, 0.8) * canvas.aspect), 0, 0.5)
        line = horizon + 0.01 - 0.15 * side * (0.4 + 0.6 * jagged(draw, canvas, 3))
        canvas.cover(canvas.below(line), mix(haze(light), rgb(light.near), 0.6))
    paint_water(draw, canvas, light, horizon, sun_x)
    if draw.random() < 0.5:
        paint_boat(draw, canvas, light, horizon)


def paint_boat(draw: Draw, canvas: Canvas, light: Light, horizon: float) -> None:
    x, y, size = draw.uniform(0.2, 0.8) * canvas.aspect, horizon + draw.uniform(0.02, 0.12), draw.uniform(0.05, 0.11)

    def paint(pen: ImageDraw.ImageDraw, scale: float) -> None:
        def polygon(*points: tuple[float, float]) -> None:
            pen.polygon([((x + size * u) * scale, (y + size * v) * scale) for u, v in points], fill=255)

        polygon((-0.5, 0), (0.5, 0), (0.35, 0.17), (-0.35, 0.17))
        polygon((0.02, -0.06), (0.02, -1.1), (0.5, -0.06))
        polygon((-0.04, -0.06), (-0.04, -0.95), (-0.38, -0.06))

    canvas.cover(canvas.shapes(paint), mix(rgb(light.near), rgb(light.shine), draw.choice([0.05, 0.9])))


def mountain_meadow(draw: Draw, canvas: Canvas, light: Light, horizon: float, sun_x: float) -> None:
    paint_mountains(draw, canvas, light, horizon, sun_x)
    paint_hills(draw, canvas, light, horizon + 0.05, sun_x, layers=3)


PLACES = {
    "lake": mountain_lake,
    "sea": sea,
    "mountains": lambda *scene: paint_mountains(*scene[:3], 0.97, scene[4], layers=5),
    "hills": paint_hills,
    "meadow": mountain_meadow,
    "dunes": paint_dunes,
    "forest": paint_forest,
    "town": paint_town,
}


def finish(draw: Draw, canvas: Canvas) -> None:
    """A little darker towards the corners, and film grain."""
    middle = np.hypot(canvas.x / canvas.aspect - 0.5, canvas.y - 0.5)
    canvas.picture *= (1 - 0.35 * smooth(middle, 0.35, 0.8))[..., None]
    canvas.picture += draw.normal(0, 0.009, canvas.x.shape).astype(np.float32)[..., None]
