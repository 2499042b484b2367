"""Ratings of names, against arithmetic and choix."""

import choix
import numpy as np
import pytest

from src.common.errors import UserError
from src.ratings.bradley_terry import LN10
from src.ratings.elo import fit_elo
from src.ratings.log import make_log
from src.ratings.named import rate

FLAT = 1e4  # a prior so wide that it says nothing
CHOICES = [("cat", "dog"), ("owl", "dog"), ("cat", "owl"), ("cat", "dog"), ("dog", "cat")]


def test_three_wins_to_one_make_a_gap_of_log_three():
    found = rate([("a", "b")] * 3 + [("b", "a")], prior_sd=FLAT)
    assert found.names == ["a", "b"]
    assert found.ratings[0] - found.ratings[1] == pytest.approx(np.log10(3), abs=1e-6)
    assert found.comparisons.tolist() == [4, 4]


@pytest.mark.parametrize("sd", [0.3, 0.75, 3.0])
def test_agrees_with_choix(sd):
    generator = np.random.default_rng(0)
    wins = [(int(a), int(b)) for a, b in generator.integers(0, 20, (200, 2)) if a != b]
    # choix penalises alpha · Σ θ² in natural units, a Gaussian of variance 1 / (2 alpha)
    reference = choix.opt_pairwise(20, wins, alpha=1 / (2 * (LN10 * sd) ** 2), tol=1e-10)
    found = rate(wins, prior_sd=sd, names=range(20))
    assert found.names == list(range(20))
    np.testing.assert_allclose(found.ratings, reference / LN10, atol=1e-6)
    assert (found.errors > 0).all()
    assert found.best_first() == np.argsort(-reference).tolist()


def test_a_winner_of_several_beats_each_of_them():
    whole, pairs = rate([("a", "b", "c"), ("b", "c")]), rate([("a", "b"), ("a", "c"), ("b", "c")])
    assert whole.names == pairs.names
    np.testing.assert_allclose(whole.ratings, pairs.ratings, atol=1e-9)
    assert whole.comparisons.tolist() == [1, 2, 2]


def test_a_set_is_a_tie_which_is_half_a_win_each_way():
    tied = rate([{"a", "b"}, frozenset({"a", "b"}), ("b", "c")], names=["a", "b", "c"])
    won = rate([("a", "b"), ("b", "a"), ("b", "c")])
    np.testing.assert_allclose(tied.ratings, won.ratings, atol=1e-9)
    assert tied.comparisons.tolist() == won.comparisons.tolist() == [2, 3, 1]


def test_names_are_anything_that_can_be_hashed_and_stand_as_first_named():
    found = rate([((1, 2), None), (3.5, (1, 2))])
    assert found.names == [(1, 2), None, 3.5]
    assert len(found) == 3
    assert found.best_first()[-1] is None


def test_a_name_that_was_never_compared_keeps_what_was_thought_of_it():
    found = rate(CHOICES, names=["bee"], start={"bee": 0.4, "unheard of": 3}, prior_sd=0.6)
    assert found.names == ["bee", "cat", "dog", "owl"]
    assert found.ratings[0] == pytest.approx(0.4, abs=1e-12)
    assert found.errors[0] == pytest.approx(0.6, abs=1e-12)
    assert found.comparisons.tolist() == [0, 4, 4, 2]


def test_elo_goes_through_the_choices_in_their_order_and_has_no_errors():
    found = rate(CHOICES, "elo", k=0.5)
    log = make_log([1, 2, 3], [(1, 2), (3, 2), (1, 3), (1, 2), (2, 1)], [1, 3, 1, 1, 2])
    np.testing.assert_array_equal(found.ratings, fit_elo(log, np.zeros(3), 0.5))
    assert np.isnan(found.errors).all()
    assert (rate(CHOICES[::-1], "elo").ratings != rate(CHOICES, "elo").ratings[[1, 0, 2]]).any()
    np.testing.assert_array_equal(rate(CHOICES, "elo").ratings, rate(CHOICES, "elo", k=0.8).ratings)


@pytest.mark.parametrize(
    ("choices", "options", "said"),
    [
        ([], {}, "choices: there are none; give a list of (winner, loser)"),
        ("ab", {}, "choices: is 'ab'; give a list"),
        (None, {}, "choices: is None; give a list"),
        ([("a", "b"), "ab"], {}, "choices[1]: 'ab' is no choice; give (winner, loser), or {a, b} for a tie"),
        ([("a", "b"), 5], {}, "choices[1]: 5 is no choice; give (winner, loser), or {a, b} for a tie"),
        ([("a",)], {}, "choices[0]: names 1, and a choice is between two or more: (winner, loser)"),
        ([("a", "b", "a")], {}, "choices[0]: names 'a' twice; each may be there once"),
        (
            [("a", ["b"])],
            {},
            "choices[0]: ['b'] can't be a name; names are texts, numbers, tuples: what can be hashed",
        ),
        (CHOICES, {"method": "glicko"}, "method='glicko': is unknown; it can be bradley_terry, elo"),
        (CHOICES, {"method": "assisted"}, "method='assisted': needs the features of images; it can be bradley_terry"),
        (CHOICES, {"prior_sd": 0}, "prior_sd=0: must be a number above 0, in Elo units"),
        (CHOICES, {"k": -1}, "k=-1: must be a number above 0, in Elo units"),
        (CHOICES, {"start": {"cat": "good"}}, "start: 'cat' has 'good'; it must be a finite number, in Elo units"),
        (CHOICES, {"start": [0.5]}, "start: is of type list; give {name: rating}"),
        ([("a", "b")] * 50, {"prior_sd": 1e6}, "prior_sd=1000000.0: ratings of these choices can't be found with it"),
        (CHOICES, {"names": "cat"}, "names: is 'cat'; give a list"),
    ],
)
def test_what_is_no_choice_is_said_in_one_sentence(capfd, choices, options, said):
    with pytest.raises(UserError) as caught:
        rate(choices, **options)
    assert str(caught.value).startswith(said)
    assert capfd.readouterr() == ("", "")
