"""Skies: their colours, the sun or the moon, stars, northern lights, clouds."""

import numpy as np

from examples.drawing import WHITE, Array, blend, mix, pick, rgb, smooth
from examples.scene import Scene


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
    above = np.pad(texture, ((6, 0), (0, 0)), "edge")[:-6]
    brightness = 0.75 * np.exp(-distance / 0.5) + 0.9 * (above - texture) + 0.3
    canvas.cover(mask, mix(shaded, lit, brightness.clip(0, 1)))
