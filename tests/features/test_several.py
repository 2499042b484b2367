"""Several image models at once: names, how states are numbered, the cache, joining, training and use."""

import sys
from contextlib import suppress

import numpy as np
import pytest
import torch
from safetensors import safe_open

import aesthetic_ab_scorer
import aesthetic_data_analysis
import aesthetic_predictor_training
import aesthetic_score_from_model
from src.common.errors import UserError
from src.common.hidden_states import read_states, write_states
from src.features.extraction import extract_features
from src.features.extractors import extractor_in_words, load_extractor
from src.features.extractors.several import SeveralExtractors
from src.features.feature_cache import FeatureCache
from src.model.config import PredictorConfig, arrange
from src.model.file import save_predictor
from src.model.network import Predictor
from src.options.command_line import parse_arguments
from src.options.files import write_arguments
from src.options.option import CHOOSE, TRAIN
from src.scoring.model_scores import score_with
from src.scoring.models import load_models
from src.scoring.settings import ScoringSettings
from tests.features.test_extractors import photograph_like, save_clip
from tests.toys import ToyExtractor, colour, make_gallery


@pytest.mark.parametrize(
    ("text", "numbers"),
    [("0", (0,)), ("0,2", (0, 2)), ("2,0", (2, 0)), ("0,2;1", (0, 2, 1001)), ("3;0;1,0", (3, 1000, 2001, 2000))],
)
def test_states_are_numbered_by_place_and_written_as_they_were_read(text, numbers):
    assert read_states(text) == numbers
    assert write_states(numbers) == text


@pytest.mark.parametrize("text", ["", "0;", ";0", "0,0", "0;1,1", "-1", "1000", "a", "0,;1"])
def test_states_that_make_no_sense_are_refused(text):
    with pytest.raises(ValueError, match=r".*"):
        read_states(text)


def test_the_option_is_read_said_and_written_as_typed(tmp_path):
    arguments = parse_arguments(TRAIN, "", ["--hidden_states_used=0,2;1", "--feature_extractor_model=a,b"])
    assert arguments.hidden_states_used == (0, 2, 1001)
    write_arguments(tmp_path / "a.txt", TRAIN, arguments)
    assert "--hidden_states_used=0,2;1\n" in (tmp_path / "a.txt").read_text(encoding="utf-8")
    assert parse_arguments(TRAIN, "", [f"@{tmp_path / 'a.txt'}"]) == arguments
    with pytest.raises(UserError, match=r"of several image models, with ; between the models, such as 0,2;1"):
        parse_arguments(TRAIN, "", ["--hidden_states_used=0;;1"])


# ---- extraction ----


def test_features_are_those_of_the_parts_and_the_cache_shares_them(tmp_path):
    paths = make_gallery(tmp_path / "photos", 5)
    a, b = ToyExtractor("a"), ToyExtractor("b")
    cache = FeatureCache(tmp_path / "cache")
    alone = extract_features(tmp_path / "photos", paths, a, (0, 1), cache, 4, False)
    assert a.batches == [4, 1]
    several = SeveralExtractors([a, b])
    found = extract_features(tmp_path / "photos", paths, several, (1, 1000, 1001), cache, 4, False)
    assert a.batches == [4, 1]  # from the cache
    assert b.batches == [4, 1]
    np.testing.assert_array_equal(found.states[1], alone.states[1])
    np.testing.assert_array_equal(found.states[1000], alone.states[0])  # the toys do the same
    assert found.paths == paths
    rest = ToyExtractor("b")
    extract_features(tmp_path / "photos", paths, rest, (0, 1), cache, 4, False)
    assert not rest.loaded
    again = extract_features(tmp_path / "photos", paths, several, (1, 1000, 1001), cache, 4, False)
    assert again.extracted == 0
    for k, block in found.states.items():
        np.testing.assert_array_equal(again.states[k], block)


def test_only_what_the_cache_lacks_of_an_image_is_extracted(tmp_path):
    paths = make_gallery(tmp_path / "photos", 4)
    cache = FeatureCache(tmp_path / "cache")
    extract_features(tmp_path / "photos", paths[:2], ToyExtractor("b"), (1,), cache, 4, False)
    a, b = ToyExtractor("a"), ToyExtractor("b")
    found = extract_features(tmp_path / "photos", paths, SeveralExtractors([a, b]), (0, 1001), cache, 2, False)
    assert (a.batches, b.batches) == ([2, 2], [2])
    order = sorted(range(4), key=lambda i: f"{'more/' if i % 2 else ''}{i:04}.png")
    expected = np.array([colour(i) for i in order]) / 255
    np.testing.assert_allclose(found.states[0], expected, atol=1e-3)  # float16 in the cache
    np.testing.assert_allclose(found.states[1001], expected**2, atol=1e-3)


