"""The local web page of the A/B scorer."""

from typing import TYPE_CHECKING

from ..common.lazy import lazily

if TYPE_CHECKING:  # what is imported here is public; at run time each name is, when it is first used
    from .gallery import Gallery, make_gallery
    from .guard import is_loopback
    from .live import LiveRatings
    from .model_view import ModelView
    from .reach import qr_code
    from .screens import Closed
    from .server import Server, listen
    from .session import Session
    from .words import Words
else:
    __getattr__, __dir__, __all__ = lazily(__name__, __file__)
