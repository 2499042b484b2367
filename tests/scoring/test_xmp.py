"""Stars in sidecars: read back by an independent parser, and everything else stays."""

import re
import shutil
import subprocess
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from PIL import Image

from src.scoring.xmp import EMPTY, persons_rating, sidecars, star_ratings, stars_inside, write_rating
from src.scoring.xmp_packet import OURS, RDF, XMP, NotXmp, with_rating

LIGHTROOM = """<x:xmpmeta xmlns:x="adobe:ns:meta/" x:xmptk="Adobe XMP Core 7.0">
 <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
  <rdf:Description rdf:about=""
    xmlns:xmp="http://ns.adobe.com/xap/1.0/"
    xmlns:crs="http://ns.adobe.com/camera-raw-settings/1.0/"
   xmp:Rating='2'
   xmp:Label="a > b"
   crs:Exposure2012="+0.35">
   <!-- mine -->
   <dc:title xmlns:dc="http://purl.org/dc/elements/1.1/"><rdf:Alt><rdf:li xml:lang="x-default">xmp:Rating="9" ü
   </rdf:li>
   </rdf:Alt></dc:title>
  </rdf:Description>
 </rdf:RDF>
</x:xmpmeta>
<?note kept?>
"""
ELEMENT = LIGHTROOM.replace("   xmp:Rating='2'\n", "").replace(
    "<!-- mine -->", "<xmp:Rating>2</xmp:Rating><!-- mine -->"
)


def body(data):
    """The elements, without the processing instructions around them."""
    text = data if isinstance(data, str) else data.decode()
    return re.sub(r"<\?.*?\?>", "", text)


def ratings(data):
    """All ratings that ElementTree finds directly in a Description."""
    found = []
    for description in ET.fromstring(f"<all>{body(data)}</all>").iterfind(f".//{{{RDF}}}RDF/{{{RDF}}}Description"):
        found += [description.attrib[f"{{{XMP}}}Rating"]] if f"{{{XMP}}}Rating" in description.attrib else []
        found += [element.text for element in description.iterfind(f"{{{XMP}}}Rating")]
    return found


@pytest.mark.parametrize("text", [LIGHTROOM, ELEMENT], ids=["attribute", "element"])
def test_only_the_rating_changes_and_every_other_byte_stays(text):
    new = with_rating(text.encode(), 4).decode()
    assert ratings(new) == ["4"]
    mark = f' xmlns:aesthetic="{OURS}" aesthetic:Rating="4"'
    assert new.count(mark) == 1
    assert new.replace(mark, "").replace('xmp:Rating="4"', "xmp:Rating='2'").replace(">4<", ">2<") == text


def test_a_rating_is_added_where_there_is_none_and_the_rest_stays():
    for text in (
        LIGHTROOM.replace("   xmp:Rating='2'\n", ""),
        LIGHTROOM.replace("   xmp:Rating='2'\n", "")
        .replace('    xmlns:xmp="http://ns.adobe.com/xap/1.0/"\n', "")
        .replace("xmp:Label", "crs:Label"),
    ):
        new = with_rating(text.encode(), 3).decode()
        assert ratings(new) == ["3"]
        start = new.index("<rdf:Description") + len("<rdf:Description")
        added = len(new) - len(text)
        assert new[:start] + new[start + added :] == text


