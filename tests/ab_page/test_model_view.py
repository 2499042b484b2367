"""The model of the choices on the page: asked for by a key, told, shown on the report; and what is held out."""

import json
import threading

import numpy as np
import pytest
from playwright.sync_api import expect

from src.ab_page.gallery import make_gallery
from src.ab_page.live import LiveRatings
from src.ab_page.model_view import ModelView
from src.ab_page.server import Server, listen
from src.ab_page.session import Session
from src.choosing.score_file import ScoreFile
from src.ratings.database import Comparisons
from src.ratings.fit import fit_ratings
from src.ratings.log import Start
from src.ratings.settings import PairingSettings, RatingSettings
from tests.ab_page.browsing import choose, opened, press
from tests.ab_page.test_assisted import choose as choose_at_once
from tests.scorer import draw_images
from tests.waiting import wait_for

IMAGES = 12
FILL = "images => images.map((image) => image.clientWidth === image.parentElement.clientWidth)"


@pytest.fixture
def comparisons(tmp_path):
    draw_images(tmp_path / "images", IMAGES)
    with Comparisons(tmp_path / "c.sqlite", "me") as opened_file:
        opened_file.register({f"{number:03}.png": str(number) for number in range(IMAGES)})
        yield opened_file


class Model:
    """Stands in for what makes models: it takes one question of the page, and is done at the next."""

    def __init__(self):
        self.asked, self.questions = 0, 0

    def ask(self):
        self.asked += 1
        self.questions = 0

    def page(self):
        self.questions += 1
        best = [{"src": "/image/3", "score": 1.5}, {"src": "/preview/1", "score": 0.5}]
        text = "The model is in m.safetensors." if self.asked else "There is none."
        busy = bool(self.asked) and self.questions < 2
        more = {"headline": "It foresees 80 %.", "of": "images not compared yet", "best": best, "worst": best[:1]}
        return {"busy": busy, "text": text, **more}


def make_session(comparisons, **plan):
    live = LiveRatings(comparisons, RatingSettings("bradley_terry"))
    settings = PairingSettings(**{"number": 3, "hidden_repeats": 0.0, **plan})
    return Session(comparisons, live, np.ones(IMAGES, dtype=bool), settings)


@pytest.fixture
def served(comparisons, tmp_path):
    """(the address of a scorer in this process, its model)"""
    ids = {f"{number:03}.png": number + 1 for number in range(IMAGES)}
    preview, model = make_gallery(tmp_path / "images", {"005.png": 1}), Model()
    gallery = make_gallery(tmp_path / "images", ids)
    view = ModelView(model.ask, lambda: model.page(), preview)  # a test may put another in its place
    server = Server(make_session(comparisons), gallery, "127.0.0.1", listen("127.0.0.1", 0), model=view)
    thread = threading.Thread(target=server.run, args=[False])
    thread.start()
    yield server.address, model
    server._uvicorn.should_exit = True
    thread.join()


@pytest.mark.browser
def test_a_key_asks_for_a_model_and_the_report_shows_what_it_finds(browser, served):
    address, model = served
    with opened(browser, address) as page:
        page.keyboard.press("m")
        expect(page.locator("#note")).to_contain_text("The model is in m.safetensors. It foresees 80 %.")
        assert model.asked == 1
        for _ in range(2):
            choose(page, "1")
        press(page, "1")
        card = page.locator("#report #model")
        expect(card).to_contain_text("The model is in m.safetensors.")
        expect(card).to_contain_text("It finds best, of images not compared yet")
        expect(page.locator("#headline")).to_have_text("It foresees 80 %.")
        images = card.locator("img")
        assert images.count() == 3
        wait_for(lambda: images.nth(1).evaluate("image => image.naturalWidth") == 60)  # of the other folder
        assert card.locator("figure img").evaluate_all(FILL) == [True] * 3
        page.keyboard.press("m")
        wait_for(lambda: model.asked == 2)


@pytest.mark.browser
def test_a_model_that_is_being_made_while_the_scorer_stops_is_not_being_made_for_ever(browser, served):
    address, model = served
    model.page = lambda: {"busy": True, "text": "There is none.", "headline": "", "of": "", "best": [], "worst": []}
    with opened(browser, address, ["ERR_CONNECTION_REFUSED", "ERR_EMPTY_RESPONSE", "ERR_CONNECTION_RESET"]) as page:
        choose(page, "1")
        page.keyboard.press("q")
        card = page.locator("#report #model")
        expect(card).to_contain_text("is being made")
        page.keyboard.press("q")
        expect(page.locator("#report h1")).to_have_text("Finished")
        expect(card).to_contain_text("the terminal says where it is")


@pytest.mark.browser
def test_where_no_model_is_wanted_the_page_says_nothing_of_one(browser, served):
    address, model = served
    model.page = ModelView().page
    with opened(browser, address) as page:
        page.keyboard.press("q")
        expect(page.locator("#report")).to_be_visible()
        assert not page.locator("#model").is_visible()
        assert not page.locator("#headline").is_visible()


def test_the_page_of_no_model_is_plain_json():
    assert json.loads(json.dumps(ModelView().page()))["best"] == []


# --- held out ---


def test_screens_show_held_out_images_among_themselves_and_the_ratings_learn_nothing_of_them(comparisons):
    assert comparisons.hold_out(0.5, 3) >= 3
    session = make_session(comparisons, number=1000, held_out_screens=0.5)
    for _ in range(60):
        choose_at_once(session)
    log = comparisons.log()
    kinds = [set(log.held_out[log.screen(c)].tolist()) for c in range(len(log))]
    assert all(len(kind) == 1 for kind in kinds)
    assert 15 <= sum(kind == {True} for kind in kinds) <= 45
    ratings = session.live.latest()
    np.testing.assert_allclose(ratings.rating, fit_ratings(log.to_learn).rating, atol=1e-6)
    assert not ratings.comparisons[log.held_out].any()
    session.undo(session.last)
    assert session.live.log.held_out.sum() == log.held_out.sum()


def test_held_out_images_have_no_score_and_those_that_began_somewhere_keep_theirs(comparisons, tmp_path):
    comparisons.add_starting_ratings({1: Start(0.5), 2: Start(0.4, "a model", 0.3)})
    comparisons.hold_out(0.5, 3)
    session = make_session(comparisons, number=1000, held_out_screens=0.5)
    for _ in range(30):
        choose_at_once(session)
    ids = {f"{number:03}.png": number + 1 for number in range(IMAGES)}
    file = ScoreFile(tmp_path / "scores.csv", "score", ids, session.live)
    rated, held = file.rated(), session.live.log.held_out
    assert np.isnan(rated.scores[held]).all()
    assert rated.log is session.live.log
    file.write()
    lines = (tmp_path / "scores.csv").read_text(encoding="utf-8").splitlines()[1:]
    written = np.array([float(line.split(",")[1] or "nan") for line in lines])
    assert (np.isnan(written) == held).all()
    began = ~np.isnan(session.live.log.starting_ratings)
    kept = ~np.isnan(rated.scores) & began
    np.testing.assert_allclose(rated.scores[kept], written[kept])
    free = ~held & ~began & (session.live.latest().comparisons > 0)
    assert rated.scores[free].std() > 1.1 * written[free].std()  # a rating is drawn in by its prior
