"""Landscapes for the sample gallery: a time of day and a place."""

import math
from dataclasses import dataclass

import numpy as np
from PIL import ImageDraw

from examples.drawing import WHITE, Array, Canvas, Draw, Window, blend, mix, pick, rgb, smooth

SANDS = ["#e0a865", "#d8955a", "#e8c48a", "#c97f4e"]
GREENS = ["#3d6b35", "#567d46", "#6b7f3a", "#2f5d50", "#8a8a3c", "#a0763a", "#7b5a3c"]
ROCKS = ["#6b6f7d", "#7c6a5c", "#5a6b6b"]


@dataclass(frozen=True)
class Light:
    """One time of day. glow: how far the sun's light spreads. sun: how likely it is to be there."""

    sky: list[str]  # from the top to the horizon
    shine: str  # of the sun
    near: str  # what is near, against the light
    clouds: list[str]  # lit and shaded
    height: tuple[float, float]  # of the sun, in parts of the sky; below 0 it has set
    glow: float
    sun: float

    @property
    def haze(self) -> Array:
        """What is far away takes on the colour of the horizon."""
        return rgb(self.sky[2])


def _light(colours: str, height: tuple[float, float], glow: float, sun: float) -> Light:
    codes = [f"#{code}" for code in colours.split()]
    return Light(codes[:3], codes[3], codes[4], codes[5:], height, glow, sun)


LIGHTS = {
    # sky: top, middle, horizon; sun; near; clouds: lit, shaded
    "dawn": _light("5f80b8 e2b0b4 ffdcae ffe6bc 2d3350 ffe3d2 a48cae", (0.05, 0.35), 0.6, 0.7),
    "day": _light("2d74c2 78b3e6 d5ebf8 fffce8 24432a ffffff b9c7d6", (0.55, 0.85), 0.35, 0.45),
    "golden": _light("7a93bb f3c27c ffe5a6 fff3c9 4b3018 fff0cf c99b74", (0.15, 0.5), 0.7, 0.8),
    "sunset": _light("33346e d65f76 ffb552 ffd98c 2a1526 ff9d6c 6c3c66", (-0.02, 0.3), 0.8, 0.8),
    "dusk": _light("141b40 4d4680 d9909a f7c9b4 12132a 8d6a98 2c2b58", (-0.5, 0.1), 0.4, 0.3),
    "night": _light("040714 0d1a3a 27456b eef2ff 04070f 31456b 0c152b", (0.35, 0.8), 0.25, 0.6),
    "overcast": _light("808d99 a8b4bd ccd3d6 e8ecee 2c3533 d3dade 8b97a1", (0.4, 0.8), 0.1, 0),
    "storm": _light("1d232c 404a55 838b8e c9d0d2 12181a 6c757c 1b2027", (0.4, 0.8), 0.1, 0),
    "mist": _light("aebdbf cfd8d4 efe9da fff6df 3c4a47 f3f1e8 c0cac8", (0.2, 0.6), 0.4, 0.4),
}


@dataclass(frozen=True)
class Scene:
    """What all parts of a landscape share. horizon: its height. sun_x: where the sun is, seen or not."""

    draw: Draw
    canvas: Canvas
    light: Light
    horizon: float
    sun_x: float


def landscape(draw: Draw, canvas: Canvas, time: str, place: str) -> None:
    sun_x = draw.uniform(0.15, 0.85) * canvas.aspect
    scene = Scene(draw, canvas, LIGHTS[time], draw.uniform(0.5, 0.72), sun_x)
    paint_sky(scene, dark=time == "night")
    PLACES[place](scene)
    corners = np.hypot(canvas.x / canvas.aspect - 0.5, canvas.y - 0.5)
    canvas.picture *= 1 - 0.35 * smooth(corners, 0.35, 0.8)
    canvas.grain(draw, 0.009)


# --- the sky ---


def paint_sky(scene: Scene, dark: bool) -> None:
    draw, canvas, light = scene.draw, scene.canvas, scene.light
    colours = np.stack([rgb(colour) for colour in light.sky])
    canvas.fill(blend(colours, (canvas.y / scene.horizon) ** draw.uniform(0.8, 1.4)))
    sun_y = scene.horizon * (1 - draw.uniform(*light.height))
    distance = np.hypot(canvas.x - scene.sun_x, canvas.y - sun_y)
    if dark:
        paint_stars(scene)
    if draw.random() < light.sun:
        paint_sun(scene, distance)
    else:
        distance += 0.6
    paint_clouds(scene, distance)