@pytest.mark.parametrize(
    ("description", "expected"),
    [
        ('<rdf:Description xmlns:a="http://ns.adobe.com/xap/1.0/" a:Rating="1"/>', ["5"]),
        ('<rdf:Description xmlns:a="http://ns.adobe.com/xap/1.0/"><a:Rating/></rdf:Description>', ["5"]),
        ('<rdf:Description xmlns:xmp="other" xmp:Rating="1"/>', ["5"]),
        ('<rdf:Description/><rdf:Description xmlns:a="http://ns.adobe.com/xap/1.0/" a:Rating="1"/>', ["5"]),
    ],
    ids=["other prefix", "empty element", "prefix that means something else", "second description"],
)
def test_the_namespace_counts_not_the_prefix(description, expected):
    text = f'<rdf:RDF xmlns:rdf="{RDF}">{description}</rdf:RDF>'
    new = with_rating(text.encode(), 5)
    assert ratings(new) == expected
    if "other" in description:
        assert b'xmp:Rating="1"' in new


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "is not XML"),
        (b"<x:xmpmeta", "is not XML"),
        (b"<a/>", "holds no rdf:Description"),
        (b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', "has a DOCTYPE"),
        (LIGHTROOM.encode("utf-16"), "is UTF-16"),
    ],
)
def test_what_is_no_xmp_is_refused_with_the_reason(data, reason):
    with pytest.raises(NotXmp, match=reason):
        with_rating(data, 3)


def test_a_new_sidecar_is_whole_and_writing_the_same_again_does_not_touch_it(tmp_path):
    path = tmp_path / "a.jpg.xmp"
    assert write_rating(path, 4)
    assert ratings(path.read_bytes()) == ["4"]
    assert path.read_text(encoding="utf-8") == EMPTY.replace('Rating="0"', 'Rating="4"')
    before = path.stat()
    assert not write_rating(path, 4)
    assert path.stat() == before


MICROSOFT, ACDSEE = "http://ns.microsoft.com/photo/1.0/", "http://ns.acdsee.com/iptc/1.0/"


def packet(attributes, inside=""):
    """A packet with these attributes of its one rdf:Description."""
    names = f'xmlns:xmp="{XMP}" xmlns:m="{MICROSOFT}" xmlns:a="{ACDSEE}" xmlns:our="{OURS}"'
    description = f"<rdf:Description {names} {attributes}>{inside}</rdf:Description>"
    return f'<rdf:RDF xmlns:rdf="{RDF}">{description}</rdf:RDF>'


@pytest.mark.parametrize(("rating", "percent"), [(1, 1), (2, 25), (3, 50), (4, 75), (5, 99)])
def test_the_same_rating_in_other_namespaces_follows_on_its_own_scale(rating, percent):
    old = packet('xmp:Rating="0" m:Rating="0"', "<a:rating>0</a:rating>")
    new = with_rating(old.encode(), rating).decode()
    whole = packet(f'xmp:Rating="{rating}" m:Rating="{percent}"', f"<a:rating>{rating}</a:rating>")
    assert new == whole.replace("<rdf:Description", f'<rdf:Description our:Rating="{rating}"')


@pytest.mark.parametrize(
    ("attributes", "inside", "said"),
    [
        ('xmp:Rating="-1"', "", "-1"),
        ('xmp:Rating="5"', "", "5"),
        ("", "<xmp:Rating> 1.0 </xmp:Rating>", "1"),
        ('xmp:Rating="0" m:Rating="75"', "", "4"),
        ("", "<a:rating>3</a:rating>", "3"),
        ('xmp:Rating="best"', "", "'best'"),
        ('xmp:Rating="0"', "<a:rating/>", None),
        ("", "", None),
        ('xmp:Rating="4" our:Rating="4"', "", None),
        ('xmp:Rating="4" our:Rating="4" m:Rating="75"', "<a:rating>0</a:rating>", None),
        ('xmp:Rating="2" our:Rating="4"', "", "2"),
        ('xmp:Rating="-1"', "<our:Rating>4</our:Rating>", "-1"),
        ('xmp:Rating="0" our:Rating="4"', "", "none"),
        ('our:Rating="4"', "", "none"),
        ('xmp:Rating="4" our:Rating="4" m:Rating="1"', "", "1"),
    ],
)
def test_a_rating_is_the_persons_unless_it_is_the_one_that_we_wrote(tmp_path, attributes, inside, said):
    sidecar = tmp_path / "a.jpg.xmp"
    sidecar.write_text(packet(attributes, inside), encoding="utf-8")
    assert persons_rating(tmp_path / "a.jpg") == (said and (sidecar, said))
    assert write_rating(sidecar, 3)  # which makes it ours
    assert persons_rating(tmp_path / "a.jpg") is None


