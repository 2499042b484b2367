"""Statistics of choices, by small cases that a reader can count; rescaling; ab_stats.csv."""

import csv
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import binomtest

from src.common.errors import UserError
from src.ratings.batch import batch_statistics
from src.ratings.database import Comparisons
from src.ratings.fit import fit_ratings
from src.ratings.log import CHOICE, SKIP, TIE, make_log
from src.ratings.rescale import deviation, rescale_to, standardise
from src.ratings.statistics import (
    OddOneOut,
    Outcomes,
    Share,
    advice_by_count,
    advice_by_order,
    agreement_curve,
    as_good_as_people_get,
    ceiling,
    consistency,
    extremes,
    histogram,
    odd_one_out,
    outcomes,
    predicted_winner,
    side_bias,
    too_early,
)
from src.ratings.stats_file import append_stats

NOTHING = Share(0, 0)


def log_with(screens, winners, predicted=None, repeat_of=None, kinds=None):
    """A log of images 1…9. predicted: ids, 0 = none."""
    log = make_log(range(1, 10), screens, winners, kinds=kinds)
    if predicted is not None:
        log.predicted[:] = np.array(predicted) - 1
    if repeat_of is not None:
        log.repeat_of[:] = repeat_of
    return log


@pytest.mark.parametrize(("hits", "total"), [(0, 1), (1, 1), (5, 10), (47, 50), (500, 1000), (0, 30)])
def test_the_interval_agrees_with_scipys_wilson_interval(hits, total):
    reference = binomtest(hits, total).proportion_ci(0.95, method="wilson")
    np.testing.assert_allclose(Share(hits, total).interval, [reference.low, reference.high], atol=1e-12)


def test_a_share_of_nothing_is_unknown():
    assert np.isnan([NOTHING.share, *NOTHING.interval, *ceiling(NOTHING.share)]).all()


def test_the_higher_rated_image_is_predicted_if_all_are_known():
    ratings, known = np.array([0.5, 1.0, 1.0, -1.0]), np.array([True, True, True, False])
    assert predicted_winner(ratings, known, np.array([0, 1])) == 1
    assert predicted_winner(ratings, known, np.array([1, 0])) == 1
    assert predicted_winner(ratings, known, np.array([1, 2])) == -1  # equal
    assert predicted_winner(ratings, known, np.array([0, 3])) == -1  # one unknown
    assert predicted_winner(ratings, known, np.array([0, 1, 2])) == -1


def test_choices_match_contradict_or_were_not_predicted():
    log = log_with(
        [(1, 2), (2, 3), (3, 4), (4, 5), (5, 6), (1, 3)],
        [1, 2, 3, 0, 0, 1],
        predicted=[1, 3, 0, 4, 5, 1],
        kinds=[CHOICE, CHOICE, CHOICE, TIE, SKIP, CHOICE],
    )
    assert outcomes(log) == Outcomes(matched=2, contradicted=1, not_predicted=1)
    assert outcomes(log).agreement.share == 2 / 3
    assert outcomes(log, 1, 3) == Outcomes(0, 1, 1)
    assert agreement_curve(log, [0, 4]) == [Outcomes(1, 1, 1), Outcomes(1, 0, 0)]
    assert agreement_curve(log, [1, 5, 5]) == [Outcomes(0, 1, 1), Outcomes(0, 0, 0), Outcomes(1, 0, 0)]


def test_the_prediction_is_the_one_of_the_moment_not_of_today(tmp_path):
    with Comparisons(tmp_path / "c.sqlite") as database:
        database.register({"a": "A", "b": "B"})
        database.add_choice([1, 2], 1)  # nothing was known then
        database.add_choice([1, 2], 2, predicted=1)
        log = database.log()
    assert fit_ratings(log, "elo").rating[1] > 0  # today's ratings would agree with the second choice
    assert outcomes(log) == Outcomes(0, 1, 1)


