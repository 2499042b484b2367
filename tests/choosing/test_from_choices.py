"""A model from the choices themselves: what is written, what becomes of a model that lay there, what is held out."""

import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from src.choosing import from_choices
from src.choosing.chosen_model import LEAST, NO_FEATURES, NONE_YET, WAITING, ChosenModel, Rated
from src.choosing.from_choices import (
    Made,
    Place,
    Wanted,
    is_from_choices,
    look_at_preview,
    make_model,
    predictor_of,
)
from src.choosing.model_maker import ModelMaker
from src.common.claims import claimed
from src.common.errors import UserError
from src.features.extraction import extract_features
from src.features.feature_cache import FeatureCache
from src.model.config import PredictorConfig
from src.model.file import load_predictor, save_predictor
from src.model.network import Predictor
from src.ratings.assistance import Assistance
from src.ratings.fitted import Ratings, choices_alone
from src.ratings.log import CHOICE, SKIP, make_log
from src.ratings.similarity import Similarity
from src.ratings.statistics import Share
from src.scoring import models as scoring_models
from src.scoring.settings import ScoringSettings
from tests.toys import ToyExtractor, colour, make_gallery, make_image

IMAGES = 30


@pytest.fixture
def paths(tmp_path):
    return make_gallery(tmp_path / "images", IMAGES)


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.setattr(from_choices, "load_extractor", lambda name, device="auto", fp16=False: ToyExtractor(name))
    about = {"rater": "me", "score_column": "score"}
    return Place(tmp_path / "model.safetensors", tmp_path / "images", tmp_path / "cache", about=about)


def redness(path):
    return colour(int(Path(path).stem))[0] / 256


def wanted(paths, learnt=20, held_out=()):
    """The person likes red; all neighbours in the list were compared."""
    screens = [(i + 1, i + 2) for i in range(len(paths) - 1)]
    winners = [max(screen, key=lambda image: redness(paths[image - 1])) for screen in screens]
    log = make_log(np.arange(len(paths)) + 1, screens, winners, held_out=held_out)
    others = {path: number + 1 for number, path in enumerate(paths) if number >= learnt}
    return Wanted("toy", (0, 1), False, {path: (redness(path), 0.01) for path in paths[:learnt]}, others, log)


def other_model(path, **about):
    config = PredictorConfig("toy", (0,), "join", (3,), (2, 2))
    torch.manual_seed(0)
    save_predictor(path, Predictor(config), about)
    return path.read_bytes()


# --- the model ---


def test_it_scores_images_that_it_never_saw_by_the_taste_of_the_choices(place, paths):
    made = make_model(place, wanted(paths))
    assert made.images == 20
    assert sorted(made.scores) == list(range(21, IMAGES + 1))
    truth = [redness(paths[image - 1]) for image in made.scores]
    assert np.corrcoef(truth, list(made.scores.values()))[0, 1] > 0.95


def test_its_file_is_a_model_like_any_other_and_says_what_it_is_made_from(place, paths, monkeypatch):
    make_model(place, wanted(paths))
    monkeypatch.setattr(scoring_models, "load_extractor", lambda name, *more: ToyExtractor(name))
    (model,) = scoring_models.load_models([place.path], ScoringSettings())
    scored = scoring_models.score_images(place.directory, paths, [model], FeatureCache(place.cache), progress=False)
    assert len(scored) == IMAGES
    assert np.isfinite(scored.errors).all()
    said = model.metadata
    assert said["made_from"] == "choices"
    assert said["model_type"] == "gp"
    assert said["extractor_identity"] == "toy 1"
    assert said["hidden_states_used"] == "0,1"
    assert said["scores_assisted_by"] == "toy"
    assert said["split_counts"] == '{"train": 20, "eval": 0, "test": 0}'
    assert said["rater"] == "me"
    own = model.predictor
    states = extract_features(
        place.directory, paths[:20], ToyExtractor("toy"), (0, 1), FeatureCache(place.cache), progress=False
    ).states
    again = predictor_of(ToyExtractor("toy"), states, *np.array(list(wanted(paths).scores.values())).T)
    np.testing.assert_allclose(own.predict(states)[0], again.predict(states)[0], atol=1e-4)
    # Among what it would say of each had it not seen it: new images have scores like these.
    np.testing.assert_allclose(model.quantiles[[0, 50, 100]], np.quantile(again.unseen, [0, 0.5, 1]), atol=1e-4)


