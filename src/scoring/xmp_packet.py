"""Where ratings stand in an XMP packet: a parser says where, changes are made in the text, and all else stays.

The rating is xmp:Rating (Adobe, "XMP Specification Part 1", 8.4), as an attribute of an rdf:Description or as an
element in it. Programs keep the same rating in namespaces of their own too, and we keep there what we wrote.
"""

import re
from dataclasses import dataclass, field
from typing import NamedTuple
from xml.parsers import expat

XMP = "http://ns.adobe.com/xap/1.0/"
RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
OURS = "urn:aesthetic-toolkit:xmp:1.0/"
RATING, MARK = f"{XMP} Rating", f"{OURS} Rating"  # the mark: the rating that we wrote into this packet
# Windows' scale (MicrosoftPhoto): 1, 25, 50, 75 and 99 per cent are one to five stars.
PERCENT = {f"http://ns.microsoft.com/photo/{version}" for version in ("1.0", "1.0/", "1.2", "1.2/")}
STARS = {
    "http://ns.acdsee.com/iptc/1.0/",
    "http://ns.adobe.com/lightroom/1.0/",
    "http://darktable.sf.net/",
    "http://www.digikam.org/ns/1.0/",
    "http://ns.nikon.com/nine/1.0/",
}
PREFIXES = {XMP: ("xmp", "xap", "rating_xmp"), OURS: ("aesthetic", "aesthetic_toolkit", "rating_aesthetic")}


class NotXmp(Exception):
    """A sidecar that is left alone, and why."""


class Property(NamedTuple):
    """A rating as it stands in a packet. name: namespace and local name. A value replaces bytes start to end."""

    name: str
    text: str
    start: int
    end: int
    before: bytes = b""
    after: bytes = b""

    @property
    def stars(self) -> float | None:
        """-1 is a reject, 0 none; None for what is no number."""
        try:
            value = float(self.text.strip() or 0)
        except ValueError:
            return None
        if not self.in_percent or value <= 0:
            return value
        return float(1 + sum(value >= limit for limit in (13, 38, 63, 88)))

    @property
    def in_percent(self) -> bool:
        return self.name.split(" ")[0] in PERCENT

    def with_stars(self, rating: int) -> tuple[int, int, bytes]:
        """The change that makes it this rating: start, end, what goes there."""
        value = (0, 1, 25, 50, 75, 99)[rating] if self.in_percent else rating
        return self.start, self.end, self.before + b"%d" % value + self.after


class Place(NamedTuple):
    """Where attributes can go in the first rdf:Description, and the prefixes in scope there: prefix -> namespace."""

    at: int
    prefixes: dict[str, str]


class Packet(NamedTuple):
    """The ratings of a packet, and where others could go."""

    properties: list[Property]
    place: Place | None

    @property
    def mark(self) -> float | None:
        """The rating that we wrote; None where we wrote none."""
        return next((p.stars for p in self.properties if p.name == MARK), None)


def read_packet(data: bytes) -> Packet:
    """Raises NotXmp for what is no XMP, or holds a rating in a form that can't be changed."""
    finder = _Finder(data)
    finder.walk()
    return Packet(finder.found, finder.place)


def with_rating(data: bytes, rating: int) -> bytes:
    """The packet with this rating, 1 to 5, wherever it holds one, and our mark; everything else as it was.

    Raises NotXmp where there is no place for it.
    """
    packet = read_packet(data)
    changes = [found.with_stars(rating) for found in packet.properties]
    missing = [name for name in (RATING, MARK) if name not in {found.name for found in packet.properties}]
    if missing:
        if packet.place is None:
            raise NotXmp("holds no rdf:Description")
        attributes = "".join(_attribute(name, rating, packet.place.prefixes) for name in missing)
        changes.append((packet.place.at, packet.place.at, attributes.encode()))
    for start, end, text in sorted(changes, reverse=True):  # from the end, so that places stay true
        data = data[:start] + text + data[end:]
    return data


def _attribute(name: str, rating: int, prefixes: dict[str, str]) -> str:
    namespace, local = name.split(" ")
    known = next((prefix for prefix, uri in prefixes.items() if uri == namespace and prefix), None)
    prefix = known or next(one for one in PREFIXES[namespace] if one not in prefixes)
    declaration = "" if known else f' xmlns:{prefix}="{namespace}"'
    return f'{declaration} {prefix}:{local}="{rating}"'


def _is_rating(name: str) -> bool:
    namespace, _, local = name.partition(" ")
    return name in (RATING, MARK) or (local.lower() == "rating" and namespace in PERCENT | STARS)