def test_consistency_counts_repeats_with_the_same_winner():
    screens = [(1, 2), (3, 4), (5, 6), (7, 8), (2, 1), (4, 3), (6, 5), (8, 7)]
    log = log_with(
        screens,
        [1, 3, 0, 7, 1, 4, 5, 0],
        repeat_of=[0, 0, 0, 0, 1, 2, 3, 4],
        kinds=[CHOICE, CHOICE, TIE, CHOICE, CHOICE, CHOICE, CHOICE, SKIP],
    )
    assert consistency(log) == Share(1, 2)  # a tie and a skip tell nothing


def test_a_repeat_of_an_undone_choice_is_left_out(tmp_path):
    with Comparisons(tmp_path / "c.sqlite") as database:
        database.register({name: name for name in "abc"})
        undone, kept = database.add_choice([1, 2], 1), database.add_choice([2, 3], 2)
        database.add_choice([2, 1], 1, repeat_of=undone)
        database.add_choice([3, 2], 2, repeat_of=kept)
        database.undo(undone)
        assert consistency(database.log()) == Share(1, 1)


def test_the_ceiling_holds_for_simulated_people():
    rng = np.random.default_rng(0)
    for spread in (0.3, 1.0, 3.0):
        p = 1 / (1 + np.exp(-rng.normal(0, spread, 100_000)))
        low, high = ceiling(np.mean(p**2 + (1 - p) ** 2))
        assert low <= np.mean(np.maximum(p, 1 - p)) <= high
    assert ceiling(1.0) == (1.0, 1.0)
    assert ceiling(0.4) == (0.5, 0.5)  # less than chance is chance


@pytest.mark.parametrize("k", [3, 4, 9])
def test_the_ceiling_holds_for_simulated_people_on_larger_screens(k):
    rng = np.random.default_rng(0)
    for spread in (0.3, 1.0, 3.0):
        p = np.exp(rng.normal(0, spread, (20_000, k)))
        p /= p.sum(axis=1, keepdims=True)
        low, high = ceiling(np.mean(np.sum(p**2, axis=1)), k)
        assert low <= np.mean(p.max(axis=1)) <= high
    for p in (0.4, 0.9):  # the others share what is left: the most that can be foreseen
        assert ceiling(p**2 + (1 - p) ** 2 / (k - 1), k)[1] == pytest.approx(max(p, 1 / k))
    assert ceiling(0.01, k) == pytest.approx((1 / k, 1 / k))


def test_as_good_as_people_get_is_what_the_same_person_reaches_on_screens_of_any_size():
    rng = np.random.default_rng(0)
    for k in (2, 3, 4, 6, 9):  # a taste with which choices between two are foreseen in 75 %
        taste = 1.175 * rng.normal(size=(40_000, k))
        chosen = np.argmax(taste + rng.gumbel(size=taste.shape), axis=1)
        assert as_good_as_people_get(k) == pytest.approx(np.mean(chosen == taste.argmax(axis=1)), abs=0.03)


def test_screens_of_other_sizes_are_counted_apart():
    log = log_with(
        [(1, 2), (1, 2, 3, 4), (3, 4), (4, 3, 2, 1), (2, 1), (5, 6, 7, 8)],
        [1, 2, 3, 3, 1, 5],
        predicted=[1, 2, 4, 2, 1, 6],
        repeat_of=[0, 0, 0, 2, 1, 0],
    )
    assert (consistency(log), consistency(log, 4)) == (Share(1, 1), Share(0, 1))
    assert agreement_curve(log, [0, 4]) == [Outcomes(1, 1, 0), Outcomes(1, 0, 0)]
    assert agreement_curve(log, [0, 4], 4) == [Outcomes(1, 1, 0), Outcomes(0, 1, 0)]


def test_side_bias_is_the_share_of_left_wins_on_screens_of_two():
    log = log_with([(1, 2), (2, 1), (3, 4), (1, 2, 3), (5, 6)], [1, 2, 4, 1, 0])
    assert side_bias(log) == Share(2, 3)


def test_the_odd_one_out_is_counted():
    # person, database: stored; model: the higher of these scores
    model = np.array([9.0, 8, 7, 6, 5, 4, 3, 2, np.nan])
    screens = [(1, 2)] * 4 + [(1, 2, 3), (1, 9), (1, 2)]
    log = log_with(screens, [1, 2, 1, 2, 2, 1, 1], predicted=[1, 1, 2, 2, 3, 1, 0])
    assert odd_one_out(log, model) == OddOneOut(
        all_agreed=1, person_alone=1, database_alone=1, model_alone=1, all_differ=1
    )


