"""One HTML file that needs nothing else: the figures of a validation, and each image beside what was drawn of it."""

from collections.abc import Sequence
from html import escape
from typing import NamedTuple

import numpy as np
from PIL import Image

from src.common import page_head

from ..common.pictures import jpeg_url

SIDE = 160  # pixels on a side, as shown
STYLE = """
body { font: 15px/1.4 system-ui, sans-serif; margin: 24px auto; max-width: 1100px; padding: 0 12px; }
pre { overflow-x: auto; }
main { display: grid; grid-template-columns: repeat(auto-fill, minmax(330px, 1fr)); gap: 16px; }
figure { margin: 0; }
figure img { width: 160px; height: 160px; margin-right: 4px; }
figcaption { font-size: 13px; overflow-wrap: anywhere; }
"""


class Pair(NamedTuple):
    """image, picture: (S, S, 3) uint8. caption: what is said below."""

    image: np.ndarray
    picture: np.ndarray
    caption: str


def validation_page(title: str, text: str, pairs: Sequence[Pair]) -> str:
    """text: lines of figures, shown as they are."""
    figures = "\n".join(_figure(pair) for pair in pairs)
    return (
        page_head(title, STYLE, "")
        + f"<h1>{escape(title)}</h1>\n<pre>{escape(text)}</pre>\n<main>\n{figures}\n</main>\n</body>\n</html>\n"
    )


def _figure(pair: Pair) -> str:
    images = "".join(
        f'<img src="{_data_url(image)}" alt="{name}">'
        for name, image in (("image", pair.image), ("drawn from its features", pair.picture))
    )
    return f"<figure>{images}<figcaption>{escape(pair.caption)}</figcaption></figure>"


def _data_url(image: np.ndarray) -> str:
    return jpeg_url(Image.fromarray(image).resize((SIDE, SIDE), Image.Resampling.BICUBIC))
