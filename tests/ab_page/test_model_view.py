"""The model of the choices on the page: asked for by a key, told, shown on the report; and what is held out."""

import json
import re
import threading

import numpy as np
import pytest
from playwright.sync_api import expect

from src.ab_page.answers import all_images
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
from tests.ab_page.browsing import SHOWN, choose, opened, press
from tests.ab_page.test_assisted import choose as choose_at_once
from tests.scorer import draw_images
from tests.waiting import wait_for

IMAGES = 12
PHONE = {"width": 390, "height": 844}
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
def serve(tmp_path):
    """Starts a scorer in this process, of a session and what its page shows of a model: its address."""
    running = []

    def start(session, view=None):
        ids = {f"{number:03}.png": number + 1 for number in range(IMAGES)}
        gallery = make_gallery(tmp_path / "images", ids)
        server = Server(session, gallery, "127.0.0.1", listen("127.0.0.1", 0), model=view or ModelView())
        thread = threading.Thread(target=server.run, args=[False])
        thread.start()
        running.append((server, thread))
        return server.address

    yield start
    for server, thread in running:
        server._uvicorn.should_exit = True
        thread.join()


@pytest.fixture
def served(comparisons, tmp_path, serve):
    """(the address of a scorer in this process, its model)"""
    preview, model = make_gallery(tmp_path / "images", {"005.png": 1}), Model()
    view = ModelView(model.ask, lambda: model.page(), preview)  # a test may put another in its place
    return serve(make_session(comparisons), view), model


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


def of(choices, busy=False):
    """What the page is told of a model of so many choices."""
    said = {"text": f"It is of {choices} choices.", "headline": f"It foresees {choices} %.", "of": "new images"}
    shown = [{"src": "/preview/1", "score": 0.5}]
    return {"busy": busy, **said, "best": shown, "worst": shown}


@pytest.mark.browser
def test_what_an_earlier_model_was_worth_is_said_neither_while_the_next_is_made_nor_at_the_end(browser, served):
    address, model = served
    model.page = lambda: of(3)
    with opened(browser, address) as page:  # the console says nothing
        for _ in range(2):
            choose(page, "1")
        press(page, "1")
        headline, card = page.locator("#headline"), page.locator("#report #model")
        expect(headline).to_have_text("It foresees 3 %.")
        page.keyboard.press("Enter")
        expect(page.locator(SHOWN)).to_be_visible()
        model.page = lambda: of(3, busy=True)
        choose(page, "1")
        press(page, "q")
        expect(card).to_contain_text("is being made")
        expect(headline).to_be_hidden()
        assert card.locator("img").count() == 0
        page.keyboard.press("q")
        expect(page.locator("#report h1")).to_have_text("Finished")
        expect(card).to_contain_text("the terminal says where it is")
        expect(headline).to_be_hidden()
        assert card.locator("img").count() == 0
        page.wait_for_timeout(2500)  # in which it would ask three times


@pytest.mark.browser
def test_the_finished_page_keeps_what_is_true_and_asks_for_no_image_that_did_not_come(browser, served):
    address, model = served
    model.page = lambda: of(1)
    held = []
    with opened(browser, address) as page:
        late = re.compile(r"/image/[1-9]\d*\?width=192")
        page.route(late, lambda route: held.append(route) if len(held) < 1 else route.continue_())
        choose(page, "1")
        press(page, "q")
        expect(page.locator("#headline")).to_have_text("It foresees 1 %.")
        wait_for(
            lambda: (
                page.evaluate("[...document.querySelectorAll('#report img')].filter((i) => i.complete).length") == 3
            )
        )
        page.keyboard.press("q")
        expect(page.locator("#report h1")).to_have_text("Finished")
        expect(page.locator("#headline")).to_have_text("It foresees 1 %.")
        expect(page.locator("#report figure img")).to_have_count(3)  # of two best and worst, and two of the model
        page.wait_for_timeout(500)
        assert page.locator("#report figure img").evaluate_all("images => images.every((i) => i.naturalWidth)")


@pytest.mark.browser
def test_an_answer_to_m_goes_by_itself_by_escape_with_the_next_choice_and_with_the_report(browser, served):
    address, model = served
    model.page = lambda: {**of(0), "text": "It needs 20: make 17 more choices.", "headline": ""}
    with opened(browser, address) as page:
        note = page.locator("#note")

        def ask():
            page.keyboard.press("m")
            expect(note).to_have_text(re.compile("make 17 more choices"))

        ask()
        page.keyboard.press("Escape")
        expect(note).to_be_hidden(timeout=1000)
        ask()
        choose(page, "1")
        expect(note).to_be_hidden(timeout=1000)  # it is no longer true
        ask()
        page.keyboard.press("Backspace")
        expect(note).to_be_hidden(timeout=1000)
        ask()
        expect(note).to_be_hidden(timeout=5000)
        choose(page, "1")
        ask()
        press(page, "q")
        expect(page.locator("#report h1")).to_have_text("Batch 1 is done")
        expect(note).to_be_hidden(timeout=1000)


@pytest.mark.browser
def test_a_note_of_something_lost_outlasts_an_answer_covers_no_heading_and_goes_by_escape(
    browser, comparisons, serve
):
    session, view = make_session(comparisons), ModelView(page=lambda: {**of(0), "best": [], "worst": []})
    with opened(browser, serve(session, view), viewport=PHONE) as page:
        note, heading = page.locator("#note"), page.locator("#report h1")
        session.note("scores.csv can't be written (no space left); the choices are safe")
        choose(page, "1")
        expect(note).to_contain_text("no space left")
        page.keyboard.press("m")
        expect(note).to_contain_text("It is of 0 choices.")
        page.keyboard.press("Escape")
        expect(note).to_contain_text("no space left")
        for title in ("Batch 1 is done", "Finished"):
            press(page, "q")
            expect(heading).to_have_text(title)
            box = note.bounding_box()
            assert box["y"] + box["height"] <= heading.bounding_box()["y"]
        page.keyboard.press("Escape")
        expect(note).to_be_hidden()


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


@pytest.mark.browser
def test_the_page_of_all_images_says_which_are_held_out_and_how_often_they_were_compared(browser, comparisons, serve):
    held = comparisons.hold_out(0.5, 3)
    session = make_session(comparisons, number=1000, held_out_screens=0.5)
    for _ in range(8):
        choose_at_once(session)
    log, images = session.live.log, all_images(session, {number + 1: f"{number:03}.png" for number in range(IMAGES)})
    found = {one["id"]: one["comparisons"] for one in images if one["held_out"]}
    assert found == dict(zip(log.images[log.held_out].tolist(), log.comparisons[log.held_out].tolist(), strict=True))
    rated = int((log.comparisons[~log.held_out] > 0).sum())
    assert [one["held_out"] for one in images[-held:]] == [True] * held  # after the others
    with opened(browser, serve(session)) as page:
        press(page, "g")
        new = f"{IMAGES - held - rated} not compared yet · " if IMAGES - held - rated else ""
        expect(page.locator("#all-count")).to_have_text(f"{rated} by their scores, best first · {new}{held} held out")
        last = page.locator("#all-images .figures").last
        expect(last).to_have_text(re.compile(rf"held out{images[-1]['comparisons']} comparisons?"))


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