def test_histogram_counts_images_by_their_comparisons():
    assert histogram(np.array([0, 0, 3, 1, 1, 1])) == [2, 3, 0, 1]
    assert histogram(np.array([], dtype=np.int64)) == []


def test_extremes_show_best_and_worst_and_none_in_both():
    ratings = np.array([0.0, 5, 3, -2, 4, 9])
    rated = np.array([1, 1, 1, 1, 1, 0], dtype=bool)
    best, worst = extremes(ratings, rated, n=2)
    assert (best.tolist(), worst.tolist()) == ([1, 4], [3, 0])
    best, worst = extremes(ratings, rated, n=10)
    assert (best.tolist(), worst.tolist()) == ([1, 4, 2], [3, 0])
    for count in range(3):
        some = np.arange(6) < count
        best, worst = extremes(ratings, some)
        assert sorted([*best.tolist(), *worst.tolist()]) == list(range(count))


def test_advice_counts_the_choices_that_are_missing():
    assert advice_by_count(np.array([1, 1, 2, 0]), NOTHING, NOTHING) == (
        "1.0 comparisons per image; about 3 are enough to train a good model: make 4 more choices."
    )
    assert "make 6 more choices" in advice_by_count(np.zeros(8, dtype=np.int64), NOTHING, NOTHING, at_once=4)
    assert "make 1 more choice." in advice_by_count(np.array([3, 3, 2, 2]), NOTHING, NOTHING)


def test_advice_says_when_it_is_enough():
    enough = np.full(10, 3)
    assert "train a model" in advice_by_count(enough, Share(77, 100), NOTHING)
    assert "more still sharpen" in advice_by_count(enough, Share(66, 100), NOTHING)
    assert "75% is as good as people get" in advice_by_count(enough, Share(66, 100), Share(26, 40))  # this person
    assert "more still sharpen" in advice_by_count(enough, Share(66, 100), Share(2, 4))  # four repeats say nothing
    assert "more still sharpen" in advice_by_count(enough, NOTHING, NOTHING)
    assert "56% is as good as people get" in advice_by_count(enough, Share(57, 100), NOTHING, at_once=4)
    assert "more still sharpen" in advice_by_count(enough, Share(55, 100), NOTHING, at_once=4)


@pytest.mark.parametrize(
    ("expected", "left", "missing", "said"),  # after 100 choices
    [
        (0.05, 1, 12, "It is too early to say how right the order is: make 12 more choices."),
        (0.90, 1, 1, "It is too early to say how right the order is: make 1 more choice."),
        (0.75, 345, 0, "0.75 right; 0.85 is enough to train a good model: make 130 to 720 more choices."),
        (0.849, 1, 3, "make 3 more choices."),
        (0.844, 2, 0, "make 1 to 34 more choices."),
        (0.844, None, 0, "about 0.84 right; 0.85 is enough to train a good model: make more choices."),
        (0.846, 50, 0, "The order is about 0.85 right: enough to train a model; more sharpens the ratings."),
    ],
)
def test_advice_goes_by_the_order_where_it_is_known_however_many_the_comparisons(expected, left, missing, said):
    assert said in advice_by_order(expected, left, 100, missing)


