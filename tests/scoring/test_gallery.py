"""The page of scored images: in Chromium, as a person uses it with the keyboard alone."""

import json
import os
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from src.features import find_images
from src.scoring.gallery import pictures, show_page, write_gallery
from src.scoring.gallery.pictures import beside
from src.scoring.image_list import read_list
from src.scoring.models import Scored
from src.scoring.settings import GallerySettings
from tests.pages import PHONE, WIDE, assert_accessible, file_opened
from tests.toys import colour, make_image
from tests.waiting import wait_for

NASTY = "&amp;'.png" if os.name == "nt" else "sub/</script><b>\"'#%20?.png"
NO_TEXT = "x.png" if os.name == "nt" else os.fsdecode(b"sub/\xff.png")
AGAIN = "python score.py --directory=photos"


@dataclass
class OneModel:
    """Percentiles rise with scores from 0 to 1."""

    name: str = "m"

    def percentiles(self, scores):
        return np.clip(scores, 0, 1) * 100


def scored(paths):
    """The first path has the best score, 1, the last 0."""
    values = np.linspace(1, 0, len(paths))[:, None]
    return Scored([OneModel()], list(paths), values, values, values)


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """24 images, the 2nd and 3rd of names that need care, the last of no content."""
    folder = tmp_path_factory.mktemp("here") / "photos"
    paths = ["a.png", NASTY, NO_TEXT, *(f"{'deep/er/' if i % 2 else ''}{i:02}.jpg" for i in range(3, 24))]
    for i, path in enumerate(paths):
        make_image(folder / path, colour(i), (90 + i, 60))
    (folder / paths[-1]).write_bytes(b"none")
    return folder, paths


@pytest.fixture(scope="module")
def written(photos):
    """The page of those images, in a folder beside theirs."""
    folder, paths = photos
    page = folder.parent / "pages" / "new.html"
    page.parent.mkdir()
    order = np.random.default_rng(0).permutation(len(paths))
    write_gallery(page, folder, scored(paths).part(order), GallerySettings(), AGAIN)
    return page


def names(page):
    """Of the images that are elements, in the order in which they are seen."""
    places = page.evaluate(
        "[...document.querySelectorAll('.tile')].map(t => [+t.ariaPosInSet, t.firstElementChild.ariaLabel])"
    )
    return [name for _, name in sorted(places)]


def test_nothing_in_a_name_is_markup_and_the_page_forbids_the_browser_to_ask_anybody(written):
    html = written.read_text(encoding="utf-8")
    assert '<b>"' not in html
    assert not re.search(r"https?:|@import|url\(", html)
    assert "default-src 'none'" in html


@pytest.mark.parametrize("how", [WIDE, PHONE], ids=["wide", "phone"])
def test_with_the_keyboard_alone_images_are_found_enlarged_compared_and_saved(browser, written, photos, how):
    folder, paths = photos
    with file_opened(browser, written, **how) as page:
        assert names(page)[0].startswith("Enlarge a.png: place 1, score 1.000, 5 of 5 stars, percentile 100")
        wait_for(
            lambda: page.evaluate("[...document.querySelectorAll('.tile img')].every(i => i.naturalWidth > 50)"), 20
        )
        assert_accessible(page)
        assert page.evaluate(
            "[...document.querySelectorAll('.stars')].every(s => s.offsetTop === s.previousSibling.offsetTop)"
        )
        right = "ArrowRight"  # the first time only to the first image
        for key in (right, right, "p", right, "p", "c", right, right, "c", "p", "Enter"):
            page.keyboard.press(key)
        wait_for(lambda: page.evaluate("document.querySelector('#view img').naturalWidth === 94"), 20)
        page.keyboard.press("p")  # it is not picked after all
        page.keyboard.press("3")
        page.keyboard.press("Tab")
        page.keyboard.press("p")
        page.keyboard.press("+")
        assert_accessible(page)
        images = "[...document.querySelectorAll('#view img')]"
        room = "i.clientWidth / i.parentElement.clientWidth, i.clientHeight / i.parentElement.clientHeight"
        assert page.evaluate(f"{images}.map(i => Math.max({room}))") == pytest.approx([1.4] * 3, abs=0.01)
        page.keyboard.press("Escape")
        page.keyboard.press("v")
        assert page.locator(".pane").count() == 2
        page.wait_for_timeout(100)  # that it was closed is told late, when it is open again
        assert page.locator(".pane").count() == 2
        page.keyboard.press("Escape")
        with page.expect_download() as download:
            page.keyboard.press("s")
        assert_accessible(page)
        assert page.locator("#command").text_content() == f"{AGAIN} --list=picked.txt --copy_to=picked"
        assert read_list(download.value.path(), folder) == sorted([paths[1], paths[2], paths[5]])
        page.reload()
        assert page.locator("#picked").text_content() == "3"


