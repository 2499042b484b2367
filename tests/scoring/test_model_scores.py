"""Model scores beside scores, and what is left out."""

import numpy as np
import pytest
import torch

from src.common.errors import UserError
from src.features.feature_cache import FeatureCache
from src.model.config import PredictorConfig
from src.model.file import save_predictor
from src.model.network import Predictor
from src.scores.scorefile import read_scorefile
from src.scoring.model_scores import keep_scored, read_model_scores, score_with, score_with_all
from src.scoring.models import load_models
from src.scoring.settings import LookSettings, ScoringSettings
from tests.toys import ToyExtractor, make_gallery


@pytest.fixture
def table(tmp_path):
    rows = "".join(f"{number:02}.png,{number}\n" for number in range(40))
    (tmp_path / "scores.csv").write_text("relative_path,score\n" + rows, encoding="utf-8")
    return read_scorefile(tmp_path / "scores.csv")


def test_model_scores_are_used_only_where_there_is_no_file_of_a_model(table, tmp_path):
    (tmp_path / "model.safetensors").write_bytes(b"no model")
    (tmp_path / "a.csv").write_text("relative_path,score\n" + "05.png,7\n", encoding="utf-8")
    cache, settings = FeatureCache(tmp_path / "cache"), LookSettings("a.csv", device="cpu", extract_batch_size=4)
    [found] = score_with_all(tmp_path, table.paths, [], cache, settings)
    assert (found.name, np.flatnonzero(~np.isnan(found.scores)).tolist(), found.scores[5]) == ("a", [5], 7)
    with pytest.raises(UserError, match=r"model\.safetensors"):
        score_with_all(tmp_path, table.paths, [tmp_path / "model.safetensors"], cache, settings)


@pytest.mark.parametrize("name", ["model_scores.csv", "scores_of_a_model.csv"])
def test_what_is_wrong_with_model_scores_is_said_whatever_the_file_is_called(table, tmp_path, name):
    (tmp_path / name).write_text("relative_path,liking\n00.png,3\n", encoding="utf-8")
    with pytest.raises(UserError, match="no column 'score'; it has relative_path, liking"):
        read_model_scores(tmp_path / name, table.paths)
    (tmp_path / name).write_text("relative_path,score\n00.png,3\n", encoding="utf-8")
    assert read_model_scores(tmp_path / name, table.paths).scores[0] == 3
    (tmp_path / name).write_bytes(b"\0")
    with pytest.raises(UserError, match="not a text file"):
        read_model_scores(tmp_path / name, table.paths)


@pytest.fixture
def toy(tmp_path, monkeypatch):
    """Eight images, the third broken, and a model file of the toy extractor."""
    paths = make_gallery(tmp_path / "photos", 8)
    (tmp_path / "photos" / paths[2]).write_bytes(b"broken")
    monkeypatch.setattr("src.scoring.models.load_extractor", lambda *_: ToyExtractor())
    torch.manual_seed(0)
    identity = ToyExtractor().identity
    config = PredictorConfig("toy", (0,), "join", (3,), (4, 4), extractor_identity=identity)
    save_predictor(tmp_path / "m.safetensors", Predictor(config), {})
    return tmp_path, paths, FeatureCache(tmp_path / "cache")


def test_an_image_that_cannot_be_read_is_left_out_with_its_reason(toy):
    folder, paths, cache = toy
    [model] = load_models([folder / "m.safetensors"], ScoringSettings(device="cpu"))
    found = score_with(model, folder / "photos", paths, cache, 4)
    assert np.isnan(found.scores).tolist() == [place == 2 for place in range(8)]
    rows = "".join(f"{path},1\n" for path in paths)
    (folder / "s.csv").write_text("relative_path,score\n" + rows, encoding="utf-8")
    table, kept, notes = keep_scored(read_scorefile(folder / "s.csv"), [found])
    assert table.paths == [path for place, path in enumerate(paths) if place != 2]
    assert len(kept[0].scores) == len(kept[0].inputs) == 7
    assert kept[0].scores == pytest.approx(model.predictor.predict(torch.from_numpy(kept[0].inputs))[0])
    assert paths[2] in notes[0]
    assert "not an image" in notes[0]
