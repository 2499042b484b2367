"""The model that is made from the choices, as the page sees it."""

from collections.abc import Callable, Mapping
from typing import Any

from .gallery import Gallery
from .pictures import Pictures


def _nothing() -> dict[str, Any]:
    return {"busy": False, "text": "", "headline": "", "of": "", "best": [], "worst": []}


class ModelView:
    """ask: has it made now. page: what is known of it, as plain JSON values. preview: images that it is tried on."""

    def __init__(
        self,
        ask: Callable[[], None] = lambda: None,
        page: Callable[[], Mapping[str, Any]] = _nothing,
        preview: Gallery | None = None,
    ) -> None:
        self.ask, self.page = ask, page
        self.pictures = None if preview is None else Pictures(preview)