CUT_OFF = """[...document.querySelectorAll('.figures')].filter(line => [...line.children].some(
    part => part.offsetTop !== line.firstChild.offsetTop
        || part.getBoundingClientRect().right > line.getBoundingClientRect().right
)).map(line => line.textContent)"""
RESIZE = """size => {
    const range = document.getElementById('size');
    range.value = size;
    range.dispatchEvent(new Event('input'));
}"""


@pytest.mark.parametrize("width", [390, 800, 1280, 1400, 1600, 1920])
def test_score_stars_and_percentile_of_every_image_are_to_be_seen(browser, written, width):
    with file_opened(browser, written, viewport={"width": width, "height": 800}) as page:
        for size in (128, 160, 192, 224, 384):
            page.evaluate(RESIZE, size)
            wait_for(lambda: page.locator(".tile .figures").count() > 1, 20)
            assert page.evaluate(CUT_OFF) == [], size


def test_picks_outlive_a_reload_and_the_tab(browser, written):
    with file_opened(browser, written) as page:
        page.keyboard.press("ArrowRight")
        page.keyboard.press("p")
        kept = page.evaluate("localStorage.getItem('picked ' + location.pathname)")
        other = page.context.new_page()  # Chromium may hand it nothing either, so what was kept is put there
        other.add_init_script(f"localStorage.setItem('picked ' + location.pathname, {json.dumps(kept)})")
        other.goto(written.as_uri())
        assert other.locator("#picked").text_content() == "1"
        page.evaluate("localStorage.clear()")  # what Chromium does by itself once in 100 to 500 reloads
        page.reload()
        assert page.locator("#picked").text_content() == "1"


def test_when_the_window_changes_its_width_the_keyboard_stays_where_it_is(browser, written):
    with file_opened(browser, written) as page:
        page.keyboard.press("ArrowRight")
        before = page.evaluate("document.querySelector('.tile:nth-child(2)').style.transform")
        page.set_viewport_size({"width": 300, "height": 700})
        wait_for(lambda: page.evaluate("document.querySelector('.tile:nth-child(2)').style.transform") != before, 20)
        page.keyboard.press("ArrowRight")
        assert page.evaluate("document.activeElement.parentElement.ariaPosInSet") == "2"


def test_what_is_shown_is_filtered_by_name_folder_score_and_picks(browser, written):
    with file_opened(browser, written) as page:
        count = page.locator("#count")
        page.locator("#folder").select_option("deep")
        assert count.text_content() == "11 of 24 images"
        page.locator("#low").fill("0.5")
        assert count.text_content() == "5 of 24 images"
        page.keyboard.press("Escape")
        page.keyboard.press("/")
        page.keyboard.type("05")
        page.keyboard.press("Enter")
        assert not page.locator("#view").is_visible()
        assert [name[8:22] for name in names(page)] == ["deep/er/05.jpg"]
        page.locator("#only-picked").check()
        assert page.locator("#none").is_visible()
        page.locator("#none button").click()
        assert count.text_content() == "24 images, best first"