def test_a_batch_is_counted_from_where_it_began():
    log = log_with(
        [(1, 2), (3, 4), (2, 3), (5, 1), (1, 2), (2, 6)],
        [1, 3, 2, 0, 1, 0],
        predicted=[0, 0, 3, 0, 1, 0],
        kinds=[CHOICE, CHOICE, CHOICE, TIE, CHOICE, SKIP],
    )
    log.seconds[:] = [9, 9, 1, 2, 3, 4]
    before = fit_ratings(log_with([(1, 2), (3, 4)], [1, 3]))
    batch = batch_statistics(log, [0, 2], before, fit_ratings(log), np.arange(9) < 8)
    assert (batch.choices, batch.ties, batch.skips, batch.seconds) == (2, 1, 1, 2.0)
    assert batch.outcomes == Outcomes(1, 1, 0)
    assert batch.curve == [Outcomes(0, 0, 2), batch.outcomes]  # of the batches as they were, however long
    assert batch.images == [3, 2, 1, 2]
    assert -1 <= batch.spearman <= 1
    assert batch.odd is None
    row = batch.row()
    assert row["agreement"] == 0.5
    assert row["comparisons_per_image"] == 1.25
    assert row["consistency"] == ""  # unknown, not nan
    for part in (
        "2 choices, 1 tie, 1 skip;",
        "50 %",
        "the batches of this session, %: – 50\n",
        "3 2 1 2",
        "unknown yet",
        batch.advice,
    ):
        assert part in batch.text()
    assert "1 skip; 2.0 s per choice (median)\n" in batch.text()
    assert f"before and after: {batch.spearman:.3f}\n" in batch.text()


def test_a_batch_of_larger_screens_says_what_they_can_say():
    screens = [(1, 2, 3, 4), (5, 6, 7, 8), (4, 3, 2, 1)]
    log = log_with(screens, [1, 5, 1], predicted=[0, 0, 2], repeat_of=[0, 0, 1])
    batch = batch_statistics(log, [0], fit_ratings(log.before(0)), fit_ratings(log), np.ones(9, dtype=bool))
    assert (batch.at_once, batch.chance, batch.goal) == (4, 0.25, 0.5625)
    assert (batch.left, batch.ceiling) == (None, None)  # no side; one repeat tells nothing of the person
    assert batch.row()["left_share"] == ""
    assert "left" not in batch.text()
    assert "nan" not in batch.text()  # neither seconds, nor ratings before the first batch
    assert "foresee" not in batch.text()
    assert "by chance 25 %" in batch.text()
    repeated = log_with([(1, 2, 3, 4)] * 21, [1] * 21, repeat_of=[0] + [1] * 20)
    ratings = fit_ratings(repeated)
    assert batch_statistics(repeated, [0], ratings, ratings, np.ones(9, dtype=bool)).ceiling == (1, 1)


def test_an_order_is_not_said_before_half_a_choice_per_image():
    screens, kinds = [(1, 2), (3, 4), (5, 6), (7, 8), (1, 3), (2, 4)], [CHOICE, SKIP, CHOICE, TIE, CHOICE, CHOICE]
    log = log_with(screens, [1, 0, 5, 0, 1, 2], kinds=kinds)  # nine images
    assert [too_early(log.before(position)) for position in range(7)] == [5, 4, 4, 3, 2, 1, 0]
    for position, said in (
        (5, "can be said after 1 more choice."),
        (6, "is about 0.30 right (1 = perfect); about 4"),
    ):
        part = log.before(position)
        ratings = replace(fit_ratings(part), expected_spearman=0.3, choices_for_next=4)
        batch = batch_statistics(part, [0], ratings, ratings, np.ones(9, dtype=bool))
        assert said in batch.standing
        assert ("too early" in batch.advice) == (position == 5)
        assert batch.text().count(batch.standing) == 1
    log.excluded[:2] = True
    assert too_early(log.before(2)) == 3


def test_an_empty_batch_has_statistics_too():
    log = make_log([], [], [])
    ratings = fit_ratings(log)
    batch = batch_statistics(log, [0], ratings, ratings, np.zeros(0, dtype=bool), model_scores=np.zeros(0))
    assert batch.choices == 0
    assert batch.row()["comparisons_per_image"] == ""
    assert "all agreed 0; alone: you 0, the ratings 0, the model 0" in batch.text()  # the words of the page


# --- rescaling ---


def test_standardised_ratings_have_mean_0_and_deviation_1_over_the_rated():
    ratings, rated = np.array([1.0, 2, 3, 100]), np.array([True, True, True, False])
    result = standardise(ratings, rated)
    assert result[:3].mean() == pytest.approx(0)
    assert result[:3].std() == pytest.approx(1)
    assert result[3] == pytest.approx(98 / np.std([1, 2, 3]))
    assert deviation(ratings, rated) == pytest.approx(np.std([1, 2, 3]))


