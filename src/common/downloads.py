"""Files that are not what their name says: what a download or a clone left in the place of a model."""

from pathlib import Path

LFS = b"version https://git-lfs.github.com/"
WEB_PAGE = (b"<!doctype html", b"<html", b"<head", b"<?xml")


def stand_in(path: Path) -> str:
    """What lies in the place of a binary file, and how to get that, in words; "" where it may be one.

    Raises OSError where it can't be read.
    """
    with path.open("rb") as file:
        head = file.read(512).lstrip(b"\xef\xbb\xbf \t\r\n")
    if not head:
        return "is empty; get the file again"
    if head.startswith(LFS):
        return "is a Git LFS pointer, not the file itself; run git lfs pull where it comes from, or download the file"
    if head[:20].lower().startswith(WEB_PAGE):
        return "is a web page, not the file itself; save what the page's download link leads to"
    return ""
