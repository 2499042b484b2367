"""A page of scored images to look at, best first; what is picked there becomes a list."""

from .page import check_gallery, write_gallery
from .showing import show_page

__all__ = ["check_gallery", "show_page", "write_gallery"]