@dataclass
class _Finder:
    """Walks through a packet once and notes where ratings are, or could be."""

    data: bytes
    found: list[Property] = field(default_factory=list)
    place: Place | None = None
    path: list[str] = field(default_factory=list)
    prefixes: list[tuple[str, str]] = field(default_factory=list)  # in scope: (prefix, namespace), the last counts
    element: tuple[int, bytes] | None = None  # a rating that is open: where its tag starts, the tag
    text: str = ""  # in it

    def walk(self) -> None:
        parser = expat.ParserCreate(namespace_separator=" ")
        parser.StartElementHandler = lambda name, attributes: self._start(parser.CurrentByteIndex, name, attributes)
        parser.EndElementHandler = lambda name: self._end(parser.CurrentByteIndex, name)
        parser.CharacterDataHandler = self._read
        parser.StartNamespaceDeclHandler = lambda prefix, uri: self.prefixes.append((prefix or "", uri or ""))
        parser.EndNamespaceDeclHandler = self._forget
        parser.StartDoctypeDeclHandler = self._refuse  # entities: never in XMP, and the way of XML bombs
        if self.data[:2] in (b"\xff\xfe", b"\xfe\xff"):
            raise NotXmp("is UTF-16, not UTF-8")
        try:
            parser.Parse(self.data, True)
        except expat.ExpatError as error:
            raise NotXmp(f"is not XML ({error})")

    def _refuse(self, *_: object) -> None:
        raise NotXmp("has a DOCTYPE, which no XMP has")

    def _forget(self, prefix: str | None) -> None:
        last = max(i for i, (name, _) in enumerate(self.prefixes) if name == (prefix or ""))
        del self.prefixes[last]

    def _start(self, start: int, name: str, attributes: dict[str, str]) -> None:
        if self.element is not None:
            raise NotXmp("holds a rating with more inside than a number")
        if self.path[-1:] == [f"{RDF} RDF"] and name == f"{RDF} Description":
            self._description(start, attributes)
        elif self.path[-2:] == [f"{RDF} RDF", f"{RDF} Description"] and _is_rating(name):
            self.element, self.text = (start, _tag(self.data, start)), ""
        self.path.append(name)

    def _description(self, start: int, attributes: dict[str, str]) -> None:
        tag, scope = _tag(self.data, start), dict(self.prefixes)  # of one prefix the last counts
        if self.place is None:
            self.place = Place(start + len(re.match(rb"<[^\s/>]+", tag)[0]), scope)  # type: ignore[index]
        for name in filter(_is_rating, attributes):
            namespace, local = name.split(" ")
            for prefix in (prefix for prefix, uri in scope.items() if uri == namespace and prefix):
                pattern = rf"\s{re.escape(prefix)}:{re.escape(local)}\s*=\s*(\"[^\"]*\"|'[^']*')"
                for match in re.finditer(pattern.encode(), tag):
                    span = match.span(1)
                    self.found.append(Property(name, attributes[name], start + span[0], start + span[1], b'"', b'"'))

    def _read(self, text: str) -> None:
        self.text += text

    def _end(self, start: int, name: str) -> None:
        self.path.pop()
        if self.element is None:
            return
        (opened, tag), self.element = self.element, None
        after = opened + len(tag)
        if tag.endswith(b"/>"):
            tag_name = re.match(rb"<([^\s/>]+)", tag)[1]  # type: ignore[index]
            self.found.append(Property(name, "", opened, after, tag[:-2].rstrip() + b">", b"</" + tag_name + b">"))
        else:
            self.found.append(Property(name, self.text, after, start))


def _tag(data: bytes, start: int) -> bytes:
    """The tag that begins here, up to its ">"; one in a quoted value does not end it."""
    match = re.compile(rb"<(?:[^>\"']|\"[^\"]*\"|'[^']*')*>").match(data, start)
    assert match is not None  # the parser has read it
    return match[0]


def persons_stars(packet: Packet) -> str | None:
    """The rating that a person gave in this packet, for people; None where there is none, or only the one we wrote.

    Where we wrote one, any other in its place is the person's, also none at all.
    """
    mark = packet.mark
    plain = [found for found in packet.properties if found.name == RATING]
    others = [found for found in packet.properties if found.name not in (RATING, MARK)]
    if mark is None:
        return next((_said(found) for found in [*plain, *others] if found.stars != 0), None)
    changed = [found for found in plain if found.stars != mark]
    changed += [found for found in others if found.stars not in (0, mark)]
    if not plain and not changed:
        return "none"
    return next(map(_said, changed), None)


def _said(found: Property) -> str:
    if found.stars is None:
        return repr(found.text.strip()[:20])
    return f"{found.stars:g}" if found.stars else "none"
