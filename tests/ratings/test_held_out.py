"""Images whose choices no fit learns from: which they are, what is shown of them, what a model foresees."""

import sqlite3

import numpy as np
import pytest

from src.ratings import hyperparameters
from src.ratings.assisted import AssistedFit
from src.ratings.database import Comparisons
from src.ratings.fit import fit_ratings
from src.ratings.held_out import foreseen, headline, is_drawn, turn, values_of
from src.ratings.log import CHOICE, SKIP, TIE, make_log
from src.ratings.similarity import make_similarity
from src.ratings.statistics import Share

CONTENTS = [f"content {number}" for number in range(2000)]


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5])
def test_the_share_of_images_that_is_drawn_is_the_one_asked_for(share):
    drawn = [is_drawn(content, share, 42) for content in CONTENTS]
    assert abs(np.mean(drawn) - share) < 0.03


def test_a_larger_share_holds_all_of_a_smaller_one_and_another_seed_others():
    small, large, other = ({c for c in CONTENTS if is_drawn(c, *how)} for how in ((0.1, 1), (0.3, 1), (0.1, 2)))
    assert small < large
    assert len(small & other) < len(small) / 2


def test_images_that_were_compared_or_scored_are_never_drawn_and_what_is_drawn_stays(tmp_path):
    with Comparisons(tmp_path / "c.sqlite", "me") as database:
        database.register({f"{number}.png": str(number) for number in range(20)})
        database.undo(database.add_choice([1, 2], 1))
        database.add_starting_ratings({3: 0.5})
        assert database.hold_out(1.0, 0) == 17
        assert database.hold_out(1.0, 0) == 0
    with Comparisons(tmp_path / "c.sqlite", "you") as database:
        assert np.flatnonzero(~database.log().held_out).tolist() == [0, 1, 2]


def test_a_file_of_before_gets_the_table_when_it_is_opened(tmp_path):
    path = tmp_path / "c.sqlite"
    with Comparisons(path, "me") as database:
        database.register({"a.png": "a", "b.png": "b"})
        database.add_choice([1, 2], 1)
    with sqlite3.connect(path) as old:
        old.execute("DROP TABLE held_out")
    with Comparisons(path, "me") as database:
        assert len(database.log()) == 1
        assert not database.log().held_out.any()
        database.register({"c.png": "c"})
        assert database.hold_out(1.0, 0) == 1
        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            database._connection.execute("DELETE FROM held_out")


def test_no_screen_mixes_both_kinds_and_the_share_of_screens_is_that_asked_for():
    rng, held = np.random.default_rng(0), np.arange(100) < 20
    turns = [turn(rng, 0.3, np.ones(100, bool), held, 2) for _ in range(2000)]
    assert abs(np.mean([is_held_out for _, is_held_out in turns]) - 0.3) < 0.03
    assert all((rows == (held if is_held_out else ~held)).all() for rows, is_held_out in turns)


def test_where_too_few_of_a_kind_are_left_the_screen_is_of_the_other():
    rng, everyone = np.random.default_rng(0), np.ones(5, bool)
    one = np.array([True, False, False, False, False])
    assert not turn(rng, 1.0, everyone, one, 2)[1]
    assert turn(rng, 0.0, everyone, ~one, 2)[1]


def held_out_log(**more):
    # Images 4, 5, 6 are held out; two screens among them, one that mixes, three of the others.
    screens = [(1, 2), (2, 3), (1, 3), (4, 5), (5, 6), (3, 4)]
    return make_log(np.arange(6) + 1, screens, [1, 2, 1, 5, 5, 4], held_out=[4, 5, 6], **more)


def test_ratings_of_held_out_choices_are_those_without_them(monkeypatch):
    monkeypatch.setattr(hyperparameters, "SHARES", (0.3, 0.9))  # a grid of four points will do
    monkeypatch.setattr(hyperparameters, "VARIANCES", (1.4, 5.6))
    log = held_out_log()
    assert log.learnt.tolist() == [0, 1, 2]
    assert log.to_learn.comparisons.tolist() == [2, 2, 2, 0, 0, 0]
    similarity = make_similarity(log.images, np.random.default_rng(0).normal(size=(6, 8)))
    alone = make_log(log.images, [(1, 2), (2, 3), (1, 3)], [1, 2, 1])
    for method in ("bradley_terry", "assisted", "elo"):
        fits = [
            fit_ratings(one, method, assisted=AssistedFit(similarity) if method == "assisted" else None).rating
            for one in (log.to_learn, alone)
        ]
        np.testing.assert_allclose(*fits, atol=1e-9)


def test_what_is_foreseen_counts_choices_between_held_out_images_alone():
    log = held_out_log()
    assert foreseen(log, np.array([0, 0, 0, 1.0, 2, 3])) == Share(1, 2)  # 5 beats 4, not 6
    assert foreseen(log, np.array([0, 0, 0, 1.0, 2, np.nan])) == Share(1, 1)
    assert foreseen(log, np.zeros(6)) == Share(1, 2)  # ties count half
    kinds = [CHOICE, CHOICE, CHOICE, TIE, SKIP, CHOICE]
    tied = make_log(log.images, [(1, 2), (2, 3), (1, 3), (4, 5), (5, 6), (3, 4)], [1, 2, 1, 0, 0, 4], kinds=kinds,
                    held_out=[4, 5, 6])  # fmt: skip
    assert foreseen(tied, np.arange(6.0)) == Share(0, 0)


def test_the_headline_is_there_once_something_was_held_out():
    assert headline(Share(0, 0), Share(1, 1)) == ""
    assert "foresees 75 % (30–95 %) of 4" in headline(Share(3, 4), Share(0, 0))
    assert values_of(np.array([1, 5]), {5: 2.0}).tolist()[1] == 2.0
