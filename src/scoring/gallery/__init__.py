"""A page of scored images to look at, best first; what is picked there becomes a list."""

from .kept import Gallery
from .page import check_gallery, write_gallery
from .showing import show_page

__all__ = ["Gallery", "check_gallery", "show_page", "write_gallery"]
