"""Star ratings of images: in XMP sidecar files, where we write them, and in the images, where others do."""

import os
import warnings
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
from PIL import Image

from ..common import replacing
from .file_names import LONGEST
from .xmp_packet import OURS, RDF, XMP, NotXmp, Packet, Property, persons_stars, read_packet, with_rating

EMPTY = f"""<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/">
 <rdf:RDF xmlns:rdf="{RDF}">
  <rdf:Description rdf:about=""
    xmlns:xmp="{XMP}"
    xmlns:aesthetic="{OURS}"
    xmp:Rating="0"
    aesthetic:Rating="0"/>
 </rdf:RDF>
</x:xmpmeta>
<?xpacket end="w"?>
"""
EXIF_STARS, EXIF_PERCENT = 0x4746, 0x4749  # Windows' Rating and RatingPercent
WITH_METADATA = ("JPEG", "PNG", "WEBP", "TIFF", "AVIF")


def star_ratings(percentiles: np.ndarray, limits: Sequence[float]) -> np.ndarray:
    """(N,) ratings 1 to 5 of percentiles (N,); limits: four percentiles at which 2, 3, 4 and 5 begin."""
    return 1 + np.searchsorted(np.asarray(limits, dtype=np.float64), percentiles, side="right")


def new_packet(rating: int) -> str:
    """XMP with this rating, 1 to 5, and our mark, for the inside of an image."""
    return with_rating(EMPTY.encode(), rating).decode()


def sidecar_names(image: Path) -> dict[str, Path]:
    """What an image's sidecars are called: "full", a.jpg.xmp, by darktable, digiKam; "stem", a.xmp, by Lightroom."""
    return {"full": image.with_name(image.name + ".xmp"), "stem": image.with_suffix(".xmp")}


def sidecars(image: Path, new_name: str = "full") -> list[Path]:
    """The sidecar files of an image: those that exist, else the one to make, called as `new_name` says."""
    names = sidecar_names(image)
    return [path for path in names.values() if _may_be(path) and path.is_file()] or [names[new_name]]


def _may_be(sidecar: Path) -> bool:
    """Whether there can be a file of that name; an image's own may be all that a file system allows."""
    return len(os.fsencode(sidecar.name)) <= LONGEST


def write_rating(sidecar: Path, rating: int, dry_run: bool = False) -> bool:
    """Write or update, with our mark; whether anything changed, or would with `dry_run`.

    Raises NotXmp, and UserError where it can't be written.
    """
    if not _may_be(sidecar):
        raise NotXmp(f"would need a name of more than {LONGEST} bytes")
    old = _read(sidecar) if sidecar.exists() else None
    new = with_rating(EMPTY.encode() if old is None else old, rating)
    if new == old or dry_run:
        return new != old
    with replacing(sidecar) as temporary:
        temporary.write_bytes(new)
    return True


def _read(sidecar: Path) -> bytes:
    try:
        return sidecar.read_bytes()
    except OSError as error:
        raise NotXmp(f"can't be read ({error.strerror})")


def persons_rating(image: Path) -> tuple[Path, str] | None:
    """The rating that a person gave this image, as it is to be said, and the file that holds it.

    None where there is none, or only one that we wrote and that nobody changed since. In the image itself too:
    cameras, Windows and Lightroom write it there. A sidecar that is no XMP says nothing.
    """
    marks = set()
    for sidecar in sidecars(image):
        try:
            packet = read_packet(_read(sidecar)) if _may_be(sidecar) and sidecar.exists() else Packet([], None)
        except NotXmp:
            continue
        if said := persons_stars(packet):
            return sidecar, said
        marks.add(packet.mark)
    inside = stars_inside(image)
    return (image, f"{inside:g}") if inside and inside not in marks else None


def stars_inside(image: Path) -> float:
    """What an image's own XMP or EXIF says, -1 to 5; 0 where that is nothing or ours, or can't be read."""
    try:
        with warnings.catch_warnings(), Image.open(image, formats=WITH_METADATA) as opened:
            warnings.simplefilter("ignore")
            packet = opened.info.get("xmp") or opened.info.get("XML:com.adobe.xmp") or b""
            # Where there is none ahead of the pixels, Pillow would read all of them to see what is behind.
            exif = opened.getexif() if "exif" in opened.info or opened.format == "TIFF" else Image.Exif()
            found = [Property("", str(exif.get(EXIF_STARS, "")), 0, 0)]
            found += [Property("http://ns.microsoft.com/photo/1.0 ", str(exif.get(EXIF_PERCENT, "")), 0, 0)]
    except Exception:  # Pillow raises nearly anything for damaged metadata; an image that is none was said before
        return 0.0
    text = packet if isinstance(packet, bytes) else packet.encode()
    with suppress(NotXmp):
        inside = read_packet(text.strip(b"\0 \r\n"))
        if inside.mark is not None and persons_stars(inside) is None:  # ours, from the ComfyUI node
            return 0.0
        found = [*inside.properties, *found]
    return next((one.stars for one in found if one.stars), 0.0)
