"""Which files count as images: by their suffixes, and by the packages that are installed."""

from importlib.util import find_spec
from typing import NamedTuple

IMAGE_SUFFIXES = frozenset(
    {".png", ".apng", ".jpg", ".jpeg", ".jfif", ".webp", ".avif", ".gif", ".bmp", ".tif", ".tiff"}
)
HEIC_SUFFIXES = frozenset({".heic", ".heif", ".hif"})
RAW_SUFFIXES = frozenset(
    {".3fr", ".arw", ".cr2", ".cr3", ".crw", ".dcr", ".dng", ".erf", ".fff", ".iiq", ".kdc", ".mef", ".mos", ".mrw"}
    | {".nef", ".nrw", ".orf", ".pef", ".raf", ".rw2", ".rwl", ".sr2", ".srf", ".srw", ".x3f"}
)
# Pictures that nothing here reads; they are counted, so that nobody wonders where they are.
FOREIGN_SUFFIXES = frozenset({".jxl", ".jp2", ".psd", ".psb", ".xcf", ".tga", ".exr"})


class Extra(NamedTuple):
    """Images that a package reads where it is installed. name: in messages. package: what pip installs."""

    name: str
    suffixes: frozenset[str]
    module: str
    package: str

    @property
    def is_installed(self) -> bool:
        """Known without importing it."""
        return find_spec(self.module) is not None


HEIC = Extra("HEIC", HEIC_SUFFIXES, "pillow_heif", "pillow-heif")
RAW = Extra("raw", RAW_SUFFIXES, "rawpy", "rawpy")
EXTRAS = (HEIC, RAW)


def readable_suffixes() -> frozenset[str]:
    """Small letters, with the dot: of the images that can be read with the packages that are here."""
    return IMAGE_SUFFIXES.union(*(extra.suffixes for extra in EXTRAS if extra.is_installed))


def kind_of_foreign(suffix: str) -> str:
    """What an image that can't be read is counted under: HEIC, raw, or its suffix; empty if it is no image."""
    extra = next((extra.name for extra in EXTRAS if suffix in extra.suffixes), "")
    return extra or (suffix if suffix in FOREIGN_SUFFIXES else "")
