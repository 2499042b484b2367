"""Assisted ratings against dense formulas, finite differences, numerical integrals and Bradley-Terry."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.linalg import fractional_matrix_power
from scipy.optimize import approx_fprime, minimize
from scipy.special import expit
from threadpoolctl import threadpool_info, threadpool_limits

import src.common.kernel as kernel_module
import src.ratings.assisted as assisted
import src.ratings.hyperparameters as hyperparameters
import src.ratings.precision as precision
import src.ratings.similarity as similarity_module
from benchmarks.simulated_person import make_taste, simulate
from src.common.errors import UserError
from src.common.order import ENOUGH
from src.ratings.assisted import AssistedFit
from src.ratings.bradley_terry import LN10, fit_bradley_terry
from src.ratings.expectation import Approximation, gaussian, laplace_sites, log_evidence, propagate
from src.ratings.fit import fit_ratings, speed_weights
from src.ratings.hyperparameters import (
    DEFAULT,
    REFRESHED_AT,
    SHARES,
    VARIANCES,
    Hyperparameters,
    prior_of,
    refresh_level,
)
from src.ratings.log import SKIP, TIE, make_log
from src.ratings.outlook import expected_spearman
from src.ratings.posterior import Prior, curvature_at, find_mode
from src.ratings.screens import screens_of
from src.ratings.settings import RatingSettings
from src.ratings.similarity import RANK, Similarity, make_similarity
from tests import ROOT

HALF = Hyperparameters(2.0, 0.5)


def landscape(n, seed=0):
    """(n, 6) features, and utilities (n,) that are mostly a smooth function of them."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 6))
    return x, 2 * np.sin(x[:, 0]) + x[:, 1] + 0.5 * rng.normal(size=n)


def choose(utilities, choices, seed=0, k=2, images=None):
    """A log of choices between random images of the first `images`."""
    rng = np.random.default_rng(seed)
    screens = np.array([rng.choice(images or len(utilities), k, replace=False) for _ in range(choices)])
    best = np.argmax(utilities[screens] + rng.gumbel(size=screens.shape), axis=1)
    return make_log(np.arange(len(utilities)) + 1, screens + 1, screens[np.arange(choices), best] + 1)


def with_ties(log, every=4):
    kinds, winners = log.kinds.copy(), log.winners.copy()
    kinds[::every], winners[::every] = TIE, -1
    return replace(log, kinds=kinds, winners=winners)


def fixed(similarity, hyperparameters):
    """A fit that keeps these hyperparameters."""
    return AssistedFit(similarity, hyperparameters, _level=len(REFRESHED_AT))


def mode_of(log, similarity, chosen, weights=None, mean=0.0):
    """Where the posterior of this fixed prior is highest, with Laplace's curvature; what a fit begins with."""
    n = len(log.images)
    return find_mode(screens_of(log, weights), prior_of(chosen, np.full(n, mean), similarity.of(log.images)))


def similar(x, rank=RANK):
    return make_similarity(np.arange(len(x)) + 1, x, rank)


def dense(log, similarity, chosen, weights=None, mean=0.0):
    """Mode, covariance, Laplace evidence, written down with whole matrices, one choice at a time."""
    n, weights = len(log.images), np.ones(len(log)) if weights is None else weights
    phi = similarity.vectors
    c = chosen.variance * chosen.share * phi @ phi.T
    own = np.maximum(1 - np.diag(c) / chosen.variance, (1 - chosen.share) / 3)
    c += chosen.variance * np.diag(own)
    mean = np.broadcast_to(mean, n)
    u = mean.copy()
    for _ in range(50):
        loss, slope, w = 0.0, np.zeros(n), np.zeros((n, n))
        for i in range(len(log)):
            if log.kinds[i] == SKIP:
                continue
            rows = log.screen(i)
            p = np.exp(u[rows]) / np.exp(u[rows]).sum()
            target = (
                np.full(len(rows), 1 / len(rows)) if log.kinds[i] == TIE else (rows == log.winners[i]).astype(float)
            )
            loss -= weights[i] * target @ np.log(p)
            slope[rows] += weights[i] * (target - p)
            w[np.ix_(rows, rows)] += weights[i] * (np.diag(p) - np.outer(p, p))
        h = np.linalg.inv(c) + w
        step = np.linalg.solve(h, slope - np.linalg.solve(c, u - mean))
        u = u + step
        if np.abs(step).max() < 1e-12:  # Newton's steps: about eight
            break
    evidence = -loss - 0.5 * (u - mean) @ np.linalg.solve(c, u - mean) - 0.5 * np.linalg.slogdet(np.eye(n) + c @ w)[1]
    return u, np.linalg.inv(h), evidence