def test_each_part_must_have_states_and_only_such_as_it_has():
    several = SeveralExtractors([ToyExtractor("a"), ToyExtractor("b")])
    assert several.default_hidden_states == (0, 1, 1000, 1001)
    assert list(several.hidden_states) == [0, 1, 1000, 1001]
    several.check_hidden_states((0, 1001))
    with pytest.raises(UserError, match=r"those of 1 image models, but these are 2: a, b; give each .*=0,1;0,1"):
        several.check_hidden_states((0, 1))
    with pytest.raises(UserError, match="hidden states 0;0;0 are those of 3 image models, but these are 2"):
        several.check_hidden_states((0, 1000, 2000))
    with pytest.raises(UserError, match="hidden state 2 does not exist; b has hidden states 0"):
        several.check_hidden_states((0, 1002))
    with pytest.raises(UserError, match="hidden states 0;1 are those of several image models; a has hidden states 0"):
        ToyExtractor("a").check_hidden_states((0, 1001))


@pytest.mark.parametrize(
    ("modes", "mode"),
    [
        ((("average", 2), ("join", 1)), "average"),
        ((("join", 2), ("average", 2)), "join"),
        ((("join", 1),) * 2, "join"),
    ],
)
def test_the_default_mode_is_that_of_the_parts_with_several_states(modes, mode):
    parts = [ToyExtractor(f"{place}") for place in range(2)]
    for part, (own, states) in zip(parts, modes, strict=True):
        part.default_hidden_states_mode, part.default_hidden_states = own, tuple(range(states))
    assert SeveralExtractors(parts).default_hidden_states_mode == mode


# ---- names ----


def test_names_have_commas_between_or_two_underscores_as_in_model_files(tmp_path):
    clip = str(save_clip(tmp_path / "clip", "projection"))
    several = load_extractor(f"efficientnet-lite0,{clip}", "cpu")
    assert several.name == f"efficientnet-lite0__{clip}"
    again = load_extractor(several.name, "cpu")
    assert again.identity == several.identity
    assert several.identity != load_extractor(f"{clip},efficientnet-lite0", "cpu").identity
    assert several.default_hidden_states == (0, 1, 2, 3, 1000)


def test_a_folder_may_hold_commas_and_underscores_unless_it_is_one_of_several(tmp_path):
    clip = save_clip(tmp_path / "a,b__c", "projection")
    assert load_extractor(str(clip), "cpu").name == str(clip)
    clip = clip.rename(tmp_path / "b__c")
    assert load_extractor(str(clip), "cpu").name == str(clip)
    with pytest.raises(UserError, match=r"b__c': __ stands between names in model files; rename this folder"):
        load_extractor(f"efficientnet-lite0,{clip}", "cpu")
    with pytest.raises(UserError, match=r"extractor 'someone/my__clip': no such folder, not in the Hugging Face"):
        load_extractor("someone/my__clip", "cpu")


def test_embedded_names_the_two_that_predict_best():
    several = load_extractor("embedded", "cpu")
    assert several.name == "efficientnet-lite0__efficientnet-lite2"
    assert several.identity == load_extractor(several.name, "cpu").identity
    assert several.in_words == extractor_in_words(several.name) == "efficientnet-lite0 and efficientnet-lite2"
    with pytest.raises(UserError, match="did you mean embedded"):
        load_extractor("Embeded", "cpu")


@pytest.mark.parametrize("name", ["someone/my__clip", "", "unknown", "a__b", "openai/clip__openai/clip"])
def test_a_name_that_is_none_of_several_is_said_as_it_is(name):
    assert extractor_in_words(name) == name


@pytest.mark.parametrize("name", ["efficientnet-lite0,", "efficientnet-lite0,efficientnet-lite0", ","])
def test_names_that_lack_a_part_or_repeat_one_are_refused(name):
    with pytest.raises(UserError, match="give different names with one comma between, such as a,b"):
        load_extractor(name, "cpu")


def test_features_of_both_go_in_side_by_side(tmp_path):
    clip = str(save_clip(tmp_path / "clip", "projection"))
    several = load_extractor(f"{clip},efficientnet-lite0", "cpu")
    images = [photograph_like(seed) for seed in range(2)]
    prepared = [several.prepare(image) for image in images]
    found = several(prepared, (1, 1001, 1000))
    wanted = {clip: {1: 1}, "efficientnet-lite0": {1: 1001, 0: 1000}}
    for one, (name, numbers) in zip(several.parts, wanted.items(), strict=True):
        assert one.identity == load_extractor(name, "cpu").identity
        alone = one([one.prepare(image) for image in images], list(numbers))
        for k, number in numbers.items():
            np.testing.assert_array_equal(alone[k], found[number])


