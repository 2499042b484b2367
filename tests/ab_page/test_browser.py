"""The A/B scorer's page in a browser: its speed, a scorer that is gone, a second tab, a phone, four images."""

import re

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect

from tests.ab_page.browsing import (
    SHOWN,
    assert_nothing_covers_the_buttons,
    choose,
    images_on,
    opened,
    press,
    stored,
    wait_for_other,
)
from tests.scorer import Scorer, draw_images
from tests.waiting import wait_for


@pytest.mark.alone
def test_in_the_best_of_three_rounds_each_next_pair_of_2_mb_is_painted_within_100_ms_of_the_key_press(
    browser, tmp_path
):
    draw_large_photographs(tmp_path, 3 * PRESSES * 2 + 10)  # more than will be shown: none was seen before
    with Scorer(tmp_path) as scorer, opened(browser, scorer.address) as page:
        # The browser itself says when each image was painted (Element Timing), and when the key was pressed.
        page.evaluate("""() => {
            window.painted = []; window.pressed = [];
            new PerformanceObserver((list) => painted.push(...list.getEntries().map(
                (e) => [e.identifier, e.renderTime || e.loadTime]))).observe({type: 'element', buffered: true});
            addEventListener('keydown', (event) => pressed.push(event.timeStamp), {capture: true});
        }""")
        rounds = []
        while not rounds or (min(rounds) >= 100 and len(rounds) < 3):  # as other programs run here too
            rounds.append(max(painted_after_a_press(page) for _ in range(PRESSES)))
        wait_for(lambda: len(stored(tmp_path)) == PRESSES * len(rounds))
    print("slowest from key press to painted, by round:", ", ".join(f"{slowest:.0f} ms" for slowest in rounds))
    assert min(rounds) < 100


PRESSES = 5


def draw_large_photographs(folder, count):
    """JPEGs of 2400 x 1800 and about 2 MB which look alike; what differs stands behind the end of the image."""
    generator = np.random.default_rng(0)
    small = Image.fromarray(generator.integers(0, 256, (90, 120, 3), dtype=np.uint8))
    smooth = np.asarray(small.resize((2400, 1800), Image.Resampling.BICUBIC)).astype(np.int16)
    noisy = (smooth + generator.integers(-17, 18, (1800, 2400, 1), dtype=np.int16)).clip(0, 255).astype(np.uint8)
    Image.fromarray(noisy).save(folder / "0.jpg", quality=88)
    data = (folder / "0.jpg").read_bytes()
    assert 1.7e6 < len(data) < 3e6
    for number in range(1, count):
        (folder / f"{number}.jpg").write_bytes(data + bytes([number]))


def painted_after_a_press(page):
    """Milliseconds from pressing a key until both images of the next screen are painted."""
    page.wait_for_timeout(800)  # faster than 40 choices a minute, of which each has 1.5 s
    number = page.evaluate("pressed.length")
    page.keyboard.press("12"[number % 2])
    page.wait_for_function(f"() => painted.filter(([, t]) => t > pressed[{number}]).length >= 2", timeout=30000)
    return page.evaluate(f"Math.max(...painted.map(([, t]) => t)) - pressed[{number}]")


@pytest.fixture
def gallery(tmp_path):
    draw_images(tmp_path / "gallery", 12, size=(300, 200))
    return tmp_path / "gallery"


def test_choices_made_while_the_scorer_is_gone_are_kept_and_stored_once_when_it_is_back(browser, gallery):
    gone = ["ERR_CONNECTION_REFUSED", "ERR_CONNECTION_RESET", "ERR_EMPTY_RESPONSE"]
    first = Scorer(gallery)
    with opened(browser, first.address, gone) as page:
        page.wait_for_function("() => document.querySelectorAll('.screen').length === 4")
        page.wait_for_timeout(500)
        choose(page, "1")
        wait_for(lambda: len(stored(gallery)) == 1)
        page.wait_for_timeout(500)
        first.kill()
        expected = [choose(page, "2"), choose(page, "1")]
        expect(page.locator("#banner")).to_contain_text("doesn’t answer")
        expect(page.locator("#banner")).to_contain_text("2 answers are kept here")
        expect(page.locator("#pace")).to_contain_text("3 of 100")
        assert_nothing_covers_the_buttons(page, "#banner")
        with Scorer(gallery, port=first.port):
            expect(page.locator("#banner")).to_be_hidden(timeout=15000)
            wait_for(lambda: len(stored(gallery)) == 3)
            log = stored(gallery)
            assert [sorted(log.images[log.screen(c)].tolist()) for c in (1, 2)] == [sorted(one) for one in expected]
            assert log.images[log.winners[1:]].tolist() == [expected[0][1], expected[1][0]]
            expect(page.get_by_role("dialog")).to_have_count(0)  # no other tab is open, and choosing goes on
            choose(page, "1")
            wait_for(lambda: len(stored(gallery)) == 4)
            page.reload()  # answers that were sent are not sent again
            expect(page.locator(SHOWN)).to_be_visible()
            choose(page, "1")
            wait_for(lambda: len(stored(gallery)) == 5)


