"""Subsets, intervals, calibration, extremes, who passes, choices, learning curve, exported studies."""

import csv
import sys
import types

import numpy as np
import optuna
import pytest
from scipy import stats
from sklearn.decomposition import PCA

from src.common.errors import UserError
from src.ratings import Share, known_consistency
from src.ratings.agreement import ChoiceAgreement, choice_agreement
from src.ratings.log import SKIP, TIE, make_log
from src.report import learning_curve
from src.report.analysis import (
    bootstrap,
    calibration,
    combinations,
    coverage,
    extremes,
    make_subsets,
    places_on_map,
    principal_components,
    reliability,
    slope,
    standardised,
)
from src.report.learning_curve import Point, beside_headline, gain_error, left_out, verdict
from src.report.study_export import list_studies, summarise, write_trials
from src.report.text import choices_lines
from tests.training import FEW

PATHS = ["a.png", "cats/b.png", "cats/old/c.png", "dogs/d.png"]


def test_subsets_are_all_then_each_expression_then_each_folder_by_itself():
    allowed = np.array([True, True, True, False])
    found = {subset.name: subset.rows.tolist() for subset in make_subsets(PATHS, allowed, [r"c", "^dogs"], True)}
    assert found == {"All": [0, 1, 2], "c": [1, 2], "^dogs": [], ".": [0], "cats": [1], "cats/old": [2], "dogs": []}


def test_bootstrap_intervals_agree_with_fishers_for_normal_scores(monkeypatch):
    monkeypatch.setattr("src.report.analysis.RESAMPLES", 500)
    generator = np.random.default_rng(1)
    a = generator.normal(size=400)
    b = 0.7 * a + generator.normal(size=400)
    found = bootstrap(a, b, seed=0)
    expected = stats.pearsonr(a, b).confidence_interval(0.95)
    assert found.pearson == pytest.approx((expected.low, expected.high), abs=0.008)


def test_the_same_seed_gives_the_same_intervals(monkeypatch):
    monkeypatch.setattr("src.report.analysis.RESAMPLES", FEW)
    a, b = np.random.default_rng(1).normal(size=(2, 40))
    assert bootstrap(a, b, seed=0) == bootstrap(a, b, seed=0) != bootstrap(a, b, seed=1)


def test_bootstrap_of_constant_scores_is_nan_without_a_warning():
    assert np.isnan(bootstrap(np.ones(5), np.arange(5.0), 0).spearman).all()


def test_calibration_groups_are_equal_in_size_and_ordered():
    model = np.arange(100.0)
    bins = calibration(2 * model, model)
    assert [b.count for b in bins] == [10] * 10
    assert bins[0].model_score == 4.5
    assert bins[0].score == 9.0
    assert slope(2 * model, model) == pytest.approx(2)


def test_coverage_is_that_of_a_normal_distribution():
    truth = np.random.default_rng(0).normal(size=20_000)
    assert coverage(truth, np.zeros(20_000), np.ones(20_000)) == pytest.approx((0.683, 0.954), abs=0.01)


def test_extremes_hold_no_image_in_both_of_a_pair():
    scores, model = np.array([1.0, 5, 3, 3]), np.array([4.0, 2, 3, 3.5])
    found = extremes(scores, model)
    assert (found.over.tolist(), found.under.tolist()) == ([0], [1])
    assert (found.top.tolist(), found.bottom.tolist()) == ([0], [1])


def test_of_37_images_a_gallery_shows_8_and_of_1000_at_most_20():
    generator = np.random.default_rng(1)
    for images, shown in ((37, 8), (1000, 20), (2, 1)):
        scores, model = generator.normal(size=(2, images))
        found = extremes(scores, model)
        assert len(found.top) == len(found.bottom) == shown
        assert not {*found.top.tolist()} & {*found.bottom.tolist()}


def test_the_pull_to_the_middle_is_no_disagreement():
    scores = np.linspace(-2, 2, 50)
    found = extremes(scores, 0.3 * scores)
    assert len(found.over) == len(found.under) == 0
    model = 0.3 * scores
    model[0] = 0.3  # from the last place to the 31st
    assert extremes(scores, model).over[0] == 0


def test_combinations_count_who_passes_which_model():
    scores = np.array([1.0, 2, 3, 4])
    models = {"first": np.array([0, 1, 1, 1.0]), "second": np.array([0, 0, 1, 1.0])}
    found = [(c.passed, c.count, c.mean_score) for c in combinations(scores, models, [1.0, 1.0])]
    assert found[:2] == [((True, True), 2, 3.5), ((True, False), 1, 2.0)]
    assert found[3] == ((False, False), 1, 1.0)


@pytest.mark.parametrize("shape", [(30, 8), (8, 30)])
def test_principal_components_agree_with_scikit_learns(shape):
    inputs = np.random.default_rng(0).normal(size=shape)
    places, share = principal_components(standardised(inputs))
    other = PCA(2).fit((inputs - inputs.mean(0)) / inputs.std(0))
    assert share == pytest.approx(other.explained_variance_ratio_.sum())
    expected = other.transform((inputs - inputs.mean(0)) / inputs.std(0))
    assert np.abs(places) == pytest.approx(np.abs(expected))


