"""A model as a scorer: the numbers of the script, for images of every kind; and what is said where there are none."""

import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import aesthetic_score_from_model as script
from src.common.errors import UserError
from src.features.extractors import load_extractor
from src.features.feature_cache import FeatureCache
from src.features.images import find_images
from src.features.in_memory import extract
from src.model.file import save_predictor
from src.model.fit import fit_predictor
from src.model.gate import Filter, about_filter
from src.options.option import SCORE
from src.scoring import models
from src.scoring.models import load_models, score_images
from src.scoring.scorer import load_scorer
from src.scoring.settings import ScoringSettings
from tests.features.test_in_memory import noise
from tests.scripts.test_score_script import make_model
from tests.toys import ToyExtractor, colour, make_gallery
from tests.training import read_rows

PICTURES = [np.full((6, 8, 3), colour(i), np.uint8) for i in range(12)]


@pytest.fixture(scope="module")
def real(tmp_path_factory):
    """18 pictures, more than a batch, and a model of the real extractor that has learnt something from some."""
    folder = tmp_path_factory.mktemp("real") / "photos"
    folder.mkdir()
    names = noise(folder, 18)
    extractor = load_extractor("efficientnet-lite0", "cpu")
    features = extract([folder / name for name in names[:8]], extractor)
    predictor = fit_predictor(features, np.arange(8.0), extractor=extractor, loss="nll", epochs=3, device="cpu")
    save_predictor(folder / "model.safetensors", predictor)
    return folder


@pytest.fixture
def toys(tmp_path, monkeypatch):
    """A folder with a model of the toy; every extractor is a toy, and all that were made are listed."""
    made = []
    monkeypatch.setattr(models, "load_extractor", lambda name, *_: made.append(ToyExtractor(name)) or made[-1])
    make_model(tmp_path / "m.safetensors", channels=2)
    return tmp_path, made


def test_it_gives_the_numbers_of_the_script_on_the_same_files(real, monkeypatch, capsys):
    names = find_images(real)
    cache = str(real.parent / "cache")
    monkeypatch.setattr(
        sys, "argv", [SCORE, "-d", str(real), "-o", str(real.parent / "out.csv"), "--cache_directory", cache]
    )
    script.main()
    written = read_rows(real.parent / "out.csv")
    assert [row["relative_path"] for row in written] == names
    capsys.readouterr()
    scorer = load_scorer(real / "model.safetensors")
    scores = scorer.score([real / name for name in names])
    for column, values, rounded in (
        ("model_score", scores.values, 1e-5),
        ("percentile", scores.percentiles, 0.006),
        ("error", scores.errors, 1e-5),
    ):
        np.testing.assert_allclose([float(row[column]) for row in written], values, atol=rounded)
    assert np.ptp(scores.values) > 1
    exactly = score_images(
        real,
        names,
        load_models([real / "model.safetensors"], ScoringSettings(device="cpu")),
        FeatureCache(Path(cache)),
    )
    np.testing.assert_array_equal(exactly.scores[:, 0], scores.values)
    np.testing.assert_array_equal(exactly.errors[:, 0], scores.errors)


def test_files_and_what_pillow_opened_and_arrays_have_the_same_scores(real):
    scorer = load_scorer(str(real / "model.safetensors"), device="cpu")
    names = find_images(real)
    paths = [real / name for name in (*names[:8], names[-1])]  # all kinds of noise and all orientations
    plain = next(path for path in paths if path.name == "00.png")  # RGB and upright
    by_path, opened = (scorer.score(each, batch_size=5) for each in (paths, [Image.open(path) for path in paths]))
    np.testing.assert_array_equal(opened.values, by_path.values)
    array = np.asarray(Image.open(plain))
    assert scorer.score(array[None]).values == pytest.approx(
        by_path.values[:1], rel=1e-4
    )  # rounding depends on the batch
    assert scorer.score(iter([array, plain]), batch_size=1).values == pytest.approx(by_path.values[[0, 0]], rel=1e-4)


def test_the_network_is_loaded_once_and_images_go_through_in_batches(toys):
    folder, made = toys
    scorer = load_scorer(folder / "m.safetensors")
    first = scorer.score(np.stack(PICTURES), batch_size=5)
    second = scorer.score(np.stack(PICTURES), batch_size=5)
    np.testing.assert_array_equal(first.values, second.values)
    assert len(made) == 1
    assert made[0].batches == [5, 5, 2] * 2


def test_scores_have_a_value_a_percentile_and_an_error_each(toys):
    folder, _ = toys
    scorer = load_scorer(folder / "m.safetensors")
    scores = scorer.score(PICTURES)
    assert len(scores) == 12
    for column in (scores.values, scores.percentiles, scores.errors):
        assert column.shape == (12,)
        assert column.dtype == np.float64
        assert np.isfinite(column).all()
    np.testing.assert_allclose(scores.percentiles, np.clip((scores.values + 0.5) * 100, 0, 100))
    assert scorer.name == "m"
    assert scorer.extractor.name == "toy"
    assert scorer.metadata["output_channels"] == "2"


def test_what_a_model_does_not_know_is_nan(toys, capfd):
    folder, _ = toys
    make_model(folder / "plain.safetensors", train_score_quantiles=[0.0, 1.0])
    scores = load_scorer(folder / "plain.safetensors").score(PICTURES)
    assert np.isnan(scores.errors).all()
    predictor = models.load_models([folder / "plain.safetensors"])[0].predictor
    save_predictor(folder / "bare.safetensors", predictor)
    assert np.isnan(load_scorer(folder / "bare.safetensors").score(PICTURES).percentiles).all()


