"""Identities tell the two orders apart in which Pillow resizes, and names of before stay valid."""

import json

import numpy as np
import pytest
from PIL import Image

from src.common import UserError
from src.features.extractors import load_extractor, resizing
from src.features.extractors.base import stable_text
from src.features.extractors.several import SeveralExtractors
from src.features.near_duplicates import Signature
from src.model import PredictorConfig, check_extractor
from tests.features.test_aim import save_aim
from tests.features.test_extractors import save_clip
from tests.toys import ToyExtractor

ORDERS = {"12": resizing.ALWAYS_THE_SAME, "13": resizing.BY_SHAPE}


@pytest.fixture(params=ORDERS)
def pillow(request, monkeypatch):
    """With the Pillow that is here taken for one of this version."""
    for module in ("processors", "resizing"):
        monkeypatch.setattr(f"src.features.extractors.{module}.pillows_resizing", lambda: ORDERS[request.param])
    return request.param


def test_the_order_is_that_of_the_pillow_that_is_here():
    image = Image.fromarray(np.random.default_rng(1).integers(0, 256, (230, 100, 3), dtype=np.uint8))
    whole = np.asarray(image.resize((224, 224), Image.Resampling.BICUBIC))
    steps = [(224, 230), (100, 224)]
    results = [
        np.asarray(image.resize(step, Image.Resampling.BICUBIC).resize((224, 224), Image.Resampling.BICUBIC))
        for step in steps
    ]
    first = {resizing.ALWAYS_THE_SAME: 0, resizing.BY_SHAPE: 1}[resizing.pillows_resizing()]
    np.testing.assert_array_equal(whole, results[first])
    assert np.abs(results[0].astype(int) - results[1]).max() > 1  # as much as the module says


def test_an_identity_is_what_it_was_up_to_pillow_12_and_says_more_from_13(tmp_path, pillow):
    clip = load_extractor(str(save_clip(tmp_path / "clip", "projection")), "cpu")
    aim = load_extractor(str(save_aim(tmp_path / "aim")), "cpu")
    parts = (clip, aim, Signature(), SeveralExtractors([clip, aim]))
    assert json.loads(clip.earlier_identity)["preprocessing"]["with"] == "Pillow"
    assert json.loads(aim.earlier_identity)["preprocessing"].endswith("ImageNet's mean")
    assert Signature().earlier_identity == "perceptual hash 1"
    assert parts[-1].earlier_identity == stable_text(several=[clip.earlier_identity, aim.earlier_identity])
    assert {part.identity == part.earlier_identity for part in parts} == {pillow == "12"}


def test_image_models_that_pillow_resizes_nothing_for_are_the_same_with_every_pillow(pillow):
    assert "Pillow" not in load_extractor("efficientnet-lite0", "cpu").identity
    assert ToyExtractor().earlier_identity == ToyExtractor().identity


def test_models_trained_before_are_taken_and_those_of_another_order_refused(tmp_path, monkeypatch, capsys):
    def identities(order: str) -> tuple[str, str]:
        monkeypatch.setattr("src.features.extractors.resizing.pillows_resizing", lambda: order)
        return Signature().identity, Signature().earlier_identity

    older, newer = identities(resizing.ALWAYS_THE_SAME), identities(resizing.BY_SHAPE)
    first, second = (
        PredictorConfig("p", (0,), "join", (4,), (1, 1), extractor_identity=o[0]) for o in (older, newer)
    )
    check_extractor(tmp_path, first, *older)
    check_extractor(tmp_path, second, *newer)
    assert capsys.readouterr().err == ""
    check_extractor(tmp_path, first, *newer)
    assert "does not say with which Pillow it was trained" in capsys.readouterr().err
    with pytest.raises(UserError, match="was trained on other weights or preprocessing"):
        check_extractor(tmp_path, second, *older)
