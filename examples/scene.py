"""What all parts of a landscape share: the light of a time of day, the horizon, the sun."""

from dataclasses import dataclass

from examples.drawing import Array, Canvas, Draw, rgb


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
