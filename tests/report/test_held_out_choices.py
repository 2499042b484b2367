"""What models foresee of held-out choices: over images without a score, for any model."""

import pytest
import torch

from src.features.feature_cache import FeatureCache
from src.model.config import PredictorConfig
from src.model.file import save_predictor
from src.model.network import Predictor
from src.ratings.database import Comparisons
from src.report.held_out_choices import print_held_out
from src.scoring import models
from src.scoring.settings import LookSettings
from tests.toys import ToyExtractor, make_image


@pytest.fixture
def directory(tmp_path, monkeypatch):
    """Six images, redder from one to the next; a model that finds red best."""
    monkeypatch.setattr(models, "load_extractor", lambda name, *more: ToyExtractor(name))
    for number in range(6):
        make_image(tmp_path / "images" / f"{number}.png", (40 * number, 90, 90))
    predictor = Predictor(PredictorConfig("toy", (0,), "join", (3,), (), (0.0,)))
    with torch.no_grad():
        weight, bias = predictor.main_process.parameters()
        weight.copy_(torch.tensor([[1.0, 0.0, 0.0]]))
        bias.zero_()
    save_predictor(tmp_path / "red.safetensors", predictor)
    return tmp_path / "images"


def choose(directory, hold_out):
    cache = FeatureCache(directory.parent / "cache")
    paths = [f"{number}.png" for number in range(6)]
    with Comparisons(directory.parent / "c.sqlite", "me") as database:
        ids = database.register(cache.hashes(directory, paths)[0]).ids
        if hold_out:
            database.hold_out(1.0, 0)
        for worse, better in ((0, 1), (2, 3), (4, 5), (5, 0)):
            database.add_choice([ids[f"{worse}.png"], ids[f"{better}.png"]], ids[f"{better}.png"])
    return cache


def said(directory, cache, files):
    return print_held_out(directory.parent / "c.sqlite", "me", directory, [], files, cache, LookSettings())


def test_each_model_has_its_line(directory, capsys):
    cache, file = choose(directory, hold_out=True), directory.parent / "red.safetensors"
    (line,) = said(directory, cache, [file])
    assert line.startswith("On images that it never saw, the model foresees 75 % (30–95 %) of 4 of your choices")
    assert line in capsys.readouterr().out
    assert all(line in one for one in said(directory, cache, [file, file]))
    (directory / "0.png").unlink()  # its two choices can't be asked about any more
    assert "100 % (34–100 %) of 2" in said(directory, cache, [file])[0]


def test_where_nothing_is_held_out_nothing_is_said(directory, capsys):
    cache = choose(directory, hold_out=False)
    assert said(directory, cache, [directory.parent / "red.safetensors"]) == []
    assert said(directory, choose(directory, hold_out=False), []) == []
    assert "foresees" not in capsys.readouterr().out