def test_a_model_that_was_trained_is_kept_beside_and_the_own_one_replaced(place, paths):
    trained = other_model(place.path)
    first = make_model(place, wanted(paths))
    assert first.kept == place.path.with_suffix(".previous.safetensors")
    assert first.kept.read_bytes() == trained
    assert make_model(place, wanted(paths, 25)).kept is None
    assert first.kept.read_bytes() == trained


@pytest.mark.parametrize("content", [b"", b"text", b"\x10" + bytes(7) + b'{"a": 1}        ', b"\xff" * 40])
def test_what_is_no_model_from_choices_is_never_taken_for_one(tmp_path, content):
    path = tmp_path / "model.safetensors"
    path.write_bytes(content)
    assert not is_from_choices(path)
    assert not is_from_choices(tmp_path)
    other_model(path)
    assert not is_from_choices(path)


def test_a_model_that_training_is_writing_stays_as_it_is(place, paths):
    trained = other_model(place.path)
    with claimed(place.path, "the training run 'x'"), pytest.raises(UserError, match="the training run 'x'"):
        make_model(place, wanted(paths))
    assert place.path.read_bytes() == trained
    assert not place.path.with_suffix(".previous.safetensors").exists()


def test_without_readable_images_nothing_is_written(place, paths):
    for path in paths:
        (place.directory / path).write_bytes(b"no image")
    with pytest.raises(UserError, match="features can be had of 0 of the images"):
        make_model(place, wanted(paths))
    assert not place.path.exists()


def test_the_preview_is_of_images_elsewhere_and_those_that_can_not_be_read_are_left_out(place, paths, tmp_path):
    for name, red in (("dull.png", 10), ("red.png", 250)):
        make_image(tmp_path / "new" / name, (red, 90, 90))
    (tmp_path / "new" / "broken.png").write_bytes(b"no image")
    make_model(place, wanted(paths))
    preview = ("broken.png", "dull.png", "red.png")
    there = Place(place.path, place.directory, place.cache, preview_folder=tmp_path / "new", preview=preview)
    said = look_at_preview(there, wanted(paths))
    assert sorted(said) == [2, 3]
    assert said[3] > said[2]


def test_choices_between_held_out_images_are_foreseen_or_not_and_stand_in_the_file(place, paths):
    made = make_model(place, wanted(paths, 20, held_out=range(21, IMAGES + 1)))
    assert made.held_out.total == 9  # between ten neighbours
    assert made.held_out.hits >= 8
    assert made.choices == 19  # those of the twenty; the one between both kinds counts for neither
    _, said = load_predictor(place.path)
    assert said["held_out_choices"] == f"[{made.held_out.hits}, 9]"


# --- when it is made, and what is said ---


class Maker:
    """Stands in for the process."""

    def __init__(self, place, tell):
        self.place, self.tell, self.asked, self.busy = place, tell, [], False

    def ask(self, wanted):
        self.asked.append(wanted)

    def wait(self):
        pass

    def close(self):
        pass


def found():
    return Assistance("toy", Similarity(np.zeros(0, dtype=np.int64), np.zeros((0, 0))), {}, (0, 1))


def rated(choices, paths=("a", "b", "c")):
    """What gives so many choices' ratings, always the same."""
    kinds = [CHOICE] * choices + [SKIP]
    log = make_log([1, 2, 3], [(1, 2)] * len(kinds), [1] * choices + [0], kinds=kinds)
    ratings = Ratings(log.images, np.zeros(3), np.ones(3), log.comparisons)
    one = Rated(
        dict(zip(paths, (1, 2, 3), strict=True)),
        np.array([1.0, -1.0, np.nan]),
        np.array([0.5, 0.25, np.nan]),
        log,
        ratings,
    )
    return lambda: one


@pytest.fixture
def model(tmp_path):
    return ChosenModel(Place(tmp_path / "m.safetensors", tmp_path, tmp_path), Maker)


