"""Elo, by arithmetic that a reader can do; the log as arrays; the one door to all ratings."""

import numpy as np
import pytest

from src.common.errors import UserError
from src.ratings.bradley_terry import PRIOR_SD, fit_bradley_terry
from src.ratings.elo import fit_elo
from src.ratings.fit import fit_ratings, speed_weights
from src.ratings.fitted import Ratings
from src.ratings.log import CHOICE, SKIP, TIE, make_log
from src.ratings.pairing import CANDIDATES, COUNT_COST
from src.ratings.precision import EXACT_UP_TO
from src.ratings.settings import RatingSettings
from tests import ROOT


def quick(log):
    """(C,) weights by speed, by default."""
    return speed_weights(RatingSettings(weight_by_speed=True), log.seconds)


def elo(log, **options):
    return fit_ratings(log, "elo", **options).rating


def test_the_first_win_between_equals_moves_each_by_half_of_k():
    log = make_log([1, 2], [(1, 2)], [2])
    np.testing.assert_allclose(elo(log), [-0.4, 0.4])  # K (1 − 0.5), K = 0.8
    assert RatingSettings.k == 0.8


def test_an_expected_win_moves_less_than_an_upset():
    start = {1: 1.0, 2: 0.0}  # P(1 preferred to 2) = 1 / (1 + 10^-1) = 10 / 11
    expected = make_log([1, 2], [(1, 2)], [1], starting_ratings=start)
    upset = make_log([1, 2], [(1, 2)], [2], starting_ratings=start)
    np.testing.assert_allclose(elo(expected, k=1.1), [1.1, -0.1])
    np.testing.assert_allclose(elo(upset, k=1.1), [0.0, 1.0])


def test_choices_are_taken_in_order():
    # 1 beats 2, then 2 beats 1: the second win is the greater surprise, so 2 ends above where it began.
    log = make_log([1, 2], [(1, 2), (1, 2)], [1, 2])
    second = 0.8 * (1 - 1 / (1 + 10**0.8))
    np.testing.assert_allclose(elo(log), [0.4 - second, second - 0.4])
    assert elo(log)[1] > 0


def test_a_tie_is_half_a_win_each_way():
    equals = make_log([1, 2], [(1, 2)], [0])
    np.testing.assert_array_equal(elo(equals), [0, 0])
    unequal = make_log([1, 2], [(1, 2)], [0], starting_ratings={1: 1.0})
    moved = 0.8 * (0.5 - 10 / 11)
    np.testing.assert_allclose(elo(unequal), [1 + moved, -moved])


def test_a_skip_says_nothing():
    log = make_log([1, 2], [(1, 2)], [0], kinds=[SKIP])
    np.testing.assert_array_equal(elo(log), [0, 0])
    assert log.comparisons.tolist() == [0, 0]


def test_on_a_screen_of_four_the_winner_beats_each_by_the_ratings_before_it():
    start = {1: 1.0, 2: 0.0, 3: -1.0, 4: 0.5}
    gains = [0.8 * (1 - 1 / (1 + 10 ** -(0.0 - other))) for other in (1.0, -1.0, 0.5)]
    for screen in ((1, 2, 3, 4), (4, 3, 2, 1), (3, 1, 4, 2)):  # where an image stands doesn't matter
        log = make_log([1, 2, 3, 4], [screen], [2], starting_ratings=start)
        np.testing.assert_allclose(elo(log), [1 - gains[0], sum(gains), -1 - gains[1], 0.5 - gains[2]])


def test_a_tie_of_three_moves_all_pairs_by_the_ratings_before_it():
    log = make_log([1, 2, 3], [(1, 2, 3)], [0], starting_ratings={1: 1.0})
    lost = 0.8 * (10 / 11 - 0.5)
    np.testing.assert_allclose(elo(log), [1 - 2 * lost, lost, lost])


def test_the_sum_of_ratings_never_changes():
    rng = np.random.default_rng(0)
    screens = [rng.choice(np.arange(1, 21), size=rng.integers(2, 10), replace=False) for _ in range(500)]
    winners = [int(screen[0]) if rng.random() < 0.8 else 0 for screen in screens]
    log = make_log(range(1, 21), screens, winners, seconds=rng.uniform(0, 9, 500))
    assert abs(elo(log, weights=quick(log)).sum()) < 1e-9


def test_ratings_thousands_apart_do_not_overflow():
    log = make_log([1, 2], [(1, 2), (1, 2)], [1, 2], starting_ratings={1: 5000.0})
    np.testing.assert_allclose(elo(log), [5000 - 0.8, 0.8])


def test_a_quick_choice_counts_for_more_within_limits():
    settings = RatingSettings("elo", weight_by_speed=True, default_seconds=1.5, weight_min=0.5, weight_max=2.0)
    seconds = np.array([1.5, 1.0, 0.1, 0.0, 2.0, 60.0, np.nan])
    np.testing.assert_allclose(speed_weights(settings, seconds), [1, 1.5, 2, 2, 0.75, 0.5, 1])
    log = make_log([1, 2], [(1, 2)], [1], seconds=[1.0])
    np.testing.assert_allclose(elo(log, weights=speed_weights(settings, log.seconds)), [0.6, -0.6])
    assert speed_weights(RatingSettings(), seconds) is None  # unless one says so, all choices count alike