def paint_sun(scene: Scene, distance: Array) -> None:
    """The sun or the moon, and the light around it. distance: (H, W) from its middle."""
    canvas, glow, shine = scene.canvas, scene.light.glow, rgb(scene.light.shine)
    radius = scene.draw.uniform(0.035, 0.085)
    canvas.cover(glow * np.exp(-((distance / 0.55) ** 1.2)), shine)
    canvas.cover(glow * np.exp(-((distance / (radius * 2.2)) ** 2)), shine)
    disc = ((radius - distance) * canvas.height + 0.5).clip(0, 1)
    canvas.cover(disc, mix(shine, WHITE, 0.5))
    canvas.sun = disc


def paint_stars(scene: Scene) -> None:
    draw, canvas = scene.draw, scene.canvas
    bright = draw.random(canvas.x.shape, np.float32)
    stars = np.where(bright < 0.0022, (bright / 0.0022) ** 3, 0)
    canvas.picture += stars + 0.4 * (np.roll(stars, 1, 0) + np.roll(stars, 1, 1))
    if draw.random() < 0.35:
        paint_northern_lights(scene)


def paint_northern_lights(scene: Scene) -> None:
    draw, canvas = scene.draw, scene.canvas
    foot = scene.horizon * (0.35 + 0.5 * canvas.noise(draw, 2, 3, 0.5)[:1])  # (1, W)
    above = foot - canvas.y
    curtain = np.where(above > 0, np.exp(-above.clip(0) / 0.16), np.exp(above.clip(None, 0) / 0.02))
    rays = 0.35 + 0.65 * canvas.noise(draw, 3, 4, 0.12)[:1]
    canvas.picture += 0.75 * curtain * rays * mix(rgb("#5dffa9"), rgb("#8f6bff"), (above / 0.3).clip(0, 1))


def paint_clouds(scene: Scene, distance: Array) -> None:
    """Clouds, brighter towards the sun and at their tops. distance: (H, W) from the sun."""
    draw, canvas, light = scene.draw, scene.canvas, scene.light
    amount = pick(draw, [0.0, 0.3, 0.5, 0.75]) if light.sun else 0.85
    if amount == 0:
        return
    texture = canvas.noise(draw, draw.uniform(2, 4), 5, draw.uniform(2, 4))
    mask = smooth(texture, 1 - amount, 1.35 - amount) * (0.85 - 0.5 * smooth(canvas.y / scene.horizon, 0.5, 1.05))
    lit, shaded = (rgb(colour) for colour in light.clouds)
    brightness = 0.75 * np.exp(-distance / 0.5) + 0.9 * (np.roll(texture, 6, 0) - texture) + 0.3
    canvas.cover(mask, mix(shaded, lit, brightness.clip(0, 1)))


# --- the land ---


def jagged(scene: Scene, cells: int, octaves: int = 6) -> Array:
    """(W,) a line of peaks in [0, 1]."""
    x, total = scene.canvas.x[0] / scene.canvas.aspect, np.zeros(scene.canvas.width)
    for octave in range(octaves):
        points = scene.draw.random(cells * 2**octave + 2)
        total += np.interp(x * cells * 2**octave, np.arange(len(points)), points) / 2.1**octave
    return ((total - total.min()) / (total.max() - total.min())).astype(np.float32)


def rolling(scene: Scene, waves: float) -> Array:
    """(W,) a line of round hills in [0, 1]."""
    lengths, starts = scene.draw.uniform(0.4, 1.6, 5), scene.draw.uniform(0, 6.28, 5)
    total = (np.sin(scene.canvas.x[0][:, None] * lengths * waves * 6.28 + starts) / np.arange(1, 6)).sum(1)
    return ((total - total.min()) / (total.max() - total.min())).astype(np.float32)