def test_the_map_is_umaps_of_standardised_features_where_umap_is_there_and_images_are_enough(monkeypatch):
    given = []

    class Umap:
        def __init__(self, n_neighbors, random_state, n_jobs):
            given.append((n_neighbors, random_state, n_jobs))

        def fit_transform(self, flat):
            given.append(flat)
            return flat[:, :2]

    monkeypatch.setitem(sys.modules, "umap", types.SimpleNamespace(UMAP=Umap))
    inputs = np.random.default_rng(0).normal(5, 3, size=(31, 2, 4))
    inputs[:, 0, 0] = 7  # constant: says nothing
    places, names, how = places_on_map(inputs, 3)
    assert (places.shape, names, how) == ((31, 2), ("UMAP 1", "UMAP 2"), "Like images lie together (UMAP).")
    assert given[0] == (15, 3, 1)
    assert given[1] == pytest.approx(stats.zscore(inputs.reshape(31, 8)[:, 1:]))
    assert "PCA" in places_on_map(inputs[:30], 3)[2]
    monkeypatch.setitem(sys.modules, "umap", None)  # as if it were not installed, or could not be imported
    assert "PCA" in places_on_map(inputs, 3)[2]


def test_umap_itself_lays_like_images_together():
    pytest.importorskip("umap")
    groups = np.repeat([0, 8], 20)
    places, names, _ = places_on_map(np.random.default_rng(0).normal(groups[:, None], 1, (40, 6)), 0)
    assert names == ("UMAP 1", "UMAP 2")
    middles = np.array([places[groups == group].mean(0) for group in (0, 8)])
    nearest = np.linalg.norm(places[:, None] - middles, axis=2).argmin(1)
    assert np.array_equal(nearest, groups > 0)


def test_choices_are_counted_only_where_every_image_is_unseen():
    log = make_log([1, 2, 3, 4], [[1, 2], [1, 3], [2, 3, 1], [1, 2], [3, 4]], [1, 3, 2, 0, 3])
    ids, paths = {"a": 1, "b": 2, "c": 3, "d": 4}, ["a", "b", "c", "d"]
    unseen = np.array([True, True, True, False])
    model = np.array([3.0, 2, 3, 0])
    found = choice_agreement(log, ids, paths, unseen, np.array([3.0, 2, 4, 0]), model)
    # a>b right; c>a tied; b>c and b>a wrong; the tie makes no pair; c>d has an image of the train split
    assert (found.model.hits, found.model.total, found.comparisons) == (2, 4, 3)
    assert found.scores.hits == 2


def test_copies_of_an_image_in_the_train_split_count_as_seen():
    log = make_log([1, 2], [[1, 2]], [1])
    found = choice_agreement(
        log, {"a": 1, "copy": 1, "b": 2}, ["a", "copy", "b"], np.array([True, False, True]), np.zeros(3), np.zeros(3)
    )
    assert found.model.total == 0
    assert "Choices: none" in choices_lines(found)[0]


def test_skips_make_no_pairs():
    log = make_log([1, 2], [[1, 2], [1, 2]], [0, 0], kinds=[SKIP, TIE])
    found = choice_agreement(log, {"a": 1, "b": 2}, ["a", "b"], np.ones(2, bool), np.zeros(2), np.zeros(2))
    assert found.model.total == 0


