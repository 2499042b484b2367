"""Landscapes for the sample gallery: a time of day and a place."""

import numpy as np

from examples.drawing import Canvas, Draw, mix, pick, rgb, smooth
from examples.land import jagged, paint_dunes, paint_hills, paint_mountains, paint_water, rolling
from examples.scene import LIGHTS, Scene
from examples.sky import paint_sky
from examples.things import paint_boat, paint_trees, paint_windows


def landscape(draw: Draw, canvas: Canvas, time: str, place: str) -> None:
    sun_x = draw.uniform(0.15, 0.85) * canvas.aspect
    scene = Scene(draw, canvas, LIGHTS[time], draw.uniform(0.5, 0.72), sun_x)
    paint_sky(scene, dark=time == "night")
    PLACES[place](scene)
    corners = np.hypot(canvas.x / canvas.aspect - 0.5, canvas.y - 0.5)
    canvas.picture *= 1 - 0.35 * smooth(corners, 0.35, 0.8)
    canvas.grain(draw, 0.006)


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
