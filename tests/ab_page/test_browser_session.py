"""A whole session in a browser, from the first choice to a model that plays along: one run, a test for each part.

Each part begins where a screen is shown, and counts from there: it can be run by itself, but not after a later one.
"""

import csv
import re
import shlex

import pytest
from playwright.sync_api import expect

from examples.sample_gallery import draw_gallery
from src.features import in_cache
from tests import ROOT
from tests.ab_page.browsing import SHOWN, choose, images_on, opened, press, stored, wait_for_other
from tests.forks import HELPERS
from tests.pages import assert_accessible
from tests.scorer import Scorer
from tests.training import train_once
from tests.waiting import wait_for

TRAIN = ROOT / "aesthetic_predictor_training.py"
NUMBER = 14  # of choices in a batch
TRAINING = ("--feature_extractor_model=efficientnet-lite0", "--model_type=ridge", "--database=")


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    """The sample gallery, without its scores."""
    folder = tmp_path_factory.mktemp("sample") / "gallery"
    folder.mkdir()
    draw_gallery(folder, 26, seed=1)
    return folder


@pytest.fixture(scope="module")
def session(browser, sample):
    """The scorer and its page, for all parts."""
    with Scorer(sample, f"--number={NUMBER}", "--seed=1") as scorer, opened(browser, scorer.address) as page:
        yield scorer, page


@pytest.fixture
def page(session):
    return session[1]


def done(page):
    """How many choices of the batch are made."""
    return int(re.search(rf"(\d+) of {NUMBER}", page.locator("#pace").inner_text())[1])


def expect_done(page, count):
    expect(page.locator("#pace")).to_contain_text(f"{count} of {NUMBER}")


def finish_batch(page):
    """Choose until the report is there; returns it."""
    report = page.locator("#report")
    if not report.is_visible():
        for _ in range(NUMBER - 1 - done(page)):
            choose(page, "2")
        press(page, "1")
    expect(report).to_be_visible()
    return report


def test_it_begins_with_its_question_and_nothing_done(page):
    expect(page).to_have_title("Which do you like better?")
    expect(page.locator("#question")).to_have_text("Which do you like better?")
    assert page.locator(f"{SHOWN} .hint").all_inner_texts() == ["1 or ←", "2 or →"]
    expect_done(page, 0)
    assert_accessible(page)


def test_the_image_whose_key_is_pressed_or_which_is_clicked_wins(page, sample):
    before, expected = done(page), []
    for key, place in (("1", 0), ("2", 1), ("ArrowLeft", 0), ("ArrowRight", 1)):
        shown = choose(page, key)
        expected.append((shown, shown[place]))
    for place in (0, 1):
        page.wait_for_timeout(180)
        shown = images_on(page)
        page.locator(f"{SHOWN} .choice").nth(place).click()
        wait_for_other(page, shown)
        expected.append((shown, shown[place]))
    expect_done(page, before + 6)
    wait_for(lambda: len(stored(sample).kinds) == before + 6)  # the page is ahead of what is stored
    log = stored(sample)
    made = range(before, before + 6)
    assert [(log.images[log.screen(c)].tolist(), int(log.images[log.winners[c]])) for c in made] == expected


def test_tie_skip_and_their_undo_by_key_and_by_button(page, sample):
    before, kinds = done(page), stored(sample).kinds.tolist()
    tied = choose(page, "t")
    choose(page, "s")
    expect_done(page, before + 2)
    choose(page, "Backspace")
    shown = images_on(page)
    page.get_by_role("button", name="Undo").click()
    wait_for_other(page, shown)
    assert images_on(page) == tied
    expect_done(page, before)
    page.wait_for_timeout(180)
    page.get_by_role("button", name="Tie").click()
    wait_for_other(page, tied)
    wait_for(lambda: stored(sample).kinds.tolist() == [*kinds, 1])


def test_before_an_image_is_excluded_one_is_asked_which_and_may_call_it_off(page, sample):
    page.keyboard.press("x")
    expect(page.locator("#asking")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#asking")).to_be_hidden()
    shown = images_on(page)
    page.keyboard.press("x")
    page.keyboard.press("2")
    wait_for_other(page, shown)
    wait_for(lambda: stored(sample).excluded.nonzero()[0].tolist() == [shown[1] - 1])


def test_a_reload_goes_on_where_it_was(page):
    before, count = images_on(page), done(page)
    page.reload()
    expect(page.locator(SHOWN)).to_be_visible()
    assert images_on(page) == before
    expect_done(page, count)


def test_in_help_and_zoom_keys_that_choose_do_not_choose(page):
    before = images_on(page)
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="How to choose")).to_be_visible()
    page.keyboard.press("1")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.keyboard.press("z")
    zoomed = page.locator("#zoomed img")
    expect(zoomed).to_be_visible()
    for key, place in (("ArrowRight", 1), ("1", 0), ("2", 1)):
        page.keyboard.press(key)
        assert zoomed.get_attribute("src") == f"/image/{before[place]}/full"
    page.wait_for_function("() => document.querySelector('#zoomed img').naturalWidth >= 240")
    page.keyboard.press("z")
    expect(zoomed).to_be_hidden()
    assert images_on(page) == before