CASES = {
    "pairs": lambda u: choose(u, 80),
    "ties": lambda u: with_ties(choose(u, 80)),
    "four at once": lambda u: choose(u, 40, k=4),
    "four at once with ties": lambda u: with_ties(choose(u, 40, k=4)),
    "some images never shown": lambda u: choose(u, 30, images=15),
    "nothing": lambda u: make_log(np.arange(len(u)) + 1, [], []),
}


@pytest.mark.parametrize("exact_up_to", [0, 1500])
@pytest.mark.parametrize("chosen", [HALF, Hyperparameters(11.0, 0.97)], ids=str)
@pytest.mark.parametrize("case", CASES)
def test_equals_a_dense_gaussian_process(case, chosen, exact_up_to, monkeypatch):
    monkeypatch.setattr(precision, "EXACT_UP_TO", exact_up_to)
    x, utilities = landscape(40)
    log, similarity = CASES[case](utilities), similar(x, rank=12)
    mode = mode_of(log, similarity, chosen)
    u, covariance, _ = dense(log, similarity, chosen)
    np.testing.assert_allclose(mode.utilities, u, atol=2e-4)
    close = 0.02 if exact_up_to else 0.1  # belief propagation among 40 images: short loops
    np.testing.assert_allclose(np.sqrt(mode.curvature.variances[0]), np.sqrt(np.diag(covariance)), rtol=close)


def test_weights_and_prior_means_are_those_of_the_dense_process():
    x, utilities = landscape(30)
    log, similarity, rng = choose(utilities, 60), similar(x), np.random.default_rng(1)
    weights, mean = rng.uniform(0.5, 2, len(log)), rng.normal(size=30)
    u, _, _ = dense(log, similarity, HALF, weights, mean)
    np.testing.assert_allclose(mode_of(log, similarity, HALF, weights, mean).utilities, u, atol=2e-4)


@pytest.mark.parametrize(("k", "choices"), [(2, 10), (3, 6)])
def test_ratings_and_errors_are_the_mean_and_deviation_of_the_posterior_also_with_weights_and_prior_means(k, choices):
    x, utilities = landscape(12)
    log, similarity, rng = choose(utilities, choices, k=k), similar(x), np.random.default_rng(1)
    log = replace(log, seconds=rng.uniform(0.5, 5, len(log)))
    mean = rng.normal(size=12)
    weights = speed_weights(RatingSettings(weight_by_speed=True), log.seconds)
    ratings = fit_ratings(log, "assisted", prior_mean=mean, weights=weights, assisted=fixed(similarity, HALF))
    u, value = drawn_from_prior(log, similarity, weights, LN10 * mean)
    weight = value / value.sum()
    expected = weight @ u
    np.testing.assert_allclose(LN10 * ratings.rating, expected, atol=0.06)
    np.testing.assert_allclose(LN10 * ratings.error, np.sqrt(weight @ (u - expected) ** 2), rtol=0.04)


def drawn_from_prior(log, similarity, weights=None, mean=0.0, total=100_000):
    """(M, n) draws from the prior HALF, and (M,) the probability of the choices by each: for importance sampling."""
    rng, n = np.random.default_rng(0), len(log.images)
    prior = prior_of(HALF, np.zeros(n), similarity.vectors)
    u = mean + rng.normal(size=(total, len(prior.vectors.T))) @ prior.vectors.T
    u += rng.normal(size=(total, n)) * np.sqrt(prior.own)
    value = np.zeros(total)
    for i in range(len(log)):
        shown = u[:, log.screen(i)]
        target = (
            np.full(shown.shape[1], 1 / shown.shape[1]) if log.kinds[i] == TIE else log.screen(i) == log.winners[i]
        )
        value += (1 if weights is None else weights[i]) * (shown @ target - np.log(np.exp(shown).sum(axis=1)))
    return u, np.exp(value)


def approximate(screens, prior, rounds=15):
    start = np.zeros(screens.n)
    return propagate(screens, prior, gaussian(screens, prior, laplace_sites(screens, start), start), rounds)


@pytest.mark.parametrize("case", CASES)
def test_with_laplaces_sites_it_is_laplaces_approximation(case):
    x, utilities = landscape(40)
    log, similarity = CASES[case](utilities), similar(x)
    screens, prior = screens_of(log), prior_of(HALF, np.zeros(40), similarity.vectors)
    mode = find_mode(screens, prior)
    found = gaussian(screens, prior, laplace_sites(screens, mode.utilities), mode.utilities + 1)
    u, covariance, _ = dense(log, similarity, HALF)
    np.testing.assert_allclose(found.mean, u, atol=0.01)
    np.testing.assert_allclose(found.curvature.variances[0], np.diag(covariance), rtol=0.01)


