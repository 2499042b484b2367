"""The bar to a good order: it never goes back, over restarts of the scorer either."""

import pytest

from src.ab_page.furthest import Furthest
from src.common import UserError
from src.ratings.database import Comparisons
from src.ratings.progress import Progress

NAN = float("nan")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "comparisons.sqlite"


def far(share, order=NAN, way="order"):
    return Progress(share, 3, 9, order=order, way=way)


def test_it_never_goes_back_also_when_the_scorer_is_started_again(path):
    with Comparisons(path) as comparisons:
        bar = Furthest(comparisons)
        assert [bar.keep(far(share), 10).share for share in (0.2, 0.6, 0.4)] == [0.2, 0.6, 0.6]
    with Comparisons(path) as comparisons:
        again = Furthest(comparisons)
        assert again.share("order", 10) == 0.6
        assert (again.keep(far(0.3), 10).share, again.keep(far(0.7), 10).share) == (0.6, 0.7)


def test_new_images_another_rater_and_another_way_begin_anew(path):
    with Comparisons(path, "anna") as comparisons:
        Furthest(comparisons).keep(far(0.6), 10)
    with Comparisons(path, "anna") as comparisons:
        assert Furthest(comparisons).share("order", 11) == 0
        assert Furthest(comparisons).keep(far(0.1, way="count"), 10).share == 0.1
    with Comparisons(path, "ben") as comparisons:
        assert Furthest(comparisons).share("order", 10) == 0


def test_a_row_is_written_for_a_hundredth_and_for_the_end(path):
    with Comparisons(path) as comparisons:
        bar = Furthest(comparisons)
        for share in (0.5, 0.501, 0.505, 0.995, 0.9951, 1.0, 1.0):
            bar.keep(far(share), 10)
        assert [row[0] for row in comparisons._rows("SELECT share FROM reached")] == [0.5, 0.995, 1.0]


def test_what_was_good_stays_good_while_its_estimate_shakes_a_little(path):
    with Comparisons(path) as comparisons:
        bar = Furthest(comparisons)
        bar.keep(Progress(1.0, order=0.85), 10)
        shaken = bar.keep(far(0.9, order=0.83), 10)
        assert (shaken.share, shaken.text) == (
            1.0,
            "0.83 right · good enough to train a model; more choices sharpen it",
        )
        assert bar.keep(far(0.6, order=0.7), 10).text == "0.70 of 0.85 right · about 3 to 9 choices left"


def test_a_database_that_cannot_be_written_stops_no_bar(path, monkeypatch):
    def locked(*_):
        raise UserError("locked")

    with Comparisons(path) as comparisons:
        monkeypatch.setattr(comparisons, "reach", locked)
        bar = Furthest(comparisons)
        assert [bar.keep(far(share), 10).share for share in (0.5, 0.2)] == [0.5, 0.5]
