"""Bradley-Terry against arithmetic, choix, brute force and exact inverses."""

import time

import choix
import numpy as np
import pytest
from scipy.optimize import approx_fprime, minimize

import src.ratings.precision as precision
from src.ratings.bradley_terry import LN10, fit_bradley_terry
from src.ratings.fit import fit_ratings
from src.ratings.log import make_log

FLAT = 1e4  # a prior so wide that it says nothing


def log_of(wins, n):
    """wins: (winner, loser) rows. A log of n images of such choices."""
    return make_log(np.arange(n) + 1, [(w + 1, v + 1) for w, v in wins], [w + 1 for w, _ in wins])


def simulate(n, choices, seed, near=False, sd=0.75):
    """A log of choices by the model itself, and the true ratings (n,); near: between images of similar rating."""
    rng = np.random.default_rng(seed)
    truth = rng.normal(0, sd, n)
    first, second = rng.integers(0, n, (2, choices))
    if near:
        others = rng.integers(0, n, (choices, 12))
        second = others[np.arange(choices), np.abs(truth[others] - truth[first][:, None]).argmin(axis=1)]
    first, second = first[first != second], second[first != second]
    won = rng.random(len(first)) < 1 / (1 + 10 ** -(truth[first] - truth[second]))
    winners = np.where(won, first, second)
    return make_log(np.arange(n) + 1, np.stack([first, second], axis=1) + 1, winners + 1), truth


def loss(rating, log, mean, sd):
    """Minus the log posterior, written down from the definition."""
    value = np.sum(((rating - mean) / sd) ** 2) / 2
    for winner, loser, tie in zip(log.pairs.winners, log.pairs.losers, log.pairs.ties, strict=True):
        p = 1 / (1 + 10 ** -(rating[winner] - rating[loser]))
        value -= 0.5 * np.log(p) + 0.5 * np.log(1 - p) if tie else np.log(p)
    return value


@pytest.mark.parametrize(("won", "lost"), [(3, 1), (9, 1), (1, 1), (2, 7)])
def test_three_wins_to_one_make_a_gap_of_log_three(won, lost):
    rating = fit_ratings(log_of([(0, 1)] * won + [(1, 0)] * lost, 2), prior_sd=FLAT).rating
    assert rating[0] - rating[1] == pytest.approx(np.log10(won / lost), abs=1e-6)
    assert rating.sum() == pytest.approx(0, abs=1e-6)


def test_a_chain_of_three_adds_its_gaps():
    wins = [(0, 1)] * 3 + [(1, 0)] + [(1, 2)] * 4 + [(2, 1)]
    rating = fit_ratings(log_of(wins, 3), prior_sd=FLAT).rating
    np.testing.assert_allclose(rating[:2] - rating[1:], np.log10([3, 4]), atol=1e-6)


def test_the_error_of_one_gap_is_the_textbook_one():
    # With a flat prior the gap g of two images has the precision n p (1 − p) per natural unit: here 4 · 3/4 · 1/4.
    log = log_of([(0, 1)] * 3 + [(1, 0)], 2)
    sd = 50.0
    error = fit_ratings(log, prior_sd=sd).error
    gap_variance = 4 / 3 / LN10**2
    expected = sd**2 / 2 + gap_variance / 4  # the mean of both is as unknown as the prior, and half the gap is added
    np.testing.assert_allclose(error**2, expected, rtol=1e-3)


def test_an_image_without_choices_keeps_its_prior_exactly():
    log = make_log([1, 2, 3], [(1, 2)], [1], starting_ratings={3: -0.4})
    ratings = fit_ratings(log, prior_sd=0.9)
    assert ratings.rating[2] == pytest.approx(-0.4, abs=1e-12)
    assert ratings.error[2] == pytest.approx(0.9, abs=1e-12)
    assert (ratings.error[:2] < 0.9).all()