def paint_mountains(scene: Scene, foot: float, layers: int = 3) -> None:
    """Ranges from far to near; the far ones fade into the haze, their sides are lit from where the sun is."""
    draw, canvas, haze = scene.draw, scene.canvas, scene.light.haze
    rock, snow = mix(rgb(scene.light.near), rgb(pick(draw, ROCKS)), 0.35), draw.random() < 0.5
    white = mix(haze, rgb(scene.light.shine), 0.6)
    for layer in range(layers):
        near = (layer + 1) / layers
        top = foot - (0.36 - 0.22 * near) * draw.uniform(0.8, 1.25)
        line = top + (1 - jagged(scene, 2 + layer)) * (foot - top) * 0.95
        window, mask, depth = canvas.below(line)
        rows = (depth * canvas.height).astype(int)
        texture = canvas.noise(draw, 5, 5)
        slope = np.gradient(texture, axis=1) * (canvas.height if scene.sun_x > canvas.aspect / 2 else -canvas.height)
        lit = np.take_along_axis(slope, rows, 0).clip(-1, 1)  # the texture hangs from the ridge
        colour = mix(haze, rock, 0.25 + 0.75 * near) * (1 + 0.28 * lit)
        if snow:
            rough = np.take_along_axis(texture, rows, 0) - 0.5
            share = smooth(0.14 - depth + 0.16 * rough + (0.25 - line) * 0.3, 0, 0.05)
            colour = mix(colour, white * (1 + 0.2 * lit.clip(None, 0.4)), share * (0.9 - 0.3 * near))
        colour = mix(colour, haze, 0.75 * smooth(depth, 0.02, 0.28) * (1.1 - near))
        canvas.cover(mask, colour.clip(0, 1), window)


def paint_hills(scene: Scene, top: float, layers: int = 4) -> None:
    draw, canvas, light = scene.draw, scene.canvas, scene.light
    green = rgb(pick(draw, GREENS)) * (0.35 + 0.65 * light.haze.mean())
    for layer in range(layers):
        near = (layer + 1) / layers
        line = top - 0.08 + (0.98 - top) * layer / layers + 0.13 * (1 - rolling(scene, 0.8 - 0.3 * near))
        window, mask, depth = canvas.below(line)
        grass = 0.9 + 0.2 * canvas.noise(draw, 14, 3, 2)[window]
        colour = mix(light.haze, mix(rgb(light.near), green, 0.75 - 0.45 * near), 0.35 + 0.65 * near) * grass
        if light.sun:
            sunny = np.exp(-np.abs(canvas.x[0] - scene.sun_x) / 0.5) * np.exp(-depth / 0.06)
            colour = mix(colour, rgb(light.shine), 0.35 * sunny)
        canvas.cover(mask, mix(colour, light.haze, 0.5 * smooth(depth, 0.03, 0.2) * (1 - near)), window)
        if draw.random() < 0.6:
            paint_trees(scene, line, 0.02 + 0.07 * near, int(draw.integers(2, 14)), 0.4 + 0.6 * near)


def paint_dunes(scene: Scene) -> None:
    """Waves of sand, each with a lit and a shaded side."""
    draw, canvas, light = scene.draw, scene.canvas, scene.light
    sand = mix(rgb(pick(draw, SANDS)), rgb(light.near), 1 - light.haze.mean())
    shade = mix(sand * 0.6, rgb(light.near), 0.3)
    for layer in range(4):
        near = (layer + 1) / 4
        top = scene.horizon - 0.1 + (1 - scene.horizon) * 0.27 * layer
        line = top + (0.1 + 0.1 * near) * (1 - rolling(scene, 0.45))
        crest = 0.09 * near * (1 + np.sin(canvas.x[0] * draw.uniform(3, 8) + draw.uniform(0, 6)))
        window, mask, depth = canvas.below(line)
        lit = mix(sand, rgb(light.shine), 0.3) * (1 + 0.05 * np.sin(depth * 220 + canvas.x[0] * 9))
        colour = mix(lit, shade, smooth(depth - crest, -0.004, 0.012))
        canvas.cover(mask, mix(colour, light.haze, 0.45 * (1 - near)), window)


def paint_water(scene: Scene) -> None:
    """A mirror of what stands above the horizon, broken by waves that grow towards us."""
    draw, canvas, light, horizon = scene.draw, scene.canvas, scene.light, scene.horizon
    window, mask, depth = canvas.below(horizon)
    x, near = canvas.x[window], depth / (1 - horizon)
    ripple = canvas.noise(draw, 36, 2, 9)[window] - 0.5
    choppy = pick(draw, [0.02, 0.05, 0.12])
    waves = ripple * near * choppy
    rows = (horizon - depth * draw.uniform(0.75, 0.95) + waves).clip(0, horizon - 0.005) * canvas.height
    columns = (x + waves * 0.6).clip(0, canvas.aspect - 0.004) * canvas.height
    mirror = canvas.picture[:, rows.astype(int), columns.astype(int)]
    deep = mix(rgb(light.sky[0]), rgb(light.near), 0.4)
    colour = mix(mirror, deep, 0.18 + 0.3 * near) * (1 + 0.9 * choppy * ripple * (2 + 3 * near))
    if canvas.sun_seen() > 30:
        glitter = np.exp(-(((x - scene.sun_x) / (0.03 + 0.13 * near)) ** 2)) * smooth(ripple, 0.02, 0.2)
        colour = mix(colour, rgb(light.shine), 0.75 * light.glow * glitter)
    canvas.cover(mask, colour.clip(0, 1), window)