def test_i_says_what_the_files_say_and_g_shows_all_images_from_where_an_excluded_one_comes_back(page, sample):
    shown, before = images_on(page), int(stored(sample).excluded.sum())
    press(page, "i")
    expect(page.locator("#about h2")).to_have_count(2)
    names = {path.relative_to(sample).as_posix() for path in sample.rglob("*.*g")}
    assert {*page.locator("#about h2").all_inner_texts()} <= names
    assert_accessible(page)
    page.keyboard.press("1")
    page.keyboard.press("i")
    press(page, "x")
    page.keyboard.press("1")
    wait_for_other(page, shown)
    page.keyboard.press("g")
    expect(page.locator("#all .plain")).to_have_count(before + 1)
    expect(page.locator("#all-count")).to_contain_text(f"{before + 1} excluded")
    assert_accessible(page)
    assert page.locator("#all-images li").count() == 26
    page.keyboard.press("Enter")
    expect(page.locator("#zoom")).to_be_visible()
    page.keyboard.press("z")
    for key in ("End", "Tab", "Enter"):
        page.keyboard.press(key)
    expect(page.locator("#all-images small")).to_have_text("is back")
    expect(page.locator("#all-count")).not_to_contain_text(f"{before + 1} excluded")
    page.keyboard.press("g")
    assert stored(sample).excluded.sum() == before
    assert images_on(page) != shown


def test_what_was_excluded_or_taken_back_is_said(page):
    toast = page.locator("#toast")
    shown = choose(page, "1")
    press(page, "Backspace")
    expect(toast).to_have_text("Your last choice is taken back.")
    expect(page.locator(f'{SHOWN} img[src*="/image/{shown[0]}?"]')).to_be_visible()
    press(page, "x")
    page.keyboard.press("2")
    expect(toast).to_contain_text("never shown again")
    assert toast.locator("img").get_attribute("src").startswith(f"/image/{shown[1]}?")
    wait_for_other(page, shown)
    press(page, "Backspace")
    expect(toast).to_have_text("The image you excluded is back.")


def test_the_ground_is_grey_dark_or_light_by_a_key_and_remembered(page):
    def ground():
        return page.evaluate("getComputedStyle(document.body).backgroundColor")

    seen = [ground()]
    for _ in range(3):
        press(page, "b")
        seen.append(ground())
        assert_accessible(page)
    assert seen[1:] == ["rgb(118, 118, 118)", "rgb(20, 21, 23)", "rgb(242, 241, 238)"]
    page.reload()
    expect(page.locator(SHOWN)).to_be_visible()
    assert ground() == seen[-1]
    press(page, "b")


def test_f_is_the_full_screen_and_back(page):
    page.keyboard.press("f")
    page.wait_for_function("() => document.fullscreenElement !== null")
    page.keyboard.press("f")
    page.wait_for_function("() => document.fullscreenElement === null")


def test_a_batch_ends_with_its_statistics(page, sample):
    report = finish_batch(page)
    wait_for(lambda: len(stored(sample)) == NUMBER)
    expect(report).to_contain_text("Batch 1 is done")
    expect(report.locator(".advice")).to_contain_text("more choices")
    expect(report).to_contain_text(counts(stored(sample).kinds))
    expect(report).to_contain_text("by chance: 50 %")
    expect(report).to_contain_text(re.compile(r"\d+ matched, \d+ contradicted, \d+ not predicted"))
    expect(report).to_contain_text("The left image won")
    expect(report.locator("svg .column")).not_to_have_count(0)
    expect(report.locator("figure")).to_have_count(20)
    page.wait_for_function(
        "() => [...document.querySelectorAll('#report img')].slice(0, 10).every((i) => i.naturalWidth)"
    )


def counts(kinds):
    ties = int((kinds == 1).sum())
    return f"{ties} tie{'' if ties == 1 else 's'}, 0 skips"


def test_one_may_go_back_into_a_finished_batch_and_on_into_the_next(page):
    report = finish_batch(page)
    page.keyboard.press("Backspace")
    expect_done(page, NUMBER - 1)
    expect(page.locator(SHOWN)).to_be_visible()
    press(page, "1")
    expect(report).to_be_visible()
    page.keyboard.press("Enter")
    expect(page.locator("#pace")).to_contain_text(f"batch 2: 0 of {NUMBER}")