@pytest.mark.parametrize(
    ("ratings", "rated", "expected"),
    [
        ([1.0, 2.0], [False, False], [1, 2]),
        ([1.0, 2.0], [True, False], [0, 1]),
        ([3.0, 3.0, 4.0], [True, True, False], [0, 0, 1]),
        ([0.1 + 0.2, 0.3, 1.3], [True, True, False], [0, 0, 1]),  # equal but for rounding
        ([], [], []),
    ],
)
def test_ratings_without_a_deviation_are_only_shifted(ratings, rated, expected):
    ratings, rated = np.array(ratings), np.array(rated, dtype=bool)
    np.testing.assert_allclose(standardise(ratings, rated), expected, atol=1e-12)
    assert deviation(ratings, rated) == 1


def test_model_scores_take_on_the_ratings_mean_and_deviation():
    scores, ratings = np.array([10.0, 20, 30, 50, np.nan]), np.array([0.1, 0.5, 0.3, 0, 0.9])
    both = np.array([True, True, True, False, True])
    result = rescale_to(scores, ratings, both)
    assert result[:3].mean() == pytest.approx(0.3)
    assert result[:3].std() == pytest.approx(ratings[:3].std())
    assert result[3] == pytest.approx(0.3 + 30 * ratings[:3].std() / np.std([10, 20, 30]))
    assert np.isnan(result[4])


def test_model_scores_with_nothing_to_compare_keep_a_modest_deviation():
    scores = np.array([10.0, 20, 30])
    nobody = np.zeros(3, dtype=bool)
    result = rescale_to(scores, np.zeros(3), nobody)
    assert (result.mean(), result.std()) == (pytest.approx(0), pytest.approx(0.5))
    one = rescale_to(scores, np.array([0, 0.7, 0]), np.array([False, True, False]))
    assert (one.mean(), one.std()) == (pytest.approx(0.7), pytest.approx(0.5))


def test_equal_model_scores_say_nothing():
    np.testing.assert_allclose(rescale_to(np.full(3, 5.0), np.array([1.0, 2, 3]), np.ones(3, dtype=bool)), 2)
    assert rescale_to(np.zeros(0), np.zeros(0), np.zeros(0, dtype=bool)).tolist() == []


# --- ab_stats.csv ---


def read(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_rows_are_appended_below_one_header(tmp_path):
    path = tmp_path / "ab_stats.csv"
    append_stats(path, {"when": "now", "choices": 100, "note": 'said "so", twice'})
    append_stats(path, {"when": "later", "choices": 99, "note": ""})
    assert read(path) == [
        {"when": "now", "choices": "100", "note": 'said "so", twice'},
        {"when": "later", "choices": "99", "note": ""},
    ]


def test_columns_that_were_added_by_hand_stay(tmp_path):
    path = tmp_path / "ab_stats.csv"
    path.write_text("mood,choices,when\r\ngood,1,then\r\n", encoding="utf-8-sig")
    append_stats(path, {"when": "now", "choices": 2})
    assert path.read_text(encoding="utf-8-sig").splitlines()[1:] == ["good,1,then", ",2,now"]


def test_a_line_that_a_crash_cut_off_does_not_swallow_the_next(tmp_path):
    path = tmp_path / "ab_stats.csv"
    append_stats(path, {"when": "now", "choices": 1})
    path.write_bytes(path.read_bytes() + b"lat")
    append_stats(path, {"when": "later", "choices": 2})
    assert [row["when"] for row in read(path)] == ["now", "lat", "later"]


def test_a_file_of_other_columns_is_told_and_left_alone(tmp_path):
    path = tmp_path / "ab_stats.csv"
    path.write_text("a,b\n1,2\n")
    with pytest.raises(UserError, match="has no column when, choices; rename that file"):
        append_stats(path, {"when": "now", "choices": 1})
    assert path.read_text() == "a,b\n1,2\n"
    with pytest.raises(UserError, match="can't be written"):
        append_stats(tmp_path / "missing" / "ab_stats.csv", {"when": "now"})
