"""Star ratings in XMP sidecar files; everything else that stands in one stays, byte for byte.

The rating is xmp:Rating (Adobe, "XMP Specification Part 1", 8.4), as an attribute of an rdf:Description or as an
element in it. A parser only says where it stands; the change is made in the text.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple
from xml.parsers import expat

import numpy as np

from ..common import replacing

XMP = "http://ns.adobe.com/xap/1.0/"
RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
EMPTY = f"""<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/">
 <rdf:RDF xmlns:rdf="{RDF}">
  <rdf:Description rdf:about=""
    xmlns:xmp="{XMP}"
    xmp:Rating="0"/>
 </rdf:RDF>
</x:xmpmeta>
<?xpacket end="w"?>
"""


class NotXmp(Exception):
    """A sidecar that is left alone, and why."""


class Change(NamedTuple):
    """Bytes start to end become `text`."""

    start: int
    end: int
    text: bytes


def stars(percentiles: np.ndarray, limits: Sequence[float]) -> np.ndarray:
    """(N,) ratings 1 to 5 of percentiles (N,); limits: four percentiles at which 2, 3, 4 and 5 begin."""
    return 1 + np.searchsorted(np.asarray(limits, dtype=np.float64), percentiles, side="right")


def sidecar_names(image: Path) -> dict[str, Path]:
    """What an image's sidecars are called: "full", a.jpg.xmp, by darktable, digiKam; "stem", a.xmp, by Lightroom."""
    return {"full": image.with_name(image.name + ".xmp"), "stem": image.with_suffix(".xmp")}


def existing_sidecars(image: Path) -> dict[str, Path]:
    """Those of `sidecar_names` that there are."""
    return {name: path for name, path in sidecar_names(image).items() if path.is_file()}


def sidecars(image: Path, new_name: str = "full") -> list[Path]:
    """The sidecar files of an image: those that exist, else the one to make, called as `new_name` says."""
    return list(existing_sidecars(image).values()) or [sidecar_names(image)[new_name]]


def write_rating(sidecar: Path, rating: int) -> bool:
    """Write or update; whether anything changed. Raises NotXmp, and UserError where it can't be written."""
    try:
        old = sidecar.read_bytes() if sidecar.exists() else EMPTY.encode()
    except OSError as error:
        raise NotXmp(f"can't be read ({error.strerror})")
    new = with_rating(old, rating)
    if new == old and sidecar.exists():
        return False
    with replacing(sidecar) as temporary:
        temporary.write_bytes(new)
    return True


def with_rating(data: bytes, rating: int) -> bytes:
    """The XMP packet with this rating, everything else as it was. Raises NotXmp where there is no place for it."""
    changes = _Finder(data, rating).changes()
    for change in sorted(changes, reverse=True):  # from the end, so that places stay true
        data = data[: change.start] + change.text + data[change.end :]
    return data


@dataclass
class _Finder:
    """Walks through a packet once and notes where the rating is, or could be."""

    data: bytes
    rating: int
    found: list[Change] = field(default_factory=list)
    path: list[str] = field(default_factory=list)
    prefixes: list[tuple[str, str]] = field(default_factory=list)  # in scope: (prefix, namespace), the last counts
    place: Change | None = None  # where an attribute could go in the first rdf:Description
    element: tuple[int, bytes] | None = None  # a Rating element that is open: where its tag starts, its name

    def changes(self) -> list[Change]:
        parser = expat.ParserCreate(namespace_separator=" ")
        parser.StartElementHandler = lambda name, attributes: self._start(parser.CurrentByteIndex, name, attributes)
        parser.EndElementHandler = lambda name: self._end(parser.CurrentByteIndex, name)
        parser.StartNamespaceDeclHandler = lambda prefix, uri: self.prefixes.append((prefix or "", uri or ""))
        parser.EndNamespaceDeclHandler = self._forget
        parser.StartDoctypeDeclHandler = self._refuse  # entities: never in XMP, and the way of XML bombs
        if self.data[:2] in (b"\xff\xfe", b"\xfe\xff"):
            raise NotXmp("is UTF-16, not UTF-8")
        try:
            parser.Parse(self.data, True)
        except expat.ExpatError as error:
            raise NotXmp(f"is not XML ({error})")
        if self.found:
            return self.found
        if self.place is None:
            raise NotXmp("holds no rdf:Description")
        return [self.place]

    def _refuse(self, *_: object) -> None:
        raise NotXmp("has a DOCTYPE, which no XMP has")

    def _forget(self, prefix: str | None) -> None:
        last = max(i for i, (name, _) in enumerate(self.prefixes) if name == (prefix or ""))
        del self.prefixes[last]

    def _start(self, start: int, name: str, attributes: dict[str, str]) -> None:
        if self.path[-1:] == [f"{RDF} RDF"] and name == f"{RDF} Description":
            self._description(start, attributes)
        elif self.path[-2:] == [f"{RDF} RDF", f"{RDF} Description"] and name == f"{XMP} Rating":
            self.element = (start, _tag(self.data, start))
        self.path.append(name)

    def _description(self, start: int, attributes: dict[str, str]) -> None:
        tag = _tag(self.data, start)
        if f"{XMP} Rating" in attributes:
            for prefix in self._prefixes_of_xmp():
                pattern = rf"\s{re.escape(prefix)}:Rating\s*=\s*(\"[^\"]*\"|'[^']*')"
                for match in re.finditer(pattern.encode(), tag):
                    span = match.span(1)
                    self.found.append(Change(start + span[0], start + span[1], b'"%d"' % self.rating))
        elif self.place is None:
            self.place = self._new_attribute(start, tag)

    def _new_attribute(self, start: int, tag: bytes) -> Change:
        after_name = start + len(re.match(rb"<[^\s/>]+", tag)[0])  # type: ignore[index]
        known = self._prefixes_of_xmp()
        taken = {prefix for prefix, _ in self.prefixes}
        prefix = known[0] if known else next(p for p in ("xmp", "xap", "rating_xmp") if p not in taken)
        declaration = "" if known else f' xmlns:{prefix}="{XMP}"'
        return Change(after_name, after_name, f'{declaration} {prefix}:Rating="{self.rating}"'.encode())

    def _prefixes_of_xmp(self) -> list[str]:
        scope = dict(self.prefixes)  # of one prefix the last counts
        return [prefix for prefix, uri in scope.items() if uri == XMP and prefix]

    def _end(self, start: int, name: str) -> None:
        self.path.pop()
        if self.element is None or name != f"{XMP} Rating":
            return
        (opened, tag), self.element = self.element, None
        rating = b"%d" % self.rating
        if tag.endswith(b"/>"):
            tag_name = re.match(rb"<([^\s/>]+)", tag)[1]  # type: ignore[index]
            closed = tag[:-2].rstrip() + b">" + rating + b"</" + tag_name + b">"
            self.found.append(Change(opened, opened + len(tag), closed))
        else:
            self.found.append(Change(opened + len(tag), start, rating))


def _tag(data: bytes, start: int) -> bytes:
    """The tag that begins here, up to its ">"; one in a quoted value does not end it."""
    match = re.compile(rb"<(?:[^>\"']|\"[^\"]*\"|'[^']*')*>").match(data, start)
    assert match is not None  # the parser has read it
    return match[0]