@pytest.mark.parametrize("variance", [0.5, 2.0, 8.0])
@pytest.mark.parametrize("gap", [0.0, -1.5])
@pytest.mark.parametrize("weight", [1.0, 2.0])
def test_of_one_choice_the_mean_the_variance_and_the_evidence_are_its_integrals(variance, gap, weight):
    screens = screens_of(make_log([1, 2], [(1, 2)], [1]), np.array([weight]))
    prior = Prior(np.array([gap, 0]), np.zeros((2, 0)), np.full(2, variance))

    def density(d):
        return expit(d) ** weight * np.exp(-((d - gap) ** 2) / (4 * variance))

    total, once, twice = (quad(lambda d, n=n: d**n * density(d), -60, 60, points=[0])[0] for n in (0, 1, 2))
    found = approximate(screens, prior)
    assert found.mean[0] - found.mean[1] == pytest.approx(once / total, abs=0.02)
    assert found.curvature.variances[1][0] == pytest.approx(twice / total - (once / total) ** 2, rel=0.02)
    exact = np.log(total / np.sqrt(4 * np.pi * variance))
    assert log_evidence(screens, prior, found) == pytest.approx(exact, abs=0.01)


@pytest.mark.parametrize("k", [2, 3])
def test_means_and_evidence_are_close_to_monte_carlo_integrals(k):
    x, utilities = landscape(12)
    log, similarity = with_ties(choose(utilities, 10, k=k)), similar(x)
    screens, prior = screens_of(log), prior_of(HALF, np.zeros(12), similarity.vectors)
    u, value = drawn_from_prior(log, similarity)
    weight = value / value.sum()
    mean = weight @ u
    found, mode = approximate(screens, prior), find_mode(screens, prior)
    assert log_evidence(screens, prior, found) == pytest.approx(np.log(np.mean(value)), abs=0.05)
    np.testing.assert_allclose(found.mean, mean, atol=0.04)
    variance, laplaces = weight @ u**2 - mean**2, mode.curvature.variances[0]
    np.testing.assert_allclose(found.curvature.variances[0], variance, rtol=0.08)
    assert np.abs(found.curvature.variances[0] - variance).mean() < np.abs(laplaces - variance).mean()
    assert np.abs(found.mean - mean).max() < 0.5 * np.abs(mode.utilities - mean).max()
    laplace = Approximation(mode.utilities, mode.curvature, laplace_sites(screens, mode.utilities))
    np.testing.assert_allclose(propagate(screens, prior, laplace, 1).mean, found.mean, atol=0.02)  # one round will do


@pytest.mark.parametrize("k", [2, 4])
def test_beyond_exact_variances_the_posterior_is_nearly_the_same(k, monkeypatch):
    x, utilities = landscape(200)
    screens = screens_of(choose(utilities, 300, k=k))
    prior = prior_of(Hyperparameters(11.0, 0.97), np.zeros(200), similar(x).vectors)
    exact = approximate(screens, prior)
    monkeypatch.setattr(precision, "EXACT_UP_TO", 0)
    near = approximate(screens, prior)
    np.testing.assert_allclose(near.mean, exact.mean, atol=0.1 * np.ptp(exact.mean))


@pytest.mark.parametrize("exact_up_to", [0, 1500])
def test_springs_that_make_no_gaussian_are_noticed(exact_up_to, monkeypatch):
    """As draws of large screens may make them. Whether random springs are sound, the eigenvalues say."""
    monkeypatch.setattr(precision, "EXACT_UP_TO", exact_up_to)
    rng, found = np.random.default_rng(0), {True: 0, False: 0}
    for _ in range(200):
        low, high = np.sort([rng.choice(12, 2, replace=False) for _ in range(18)]).T
        graph, _ = precision.make_graph(low, high, 12)
        springs = precision.Precision(graph, np.full(12, 0.2), rng.normal(0.3, 0.3, len(graph.first)))
        dense = np.diag(springs.diagonal)
        dense[graph.first, graph.second] = dense[graph.second, graph.first] = -springs.weights
        sound = bool(np.linalg.eigvalsh(dense)[0] > 0)
        found[sound] += 1
        if sound:
            b = rng.normal(size=12)
            np.testing.assert_allclose(dense @ precision.conjugate_gradients(springs, b, 1e-9), b, atol=1e-6)
        else:
            with pytest.raises(ArithmeticError, match="finite"):
                (precision.variances(springs), precision.conjugate_gradients(springs, rng.normal(size=12), 1e-9))
    assert min(found.values()) > 30