def test_choices_that_a_closed_tab_has_not_sent_are_sent_by_the_next_one(browser, gallery):
    first = Scorer(gallery)
    with opened(
        browser, first.address, ["ERR_CONNECTION_REFUSED", "ERR_CONNECTION_RESET", "ERR_EMPTY_RESPONSE"]
    ) as page:
        page.wait_for_function("() => document.querySelectorAll('.screen').length === 4")
        page.wait_for_timeout(500)
        first.kill()
        expected = [choose(page, "1"), choose(page, "2")]
        other = page.context.new_page()
        page.close()
        with Scorer(gallery, port=first.port) as scorer:
            other.goto(scorer.address)
            expect(other.locator("#pace")).to_contain_text("2 of 100")
            wait_for(lambda: len(stored(gallery)) == 2)
            log = stored(gallery)
    assert log.images[log.winners].tolist() == [expected[0][0], expected[1][1]]


def test_a_second_tab_takes_over_and_the_first_can_take_it_back(browser, gallery):
    with Scorer(gallery) as scorer, opened(browser, scorer.address) as page:
        other = page.context.new_page()
        other.goto(scorer.address)
        expect(other.locator(SHOWN)).to_be_visible()
        press(page, "1")
        dialog = page.get_by_role("dialog", name="Choosing goes on in another tab")
        expect(dialog).to_be_visible()
        wait_for(lambda: len(stored(gallery)) == 1)
        page.keyboard.press("1")
        page.get_by_role("button", name="Choose here instead").click()
        expect(dialog).to_be_hidden()
        choose(page, "1")
        wait_for(lambda: len(stored(gallery)) == 2)


def test_finish_pressed_while_the_last_choice_is_on_its_way_does_not_skip_the_report(browser, gallery):
    with Scorer(gallery, "--number=2") as scorer, opened(browser, scorer.address, ["ERR_CONNECTION_REFUSED"]) as page:
        choose(page, "1")
        page.route("**/api/answer", lambda route: (page.wait_for_timeout(600), route.continue_()))
        press(page, "1")
        page.keyboard.press("q")
        expect(page.locator("#report h1")).to_have_text("Batch 1 is done")
        page.wait_for_timeout(600)  # for what was sent behind it
        expect(page.locator("#report h1")).to_have_text("Batch 1 is done")
        page.keyboard.press("q")
        expect(page.locator("#report h1")).to_have_text("Finished")
        expect(page.locator("#report .look").first).to_be_disabled()  # there is nobody to send it larger


def test_a_broken_image_is_replaced_and_named(browser, gallery):
    for path in sorted(gallery.glob("*.png"))[4:]:
        path.write_bytes(path.read_bytes()[:400])
    with Scorer(gallery) as scorer, opened(browser, scorer.address, ["422"]) as page:
        expect(page.locator("#note")).to_contain_text("can't be shown and is left out")
        for _ in range(4):
            press(page, "1")
            page.wait_for_timeout(250)
        wait_for(lambda: len(stored(gallery)) == 4)
    log = stored(gallery)
    assert not set(np.flatnonzero(log.comparisons)) & set(np.flatnonzero(log.excluded))