def test_what_a_perfect_model_would_foresee_is_held_back_until_there_are_enough_repeats():
    none = Share(0, 0)
    few, enough = (ChoiceAgreement(none, none, 0, Share(count // 2, count)) for count in (4, 20))
    assert (
        choices_lines(few)[-1] == "Hidden repeats: the same image won again in 2 of 4, 50.00 % (95 %: 15.0 to 85.0)."
    )
    assert choices_lines(enough)[-1].endswith(
        "; a model that knew this person perfectly would foresee 50 to 50 % of them."
    )
    assert np.isnan(known_consistency(few.repeats))
    assert known_consistency(enough.repeats) == 0.5


def points(half, whole, trained, error=0.0, tested=200):
    sizes = (50, half, 1.0), (100, whole, trained)
    rows = [Point(n, np.array([e]), np.array([t]), tested, error) for n, e, t in sizes]
    return [Point(12, np.array([0.1]), np.array([1.0])), Point(25, np.array([0.2]), np.array([1.0])), *rows]


@pytest.mark.parametrize(
    ("half", "whole", "trained", "person", "said"),
    [
        (0.5, 0.6, 0.9, np.nan, "More images would help"),
        (0.6, 0.6, 0.9, 0.6, "you agree with yourself rather seldom"),
        (0.6, 0.6, 0.9, np.nan, "better scores"),
        (0.6, 0.6, 0.65, np.nan, "another image model or"),
    ],
)
def test_the_verdict_says_what_would_help(half, whole, trained, person, said):
    assert said in verdict(points(half, whole, trained), person)


@pytest.mark.parametrize(
    ("gain", "error", "said"),
    [
        (0.02, 0.05, "can't be told yet"),  # anything from -0.08 to 0.12
        (-0.03, 0.05, "can't be told yet"),
        (0.06, 0.05, "can't be told yet"),
        (0.12, 0.05, "More images would help"),
        (0.0, 0.01, "hardly help"),  # 0.02 at the most
        (-0.05, 0.03, "hardly help"),
    ],
)
def test_the_verdict_is_open_where_the_eval_images_are_too_few_to_tell(gain, error, said):
    text = verdict(points(0.6, 0.6 + gain, 0.9, error, tested=37))
    assert said in text
    if said.startswith("can't"):
        assert f"give or take {1.96 * error:.3f} (95 %), as 37 eval images can't show it more finely" in text


def test_the_error_of_a_gain_is_that_of_drawing_other_images(monkeypatch):
    generator = np.random.default_rng(0)

    def drawn(seed):
        one = np.random.default_rng(seed)
        truth = one.normal(size=60)
        return truth, truth + one.normal(size=(1, 60)), truth + 0.7 * one.normal(size=(1, 60))

    draws = [np.vstack(drawn(generator.integers(2**31))) for _ in range(400)]
    truth, before, after = stats.zscore(stats.rankdata(draws, axis=2), axis=2).transpose(1, 0, 2)  # (400, 60) each
    gains = (truth * (after - before)).mean(axis=1)  # of Spearman's correlation, as no ranks are tied
    monkeypatch.setattr(learning_curve, "REPEATS", 100)
    errors = [gain_error(*drawn(seed), seed) for seed in range(8)]
    assert np.mean(errors) == pytest.approx(np.std(gains), rel=0.2)


def test_the_gap_between_curve_and_headline_is_explained():
    assert "The model has 0.720 on these images and the curve ends at 0.600: the model is the best of 60 trials" in (
        beside_headline(points(0.5, 0.6, 0.9), 0.72, 60)
    )
    assert beside_headline(points(0.5, 0.6, 0.9), 0.605, 60) == ""
    assert beside_headline([], 0.7, 60) == ""


def test_the_learning_curve_says_what_it_leaves_out():
    assert left_out({"loss_model": "mse"}) == ""
    both = {"balance": "balanced to mean by folder", "weight_by_error": "True"}
    assert left_out(both) == " The curve's networks are trained without --balance and --weight_by_error."


@pytest.fixture(scope="module")
def database(tmp_path_factory):
    url = f"sqlite:///{tmp_path_factory.mktemp('studies') / 'db.sqlite'}"
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(storage=url, study_name="faces", sampler=optuna.samplers.RandomSampler(seed=0))

    def objective(trial):
        trial.set_user_attr("eval_ab", 0.5)
        return trial.suggest_float("matters", 0, 1) + 0.01 * trial.suggest_float("hardly", 0, 1)

    study.optimize(objective, n_trials=12)
    return url


def test_a_study_is_exported_trial_by_trial(database, tmp_path):
    assert write_trials(database, "faces", tmp_path / "t.csv") == 12
    with (tmp_path / "t.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        assert float(row["value"]) == float(row["matters"]) + 0.01 * float(row["hardly"])
    assert [row["number"] for row in rows] == [str(n) for n in range(12)]
    assert rows[0]["eval_ab"] == "0.5"
    assert list_studies(database)[0].startswith("faces     12 trials, best ")


def test_a_summary_has_the_best_trials_first_and_what_mattered(database):
    found = summarise(database, "faces", 0)
    values = [trial.value for trial in found.best]
    assert values == sorted(values)
    assert found.importances["matters"] > 0.8


def test_an_unknown_study_and_a_missing_database_are_said_and_none_is_made(database, tmp_path):
    with pytest.raises(UserError, match=r"--study=cars: not in .* \(there: faces\)"):
        write_trials(database, "cars", tmp_path / "t.csv")
    with pytest.raises(UserError, match="there is no database"):
        list_studies(f"sqlite:///{tmp_path / 'none.sqlite'}")
    assert not (tmp_path / "none.sqlite").exists()


def test_reliability_groups_by_expected_error_and_finds_the_real_one():
    generator = np.random.default_rng(0)
    errors = np.repeat([0.5, 1.0, 2.0, 4.0], 5000)
    truth = generator.normal(size=20_000) * errors
    bins = reliability(truth, np.zeros(20_000), errors, bins=4)
    assert [b.expected for b in bins] == pytest.approx([0.5, 1, 2, 4])
    for b in bins:
        assert b.actual == pytest.approx(b.expected, abs=4 * b.uncertainty)
        assert b.uncertainty == pytest.approx(b.expected / 100, rel=0.05)  # sigma / sqrt(2 n)
    sure = reliability(truth, np.zeros(20_000), errors / 3, bins=4)
    assert [b.actual / b.expected for b in sure] == pytest.approx([3] * 4, rel=0.05)
    assert [b.count for b in reliability(truth[:12], np.zeros(12), errors[:12])] == [6, 6]