# --- what stands on it ---


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


# --- places ---


def lake(scene: Scene) -> None:
    draw, canvas = scene.draw, scene.canvas
    paint_mountains(scene, scene.horizon)
    paint_trees(scene, scene.horizon - 0.012 * rolling(scene, 1), 0.05, int(draw.integers(10, 50)), 0.7, pines=True)
    paint_water(scene)
    if draw.random() < 0.5:
        bank = 1.06 - 0.2 * rolling(scene, 0.4)
        window, mask, _ = canvas.below(bank)
        canvas.cover(mask, rgb(scene.light.near), window)
        paint_trees(scene, bank, 0.3, int(draw.integers(1, 6)), 1.0)


def sea(scene: Scene) -> None:
    draw, canvas = scene.draw, scene.canvas
    if draw.random() < 0.5:  # a cape
        side = smooth(pick(draw, [-1, 1]) * (canvas.x[0] - draw.uniform(0.2, 0.8) * canvas.aspect), 0, 0.5)
        window, mask, _ = canvas.below(scene.horizon + 0.01 - 0.15 * side * (0.4 + 0.6 * jagged(scene, 3)))
        canvas.cover(mask, mix(scene.light.haze, rgb(scene.light.near), 0.6), window)
    paint_water(scene)
    if draw.random() < 0.5:
        paint_boat(scene)


def mountains(scene: Scene) -> None:
    paint_mountains(scene, foot=0.97, layers=5)


def hills(scene: Scene) -> None:
    paint_hills(scene, scene.horizon)


def meadow(scene: Scene) -> None:
    paint_mountains(scene, scene.horizon)
    paint_hills(scene, scene.horizon + 0.05, layers=3)


def dunes(scene: Scene) -> None:
    paint_dunes(scene)


def forest(scene: Scene) -> None:
    """Rows of pines that come out of the mist."""
    canvas, haze, dark = scene.canvas, scene.light.haze, rgb(scene.light.near)
    for layer in range(5):
        near = (layer + 1) / 5
        line = scene.horizon - 0.02 + 0.11 * layer + 0.1 * (1 - rolling(scene, 0.5))
        size = 0.1 + 0.22 * near**1.5
        paint_trees(scene, line, size, int(9 * canvas.aspect / size**0.8), 0.1 + 0.9 * near**1.3, pines=True)
        window, mask, _ = canvas.below(line)
        canvas.cover(mask, mix(haze, dark, (0.25 + 0.75 * near) * (0.3 + 0.7 * near)), window)
        window, _, depth = canvas.below(line - 0.03)
        canvas.cover(smooth(depth, 0, 0.15) * (0.8 - 0.64 * near), haze, window)


def town(scene: Scene) -> None:
    """Rows of houses with many windows: clutter, unless the light is kind."""
    draw, canvas, light = scene.draw, scene.canvas, scene.light
    stone, dark = mix(rgb(light.near), rgb("#4b4a55"), 0.5), rgb(light.sky[1]).mean() < 0.5
    for layer in range(3):
        wall, x = mix(light.haze, stone, 0.4 + 0.2 * layer), draw.uniform(-0.1, 0)
        while x < canvas.aspect:
            width, top = draw.uniform(0.07, 0.17), 0.45 + 0.13 * layer - draw.uniform(0, 0.4) ** 1.3
            window = canvas.window(x, top, x + width, 1)
            canvas.cover(np.ones_like(canvas.x[window]), wall * draw.uniform(0.8, 1.15), window)
            paint_windows(scene, window, rgb("#ffd27a") if dark else wall * 0.6, 0.4 if dark else 0.85)
            x += width * draw.uniform(0.9, 1.4)


PLACES = {place.__name__: place for place in (lake, sea, mountains, hills, meadow, dunes, forest, town)}