def test_a_phone_shows_everything_within_390_pixels_and_works_by_touch(browser, gallery):
    phone = {
        "viewport": {"width": 390, "height": 844},
        "has_touch": True,
        "is_mobile": True,
        "device_scale_factor": 2,
    }
    with Scorer(gallery) as scorer, opened(browser, scorer.address, **phone) as page:
        assert page.evaluate("document.documentElement.scrollWidth") == 390
        first, second = (image.bounding_box() for image in page.locator(f"{SHOWN} img").all())
        assert second["y"] >= first["y"] + first["height"]  # wide images one above the other
        assert first["width"] > 370
        for button in page.locator("#controls button:visible").all():
            box = button.bounding_box()
            assert box["height"] >= 44
            assert box["x"] >= 0
            assert box["x"] + box["width"] <= 390
        names = [image.get_attribute("alt") for image in page.locator(f"{SHOWN} img").all()]
        assert names == ["Upper image", "Lower image"]
        undo = page.get_by_role("button", name="Undo").bounding_box()
        assert undo["y"] + undo["height"] <= first["y"]  # above the images, and skip below them
        page.wait_for_timeout(180)
        shown = images_on(page)
        page.locator(f"{SHOWN} .choice").nth(1).tap()
        wait_for_other(page, shown)
        wait_for(lambda: len(stored(gallery)) == 1)
        assert first["width"] > 300  # enlarged, and no smaller when it is looked at closely
        page.get_by_role("button", name="Zoom").tap()
        page.wait_for_function("() => document.querySelector('#zoomed img').naturalWidth === 300")
        zoomed = page.locator("#zoomed img").bounding_box()
        assert zoomed["width"] >= page.locator(f"{SHOWN} img").nth(0).bounding_box()["width"]
        assert zoomed["width"] / zoomed["height"] == pytest.approx(1.5, abs=0.01)
        page.get_by_role("button", name="The next image").tap()
        expect(page.locator("#zoom-place")).to_have_text("2 of 2")
        page.locator("#zoom").get_by_role("button", name="Close").tap()
        page.get_by_role("button", name="Exclude").tap()
        assert_nothing_covers_the_buttons(page, "#asking")
        shown = images_on(page)
        page.locator(f"{SHOWN} .choice").nth(0).tap()
        wait_for_other(page, shown)
        page.set_viewport_size({"width": 390, "height": 500})
        page.get_by_role("button", name="Info").tap()
        expect(page.locator("#about")).to_be_visible()
        assert page.locator("#about").evaluate("dialog => dialog.scrollHeight > dialog.clientHeight")
        assert page.locator("#about").evaluate("dialog => dialog.scrollTop") == 0  # the first image is in sight
        page.locator("#about").get_by_role("button", name="Close").tap()
        page.get_by_role("button", name="Finish").tap()
        expect(page.locator("#report")).to_contain_text("Batch 1 is done")
        assert page.evaluate("document.querySelector('#report').scrollWidth") <= 390
        expect(page.locator("#report .actions")).to_have_text(re.compile("Next batch.*Finish"))
        expect(page.locator("kbd:visible")).to_have_count(0)  # there are no keys


def test_four_images_at_once_are_chosen_by_number_and_named_by_place(browser, gallery):
    words = ["--number_to_compare=4", "--number=3"]
    with Scorer(gallery, *words) as scorer, opened(browser, scorer.address) as page:
        names = [image.get_attribute("alt") for image in page.locator(f"{SHOWN} img").all()]
        assert names == [f"Image {place} of 4" for place in (1, 2, 3, 4)]
        shown = choose(page, "4")
        wait_for(lambda: len(stored(gallery)) == 1)
        log = stored(gallery)
        assert int(log.images[log.winners[0]]) == shown[3]
        boxes = [image.bounding_box() for image in page.locator(f"{SHOWN} img").all()]
        assert len({round(box["x"]) for box in boxes}) == len({round(box["y"]) for box in boxes}) == 2
        page.keyboard.press("?")
        assert page.locator("#choosing-keys").inner_text().split() == ["1", "…", "4"]  # arrows choose nothing here
        page.keyboard.press("?")
        choose(page, "t")
        press(page, "1")
        report = page.locator("#report")
        expect(report).to_contain_text("1 tie, 0 skips")
        expect(report).to_contain_text("by chance: 25 %")
        assert "100 %" in report.locator("svg").first.inner_html()
        assert ">50 %<" not in report.locator("svg").first.inner_html()
        for text in ("The left image won", "a perfect model"):
            expect(report).not_to_contain_text(text)


def test_the_token_of_the_address_is_kept_in_a_cookie_and_taken_out_of_sight(browser, gallery):
    with Scorer(gallery, "--host=0.0.0.0") as scorer:
        address = f"http://127.0.0.1:{scorer.port}/?token={scorer.token[1]}"
        with opened(browser, address) as page:
            assert page.url == f"http://127.0.0.1:{scorer.port}/"
            choose(page, "1")
            page.reload()
            expect(page.locator(SHOWN)).to_be_visible()
            assert page.evaluate("document.cookie") == ""