def test_bradley_terry_weights_by_speed_like_repeated_choices():
    slow = make_log([1, 2], [(1, 2), (1, 2)], [1, 2], seconds=[0.75, 1.5])  # weights 2 and 1
    plain = make_log([1, 2], [(1, 2)] * 3, [1, 1, 2])
    np.testing.assert_allclose(fit_ratings(slow, weights=quick(slow)).rating, fit_ratings(plain).rating, atol=1e-7)


def test_bradley_terry_weighs_every_pair_of_a_wide_screen_like_the_screen():
    log = make_log([1, 2, 3], [(1, 2, 3), (2, 3)], [1, 2], seconds=[0.75, 3.0])  # weights 2 and 1/2
    plain = make_log([1, 2, 3], [(1, 2)] * 4 + [(1, 3)] * 4 + [(2, 3)], [1] * 8 + [2])
    rating, _ = fit_bradley_terry(plain.pairs, np.zeros(3), weights=np.full(9, 0.5))
    np.testing.assert_allclose(fit_ratings(log, weights=quick(log)).rating, rating, atol=1e-7)


def test_elo_has_no_errors_and_counts_comparisons():
    log = make_log([4, 7, 9, 11], [(4, 7), (9, 4), (7, 4, 9)], [4, 0, 9], kinds=[CHOICE, TIE, CHOICE])
    ratings = fit_ratings(log, "elo")
    assert np.isnan(ratings.error).all()
    assert ratings.images.tolist() == [4, 7, 9, 11]
    assert ratings.comparisons.tolist() == [3, 2, 2, 0]


def test_a_prior_given_takes_the_place_of_the_starting_ratings():
    log = make_log([1, 2], [], [], starting_ratings={1: 0.3})
    for method in ("elo", "bradley_terry"):
        np.testing.assert_allclose(fit_ratings(log, method).rating, [0.3, 0])
        np.testing.assert_allclose(fit_ratings(log, method, prior_mean=np.array([2.0, 1.0])).rating, [2, 1])


def test_a_warm_start_from_fewer_images_gives_the_same_ratings():
    old = make_log([1, 3], [(1, 3)], [1])
    new = make_log([1, 2, 3], [(1, 3), (2, 1), (3, 2)], [1, 2, 2])
    earlier = fit_ratings(old)
    assert isinstance(earlier, Ratings)
    warm, cold = fit_ratings(new, start=earlier), fit_ratings(new)
    np.testing.assert_allclose(warm.rating, cold.rating, atol=1e-7)
    np.testing.assert_allclose(warm.error, cold.error, atol=1e-7)


def test_an_unknown_method_is_told_the_known_ones():
    with pytest.raises(UserError, match="--rating=glicko: unknown; it can be assisted, bradley_terry, elo"):
        fit_ratings(make_log([1, 2], [], []), "glicko")


def test_pairs_follow_the_order_of_the_choices():
    log = make_log([10, 20, 30, 40], [(10, 20, 30), (40, 10), (20, 30, 10), (30, 40)], [20, 0, 0, 30])
    pairs = log.pairs
    assert pairs.winners.tolist() == [1, 1, 3, 1, 1, 2, 2]
    assert pairs.losers.tolist() == [0, 2, 0, 2, 0, 0, 3]
    assert pairs.ties.tolist() == [False, False, True, True, True, True, False]
    assert pairs.comparison.tolist() == [0, 0, 1, 2, 2, 2, 3]
    assert log.comparisons.tolist() == [3, 2, 3, 2]


def test_skipped_screens_make_no_pairs():
    log = make_log([1, 2, 3], [(1, 2, 3), (1, 2)], [0, 1], kinds=[SKIP, CHOICE])
    assert log.pairs.comparison.tolist() == [1]


def test_rows_finds_images_by_id_in_any_order():
    log = make_log([10, 20, 30], [], [])
    assert log.rows([30, 10, 10]).tolist() == [2, 0, 0]
    with pytest.raises(UserError, match="image 15 isn't in the comparisons database"):
        log.rows([15])
    with pytest.raises(UserError, match="image 1 isn't"):
        make_log([], [], []).rows([1])


def test_the_documentation_names_the_numbers_that_the_code_uses():
    pages = (ROOT / "docs" / name for name in ("ratings.md", "how-ratings-work.md"))
    text = " ".join(" ".join(page.read_text(encoding="utf-8") for page in pages).split())
    assert f"K is {RatingSettings.k} (" in text
    assert f"its standard deviation {PRIOR_SD} (" in text
    assert f"Up to {EXACT_UP_TO:,} compared images" in text
    assert f"that of {CANDIDATES} random others" in text
    assert f"|difference of ratings| + {COUNT_COST} × comparisons" in text
    weights = RatingSettings()
    assert f"({weights.default_seconds}, {weights.weight_min}, {weights.weight_max:.0f})" in text


def test_ten_thousand_games_agree_with_the_textbook_loop():
    rng = np.random.default_rng(3)
    games = [rng.choice(30, size=2, replace=False) + 1 for _ in range(10_000)]
    log = make_log(range(1, 31), games, [int(game[0]) for game in games])
    expected = np.zeros(30)
    for winner, loser in games:
        p = 1 / (1 + 10 ** -(expected[winner - 1] - expected[loser - 1]))
        expected[winner - 1] += 0.3 * (1 - p)
        expected[loser - 1] -= 0.3 * (1 - p)
    np.testing.assert_allclose(fit_elo(log, np.zeros(30), k=0.3), expected, atol=1e-9)
