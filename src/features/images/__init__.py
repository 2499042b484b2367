"""Image files: which there are, what they are called by, and their pixels as 8-bit sRGB."""

from .contents import HASH_BYTES, Content, Stamp, content_hash, content_of, file_stamps
from .errors import UnreadableImage
from .finding import (
    expanded,
    find_images,
    find_names,
    images_below,
    is_left_out,
    leading_out,
    look_for_images,
)
from .kinds import IMAGE_SUFFIXES, readable_suffixes
from .lying import image_file, is_there, no_own_files
from .metadata import facts_of
from .opening import open_image, take_image
from .remote import is_remote, write_object
from .thumbnails import data_url, thumbnail

__all__ = [
    "HASH_BYTES",
    "IMAGE_SUFFIXES",
    "Content",
    "Stamp",
    "UnreadableImage",
    "content_hash",
    "content_of",
    "data_url",
    "expanded",
    "facts_of",
    "file_stamps",
    "find_images",
    "find_names",
    "image_file",
    "images_below",
    "is_left_out",
    "is_remote",
    "is_there",
    "leading_out",
    "look_for_images",
    "no_own_files",
    "open_image",
    "readable_suffixes",
    "take_image",
    "thumbnail",
    "write_object",
]