def test_features_are_scored_as_their_images_are(toys):
    folder, _ = toys
    scorer = load_scorer(folder / "m.safetensors")
    assert scorer.hidden_states == (0, 1)
    features = extract(PICTURES, scorer.extractor, scorer.hidden_states)
    for column in ("values", "percentiles", "errors"):
        of_images, of_features = (
            getattr(found, column) for found in (scorer.score(PICTURES), scorer.score_features(features))
        )
        np.testing.assert_array_equal(of_images, of_features)
    with pytest.raises(UserError, match="there is no hidden state 1; the model takes 0, 1 of toy, and 0 are given"):
        scorer.score_features({0: features[0]})


def behind(folder, filters_extractor="toy"):
    """A second model, behind a filter that stops about half of the pictures."""
    first = make_model(
        folder / "first.safetensors",
        seed=1,
        feature_extractor_model=filters_extractor,
        extractor_identity=f"{filters_extractor} 1",
    )
    scores = load_scorer(first).score(PICTURES).values
    threshold = float(np.median(scores))
    second = folder / "second.safetensors"
    make_model(second, seed=2, **about_filter(Filter(first, threshold), second))
    return second, threshold, scores


@pytest.mark.parametrize("filters_extractor", ["toy", "another"])
def test_a_model_behind_a_filter_scores_as_the_script_does(toys, filters_extractor):
    folder, _ = toys
    second, threshold, first = behind(folder, filters_extractor)
    alone = load_scorer(second, gate=False).score(PICTURES)
    scorer = load_scorer(second)
    np.testing.assert_array_equal(scorer.score(PICTURES).values, np.where(first < threshold, first, alone.values))
    paths = make_gallery(folder / "photos", 12)
    by_script = score_images(
        folder / "photos", paths, load_models([second], ScoringSettings(device="cpu")), FeatureCache(folder / "cache")
    )
    scores = scorer.score(folder / "photos" / path for path in paths)
    np.testing.assert_array_equal(scores.values, by_script.scores[:, 0])
    if filters_extractor == "toy":
        features = extract(PICTURES, scorer.extractor, scorer.hidden_states)
        np.testing.assert_array_equal(scorer.score_features(features).values, scorer.score(PICTURES).values)
    else:
        with pytest.raises(
            UserError, match=r"second: is behind a filter that takes features of another; use score()"
        ):
            scorer.score_features({0: np.zeros((1, 3)), 1: np.zeros((1, 3))})
    (folder / "first.safetensors").unlink()
    with pytest.raises(UserError, match="was trained on what first"):
        load_scorer(second)


def test_nothing_is_printed_and_nothing_written_and_what_there_is_to_say_is_in_the_notes(toys, monkeypatch, capfd):
    folder, _ = toys
    make_model(folder / "unsaid.safetensors", identity="")
    paths = [folder / "photos" / path for path in make_gallery(folder / "photos", 4)]
    (folder / "elsewhere").mkdir()
    monkeypatch.chdir(folder / "elsewhere")
    before = sorted(folder.rglob("*"))
    scorer = load_scorer(folder / "unsaid.safetensors")
    scorer.score(paths)
    assert sorted(folder.rglob("*")) == before
    assert capfd.readouterr() == ("", "")
    assert [note.partition(": does not say which weights")[0] for note in scorer.notes] == [
        f"note: {folder / 'unsaid.safetensors'}"
    ]
    assert load_scorer(folder / "m.safetensors").notes == ()


def test_others_models_are_told_what_they_do_not_say(toys):
    import torch

    folder, _ = toys
    head = torch.nn.Linear(3, 1)
    torch.save(head.state_dict(), folder / "head.pth")
    scorer = load_scorer(folder / "head.pth", head_extractor="toy", head_input="none")
    with torch.no_grad():
        expected = head(torch.from_numpy(extract(PICTURES, ToyExtractor(), 0)[0]))[:, 0]
    np.testing.assert_allclose(scorer.score(PICTURES).values, expected, atol=1e-6)
    with pytest.raises(UserError, match="does not say what its features are"):
        load_scorer(folder / "head.pth")


def test_what_cannot_be_scored_with_is_said_in_one_sentence(toys, capfd):
    folder, _ = toys
    (folder / "text.safetensors").write_text("no model")
    make_model(folder / "old.safetensors", identity="toy 0")
    for path, said in (
        (folder / "gone.safetensors", "gone.safetensors: no such model"),
        (folder, "no such model"),
        (folder / "text.safetensors", "text.safetensors: is no predictor"),
        (folder / "old.safetensors", "old.safetensors: was trained on other weights or preprocessing of toy"),
    ):
        with pytest.raises(UserError) as caught:
            load_scorer(path)
        assert said in str(caught.value)
        assert "\n" not in str(caught.value)
    scorer = load_scorer(folder / "m.safetensors")
    for images, said in (
        ([], "images: there are none"),
        (3, "images: is of type int"),
        ([folder / "gone.png"], "gone.png: no such file"),
        (np.zeros((1, 2, 2, 3)), "images: is an array of float64; it must be uint8"),
    ):
        with pytest.raises(UserError) as caught:
            scorer.score(images)
        assert said in str(caught.value)
    assert capfd.readouterr() == ("", "")


def test_a_device_that_is_not_there_is_said(real):
    with pytest.raises(UserError, match="device=cudo: this machine or this build of torch has none"):
        load_scorer(real / "model.safetensors", device="cudo")
