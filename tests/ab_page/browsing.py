"""A page of the A/B scorer in Chromium, and what a person does there."""

import re
from contextlib import contextmanager

from playwright.sync_api import expect

from src.ratings.database import Comparisons

expect.set_options(timeout=30_000)  # of a busy machine
SHOWN = ".screen:not(.waiting)"


@contextmanager
def opened(browser, address, expected_errors=(), **options):
    """A page on the scorer. At the end nothing unexpected was written to the console, and no other address asked."""
    context = browser.new_context(**{"viewport": {"width": 1400, "height": 900}, **options})
    page = context.new_page()
    said, asked = [], []
    page.on("console", lambda message: said.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(address)
    expect(page.locator(SHOWN)).to_be_visible()
    yield page
    context.close()
    origin = re.match(r"http://[^/]+/", address)[0]
    assert [url for url in asked if not url.startswith(origin)] == []
    assert [text for text in said if not any(one in text for one in expected_errors)] == []


def images_on(page):
    """The ids of the images that are shown."""
    return [
        int(re.search(r"/image/(\d+)", image.get_attribute("src"))[1]) for image in page.locator(f"{SHOWN} img").all()
    ]


def press(page, key):
    """A key, as quickly after the last one as a person would; then the next screen is there."""
    page.wait_for_timeout(180)
    old = images_on(page)
    page.keyboard.press(key)
    return old


def wait_for_other(page, old):
    page.wait_for_function(
        """([shown, old]) => { const now = [...document.querySelectorAll(shown + ' img')].map((i) => i.src);
        return now.length && !old.every((id) => now.some((src) => src.includes(`/image/${id}?`))); }""",
        arg=[SHOWN, old],
    )


def choose(page, key):
    """Press a key that leads to another screen; returns the images that were shown."""
    old = press(page, key)
    wait_for_other(page, old)
    return old


def stored(folder):
    with Comparisons(folder / "comparisons.sqlite") as comparisons:
        return comparisons.log()


def assert_nothing_covers_the_buttons(page, message):
    above, below = _span(page.locator(message))
    for button in page.locator("#controls button:visible").all():
        top, bottom = _span(button)
        assert below <= top or bottom <= above


def _span(element):
    """Where it begins and ends, from the top."""
    box = element.bounding_box()
    return box["y"], box["y"] + box["height"]