@pytest.mark.parametrize("images", [0, 1, 5])
def test_without_any_choice_everything_is_the_prior(images):
    ratings = fit_ratings(make_log(np.arange(images) + 1, [], []), prior_sd=0.7)
    assert ratings.rating.tolist() == [0.0] * images
    np.testing.assert_allclose(ratings.error, [0.7] * images)


@pytest.mark.parametrize("sd", [0.3, 0.75, 3.0])
def test_agrees_with_choix(sd):
    log, _ = simulate(40, 300, seed=1)
    data = np.stack([log.pairs.winners, log.pairs.losers], axis=1).tolist()
    # choix penalises alpha · Σ θ² in natural units, a Gaussian of variance 1 / (2 alpha)
    reference = choix.opt_pairwise(40, data, alpha=1 / (2 * (LN10 * sd) ** 2), tol=1e-10)
    np.testing.assert_allclose(fit_ratings(log, prior_sd=sd).rating, reference / LN10, atol=1e-6)


def test_agrees_with_choix_without_a_prior():
    log, _ = simulate(15, 600, seed=2)
    data = np.stack([log.pairs.winners, log.pairs.losers], axis=1).tolist()
    reference = choix.ilsr_pairwise(15, data, alpha=0.0, tol=1e-10)  # an algorithm of another kind: spectral ranking
    rating = fit_ratings(log, prior_sd=FLAT).rating
    np.testing.assert_allclose(rating - rating.mean(), (reference - reference.mean()) / LN10, atol=1e-5)


def test_agrees_with_brute_force_with_prior_means_deviations_ties_and_wide_screens():
    mean, sd = np.array([0.5, -0.2, 0.0, 1.0, -1.0]), np.array([0.5, 1.0, 2.0, 0.3, 0.75])
    screens = [(1, 2, 3, 4), (2, 5), (5, 1, 3), (4, 3), (1, 2)]
    log = make_log(range(1, 6), screens, [3, 0, 0, 3, 2])
    ratings = fit_ratings(log, prior_mean=mean, prior_sd=sd)
    best = minimize(loss, np.zeros(5), args=(log, mean, sd), method="BFGS", options={"gtol": 1e-9})
    np.testing.assert_allclose(ratings.rating, best.x, atol=1e-6)


def test_the_errors_are_those_of_a_numeric_hessian():
    log, _ = simulate(6, 25, seed=4)
    mean, sd = np.linspace(-0.5, 0.5, 6), np.linspace(0.4, 1.4, 6)
    ratings = fit_ratings(log, prior_mean=mean, prior_sd=sd)

    def slope(rating):
        return approx_fprime(rating, loss, 1e-6, log, mean, sd)

    hessian = approx_fprime(ratings.rating, slope, 1e-4)
    np.testing.assert_allclose(ratings.error, np.sqrt(np.diag(np.linalg.inv(hessian))), rtol=1e-3)


def test_the_order_of_the_choices_does_not_matter():
    log, _ = simulate(30, 200, seed=5)
    shuffled = np.random.default_rng(0).permutation(len(log.pairs.winners))
    wins = np.stack([log.pairs.winners, log.pairs.losers], axis=1)
    a, b = (fit_ratings(log_of(w.tolist(), 30)) for w in (wins, wins[shuffled]))
    np.testing.assert_allclose(a.rating, b.rating, atol=1e-8)
    np.testing.assert_allclose(a.error, b.error, atol=1e-8)


def test_two_ties_are_a_win_each_way():
    tied = make_log([1, 2, 3], [(1, 2), (1, 2), (2, 3)], [0, 0, 2])
    won = make_log([1, 2, 3], [(1, 2), (1, 2), (2, 3)], [1, 2, 2])
    np.testing.assert_allclose(fit_ratings(tied).rating, fit_ratings(won).rating, atol=1e-9)