def test_an_image_that_is_gone_or_no_picture_is_said_and_the_small_one_shown(browser, tmp_path):
    for name in ("a.png", "b.png"):
        make_image(tmp_path / "photos" / name, size=(300, 200))
    (tmp_path / "photos" / "c.png").write_bytes(b"none")
    page_file = tmp_path / "pages" / "new.html"
    page_file.parent.mkdir()
    write_gallery(page_file, tmp_path / "photos", scored(["a.png", "b.png", "c.png"]), GallerySettings(), AGAIN)
    (tmp_path / "photos" / "a.png").unlink()
    with file_opened(browser, page_file) as page:
        assert page.locator(".missing").count() == 1
        page.keyboard.press("Home")
        page.keyboard.press("Enter")
        page.get_by_text("the file itself can’t be shown").wait_for()
        assert page.evaluate("document.querySelector('#view img').naturalWidth") == 256


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    """10,000 images that are one file; their small pictures stand beside the page."""
    folder = tmp_path_factory.mktemp("many") / "photos"
    make_image(folder / "one.png", size=(320, 200))
    paths = [f"batch/{i // 1000}/image_{i:05}.png" for i in range(10_000)]
    page = folder.parent / "pages" / "new.html"
    page.parent.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("src.scoring.gallery.page.beside", lambda *_, **__: beside(page, folder, ["one.png"]) * 10_000)
        write_gallery(page, folder, scored(paths), GallerySettings(), AGAIN)
    return page


@pytest.mark.alone
def test_ten_thousand_images_are_painted_within_a_second_and_scroll_in_bounded_memory(browser, many):
    with file_opened(browser, many) as page:
        paint = "performance.getEntriesByType('paint').at(-1)?.startTime ?? 0"
        wait_for(lambda: page.evaluate(paint), 20)
        assert page.evaluate(paint) < 1000
        seen = 0
        for _ in range(10):
            page.evaluate("window.scrollBy(0, document.documentElement.scrollHeight / 10)")
            page.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
            seen = max(seen, page.locator(".tile").count())
        assert names(page)[-1].startswith("Enlarge batch/9/image_09999.png")
        assert seen < 120
        assert page.evaluate("performance.memory.usedJSHeapSize") < 50e6
        page.keyboard.press("Home")
        assert page.evaluate("window.scrollY") < 100
        page.keyboard.press("End")
        assert "09999" in page.evaluate("document.activeElement.getAttribute('aria-label')")


def test_pictures_beside_the_page_are_made_once_and_those_not_needed_any_more_are_gone(photos, tmp_path, monkeypatch):
    folder, paths = photos
    monkeypatch.setattr("src.scoring.gallery.page.MOST_INSIDE", 3)
    page, made = tmp_path / "new.html", []
    monkeypatch.setattr(pictures, "thumbnail", lambda path: made.append(path) or b"jpeg")
    for part, count, new in ((slice(0, 10), 10, 10), (slice(2, 8), 6, 0), (slice(0, 4), 4, 2)):
        made.clear()
        write_gallery(page, folder, scored(paths[part]), GallerySettings(), AGAIN)
        assert (len(list((tmp_path / "new.thumbnails").iterdir())), len(made)) == (count, new)
    (tmp_path / "new.thumbnails" / "mine.jpg").write_bytes(b"mine")
    write_gallery(page, folder, scored(paths[:3]), GallerySettings(), AGAIN)
    assert [file.name for file in (tmp_path / "new.thumbnails").iterdir()] == ["mine.jpg"]
    assert find_images(tmp_path) == []


def test_without_percentiles_there_are_no_stars(photos, tmp_path):
    folder, paths = photos
    some = scored(paths[:2])
    some.models[0].percentiles = lambda scores: np.full(len(scores), np.nan)
    write_gallery(tmp_path / "new.html", folder, some, GallerySettings(), AGAIN)
    text = re.search(r'id="about">(.*?)</script>', (tmp_path / "new.html").read_text(encoding="utf-8"))[1]
    assert json.loads(text)["stars"] is None


def test_where_there_is_no_screen_no_browser_is_opened(monkeypatch):
    opened = []
    monkeypatch.setattr("webbrowser.open", lambda address: opened.append(address) or True)
    monkeypatch.setattr("sys.platform", "linux")
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    assert not show_page(Path("a.html"))
    monkeypatch.setenv("WAYLAND_DISPLAY", "wayland-0")
    assert show_page(Path("a.html"))
    assert opened == [Path("a.html").resolve().as_uri()]
