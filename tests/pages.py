"""Pages in a browser: Debian's Chromium, driven by Playwright, one for all tests of a file."""

import shutil
from contextlib import contextmanager

import pytest

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
WIDE = {"viewport": {"width": 1400, "height": 900}, "color_scheme": "light"}
PHONE = {"viewport": {"width": 390, "height": 844}, "color_scheme": "dark"}


@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import sync_playwright

    chromium = next(filter(None, map(shutil.which, ("chromium", "google-chrome"))), None)
    assert chromium, "the browser tests need Chromium: apt-get install chromium"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        yield browser
        browser.close()


@contextmanager
def file_opened(browser, path, **options):
    """A page of a file. At the end nothing was written to the console, and nothing but files beside it asked for."""
    context = browser.new_context(**{**WIDE, **options})
    page = context.new_page()
    said, asked = [], []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(path.as_uri())
    yield page
    context.close()
    elsewhere = [url[:200] for url in asked if not url.startswith(("data:", "blob:", path.parents[1].as_uri()))]
    assert not elsewhere, elsewhere
    said = [text for text in said if "ERR_FILE_NOT_FOUND" not in text]  # an image that is gone is shown small
    assert not said, said


def assert_accessible(page):
    """axe-core finds nothing serious, every picture has a text, and nothing is wider than the window."""
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(page).response["violations"]
    serious = [one for one in found if one["impact"] in ("serious", "critical")]
    assert not serious, [(one["id"], [node["html"][:200] for node in one["nodes"][:3]]) for one in serious]
    assert page.locator("img:not([alt])").count() == 0
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
