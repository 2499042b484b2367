"""Tiny folders of drawn pictures, and an image model that is the mean colour: what the studies are tried on."""

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from src.common.files import replacing
from studies.common import learning, looking
from studies.common import pictures as common_pictures
from studies.common.learning import Training
from studies.style_folders import pictures as style_pictures
from studies.style_folders.options import read_command
from tests.toys import ToyExtractor

STYLES = {"bars": (200, 90, 60), "dots": (60, 110, 200), "rings": (90, 190, 90)}


def draw_picture(style, seed, size=24):
    """Bars, dots or rings in about the style's colour; each seed another picture."""
    generator = np.random.default_rng([sorted(STYLES).index(style), seed])
    y, x = np.mgrid[:size, :size].astype(float)
    place, step, turn = generator.uniform(4, size - 4, 2), generator.uniform(4, 9), generator.uniform(0, 3)
    waves = {
        "bars": np.sin((x * np.cos(turn) + y * np.sin(turn)) * 6 / step),
        "dots": np.sin(x * 6 / step + turn) * np.sin(y * 6 / step + turn),
        "rings": np.sin(np.hypot(x - place[0], y - place[1]) * 6 / step),
    }[style]
    colour = np.array(STYLES[style]) + generator.integers(-40, 40, 3)
    pixels = colour * (0.75 + 0.25 * waves[..., None]) + generator.normal(0, 6, (size, size, 3))
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


def make_styles(root, counts, first=0):
    """{style: how many pictures}, in a folder for each."""
    for style, count in counts.items():
        (root / style).mkdir(parents=True, exist_ok=True)
        for i in range(first, first + count):
            draw_picture(style, i).save(root / style / f"{i:03}.png")
    return root


@pytest.fixture
def gallery(tmp_path):
    """24 pictures of bars, 12 of dots, 8 of rings."""
    return make_styles(tmp_path / "gallery", {"bars": 24, "dots": 12, "rings": 8})


@pytest.fixture(autouse=True)
def toy_model(monkeypatch):
    monkeypatch.setattr(looking, "load_extractor", lambda name, device="auto": ToyExtractor(name))


@pytest.fixture
def drawn_for_real():
    """For tests of the figures; for others they are a pixel, as drawing takes longer than learning."""


@pytest.fixture(autouse=True)
def figures(monkeypatch, request):
    if "drawn_for_real" not in request.fixturenames:
        for module in (common_pictures, style_pictures):
            monkeypatch.setattr(module, "write_figure", write_pixel)


def write_pixel(path, figure, dpi=100):
    with replacing(path) as temporary:
        Image.new("RGB", (1, 1)).save(temporary, "png")


@pytest.fixture(autouse=True)
def saving_after_each_epoch(monkeypatch):
    monkeypatch.setattr(learning, "SAVED_EACH", 0.0)


def stopping_after(monkeypatch, epochs):
    """Ctrl-C in the middle of the epoch after so many."""
    steps = Training.steps

    def stop(self, rows, number, loss_of):
        if number == epochs:
            steps(self, rows[: self.batch_size], number, loss_of)
            raise KeyboardInterrupt
        return steps(self, rows, number, loss_of)

    monkeypatch.setattr(Training, "steps", stop)


def same_weights(folder, other):
    """Whether two runs ended with the same weights, the same best ones, and the same optimiser, bit for bit."""
    for name in ("best.safetensors", "last.safetensors"):
        own, others = load_file(folder / name), load_file(other / name)
        assert own.keys() == others.keys()
        if different := [key for key in own if not torch.equal(own[key], others[key])]:
            raise AssertionError(f"{name}: {different}")
    return True


def arguments(command, root, *words):
    return read_command([command, str(root), "--device=cpu", *words])