# ---- in the predictor ----

BLOCKS = {
    0: np.array([[1.0, 2.0]]),
    2: np.array([[3.0, 6.0]]),
    1001: np.array([[5.0, 5.0, 5.0]]),
    1000: np.array([[7.0, 9.0, 5.0]]),
}


def test_join_puts_all_side_by_side_and_average_averages_each_models_own():
    used, widths = (0, 2, 1001, 1000), (2, 2, 3, 3)
    assert arrange(BLOCKS, used, "join").tolist() == [[1, 2, 3, 6, 5, 5, 5, 7, 9, 5]]
    assert arrange(BLOCKS, used, "average").tolist() == [[2, 4, 6, 7, 5]]
    for mode, width in (("join", 10), ("average", 5)):
        assert PredictorConfig("a__b", used, mode, widths, (4, 4)).number_of_features == width


def test_what_cannot_be_put_together_is_refused():
    with pytest.raises(UserError, match="mode=weight mixes layers of one image model; with several, join or average"):
        PredictorConfig("a__b", (0, 1000), "weight", (2, 2), (4, 4))
    with pytest.raises(UserError, match="the hidden states are 2, 3 wide; different widths can only be joined"):
        PredictorConfig("a__b", (0, 1000, 1001), "average", (4, 2, 3), (4, 4))
    with pytest.raises(UserError, match="2 hidden states have 1 widths; one each is right"):
        PredictorConfig("a", (0, 1), "join", (4,), (4, 4))


# ---- the scripts ----


def run(main, monkeypatch, *words):
    """A script in this process, which has torch already."""
    monkeypatch.setattr(sys, "argv", ["script", "--directory=photos", "--cache_directory=cache", *words])
    with suppress(SystemExit):  # training ends with one; what it did is looked at
        main()


@pytest.mark.script
def test_a_model_of_two_image_models_is_trained_and_then_read_by_every_script(tmp_path, monkeypatch, capsys):
    paths = make_gallery(tmp_path / "photos", 24)
    scores = "".join(f"{path},{number % 7}\n" for number, path in enumerate(paths))
    (tmp_path / "photos" / "scores.csv").write_text("relative_path,score\n" + scores, encoding="utf-8")
    save_clip(tmp_path / "clip", "projection")
    monkeypatch.chdir(tmp_path)
    models = "--feature_extractor_model=efficientnet-lite0,clip"
    small = ("--trials=1", "--max_train_epochs=6", "--min_batch_size=8", "--database=")
    run(aesthetic_predictor_training.main, monkeypatch, models, "--hidden_states_used=0,3;2", *small)
    with safe_open(tmp_path / "photos" / "model.safetensors", "np") as file:
        metadata = file.metadata()
    assert metadata["feature_extractor_model"] == "efficientnet-lite0__clip"
    assert metadata["hidden_states_used"] == "0,3,1002"
    assert metadata["widths"] == "[1280, 192, 16]"
    written = (tmp_path / "photos" / "model.arguments.txt").read_text(encoding="utf-8")
    assert "--hidden_states_used=0,3;2\n" in written
    run(aesthetic_score_from_model.main, monkeypatch, "--outfile=scored.csv")
    assert len((tmp_path / "scored.csv").read_text(encoding="utf-8").splitlines()) == 25
    capsys.readouterr()
    run(aesthetic_data_analysis.main, monkeypatch)
    assert "6 images of the eval split" in capsys.readouterr().out


def test_the_ab_scorer_and_spotlight_read_such_a_model(tmp_path):
    make_gallery(tmp_path / "photos", 3)
    clip = str(save_clip(tmp_path / "clip", "projection"))
    several = load_extractor(f"{clip},efficientnet-lite0", "cpu")
    torch.manual_seed(0)
    identity = several.identity
    config = PredictorConfig(several.name, (1, 1000), "join", (16, 1280), (4, 4), extractor_identity=identity)
    save_predictor(tmp_path / "photos" / "model.safetensors", Predictor(config), {})
    arguments = parse_arguments(CHOOSE, "", ["--device=cpu"])
    photos, ids = tmp_path / "photos", {"0000.png": 5, "0002.png": 6}
    found = aesthetic_ab_scorer.score_with_model(arguments, photos, FeatureCache(tmp_path / "cache"), ids)
    assert sorted(found.scores) == [5, 6]
    [model] = load_models([photos / "model.safetensors"], ScoringSettings(device="cpu"))
    same = score_with(model, photos, list(ids), FeatureCache(tmp_path / "cache"), 2)
    assert same.scores.tolist() == list(found.scores.values())