def test_too_few_choices_and_features_still_to_come_are_a_sentence_each(model):
    assert model.page()["text"] == NONE_YET
    model.ask(rated(LEAST - 1))
    assert model.text == "A model of your choices needs 20: make 1 more choice."
    model.ask(rated(LEAST))
    assert model.text == WAITING
    assert not model._maker.asked
    model.use(found())
    (asked,) = model._maker.asked
    assert asked.scores == {"a": (1.0, 0.5), "b": (-1.0, 0.25)}
    assert asked.others == {"c": 3}


def test_without_features_there_is_none_and_the_reason_is_given(model):
    model.ask(rated(LEAST))
    model.go_without("the disk is full")
    assert model.text == f"{NO_FEATURES}: the disk is full."
    model.ask(rated(LEAST))
    assert not model._maker.asked


def test_the_same_ratings_are_learnt_from_once_but_again_after_a_failure(model):
    model.use(found())
    one = rated(LEAST)
    model.ask(one)
    model.ask(one)
    assert len(model._maker.asked) == 1
    model._told("the disk is full")
    assert model.text == "The model of your choices could not be made: the disk is full"
    model.ask(one)
    assert len(model._maker.asked) == 2


def test_what_is_made_is_said_with_its_best_and_worst_and_the_headline(model, tmp_path):
    model.use(found())
    model.ask(rated(LEAST))
    model._told(Made(tmp_path / "m.safetensors", None, 2, 20, {3: 0.5}, Share(8, 10), Share(3, 4)))
    page = model.page()
    path = tmp_path / "m.safetensors"
    assert page["text"] == f"The model of your choices, from 20 choices between 2 images, is in {path}."
    assert page["best"] == [{"src": "/image/3", "score": 0.5}]
    assert page["of"] == "images not compared yet"
    assert page["headline"].startswith("On images that it never saw, the model foresees 80 % (49–94 %) of 10 of your")
    assert "75 % (30–95 %) of 4" in page["headline"]


def test_what_is_excluded_is_neither_best_nor_worst(model, tmp_path):
    one = rated(LEAST)()
    excluding = replace(one, log=replace(one.log, excluded=np.array([False, False, True])))
    model.use(found())
    model.ask(lambda: excluding)
    model._told(Made(tmp_path / "m.safetensors", None, 2, 20, {3: 0.5}, Share(8, 10), Share(3, 4)))
    assert (model.page()["best"], model.page()["worst"]) == ([], [])


def test_where_none_is_wanted_nothing_happens():
    model = ChosenModel(None)
    model.use(found())
    model.ask(rated(LEAST))
    model.wait()
    model.close()
    assert (model.text, model.busy, model.page()["text"]) == ("", False, "")


# --- crashes ---


def writes_again_and_again(place, wanted):
    config = PredictorConfig("toy", (0,), "join", (3,), (2, 2))
    for turn in range(100_000):
        from_choices.write_model(place.path, Predictor(config), {"made_from": "choices", "turn": turn})
        if turn == 0:
            yield "begun"


@pytest.mark.script
def test_kill_9_while_it_is_written_leaves_a_whole_model_and_the_one_before_kept(tmp_path):
    path, begun = tmp_path / "model.safetensors", threading.Event()
    trained = other_model(path)
    maker = ModelMaker(Place(path, tmp_path, tmp_path), lambda answer: begun.set(), writes_again_and_again)
    maker.ask("anything")
    assert begun.wait(60)
    maker._process.kill()
    maker.close()
    assert load_predictor(path)[1]["made_from"] == "choices"
    assert path.with_suffix(".previous.safetensors").read_bytes() == trained
    other_model(path)  # and nobody is held up by what the killed one left


def test_what_the_choices_alone_say_and_the_prior_make_the_posterior():
    posterior, deviation, prior = np.array([0.3, -0.3]), np.array([0.4, 0.4]), 0.5
    share = 1 - deviation**2 / prior**2
    said, error = choices_alone(posterior, deviation, share)
    precision = 1 / error**2 + 1 / prior**2
    np.testing.assert_allclose(1 / precision, deviation**2)
    np.testing.assert_allclose(said / error**2 / precision, posterior)
