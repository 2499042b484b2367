"""Opening a page in the browser, where there is a screen."""

import os
import sys
import webbrowser
from pathlib import Path


def show_page(page: Path) -> bool:
    """Open a file in the browser; False without a screen (no browser of the terminal is wanted) or a browser."""
    if sys.platform.startswith("linux") and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        return False
    return webbrowser.open(page.resolve().as_uri())
