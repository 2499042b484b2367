"""The land: mountains, hills, dunes, water."""

import numpy as np

from examples.drawing import Array, mix, pick, rgb, smooth
from examples.scene import Scene
from examples.things import paint_trees

SANDS = ["#e0a865", "#d8955a", "#e8c48a", "#c97f4e"]
GREENS = ["#3d6b35", "#567d46", "#6b7f3a", "#2f5d50", "#8a8a3c", "#a0763a", "#7b5a3c"]
ROCKS = ["#6b6f7d", "#7c6a5c", "#5a6b6b"]


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