@pytest.fixture(scope="module")
def finished(session, sample):
    """Five choices of the second batch are made, and the scorer was told to finish: what it printed."""
    scorer, page = session
    if "batch 2" not in page.locator("#pace").inner_text():
        finish_batch(page)
        page.keyboard.press("Enter")
    expect(page.locator("#pace")).to_contain_text(f"batch 2: 0 of {NUMBER}")
    for _ in range(5):
        choose(page, "1")
    page.keyboard.press("q")
    expect(page.locator("#report")).to_contain_text("Batch 2 is done")
    page.get_by_role("button", name="Finish").click()
    expect(page.locator("#report")).to_contain_text("The scorer has stopped")
    assert_accessible(page)
    places = page.locator("#report .ending dd").all_inner_texts()
    assert places == [str(sample / "scores.csv"), str(sample / "comparisons.sqlite")]
    command = page.locator("#report code").inner_text()
    assert scorer.wait() == 0
    assert scorer.output.rstrip().endswith(command)
    needs_none = ["--feature_extractor_model=embedded"] * (not in_cache("ChrisGoringe/vitH16"))  # no download
    asked = [f"--directory={sample}", f"--scores={sample / 'scores.csv'}", *needs_none]
    assert shlex.split(command)[1:] == [str(TRAIN), *asked]
    return scorer.output


def scored_images(sample):
    with (sample / "scores.csv").open(encoding="utf-8", newline="") as file:
        return [row for row in csv.DictReader(file) if row["score"]]


def test_finishing_writes_the_scores_and_says_what_was_chosen(finished, sample):
    first = stored(sample).kinds[:NUMBER]
    assert f"{(first == 0).sum()} choices, {counts(first)}" in finished
    assert "5 choices, 0 ties, 0 skips" in finished
    assert len(scored_images(sample)) >= 24


@pytest.fixture(scope="module")
def trained(finished, sample):
    """What training on the scores printed."""
    return train_once(sample.parent, f"--directory={sample}", *TRAINING)


def test_a_model_is_trained_on_what_came_out(trained, sample):
    assert f"{len(scored_images(sample))} images of" in trained


def test_the_model_plays_along_in_the_next_session(browser, trained, sample):
    with Scorer(sample, "--number=5", "--new_from_model") as scorer, opened(browser, scorer.address) as page:
        assert "26 images have a score of the model" in scorer.output
        for _ in range(4):
            choose(page, "1")
        press(page, "1")
        expect(page.locator("#report table")).to_contain_text("the model alone")
        assert sum(int(text) for text in page.locator("#report td:last-child").all_inner_texts()) >= 3


def test_the_page_says_what_assists_the_ratings_and_how_right_they_are(browser, sample):
    phone = {"viewport": {"width": 390, "height": 844}, "color_scheme": "dark"}
    with (
        Scorer(sample, "--rating=assisted", "--number_to_compare=6", **{HELPERS: "1"}) as scorer,
        opened(browser, scorer.address, **phone) as page,
    ):
        line, pictures = page.locator("#standing"), page.locator(f"{SHOWN} img")
        expect(line).to_contain_text("until then the ratings come from your choices alone")
        wait_for(lambda: "assisted by the features of efficientnet-lite0" in scorer.output)
        for _ in range(13 - len(stored(sample))):  # half a choice for each of the 26 images
            choose(page, "1")

        def is_told():
            choose(page, "2")
            return "of 0.85 right" in line.inner_text()

        wait_for(is_told, every=0.5)  # with the first choice after the fit behind one of these
        expect(page.locator("#basis")).to_be_hidden()
        page.get_by_role("button", name="What is this based on?").click()
        expect(page.locator("#basis")).to_have_text(
            "The ratings are assisted by the features of efficientnet-lite0 and efficientnet-lite2."
        )
        expect(page.locator("#basis")).to_be_visible()
        expect(line).to_contain_text(
            re.compile(r"How good is the order\s+0\.\d\d of 0\.85 right · about .* left at your pace")
        )
        furthest = page.get_by_role("progressbar", name="How good is the order").evaluate("bar => bar.value")
        assert 0 < furthest <= 1
        choose(page, "1")
        assert page.locator("#order").evaluate("bar => bar.value") >= furthest
        box = line.bounding_box()
        assert page.evaluate("document.documentElement.scrollWidth") == 390
        assert max(image.bounding_box()["y"] + image.bounding_box()["height"] for image in pictures.all()) <= box["y"]
        page.set_viewport_size({"width": 1400, "height": 900})
        assert line.bounding_box()["height"] < 45  # two: it is still said what it is based on
        page.get_by_role("button", name="What is this based on?").click()
        assert line.bounding_box()["height"] < 26  # one line
        page.get_by_role("button", name="Finish").click()
        heading = page.get_by_role("heading", name="How right the order is", exact=True)
        card = page.locator("#report .card").filter(has=heading)
        expect(card.locator(".big")).to_have_text(re.compile(r"0\.\d\d"))
        expect(card).to_contain_text("assisted by the features of efficientnet-lite0")
        expect(page.get_by_role("img", name=re.compile(r"Spearman by batch: 0\.\d\d$"))).to_be_visible()
        wait_for(lambda: "The order of your pictures is about 0." in scorer.output)
