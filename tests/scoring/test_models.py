"""Images in chunks -> one table of what models say, whatever lies between the chunks."""

import numpy as np
import pytest
import torch

from src.common import Names
from src.features import FeatureCache
from src.model.config import PredictorConfig
from src.model.file import save_predictor
from src.model.network import Predictor
from src.scoring import load_models, models, score_images
from tests.toys import ToyExtractor, make_gallery


@pytest.fixture
def photos(tmp_path, monkeypatch):
    """Nine images, the third and the last broken, and a model of the toy extractor; chunks of two."""
    paths = make_gallery(tmp_path / "photos", 9)
    for broken in (2, 8):
        (tmp_path / "photos" / paths[broken]).write_bytes(b"broken")
    monkeypatch.setattr(models, "load_extractor", lambda *_: ToyExtractor())
    monkeypatch.setattr(models, "CHUNK", 2)
    torch.manual_seed(1)
    config = PredictorConfig("toy", (0,), "join", (3,), (16, 16), extractor_identity=ToyExtractor().identity)
    save_predictor(tmp_path / "m.safetensors", Predictor(config), {})
    return tmp_path, paths, FeatureCache(tmp_path / "cache")


def test_images_that_can_not_be_read_leave_no_gap_wherever_they_are(photos):
    folder, paths, cache = photos
    loaded = load_models([folder / "m.safetensors"])
    asked = Names([*paths, paths[2], paths[0]])  # twice: one that is broken, and one that is not
    found = score_images(folder / "photos", asked, loaded, cache, progress=False)
    assert list(found.unreadable) == [paths[2], paths[8]]
    readable = [path for path in asked if path not in found.unreadable]
    assert found.paths == readable
    assert found.scores.shape == (len(readable), 1)
    alone = [score_images(folder / "photos", [path], loaded, cache, progress=False).scores[0, 0] for path in readable]
    np.testing.assert_allclose(found.scores[:, 0], alone, rtol=1e-6)
    assert len(set(alone)) == len(paths) - 2


def test_a_model_without_errors_and_gates_has_no_room_for_them(photos):
    folder, paths, cache = photos
    found = score_images(folder / "photos", paths, load_models([folder / "m.safetensors"]), cache, progress=False)
    for nothing in (found.errors, found.gates):
        assert nothing.shape == found.scores.shape
        assert np.isnan(nothing).all()
        assert not nothing.flags.writeable
        assert nothing.strides == (0, 0)
    some = found.part(np.array([0, 3]))
    assert some.paths == [found.paths[0], found.paths[3]]
    assert np.isnan(some.errors).all()
    assert not some.stopped().any()


def test_large_arrays_go_back_to_the_system(photos, monkeypatch):
    folder, paths, cache = photos
    told = []
    monkeypatch.setattr(models, "return_large_arrays", lambda: told.append(1))
    score_images(folder / "photos", paths, load_models([folder / "m.safetensors"]), cache, progress=False)
    assert told == [1]