def test_a_weight_of_zero_is_a_choice_not_made():
    pairs = log_of([(0, 1), (1, 2), (2, 0), (0, 2)], 3).pairs
    rating, error = fit_bradley_terry(pairs, np.zeros(3), weights=np.array([1.0, 1.0, 0.0, 1.0]))
    without, its_error = fit_bradley_terry(log_of([(0, 1), (1, 2), (0, 2)], 3).pairs, np.zeros(3))
    np.testing.assert_allclose(rating, without, atol=1e-9)
    np.testing.assert_allclose(error, its_error, atol=1e-9)


def test_an_image_that_always_wins_stays_finite():
    log = log_of([(0, 1)] * 1000, 2)
    ratings = fit_ratings(log)
    assert 0 < ratings.rating[0] < 3
    wide = fit_ratings(log, prior_sd=100.0)
    assert np.isfinite([*wide.rating, *wide.error]).all()
    assert wide.rating[0] > ratings.rating[0]


@pytest.mark.parametrize("start", [np.full(50, 3.0), np.linspace(-40, 40, 50)])
def test_a_bad_start_ends_at_the_same_maximum(start):
    log, _ = simulate(50, 200, seed=6)
    rating, error = fit_bradley_terry(log.pairs, np.zeros(50), start=start)
    cold, cold_error = fit_bradley_terry(log.pairs, np.zeros(50))
    np.testing.assert_allclose(rating, cold, atol=1e-7)
    np.testing.assert_allclose(error, cold_error, atol=1e-7)


def test_numbers_that_are_not_finite_are_not_passed_on():
    with pytest.raises(ArithmeticError, match="finite"):
        fit_ratings(log_of([(0, 1)], 2), prior_mean=np.array([np.nan, 0.0]))


@pytest.mark.parametrize(
    ("choices", "near", "mean_error", "worst_error"),
    [(1000, False, 1e-4, 0.01), (4000, False, 0.002, 0.02), (4000, True, 0.005, 0.04)],
)
def test_the_quick_errors_of_large_sets_are_close_to_the_exact_inverse(
    monkeypatch, choices, near, mean_error, worst_error
):
    log, _ = simulate(1000, choices, seed=7, near=near)
    monkeypatch.setattr(precision, "EXACT_UP_TO", 0)
    quick = fit_ratings(log)
    monkeypatch.setattr(precision, "EXACT_UP_TO", 1000)
    exact = fit_ratings(log)
    np.testing.assert_array_equal(quick.rating, exact.rating)
    off = quick.error / exact.error - 1
    assert abs(off.mean()) < mean_error
    assert off.min() > -worst_error
    assert off.max() < 1e-6  # it may promise a little too much, never too little


def test_the_quick_errors_are_exact_on_a_tree(monkeypatch):
    tree = [(child, (child - 1) // 2) for child in range(1, 63)]
    exact = fit_ratings(log_of(tree, 63))
    monkeypatch.setattr(precision, "EXACT_UP_TO", 0)
    np.testing.assert_allclose(fit_ratings(log_of(tree, 63)).error, exact.error, rtol=1e-6)


def test_two_thirds_of_the_true_ratings_lie_within_one_standard_error():
    log, truth = simulate(1000, 3000, seed=8, sd=0.75)
    ratings = fit_ratings(log, prior_sd=0.75)
    off = np.abs(ratings.rating - truth) / ratings.error
    assert 0.64 < np.mean(off < 1) < 0.72  # 68.3 % of a Gaussian; 1,000 draws scatter by 1.5 %
    assert 0.93 < np.mean(off < 2) < 0.975


def test_ten_thousand_images_fit_in_seconds_even_on_a_busy_machine():
    log, _ = simulate(10_000, 40_000, seed=9)
    _ = log.pairs
    begin = time.process_time()
    ratings = fit_ratings(log)
    assert time.process_time() - begin < 2  # about 0.05 s on a quiet core: benchmarks/ratings_speed.py measures it
    assert np.isfinite(ratings.error).all()
