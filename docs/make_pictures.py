"""Take README's pictures anew, light and dark: `make pictures`, after `make demo`.

Chromium (`--browser`, else the one that is found) looks at the page of the A/B scorer with two pictures of the sample
gallery, and at the page of results that `make demo` ends with.
Each picture is WIDTH pixels wide and has at most MOST bytes.
"""

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from src.common import UserError
from src.common.errors import run

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

ROOT = Path(__file__).resolve().parents[1]
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
FOLDER = ROOT / "docs" / "pictures"
WIDTH = 1200
MOST = 300_000
SHOWN = ("landscapes/sunset_hills_202.jpg", "landscapes/night_sea_106.jpg")  # in the gallery; of one shape


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--gallery", default="gallery", help="the folder in which `make demo` has run")
    parser.add_argument("--browser", default=None, help="the path of Chromium or Chrome")
    arguments = parser.parse_args()
    gallery, chromium = Path(arguments.gallery).resolve(), find_browser(arguments.browser)
    results = gallery / "gallery.html"
    if not results.exists():
        raise UserError(f"{results} is not there: run `make demo` first")
    from playwright.sync_api import sync_playwright

    FOLDER.mkdir(exist_ok=True)
    with sync_playwright() as playwright, scorer(gallery) as address:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        schemes: tuple[Literal["light", "dark"], ...] = ("light", "dark")
        for scheme in schemes:
            take(browser, address, ".screen:not(.waiting) img", f"choosing-{scheme}", 640, scheme)
            take(browser, results.as_uri(), "img", f"gallery-{scheme}", 900, scheme)
        browser.close()


def find_browser(named: str | None) -> str:
    found = next(filter(None, map(shutil.which, (named,) if named else ("chromium", "google-chrome"))), None)
    if not found:
        raise UserError(f"{named or 'Chromium'} is not there: install it, or name its program with --browser")
    return found


@contextmanager
def scorer(gallery: Path) -> Iterator[str]:
    """The address of a scorer of two pictures, in a folder of its own, so that no choice of anybody's is touched."""
    with tempfile.TemporaryDirectory() as folder:
        for path in SHOWN:
            shutil.copy(gallery / path, folder)
        command = [sys.executable, str(ROOT / "aesthetic_ab_scorer.py"), f"--directory={folder}"]
        command += ["--no_browser", "--port=0", "--rating=bradley_terry"]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, encoding="utf-8", cwd=folder)
        try:
            yield address_of(process)
        finally:
            process.terminate()
            process.wait()


def address_of(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    for line in process.stdout:
        if found := re.search(r"http://[^\s]+", line):
            return found[0]
    raise UserError("the scorer ended before it said where its page is")


def take(
    browser: "Browser", address: str, awaited: str, name: str, height: int, scheme: Literal["light", "dark"]
) -> None:
    """One picture, height pixels high, once what is awaited is drawn."""
    context = browser.new_context(viewport={"width": WIDTH, "height": height}, color_scheme=scheme)
    page = context.new_page()
    page.goto(address)
    page.wait_for_selector(awaited)
    page.wait_for_function("[...document.images].slice(0, 20).every((image) => image.complete)")
    page.wait_for_timeout(500)  # what fades in
    save(page, FOLDER / f"{name}.jpg")
    context.close()


def save(page: "Page", path: Path) -> None:
    """As a JPEG of the best quality that is small enough."""
    for quality in (90, 80, 70, 60):
        path.write_bytes(page.screenshot(type="jpeg", quality=quality))
        if path.stat().st_size <= MOST:
            return print(f"{path.relative_to(ROOT)}: {path.stat().st_size // 1000} kB")
    raise UserError(f"{path}: larger than {MOST // 1000} kB even at quality 60")


if __name__ == "__main__":
    run(main)