@pytest.mark.parametrize("k", [2, 3, 5])
def test_slope_and_curvature_are_finite_differences_of_the_loss(k):
    _, utilities = landscape(9)
    screens = screens_of(with_ties(choose(utilities, 12, k=k)), np.linspace(0.5, 2, 12))
    u = np.random.default_rng(0).normal(size=9)
    np.testing.assert_allclose(screens.slope(u), -approx_fprime(u, screens.loss, 1e-7), atol=1e-5)
    laplacian = np.zeros((9, 9))
    for a, b, spring in zip(screens.graph.first, screens.graph.second, screens.curvature(u), strict=True):
        laplacian[np.ix_([a, b], [a, b])] += spring * np.array([[1, -1], [-1, 1]])
    numeric = np.array([approx_fprime(u, lambda v, i=i: -screens.slope(v)[i], 1e-7) for i in range(9)])
    np.testing.assert_allclose(laplacian, numeric, atol=1e-5)


@pytest.mark.parametrize("exact_up_to", [0, 1500])
def test_gaps_have_the_variances_of_the_dense_process(exact_up_to, monkeypatch):
    monkeypatch.setattr(precision, "EXACT_UP_TO", exact_up_to)
    similarity, tree = (
        similar(landscape(40)[0]),
        [(i + 1, (i + 1) // 2) for i in range(1, 40)],
    )  # exact on a tree, either way
    log = make_log(np.arange(40) + 1, tree, [a for a, _ in tree])
    screens, prior = screens_of(log), prior_of(HALF, np.zeros(40), similarity.vectors)
    mode = find_mode(screens, prior)
    found = curvature_at(screens, prior, mode.utilities).variances[1]
    covariance = dense(log, similarity, HALF)[1]
    i, j = screens.graph.first, screens.graph.second
    np.testing.assert_allclose(found, covariance[i, i] + covariance[j, j] - 2 * covariance[i, j], rtol=2e-3)


def test_a_tie_of_two_is_half_a_choice_each_way():
    screens = screens_of(make_log([1, 2], [(1, 2)], [0]))
    u = np.array([0.3, -0.9])
    assert screens.loss(u) == pytest.approx(-0.5 * np.log(expit(1.2)) - 0.5 * np.log(expit(-1.2)))


@pytest.mark.parametrize(("k", "close"), [(2, 1e-3), (3, 0.01)])  # larger screens: by draws
def test_skips_say_nothing_and_the_order_on_the_screen_does_not_matter(k, close):
    x, utilities = landscape(20)
    log = choose(utilities, 40, k=k)
    kinds = log.kinds.copy()
    kinds[7] = SKIP
    without = np.delete(np.arange(40), 7)
    skipped = replace(log, kinds=kinds, winners=np.where(kinds == SKIP, -1, log.winners))
    left_out = make_log(log.images, log.shown.reshape(-1, k)[without] + 1, log.winners[without] + 1)
    turned = replace(log, shown=log.shown.reshape(-1, k)[:, ::-1].ravel())
    for one, other in ((log, turned), (skipped, left_out)):
        a, b = (fixed(similar(x), HALF).fit(which).rating for which in (one, other))
        np.testing.assert_allclose(a, b, atol=close)


@pytest.mark.parametrize("case", ["pairs", "ties", "some images never shown", "nothing"])
def test_without_the_features_share_it_is_bradley_terry(case):
    x, utilities = landscape(40)
    log = CASES[case](utilities)
    mode = mode_of(log, similar(x), Hyperparameters(2.0, 0.0))
    rating, error = fit_bradley_terry(log.pairs, np.zeros(40), np.sqrt(2.0) / LN10)
    np.testing.assert_allclose(mode.utilities / LN10, rating, atol=1e-4)
    np.testing.assert_allclose(np.sqrt(mode.curvature.variances[0]) / LN10, error, rtol=0.01)


def test_images_never_shown_are_rated_like_their_neighbours():
    x, utilities = landscape(300)
    ratings = fixed(similar(x), DEFAULT).fit(choose(utilities, 600, images=200))
    never = slice(200, None)
    assert (ratings.comparisons[never] == 0).all()
    assert np.corrcoef(ratings.rating[never], utilities[never])[0, 1] > 0.7
    assert ratings.error[never].mean() > ratings.error[:200].mean()


def test_an_image_without_features_has_its_own_choices_only():
    x, utilities = landscape(30)
    some = make_similarity(np.arange(2, 30), x[1:29])  # not the first and the last
    log = choose(utilities, 60, images=29)
    ratings = fixed(some, HALF).fit(log)
    assert ratings.rating[29] == 0
    assert ratings.error[29] == pytest.approx(np.sqrt(2.0) / LN10)
    assert ratings.rating[0] != 0
    none = make_similarity(np.zeros(0, np.int64), np.zeros((0, 6)))
    rating, _ = fit_bradley_terry(log.pairs, np.zeros(30), np.sqrt(2.0) / LN10)
    np.testing.assert_allclose(mode_of(log, none, HALF).utilities / LN10, rating, atol=1e-4)


def test_a_fit_goes_on_where_the_last_one_ended_also_with_new_images():
    x, utilities = landscape(60)
    log = choose(utilities, 150, images=40)
    early = replace(choose(utilities[:40], 100), images=np.arange(40) + 1)
    for change in (early, log):
        warm = fixed(similar(x), HALF)
        warm.fit(change)
        again, cold = warm.fit(log), fixed(similar(x), HALF).fit(log)
        np.testing.assert_allclose(again.rating, cold.rating, atol=2e-3)
        np.testing.assert_allclose(again.error, cold.error, rtol=0.01)


def test_more_choices_make_smaller_errors_and_a_better_outlook():
    x, utilities = landscape(100)
    fits = [fixed(similar(x), HALF).fit(choose(utilities, c)) for c in (50, 200, 800)]
    errors, outlooks = [f.error.mean() for f in fits], [f.expected_spearman for f in fits]
    assert errors == sorted(errors, reverse=True)
    assert outlooks == sorted(outlooks)
    assert fits[0].choices_for_next < fits[1].choices_for_next < fits[2].choices_for_next


@pytest.mark.parametrize("k", [2, 4])
def test_choices_to_a_good_order_are_those_that_bring_the_error_variance_down_as_far(k):
    x, utilities = landscape(120)
    log, similarity = choose(utilities, 100, k=k), similar(x)
    fit = fixed(similarity, HALF)
    ratings = fit.fit(log)
    screens, prior = screens_of(log), prior_of(HALF, np.zeros(120), similarity.vectors)
    mode = find_mode(screens, prior)
    found = propagate(
        screens, prior, Approximation(mode.utilities, mode.curvature, laplace_sites(screens, mode.utilities)), 1
    )
    covariance, springs = found.curvature.solve(np.eye(120)), found.curvature.springs_times(np.eye(120))
    now, goal = (1 - 4 * np.sin(np.pi * s / 6) ** 2 for s in (ratings.expected_spearman, 0.85))
    told = np.trace(springs) / 120 / len(log) * ratings.choices_to_good  # as much as they all did, per image
    after = np.linalg.inv(np.linalg.inv(covariance) + told * np.eye(120))
    assert np.trace(after) / np.trace(covariance) == pytest.approx(goal / now, rel=0.02)


def test_no_choices_are_left_where_the_order_is_good():
    x, utilities = landscape(60)
    ratings = fixed(similar(x), HALF).fit(choose(utilities, 3000))
    assert ratings.expected_spearman > 0.85
    assert ratings.choices_to_good == 0


def test_the_expected_spearman_is_that_of_draws_from_the_errors():
    from scipy.stats import spearmanr

    rng = np.random.default_rng(0)
    rating, error = rng.normal(size=200), rng.uniform(0.3, 1, 200)
    drawn = [spearmanr(rating, rng.normal(rating, error)).statistic for _ in range(300)]
    assert expected_spearman(rating, error) == pytest.approx(np.mean(drawn), abs=0.005)
    many, wide = rng.normal(size=3000), rng.uniform(0.3, 1, 3000)
    drawn = [spearmanr(many, rng.normal(many, wide)).statistic for _ in range(20)]
    assert expected_spearman(many, wide) == pytest.approx(np.mean(drawn), abs=0.006)  # from 500 of them


@pytest.mark.parametrize("n", [0, 1, 2, 5])
def test_there_is_no_outlook_where_nothing_is_known(n):
    used = fixed(similar(landscape(5)[0]), HALF)
    used.fit(choose(landscape(5)[1], 20))
    for fit in (AssistedFit(similar(landscape(5)[0])), used):
        ratings = fit.fit(make_log(np.arange(n) + 1, [], []))
        assert ratings.rating.tolist() == [0.0] * n
        assert ratings.expected_spearman is None
        assert ratings.choices_for_next is None
        assert ratings.choices_to_good is None


def test_errors_and_the_estimate_hold_for_tastes_drawn_from_the_prior():
    from scipy.stats import spearmanr

    similarity, rng, chosen = similar(landscape(300)[0]), np.random.default_rng(3), DEFAULT
    prior = prior_of(chosen, np.zeros(300), similarity.vectors)
    off, missed = [], []
    for seed in range(6):
        taste = prior.vectors @ rng.normal(size=prior.vectors.shape[1]) + np.sqrt(prior.own) * rng.normal(size=300)
        ratings = fixed(similarity, chosen).fit(choose(taste, 600, seed, images=200))
        missed.append(np.abs(ratings.rating - taste / LN10) / ratings.error)
        off.append(ratings.expected_spearman - spearmanr(ratings.rating, taste).statistic)
    assert abs(np.mean(off)) < 0.05
    shown, never = np.array(missed)[:, :200], np.array(missed)[:, 200:]
    assert 0.62 < np.mean(shown < 1) < 0.74  # 68 % of a Gaussian; 1,200 of them scatter by 1.4 %
    assert 0.6 < np.mean(never < 1) < 0.76


def test_excluded_images_do_not_count_in_the_outlook():
    x, utilities = landscape(60)
    log = choose(utilities, 200, images=30)
    apart = replace(log, excluded=np.arange(60) >= 30)
    whole, part = (fixed(similar(x), HALF).fit(which) for which in (log, apart))
    np.testing.assert_array_equal(whole.rating, part.rating)
    assert part.expected_spearman > whole.expected_spearman


def test_few_screens_of_nine_are_rated_too():
    """Of their 256 draws a handful may carry all the weight, which makes no Gaussian."""
    for seed in (1, 3, 4, 6):
        x, utilities = landscape(40, seed)
        log = choose(utilities, 15, seed, k=9)
        ratings = AssistedFit(similar(x)).fit(log)
        assert np.isfinite(ratings.rating).all()
        assert np.corrcoef(ratings.rating, utilities)[0, 1] > 0.3


def test_hyperparameters_are_refreshed_at_the_stated_points_only(monkeypatch):
    x, utilities = landscape(40)
    calls = []
    monkeypatch.setattr(assisted, "refresh", lambda *_: calls.append(1) or HALF)
    fit, log = AssistedFit(similar(x)), choose(utilities, 200)
    for choices, expected in ((9, 0), (10, 1), (19, 1), (20, 2), (41, 3), (39, 3), (42, 3), (50, 4), (200, 5)):
        part = {
            name: getattr(log, name)[:choices]
            for name in ("ids", "kinds", "winners", "seconds", "raters", "repeat_of", "predicted")
        }
        fit.fit(replace(log, **part, shown=log.shown[: 2 * choices], starts=log.starts[: choices + 1]))
        assert len(calls) == expected, choices
    assert refresh_level(log) == len(REFRESHED_AT)


def test_the_features_share_is_found(monkeypatch):
    monkeypatch.setattr(hyperparameters, "SHARES", (*SHARES[:3], 0.9))  # a coarse grid will do
    monkeypatch.setattr(hyperparameters, "VARIANCES", VARIANCES[1::2])
    x, utilities = landscape(50)
    telling, empty = AssistedFit(similar(x)), AssistedFit(similar(np.random.default_rng(9).normal(size=(50, 6))))
    log = choose(utilities, 200)
    telling.fit(log), empty.fit(log)
    assert telling.hyperparameters.share >= 0.6
    assert empty.hyperparameters.share <= 0.3
    assert DEFAULT.share in SHARES
    assert DEFAULT.variance in VARIANCES
    calmer = AssistedFit(similar(x))
    calmer.fit(choose(3 * utilities, 200))
    assert calmer.hyperparameters.variance > 1.5 * telling.hyperparameters.variance  # in units of the noise


@pytest.mark.parametrize("joined", [False, True])
def test_large_sets_are_sampled_with_the_choices_between_the_sampled(joined, monkeypatch):
    monkeypatch.setattr(hyperparameters, "MOST", 50)
    monkeypatch.setattr(hyperparameters, "SHARES", (0.3, 0.9))  # a grid of four points will do
    monkeypatch.setattr(hyperparameters, "VARIANCES", (1.4, 5.6))
    utilities = landscape(400)[1]
    apart = make_log(np.arange(400) + 1, [(i, i + 1) for i in range(1, 400, 2)], list(range(1, 400, 2)))
    screens = screens_of(choose(utilities, 800) if joined else apart)
    rows = hyperparameters._sample(screens)
    assert len(set(rows.tolist())) == 50
    assert (np.diff(rows) > 0).all()
    inside = screens.among(rows)
    assert sum(len(group.rows) for group in inside.groups) >= (49 if joined else 25)
    vectors, means = similar(landscape(400)[0]).vectors, np.linspace(-1, 1, 400)
    found = hyperparameters.refresh(screens, means, vectors)
    directly = hyperparameters.refresh(inside, means[rows], vectors[rows])  # so few are not sampled
    assert (found.share, found.variance) == pytest.approx((directly.share, directly.variance), rel=1e-3)
    others = hyperparameters.refresh(inside, means[rows], vectors[rows[::-1]])
    assert (abs(found.share - others.share) > 0.01) == joined  # apart, no features tell anything


def test_who_waits_for_a_refresh_can_see_how_far_it_is(monkeypatch):
    x, utilities = landscape(30)
    fit, seen = AssistedFit(make_similarity(np.arange(30) + 1, x)), []

    def watched(*arguments):
        seen.append((fit.steps.done, fit.steps.total))
        return log_evidence(*arguments)

    monkeypatch.setattr(hyperparameters, "log_evidence", watched)
    fit.fit(choose(utilities, 20))
    assert seen == [(done, len(SHARES) * len(VARIANCES)) for done in range(len(seen))]
    assert len(seen) == len(SHARES) * len(VARIANCES)
    assert fit.steps.total == 0


def test_hyperparameters_are_the_mean_over_the_grid():
    flat = np.zeros((len(SHARES), len(VARIANCES)))
    peak = np.full_like(flat, -100.0)
    peak[2, 3] = peak[2, 4] = 0
    assert hyperparameters._mean(peak).share == pytest.approx(SHARES[2])
    assert hyperparameters._mean(peak).variance == pytest.approx(np.sqrt(VARIANCES[3] * VARIANCES[4]))
    assert hyperparameters._mean(flat).share == pytest.approx(
        0.5, abs=0.02
    )  # as of a uniform ρ, not of a uniform grid
    assert hyperparameters._mean(flat - 1e4) == hyperparameters._mean(flat)


def test_nystroem_comes_close_to_the_eigenvectors(monkeypatch):
    x, _ = landscape(500)
    whole = similar(x, 40)
    monkeypatch.setattr(similarity_module, "WHOLE_UP_TO", 100)
    monkeypatch.setattr(similarity_module, "LANDMARKS", 250)
    monkeypatch.setattr(kernel_module, "BLOCK", 64)
    few = similar(x, 40)
    difference = np.abs(whole.vectors @ whole.vectors.T - few.vectors @ few.vectors.T)
    assert difference.mean() < 0.015  # half of the eigenvectors give 0.044


def stated_kernel(squared):
    """K of squared distances (n, n), centred, to the power 1.5, and scaled to a mean diagonal of 1."""
    n = len(squared)
    centring = np.eye(n) - 1 / n
    centred = centring @ np.exp(-squared / np.median(squared[np.triu_indices(n, 1)])) @ centring
    powered = np.real(fractional_matrix_power(centred + 1e-12 * np.eye(n), 1.5))
    return powered * n / np.trace(powered)


def test_similarity_is_the_stated_kernel():
    x = np.array([[0.0, 0], [1, 0], [0, 3], [5, 1]])
    whole = similar(x)
    z = (x - x.mean(axis=0)) / x.std(axis=0)
    squared = np.sum((z[:, None] - z) ** 2, axis=2)
    np.testing.assert_allclose(whole.vectors @ whole.vectors.T, stated_kernel(squared), atol=1e-5)
    assert whole.vectors.mean(axis=0) == pytest.approx(0, abs=1e-6)


def test_hidden_states_weigh_alike_however_wide_they_are():
    """The mean over hidden states of the mean squared difference of standardised features."""
    rng = np.random.default_rng(3)
    blocks = rng.normal(size=(30, 40)), 5 + 2 * rng.normal(size=(30, 4)), rng.normal(size=(30, 1))
    widths = [block.shape[1] for block in blocks]
    found = make_similarity(np.arange(30) + 1, np.concatenate(blocks, axis=1), 30, widths=widths).vectors
    standard = [((block - block.mean(axis=0)) / block.std(axis=0)) for block in blocks]
    squared = np.mean([np.mean((z[:, None] - z) ** 2, axis=2) for z in standard], axis=0)
    np.testing.assert_allclose(found @ found.T, stated_kernel(squared), atol=1e-5)


def test_equal_images_are_rated_equal():
    x = np.repeat(landscape(10)[0], 2, axis=0)  # 0 and 1 are the same picture, and so on
    log = make_log(np.arange(20) + 1, [(1, 3), (1, 5), (1, 7)], [1, 1, 1])
    ratings = fixed(similar(x), Hyperparameters(2.8, 0.97)).fit(log)
    assert 0.5 * ratings.rating[0] < ratings.rating[1] < ratings.rating[0]
    constant = make_similarity(np.arange(5) + 1, np.ones((5, 3)))
    assert np.isfinite(fixed(constant, HALF).fit(make_log(np.arange(5) + 1, [(1, 2)], [1])).rating).all()


@pytest.mark.parametrize(
    ("images", "features", "message"),
    [
        ([1, 2, 3], np.zeros((2, 4)), r"features of shape \(2, 4\) for 3 images: a row for each is needed"),
        ([1, 2], np.zeros(2), "a row for each is needed"),
        ([2, 1], np.zeros((2, 4)), "ascending order, each once"),
        ([1, 1], np.zeros((2, 4)), "ascending order, each once"),
        ([4, 7], np.array([[1.0], [np.nan]]), "image 7: its features aren't finite; extract them again"),
    ],
)
def test_bad_features_are_named(images, features, message):
    with pytest.raises(UserError, match=message):
        make_similarity(np.array(images), features)


def test_assisted_without_features_says_what_to_do():
    with pytest.raises(
        UserError, match="--rating=assisted: needs the features of the images; bradley_terry does without"
    ):
        fit_ratings(make_log([1, 2], [], []), "assisted")


def test_numbers_that_are_not_finite_are_not_passed_on():
    x, utilities = landscape(10)
    with pytest.raises((ArithmeticError, ValueError)):
        fixed(similar(x), HALF).fit(choose(utilities, 20), prior_mean=np.full(10, np.nan))


def test_the_fit_holds_blas_to_one_thread(monkeypatch):
    x, utilities = landscape(10)
    seen = []
    real = assisted.find_mode
    monkeypatch.setattr(
        assisted,
        "find_mode",
        lambda *a: seen.extend(i["num_threads"] for i in threadpool_info() if i["user_api"] == "blas") or real(*a),
    )
    with threadpool_limits(2, user_api="blas"):
        fixed(similar(x), HALF).fit(choose(utilities, 20))
    assert set(seen) == {1}


def test_the_mode_is_the_minimum_an_optimiser_finds():
    x, utilities = landscape(12)
    log, similarity = choose(utilities, 30, k=3), similar(x)
    screens, prior = screens_of(log), prior_of(HALF, np.zeros(12), similarity.vectors)
    cov = prior.vectors @ prior.vectors.T + np.diag(prior.own)
    found = minimize(lambda u: screens.loss(u) + 0.5 * u @ np.linalg.solve(cov, u), np.zeros(12), tol=1e-10).x
    np.testing.assert_allclose(find_mode(screens, prior).utilities, found, atol=1e-3)


def test_the_documentation_states_the_constants_of_the_model():
    text = " ".join((ROOT / "docs" / "how-ratings-work.md").read_text(encoding="utf-8").split())
    assert f"the {RANK} leading eigenvectors" in text
    assert f"beyond {similarity_module.WHOLE_UP_TO:,} images from {similarity_module.LANDMARKS:,} landmarks" in text
    assert "s² in " + ", ".join(f"{v:g}" for v in VARIANCES) in text
    assert "ρ in " + ", ".join(f"{s:g}" for s in SHARES) in text
    assert "again at " + ", ".join(f"{p:g}" for p in REFRESHED_AT) + " choices per image" in text
    assert f"from at most {hyperparameters.MOST:,} images" in text
    assert f"Before, they are {DEFAULT.variance:g} and {DEFAULT.share:g}." in text
    assert f"to the power {similarity_module.POWER:g}" in text
    assert f"ρ is as ρ + {hyperparameters.OFFSET:g}" in text
    assert f"Beyond {ENOUGH} images it is a sample" in text


def test_similarity_of_other_images_is_zero():
    vectors = Similarity(np.array([2, 5]), np.ones((2, 3))).of(np.array([1, 2, 5, 9]))
    assert vectors.sum(axis=1).tolist() == [0, 3, 3, 0]


def test_the_simulated_person_agrees_as_often_as_stated():
    truth = np.random.default_rng(0).uniform(1, 7, 200)
    taste, rng = make_taste(truth, 0.85), np.random.default_rng(1)
    screens = [rng.choice(200, 2, replace=False) for _ in range(4000)]
    right = [truth[screen[taste.choose(screen, rng)]] == truth[screen].max() for screen in screens]
    assert np.mean(right) == pytest.approx(0.85, abs=0.02)  # 3.5 standard errors


def test_a_simulation_refits_on_the_way_and_keeps_what_was_asked_for():
    truth = np.random.default_rng(0).normal(size=40)
    course = simulate(make_taste(truth, 0.85), fit_ratings, "near", 2.0, seed=0, keep=(1.0, 2.0))
    assert len(course.log) == 80
    assert course.at == pytest.approx(np.arange(1, 41) / 20)
    assert course.spearman[-1] > course.spearman[0]
    assert (course.ratings[1.0].comparisons == 2).mean() > 0.5
    assert course.ratings[2.0].comparisons.sum() == 160
