"""Every example of docs/python.md runs, one after the other, and prints what it says."""

import csv
import re

import numpy as np
import pytest
from PIL import Image

from tests import ROOT

PAGE = (ROOT / "docs" / "python.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


def draw(folder, count):
    """Pictures of noise around a brightness, and how bright each is."""
    folder.mkdir()
    generator = np.random.default_rng(0)
    bright = generator.uniform(30, 220, count)
    for i, mean in enumerate(bright, start=1):
        pixels = np.clip(generator.normal(mean, 20, (24, 32, 3)), 0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"{i}.jpg")
    return bright


@pytest.mark.script
def test_the_examples_run_and_print_what_they_say(tmp_path, monkeypatch, capfd):
    bright = draw(tmp_path / "photos", 40)
    draw(tmp_path / "new", 2)
    with (tmp_path / "photos" / "scores.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([["relative_path", "score"], *([f"{i}.jpg", b] for i, b in enumerate(bright, 1))])
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    for block in BLOCKS:
        exec(compile(block, "docs/python.md", "exec"), names)
        printed = capfd.readouterr()
        said = re.findall(r"^ *print\(.*?\)(?:  # (.*))?$", block, re.MULTILINE)
        assert printed.err == ""
        assert len(printed.out.splitlines()) == len(said)
        for line, expected in zip(printed.out.splitlines(), said, strict=True):
            assert line == (expected or line)
    assert len(BLOCKS) == 8
    made = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.suffix != ".jpg"}
    assert made == {"photos", "photos/scores.csv", "photos/model.safetensors", "new"}