def test_a_rating_of_either_sidecar_is_of_the_image(tmp_path):
    write_rating(tmp_path / "a.jpg.xmp", 3)
    (tmp_path / "a.xmp").write_text(packet('xmp:Rating="5"'), encoding="utf-8")
    assert persons_rating(tmp_path / "a.jpg") == (tmp_path / "a.xmp", "5")


def test_a_rating_inside_the_image_is_the_persons_but_for_a_copy_of_ours(tmp_path):
    image = tmp_path / "a.jpg"
    picture, exif = Image.new("RGB", (8, 8)), Image.Exif()
    picture.save(image)
    assert persons_rating(image) is None
    exif[0x4746] = 4
    picture.save(image, exif=exif)
    assert persons_rating(image) == (image, "4")
    picture.save(image, xmp=packet('xmp:Rating="-1"').encode(), exif=exif)
    assert persons_rating(image) == (image, "-1")
    for again in (tmp_path / "a.png", tmp_path / "a.webp"):
        picture.save(again, exif=exif)
        assert persons_rating(again) == (again, "4")
    picture.save(image, exif=exif)
    write_rating(tmp_path / "a.jpg.xmp", 4)
    assert persons_rating(image) is None
    write_rating(tmp_path / "a.jpg.xmp", 2)
    assert persons_rating(image) == (image, "4")


def test_the_pixels_of_an_image_are_not_read_for_its_rating(tmp_path):
    image, exif = tmp_path / "a.png", Image.Exif()
    for rating, said in ((0, 0), (4, 4)):
        exif[0x4746] = rating
        Image.effect_noise((200, 200), 50).save(image, exif=exif if rating else None)
        image.write_bytes(image.read_bytes()[:9000])
        with pytest.raises(OSError, match="truncated"), Image.open(image) as opened:
            opened.load()
        assert stars_inside(image) == said


def test_a_rating_with_qualifiers_is_left_alone():
    inside = '<xmp:Rating rdf:parseType="Resource"><rdf:value>5</rdf:value></xmp:Rating>'
    with pytest.raises(NotXmp, match="more inside than a number"):
        with_rating(packet("", inside).encode(), 3)


def test_a_sidecar_that_cannot_be_read_is_left_alone(tmp_path):
    (tmp_path / "a.jpg.xmp").mkdir()  # stands for one without permission, which root would have
    with pytest.raises(NotXmp, match=r"can't be read \("):
        write_rating(tmp_path / "a.jpg.xmp", 4)


def test_existing_sidecars_of_either_name_are_updated_and_the_default_name_can_be_chosen(tmp_path):
    image, full, stem = (tmp_path / name for name in ("a.jpg", "a.jpg.xmp", "a.xmp"))
    assert sidecars(image) == [full]
    assert sidecars(image, "stem") == [stem]
    stem.touch()
    assert sidecars(image) == [stem]
    full.touch()
    assert sidecars(image) == [full, stem]


def test_stars_begin_at_their_percentiles():
    assert star_ratings(np.array([0, 9.9, 10, 29, 30, 60, 84.9, 85, 100]), (10, 30, 60, 85)).tolist() == [
        *(1, 1, 2, 2, 3, 4, 4, 5, 5)
    ]


@pytest.mark.parametrize(
    "command", [["exiv2", "-K", "Xmp.xmp.Rating", "-Pv"], ["exiftool", "-s3", "-XMP-xmp:Rating"]], ids=lambda c: c[0]
)
def test_programs_that_know_xmp_read_the_rating(tmp_path, command):
    if not shutil.which(command[0]):
        pytest.skip(f"{command[0]} is not installed")
    for name, text in (("new", None), ("attribute", LIGHTROOM), ("element", ELEMENT)):
        sidecar = tmp_path / f"{name}.jpg.xmp"
        if text:
            sidecar.write_text(text, encoding="utf-8")
        assert write_rating(sidecar, 4)
        assert subprocess.run([*command, sidecar], capture_output=True, text=True).stdout.strip() == "4"
