"""Score files: every form, every fault's sentence, and that nothing a person made is lost."""

import csv
import json
import re
import subprocess
import sys

import numpy as np
import pytest

from src.common.errors import UserError
from src.options.command_line import parse_arguments
from src.options.option import TRAIN
from src.options.training import output_paths
from src.scores.scorefile import (
    add_images,
    find_scorefile,
    new_table,
    read_scorefile,
    select,
    write_scorefile,
)
from src.scores.spelling import match_images
from tests import ROOT
from tests.forks import start

NAMES = [
    "plain.jpg",
    "sub/with, comma.png",
    'with "quotes".png',
    "with\nline break.png",
    "with\rcarriage return.png",
    "with; semicolon and\ttab.png",
    " spaces .png",
    "日本語/красота/é.webp",
    "emoji 🌄.png",
    "e\u0301 decomposed.jpg",
    "bad\udcff\udce9bytes.jpg",
    "'#meta'.png",
    "\u2028\x85.png",
]


def put(path, content):
    path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8", "surrogateescape"))
    return path


@pytest.fixture
def write(tmp_path):
    return lambda content, name="scores.csv": put(tmp_path / name, content)


def rewritten(path, table, new_columns=None):
    write_scorefile(path, table, new_columns or {})
    return path.read_bytes()


# --- reading ---


def test_csv_columns_become_the_table(write):
    table = read_scorefile(
        write("relative_path,score,split,weight\na/b.jpg,1.5,train,2\nc.png,-1e-3,EVAL,\nd.png,0,,0\n")
    )
    assert table.paths == ["a/b.jpg", "c.png", "d.png"]
    assert table.scores.dtype == np.float64
    assert table.scores.tolist() == [1.5, -0.001, 0]
    assert table.splits == ["train", "eval", ""]
    assert table.weights.tolist() == [2, 1, 0]
    assert table.has_weights
    assert table.problems == []


@pytest.mark.parametrize("content", ["a.png,1\n", "a.png,1\r\n", "a.png,1"])
@pytest.mark.parametrize("start", ["", "\ufeff"])
def test_byte_order_mark_and_line_ends_do_not_matter(write, content, start):
    table = read_scorefile(write(f"{start}relative_path,score\n{content}"))
    assert (table.paths, table.scores.tolist(), table.has_weights) == (["a.png"], [1], False)


@pytest.mark.parametrize("delimiter", [";", "\t"])
def test_excels_european_csv_has_semicolons_or_tabs_and_decimal_commas(write, delimiter):
    rows = [["relative_path", "score"], ["a, b.png", "-1,25"], ["c.png", "3"], ["d.png", "0.5"]]
    table = read_scorefile(write("\r\n".join(delimiter.join(row) for row in rows)))
    assert table.paths[0] == "a, b.png"
    assert table.scores.tolist() == [-1.25, 3, 0.5]


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_excels_unicode_text_is_read_and_written_back_as_it_was(write, tmp_path, encoding):
    content = "\ufeffrelative_path\tscore\r\né.png\t1,5\r\n".encode(encoding)
    table = read_scorefile(write(content))
    assert (table.paths, table.scores.tolist(), table.problems) == (["é.png"], [1.5], [])
    assert rewritten(tmp_path / "new.csv", table) == content


@pytest.mark.parametrize("column", ["relative_filepath", "path", "file", " relative_path "])
def test_other_names_of_the_path_column(write, column):
    assert read_scorefile(write(f"score,{column}\n1,a.png\n")).paths == ["a.png"]


def test_relative_path_wins_over_other_path_columns(write):
    assert read_scorefile(write("file,relative_path,score\nx,a.png,1\n")).paths == ["a.png"]


def test_backslashes_and_leading_dots_are_normalised(write):
    table = read_scorefile(write("relative_path,score\nsub\\a.png,1\n./b.png,2\nsub//./c.png,3\n"))
    assert table.paths == ["sub/a.png", "b.png", "sub/c.png"]


def test_another_score_column(write):
    text = "relative_path,score,beauty_mean\na.png,1,4.86\n"
    assert read_scorefile(write(text), "beauty_mean").scores.tolist() == [4.86]


@pytest.mark.parametrize(
    ("content", "split"),
    [
        (
            {"ImageRecords": {"a.png": {"score": 1, "split": "eval"}, "b.png": {"score": "2.5"}}, "Metadata": {}},
            "eval",
        ),
        ({"a.png": 1, "b.png": 2.5}, ""),
        ({"a.png": [1, 4], "b.png": [2.5, 3], "#meta#": {"x": 1}}, ""),
    ],
)
@pytest.mark.parametrize("name", ["scores.json", "named_wrongly.csv"])
def test_all_json_forms_become_the_same_table(write, content, split, name):
    table = read_scorefile(write(json.dumps(content), name))
    assert table.paths == ["a.png", "b.png"]
    assert table.scores.tolist() == [1, 2.5]
    assert table.splits == [split, ""]
    assert table.problems == []


def test_another_key_of_the_json_records(write):
    text = '{"ImageRecords": {"a.png": {"score": 1, "comparisons": 7}}}'
    assert read_scorefile(write(text), "comparisons").scores.tolist() == [7]
    assert read_scorefile(write('{"a.png": [1, 7]}'), "comparisons").scores.tolist() == [7]


def test_the_documented_examples_read_without_a_problem(write):
    text = (ROOT / "docs" / "score-files.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```(?:csv|json)\n(.*?)```", text, re.DOTALL)
    assert len(blocks) == 6
    for block in blocks:
        table = read_scorefile(write(block))
        assert table.paths[:2] == ["landscapes/lake.jpg", "landscapes/storm.jpg"]
        assert table.scores[:2].tolist() == [1.25, -0.4]
        assert table.problems == [
            problem for problem in table.problems if problem == "scores.csv: column 'file_name' names the images"
        ]


# --- faults that stop ---


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            "relative_path,liking,n\na.png,1,2\n",
            "no column 'score'; it has relative_path, liking, n; choose with --score_col",
        ),
        ("picture,score\na.png,1\n", "first line has no column 'relative_path' but picture, score; a score file is"),
        (
            "score,score,relative_path\n1,2,a.png\n",
            "2 columns are called 'score', and which one counts can't be told",
        ),
        ("Score,SCORE,relative_path\n1,2,a.png\n", "2 columns are called 'score'"),
        ("relative_path,score,relative_path\na.png,2,b.png\n", "2 columns are called 'relative_path'"),
        ("relative_path,score,split,Split,split\na.png,2,,,\n", "2 columns are called 'split'"),
        ('{"a.png": {"score": 1, "n": 2, "score": 3}}', "'score' stands twice in one object; take one"),
        ('{"ImageRecords": {"a.png": {"score": 1}}, "ImageRecords": {}}', "'ImageRecords' stands twice"),
        ('{"file_name": "a.png", "score": 1}\n[1]\n', "line 2: no JSON object; right would be"),
        ('{"file_name": "a.png", "score": 1}\n{"file_name": \n', "line 2: not JSON"),
        ('[{"name": "a.png", "score": 1}]', "no record has 'file_name'; they have name, score"),
        ('[{"file_name": 3, "score": 1}]', "names no image"),
        ("a.png,1\nb.png,2\n", "first line has no column 'relative_path' but a.png, 1"),
        ("", r"empty; make one with aesthetic_ab_scorer.py"),
        ("\n\r\n", "empty"),
        ("relative_path,score\n", "names no image below its header"),
        ("relative_path,score\n,\n", "names no image below its header"),
        (
            'relative_path,score\na.png,1\n"b.png,2\nc.png,3\n',
            r"line 4: not CSV .*look for a quote without its partner",
        ),
        ('{"a.png": 1,\n"b.png" 2}', "line 2: not JSON .*':' delimiter"),
        ('{"a.png": 1', "line 1: not JSON"),
        ("{}", "names no image; make one"),
        ('{"ImageRecords": {}}', "names no image"),
        ('{"ImageRecords": [1]}', "its images are no JSON object"),
        ('["a.png"]', 'right would be {"a.png": 0.5}'),
        ('{"ImageRecords": {"a.png": {"liking": 1}}}', "no record has 'score'; they have liking"),
        ("[" * 100_000, "nested too deeply"),
        ('{"a.png": ' + "9" * 5000 + "}", "thousands of digits"),
        (b"\x89PNG\r\n\x1a\n\0\0", "not a text file; a score file is CSV or JSON in UTF-8"),
        (b"\xff\xfea", "begins as UTF-16 but is damaged"),
    ],
)
def test_files_that_cannot_be_used_are_refused_with_their_name(write, content, message):
    with pytest.raises(UserError, match=r"scores\.csv.*" + message):
        read_scorefile(write(content))


def test_a_missing_file_says_how_to_make_one(tmp_path):
    with pytest.raises(
        UserError, match=r"none\.csv: no such score file; make one with aesthetic_ab_scorer\.py, or write a"
    ):
        read_scorefile(tmp_path / "none.csv")
    with pytest.raises(UserError, match="can't be read"):
        read_scorefile(tmp_path)


def test_find_scorefile_prefers_json_and_else_names_both(tmp_path):
    with pytest.raises(UserError, match=r"no score file scores\.json or scores\.csv there; make one"):
        find_scorefile(tmp_path, None)
    csv_file = put(tmp_path / "scores.csv", "")
    assert find_scorefile(tmp_path, None) == csv_file
    json_file = put(tmp_path / "scores.json", "")
    assert find_scorefile(tmp_path, None) == json_file


def test_find_scorefile_takes_a_name_in_the_directory_or_an_absolute_one(tmp_path):
    (tmp_path / "images").mkdir()
    mine = put(tmp_path / "mine.csv", "")
    assert find_scorefile(tmp_path, "mine.csv") == mine
    assert find_scorefile(tmp_path / "images", str(mine)) == mine
    with pytest.raises(UserError, match=r"no score file yours\.csv there"):
        find_scorefile(tmp_path, "yours.csv")


# --- faults that are reported ---


def problems_of(path):
    return "\n".join(read_scorefile(path).problems)


def test_scores_that_are_no_numbers_are_counted_and_named(write):
    bad = ["abc", "nan", "inf", "-Infinity", "1_000", "1,500", "0x10", "true"]
    table = read_scorefile(
        write("relative_path,score\nok.png,1\n" + "".join(f'{i}.png,"{x}"\n' for i, x in enumerate(bad)))
    )
    assert np.isnan(table.scores[1:]).all()
    assert table.problems == [
        "scores.csv: 8 of 9 in column score are not numbers: 0.png ('abc'), 1.png ('nan'), 2.png ('inf'), …"
    ]


def test_json_scores_that_are_no_numbers_are_counted_and_named(write):
    content = '{"ok.png": 1, "a.png": NaN, "b.png": true, "c.png": [[1], 2], "d.png": 1e999, "e.png": "x"}'
    table = read_scorefile(write(content))
    assert np.isnan(table.scores[1:]).all()
    assert table.problems == [
        "scores.csv: 5 of 6 in column score are not numbers: a.png ('nan'), b.png ('True'), c.png ('[1]'), …"
    ]


def test_images_without_a_score_are_counted_and_named(write):
    assert problems_of(write("relative_path,score\na.png,\nb.png,  \nc.png,1\n")) == (
        "scores.csv: 2 of 3 images have no score: a.png, b.png"
    )
    assert "2 of 3 images have no score: a.png, b.png" in problems_of(
        write('{"a.png": null, "b.png": [], "c.png": 1}')
    )


def test_the_last_row_with_a_score_counts_and_doubles_are_named(write):
    table = read_scorefile(
        write("relative_path,score,split\na.png,1,train\nb.png,5,\n.\\a.png,2,eval\na.png,,test\n")
    )
    assert table.paths == ["a.png", "b.png"]
    assert table.scores.tolist() == [2, 5]
    assert table.splits == ["eval", ""]
    assert table.problems == [
        "scores.csv: several rows for 1 of 2 images, the last with a score counts: a.png",
        "scores.csv: for 1 of them the scores differ: a.png",
        "scores.csv: for 1 of them the splits differ: a.png",
    ]


def test_names_that_stand_twice_in_a_json_are_named_too(write):
    table = read_scorefile(
        write('{"ImageRecords": {"a.png": {"score": 1}, "b.png": {"score": 3}, "a.png": {"score": 2}}}')
    )
    assert table.scores.tolist() == [2, 3]
    assert "several rows for 1 of 2 images" in table.problems[0]


def test_unknown_splits_and_negative_weights_are_named(write):
    table = read_scorefile(
        write("relative_path,score,split,weight\na.png,1,valid,-1\nb.png,2,test,heavy\nc.png,1,,inf\n")
    )
    assert table.splits == ["", "test", ""]
    assert table.weights.tolist() == [1, 1, 1]
    assert table.problems == [
        "scores.csv: 1 of 3 in column split are not train, eval or test, and will be drawn: a.png ('valid')",
        "scores.csv: 3 of 3 in column weight are not 0 or more, and count as 1: a.png ('-1'), b.png ('heavy'), "
        "c.png ('inf')",
    ]


def test_rows_of_the_wrong_width_or_without_a_name_are_reported_by_line(write):
    table = read_scorefile(write("relative_path,score\na,b.png,1\nc.png\n,5\n\nd.png,1\n"))
    assert table.paths == ["a", "c.png", "d.png"]
    assert table.problems[:2] == [
        "scores.csv: more or fewer cells than the header in 2 lines (2, 3); quote names with commas",
        "scores.csv: no image named in 1 line (4); not used",
    ]


def test_names_outside_of_the_directory_are_reported(write):
    assert "3 of 3 names are not relative to the directory: /home/a.png, C:/b.png, ../c.png" in problems_of(
        write("relative_path,score\n/home/a.png,1\nC:\\b.png,1\n../c.png,1\n")
    )


def test_text_that_is_not_utf8_is_reported_by_line_and_kept(write, tmp_path):
    content = "relative_path,score\né.png,1\n".encode() + "caf\xe9.png,2\n".encode("latin-1")
    table = read_scorefile(write(content))
    assert table.problems == [
        "scores.csv: not UTF-8 in 1 line (3), read byte by byte; if images there are not found, "
        "save it again as 'CSV UTF-8'"
    ]
    assert rewritten(tmp_path / "new.csv", table) == content
    assert match_images(table, ["é.png", "caf\udce9.png"])[1] == []


def test_problems_can_be_printed_on_any_terminal(write):
    for problem in read_scorefile(write('relative_path,score\n"bad\udcff\n\x1b[31m.png",\n')).problems:
        assert problem.encode("utf-8").decode().isprintable()


# --- against the images of the directory ---


def test_match_images_names_what_is_missing_on_either_side(write):
    table = read_scorefile(
        write("relative_path,score\n" + "".join(f"{i}.png,{i}\n" for i in range(9)) + "blank.png,\n")
    )
    matched, problems = match_images(table, ["1.png", "7.png", "blank.png", "new.png", "newer.png"])
    assert matched.paths == ["1.png", "7.png"]
    assert matched.scores.tolist() == [1, 7]
    assert problems == [
        "7 of 10 images in scores.csv are not in the directory: 0.png, 2.png, 3.png, …",
        "2 of 5 images in the directory are not in scores.csv: new.png, newer.png",
    ]
    assert match_images(table, ["blank.png"], keep_unscored=True)[0].paths == ["blank.png"]


def test_match_images_says_nothing_when_all_fits(write):
    table = read_scorefile(write("relative_path,score\na.png,1\n"))
    assert match_images(table, ["a.png"])[1] == []


def test_match_images_shows_both_spellings_when_nothing_fits(write):
    _, problems = match_images(read_scorefile(write("relative_path,score\nimages/a.png,1\n")), ["a.png"])
    assert problems[0].endswith("not in the directory: images/a.png; the directory has a.png")


@pytest.mark.parametrize(("in_file", "on_disk"), [("e\u0301.png", "é.png"), ("é.png", "e\u0301.png")])
def test_names_that_differ_in_unicode_normalisation_match_as_spelled_on_disk(write, in_file, on_disk):
    matched, problems = match_images(read_scorefile(write(f"relative_path,score\n{in_file},1\n")), [on_disk])
    assert (matched.paths, problems) == ([on_disk], [])


def test_exact_names_come_before_similar_ones(write):
    table = read_scorefile(write("relative_path,score\ne\u0301.png,1\né.png,2\n"))
    matched, _ = match_images(table, ["é.png", "e\u0301.png"])
    assert dict(zip(matched.paths, matched.scores, strict=True)) == {"e\u0301.png": 1, "é.png": 2}


def test_blanks_around_names_do_not_matter_unless_an_image_is_called_so(write):
    table = read_scorefile(write("relative_path, score\n a.png ,1\n b.png,2\n"))
    matched, problems = match_images(table, ["a.png", "b.png", " b.png"])
    assert dict(zip(matched.paths, matched.scores, strict=True)) == {"a.png": 1, " b.png": 2}
    assert problems == ["1 of 3 images in the directory are not in scores.csv: b.png"]


def test_the_case_of_an_extension_does_not_matter_where_one_image_alone_is_meant(write):
    table = read_scorefile(write("relative_path,score\na.JPG,1\nb.jpg,2\nb.JPG,3\nc.Png,4\nD.png,5\n"))
    found, problems = match_images(table, ["a.jpg", "b.jpg", "c.png", "c.PNG", "d.png"], ignore_case=False)
    assert dict(zip(found.paths, found.scores, strict=True)) == {"a.jpg": 1, "b.jpg": 2}
    assert "1 of 5 images in scores.csv are found by another case of their extension: a.jpg for a.JPG" in problems


def test_absolute_names_below_the_directory_are_taken_from_there_on(write, tmp_path):
    folder = tmp_path / "photos"
    (folder / "sub").mkdir(parents=True)
    names = [
        f"{folder}/sub/a.png",
        str(folder / "b.png").replace("/", "\\"),
        "/photos/c.png",
        f"{tmp_path}/photos2/d.png",
    ]
    text = "relative_path,score\r\n" + "".join(f"{name},1\r\n" for name in names)
    path = write(text)
    table = read_scorefile(path, None, folder)
    assert table.paths[:2] == ["sub/a.png", "b.png"]
    assert (
        f"scores.csv: 2 of 4 names are absolute, and taken from the directory on: {names[0]}, …" not in table.problems
    )
    assert table.problems[0].startswith("scores.csv: 2 of 4 names are absolute, and taken from the directory on: /")
    assert table.problems[1].startswith("scores.csv: 2 of 4 names are not relative to the directory: /photos/c.png, ")
    grown = add_images(match_images(table, ["sub/a.png", "b.png"])[0], ["sub/a.png", "b.png", "new.png"])
    assert rewritten(tmp_path / "new.csv", grown) == f"{text}new.png,\r\n".encode()
    (tmp_path / "link").symlink_to(folder)
    assert read_scorefile(path, None, tmp_path / "link").paths[0] == "sub/a.png"


def test_case_matters_except_on_windows(write):
    table = read_scorefile(write("relative_path,score\nSub/A.PNG,1\n"))
    assert match_images(table, ["sub/a.png"], ignore_case=False)[0].paths == []
    assert match_images(table, ["sub/a.png"], ignore_case=True)[0].paths == ["sub/a.png"]


def test_a_linux_name_with_a_backslash_is_found_as_it_stands(write):
    matched, problems = match_images(read_scorefile(write("relative_path,score\na\\b.png,1\n")), ["a\\b.png"])
    assert (matched.paths, problems) == (["a\\b.png"], [])


# --- score files that people have ---


def said(table):
    """Without the file's name."""
    return [problem.removeprefix("scores.csv: ") for problem in table.problems]


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        ("sep=;\r\nrelative_path;score\r\na.png;4,90\r\n", []),
        ('"sep=;"\nrelative_path;score;\na.png;4,90;\n', []),
        ("\ufeffSEP=|\nrelative_path|score\na.png|4.90\n", []),
        ("sep=,\nrelative_path,score\na.png,4.90\n", []),
        (
            'relative_path,score\na.png,"4,90"\n',
            ["the comma in scores such as '4,90' is taken for a decimal point"],
        ),
        (
            "File_Name,Rating\na.png,4.9\n",
            ["column 'File_Name' names the images and column 'Rating' is taken for the score"],
        ),
        (
            "stars,filename\n4.9,a.png\n",
            ["column 'filename' names the images and column 'stars' is taken for the score"],
        ),
        ("IMAGE,SCORE\na.png,4.9\n", ["column 'IMAGE' names the images and column 'SCORE' is taken for the score"]),
        ("Path,score\na.png,4.9\n", ["column 'Path' names the images"]),
        ("relative_path,stars,score,rating\na.png,1,4.9,2\n", []),
        ("relative_path,stars,Rating\na.png,1,4.9\n", ["column 'Rating' is taken for the score"]),
        ("relative_path\rscore\r".replace("\rs", ",s") + "a.png,4.9\r", []),
    ],
)
def test_csv_files_that_people_have_are_taken_and_written_back_as_they_were(write, tmp_path, text, problems):
    table = read_scorefile(write(text))
    assert (table.paths, table.scores.tolist(), said(table)) == (["a.png"], [4.9], problems)
    assert rewritten(tmp_path / "new.csv", table) == text.encode()


def test_scores_go_into_the_column_that_was_taken_and_a_new_one_beside_a_persons_stars(write, tmp_path):
    table = read_scorefile(write("Stars,Image\n3,a.png\n,b.png\n"))
    filled = rewritten(tmp_path / "new.csv", table, {table.document.score_column: [3, 4.5]})
    assert filled == b"Stars,Image\n3,a.png\n4.5,b.png\n"
    assert rewritten(tmp_path / "new.csv", table, {"score": [1, 2]}) == b"Stars,Image,score\n3,a.png,1\n,b.png,2\n"
    table = read_scorefile(write("Image,SCORE,Split\na.png,1,Eval\n"))
    assert table.splits == ["eval"]
    assert (
        rewritten(tmp_path / "new.csv", table, {"score": [2], "split": ["test"]})
        == b"Image,SCORE,Split\na.png,2,test\n"
    )


def test_a_comma_that_may_part_thousands_is_no_number_unless_another_score_tells(write):
    assert np.isnan(read_scorefile(write('relative_path,score\na.png,"1,234"\n')).scores[0])
    table = read_scorefile(write('relative_path,score,weight\na.png,"1,234","0,5"\nb.png,"4,9",1\nc.png,3,\n'))
    assert (table.scores.tolist(), table.weights.tolist()) == ([1.234, 4.9, 3], [0.5, 1, 1])


CP1252 = "relative_path;score\r\ncafé.jpg;1,5\r\n“straße”.png;2\r\nÄ–€.png;3\r\nplain.png;4\r\n"


def test_a_file_in_windows_own_letters_is_read_and_written_back_as_such(write, tmp_path, capsys):
    table = read_scorefile(write(CP1252.encode("cp1252")))
    assert table.paths == ["café.jpg", "“straße”.png", "Ä–€.png", "plain.png"]
    assert said(table) == [
        "not UTF-8 in 3 lines (2, 3, 4), taken for Windows' cp1252; if images there are not found, save it again as "
        "'CSV UTF-8'"
    ]
    assert rewritten(tmp_path / "new.csv", table) == CP1252.encode("cp1252")
    assert capsys.readouterr().err == ""
    grown = rewritten(tmp_path / "new.csv", add_images(table, ["日本.png"]))
    assert grown == ("\ufeff" + CP1252 + "日本.png;\r\n").encode()
    assert capsys.readouterr().err == (
        f"note: {tmp_path / 'new.csv'}: cp1252 has no form for '日本.png;\\r\\n'; written in UTF-8\n"
    )
    on_disk = ["caf\udce9.jpg", "plain.png"]  # the folder's names may be in those letters too
    assert match_images(table, on_disk)[0].paths == on_disk


LINES = (
    '{"file_name": "sub/a.png", "Rating": 1.5, "tags": ["x", {"y": null}]}\r\n'
    '{"text": "é", "file_name": "b.png"}\r\n'
    '{"file_name": "c.png", "Rating": "2"}\r\n'
)


def test_records_a_line_are_read_and_written_back_as_such(write, tmp_path):
    table = read_scorefile(write(LINES, "metadata.jsonl"))
    assert table.paths == ["sub/a.png", "b.png", "c.png"]
    np.testing.assert_array_equal(table.scores, [1.5, np.nan, 2])
    assert table.problems[0] == (
        "metadata.jsonl: column 'file_name' names the images and column 'Rating' is taken for the score"
    )
    assert rewritten(tmp_path / "new.jsonl", table).decode() == LINES
    grown = add_images(table, ["d.png"])
    new = {"Rating": [1.5, 3, 2, np.nan], "split": ["train", "eval", "", None]}
    assert rewritten(tmp_path / "new.jsonl", grown, new).decode().splitlines()[1:] == [
        '{"text": "é", "file_name": "b.png", "Rating": 3, "split": "eval"}',
        '{"file_name": "c.png", "Rating": 2, "split": ""}',
        '{"file_name": "d.png", "Rating": null, "split": null}',
    ]
    records = json.loads(rewritten(tmp_path / "new.json", table))["ImageRecords"]
    assert list(records) == table.paths
    assert records["sub/a.png"]["tags"] == ["x", {"y": None}]
    assert rewritten(tmp_path / "new.csv", table).decode() == (
        'file_name,Rating,tags,text\nsub/a.png,1.5,"[""x"", {""y"": null}]",\nb.png,,,é\nc.png,2,,\n'
    ).replace("\n", "\r\n")


def test_a_single_record_is_told_by_the_files_name_and_any_number_by_what_they_are(write):
    assert read_scorefile(write('{"file_name": "a.png", "score": 1}', "a.jsonl")).paths == ["a.png"]
    assert read_scorefile(write('{"a.png": 1}\n', "a.json")).paths == ["a.png"]
    assert read_scorefile(write('{"ImageRecords": {"a.png": {"score": 1}}}\n', "b.jsonl")).paths == ["a.png"]
    assert read_scorefile(
        write('\n{"path": "a.png", "score": 1}\n\n{"path": "b.png", "score": 2}')
    ).scores.tolist() == [1, 2]


def test_a_list_of_records_is_read_and_written_back_as_such(write, tmp_path):
    content = [{"image": "a.png", "stars": 4, "n": [1]}, {"image": "b.png", "stars": 2}, {"stars": 1}]
    table = read_scorefile(write(json.dumps(content), "scores.json"))
    assert table.scores.tolist() == [4, 2]
    assert table.problems == [
        "scores.json: column 'image' names the images and column 'stars' is taken for the score",
        "scores.json: no image named in 1 record (3); not used",
    ]
    assert json.loads(rewritten(tmp_path / "new.json", table)) == content


def test_a_csv_becomes_lines_of_records(write, tmp_path):
    table = read_scorefile(write("file_name,score,n\na.png,1.50,007\n"))
    assert rewritten(tmp_path / "new.jsonl", table) == b'{"file_name": "a.png", "score": 1.5, "n": "007"}\n'


def test_what_is_nested_too_deeply_to_be_written_is_said(write, tmp_path):
    table, nested = read_scorefile(write('{"a.png": 1}', "scores.json")), []
    for _ in range(5000):
        nested = [nested]
    table.document.top["Metadata"] = nested
    with pytest.raises(UserError, match=r"new\.json: scores\.json holds something nested too deeply"):
        write_scorefile(tmp_path / "new.json", table, {})
    assert not (tmp_path / "new.json").exists()


def test_an_image_of_several_rows_with_different_splits_is_named(write):
    problems = said(read_scorefile(write("relative_path,score,split\na.png,1,train\na.png,1,eval\n")))
    assert problems[1:] == ["for 1 of them the splits differ: a.png"]


# --- writing ---

STRANGE_CSV = (
    '\ufeffid,score,,relative_path,"no, te",id,\r\n'
    '007,1.50,x,sub\\a.png,"line\r\nbreak ""quoted""",9,\r\n'
    "1,+.5e0,, b.png ,,, \r\n"
)


def test_every_cell_of_a_csv_stays_as_it_was(write, tmp_path):
    table = read_scorefile(write(STRANGE_CSV))
    assert table.scores.tolist() == [1.5, 0.5]
    assert rewritten(tmp_path / "new.csv", table) == STRANGE_CSV.encode()


def test_new_columns_stand_at_the_end_and_known_ones_in_their_place(write, tmp_path):
    table = read_scorefile(write("relative_path,split,score,note\na.png,,1.50,x\nb.png,test,2,y\n"))
    new = {"split": np.array(["train", "eval"]), "model_score": np.array([0.1, -2], np.float32)}
    assert rewritten(tmp_path / "new.csv", table, new) == (
        b"relative_path,split,score,note,model_score\na.png,train,1.50,x,0.1\nb.png,eval,2,y,-2.0\n"
    )


def test_rows_that_a_run_left_out_are_still_written(write, tmp_path):
    table = read_scorefile(write("relative_path,score,split\ngone.png,1,test\na.png,2,\nblank.png,,\na.png,3,\n"))
    matched, _ = match_images(table, ["a.png", "blank.png"])
    assert rewritten(tmp_path / "new.csv", matched, {"split": ["eval"], "model_score": [7]}) == (
        b"relative_path,score,split,model_score\ngone.png,1,test,\na.png,2,,\nblank.png,,,\na.png,3,eval,7\n"
    )


def test_a_semicolon_file_keeps_its_decimal_commas_in_new_columns(write, tmp_path):
    table = read_scorefile(write("relative_path;score\r\na.png;1,5\r\n"))
    assert rewritten(tmp_path / "new.csv", table, {"model_score": [0.25]}) == (
        b"relative_path;score;model_score\r\na.png;1,5;0,25\r\n"
    )


@pytest.mark.parametrize("number", [0.1, 1 / 3, 1e-17, 123456789.123, -0.0, 1e22])
@pytest.mark.parametrize("kind", [np.float32, np.float64])
@pytest.mark.parametrize("name", ["new.csv", "new.json"])
def test_floats_read_back_as_the_same_number_without_noise(tmp_path, number, kind, name):
    write_scorefile(tmp_path / name, new_table(["a.png"]), {"score": np.array([number], kind)})
    assert kind(read_scorefile(tmp_path / name).scores[0]) == kind(number)
    if number == 0.1:
        assert b"0.1000" not in (tmp_path / name).read_bytes()


@pytest.mark.parametrize("name", ["new.csv", "new.json"])
def test_numbers_that_are_none_are_empty(tmp_path, name):
    table = new_table(["a.png", "b.png", "c.png", "d.png"])
    write_scorefile(tmp_path / name, table, {"score": [np.nan, None, np.inf, np.float32(1)]})
    assert "3 of 4 images have no score: a.png, b.png, c.png" in problems_of(tmp_path / name)


@pytest.mark.parametrize("form", ["csv", "json"])
@pytest.mark.parametrize("target", ["csv", "json"])
def test_any_name_survives_every_way_of_writing(tmp_path, form, target):
    first, second = tmp_path / f"first.{form}", tmp_path / f"second.{target}"
    write_scorefile(first, new_table(NAMES), {"score": range(len(NAMES)), "note": NAMES})
    table = read_scorefile(first)
    write_scorefile(second, table, {"model_score": np.arange(len(NAMES)) / 7})
    table = read_scorefile(second)
    assert table.paths == NAMES
    assert table.scores.tolist() == list(range(len(NAMES)))
    assert [row["note"] for row in table.document.rows] == NAMES
    assert match_images(table, NAMES)[0].paths == NAMES


def test_csv_that_we_write_is_what_pythons_csv_reads(tmp_path):
    names = NAMES[:10]
    write_scorefile(tmp_path / "new.csv", new_table(names), {"score": range(10)})
    with (tmp_path / "new.csv").open(encoding="utf-8", newline="") as file:
        assert [row["relative_path"] for row in csv.DictReader(file)] == names


def test_json_that_we_write_is_utf8_also_for_undecodable_names(tmp_path):
    write_scorefile(tmp_path / "new.json", new_table(NAMES), {"score": range(len(NAMES))})
    assert list(json.loads((tmp_path / "new.json").read_text(encoding="utf-8"))["ImageRecords"]) == NAMES


def test_json_records_metadata_and_unknown_keys_stay(write, tmp_path):
    content = {
        "Version": 3,
        "ImageRecords": {
            "sub\\a.png": {"relative_filepath": "sub\\a.png", "score": 1.5, "tags": ["x", {"y": None}], "é": "ü"},
            "b.png": {"score": 2, "relative_filepath": "b.png", "long": 12345678901234567890},
        },
        "Metadata": {"rater": "me", "nested": {"deep": [1, 2.5, True]}},
        "More": [1],
    }
    table = read_scorefile(write(json.dumps(content), "scores.json"))
    assert json.loads(rewritten(tmp_path / "new.json", table)) == content
    assert list(json.loads((tmp_path / "new.json").read_bytes())) == list(content)
    write_scorefile(tmp_path / "new.json", select(table, [1]), {"model_score": [0.5], "score": [3]})
    content["ImageRecords"]["b.png"] |= {"model_score": 0.5, "score": 3}
    assert json.loads((tmp_path / "new.json").read_bytes()) == content


def test_what_stands_beside_the_records_has_no_place_in_a_csv_and_that_is_said(write, tmp_path, capsys):
    content = {"ImageRecords": {"a.png": {"score": 1}}, "Metadata": {"rater": "me"}, "Other": {}, "More": [1]}
    table = read_scorefile(write(json.dumps(content), "scores.json"))
    rewritten(tmp_path / "new.json", table)
    assert capsys.readouterr().err == ""
    rewritten(tmp_path / "new.csv", table)
    assert capsys.readouterr().err == (
        f"note: {tmp_path / 'new.csv'}: a CSV has no place for Metadata, More of scores.json; a .json has\n"
    )


def test_short_json_forms_become_records(write, tmp_path):
    table = read_scorefile(write('{"a.png": [1.5, 4], "#meta#": {"rater": "me"}}', "scores.json"))
    assert json.loads(rewritten(tmp_path / "new.json", table, {"model_score": [2]})) == {
        "ImageRecords": {"a.png": {"relative_filepath": "a.png", "score": 1.5, "comparisons": 4, "model_score": 2}},
        "Metadata": {"rater": "me"},
    }


@pytest.mark.parametrize("rows", ["a.png,1\na.png,2\n", "a.png,2\na.png,\n"])
def test_of_several_rows_a_json_gets_the_one_that_counts(write, tmp_path, rows):
    table = read_scorefile(write("relative_path,score\n" + rows))
    assert json.loads(rewritten(tmp_path / "new.json", table))["ImageRecords"]["a.png"]["score"] == 2


def test_more_values_than_two_in_the_old_form_are_kept(write, tmp_path):
    table = read_scorefile(write('{"a.png": [1, 2, "x", 4]}', "scores.json"))
    record = json.loads(rewritten(tmp_path / "new.json", table))["ImageRecords"]["a.png"]
    assert record == {"relative_filepath": "a.png", "score": 1, "comparisons": 2, "value_3": "x", "value_4": 4}


def test_csv_becomes_json_with_numbers_where_nothing_is_lost(write, tmp_path):
    table = read_scorefile(write("relative_path,score,weight,id,n,x,empty,\nsub\\a.png,1.50,1.0,007,7,0.25,,?\n"))
    assert json.loads(rewritten(tmp_path / "new.json", table)) == {
        "ImageRecords": {
            "sub/a.png": {
                "relative_filepath": "sub/a.png",
                "score": 1.5,
                "weight": 1.0,
                "id": "007",
                "n": 7,
                "x": 0.25,
                "column_8": "?",
            }
        },
        "Metadata": {},
    }


def test_json_becomes_csv_with_a_column_for_every_key(write, tmp_path):
    content = {
        "a\\b.png": {"relative_filepath": "a\\b.png", "score": 1.5, "tags": ["x", 1]},
        "c.png": {"score": 2, "ok": True},
    }
    table = read_scorefile(write(json.dumps({"ImageRecords": content}), "scores.json"))
    assert rewritten(tmp_path / "new.csv", table, {"split": ["train", "eval"]}).decode() == (
        'relative_path,score,tags,ok,split\na/b.png,1.5,"[""x"", 1]",,train\nc.png,2,,true,eval\n'
    )


def test_images_can_be_added_and_come_once(write, tmp_path):
    table = read_scorefile(write("n,relative_path,score\n1,a.png,1\n2,blank.png,\n"))
    matched, _ = match_images(table, ["a.png", "blank.png", "new.png"])
    grown = add_images(matched, ["new.png", "a.png", "blank.png", "new.png"])
    assert grown.paths == ["a.png", "new.png", "blank.png"]
    assert np.isnan(grown.scores[1:]).all()
    assert rewritten(tmp_path / "new.csv", grown, {"score": [1, 5, 6]}) == (
        b"n,relative_path,score\n1,a.png,1\n2,blank.png,6\n,new.png,5\n"
    )
    assert table.paths == ["a.png", "blank.png"]


def test_images_can_be_added_to_a_json(write, tmp_path):
    grown = add_images(read_scorefile(write('{"a.png": 1}', "scores.json")), ["b.png"])
    write_scorefile(tmp_path / "new.json", grown, {"score": [1, 2]})
    assert read_scorefile(tmp_path / "new.json").paths == ["a.png", "b.png"]


def test_other_endings_and_wrong_lengths_are_refused(tmp_path):
    table = new_table(["a.png"])
    with pytest.raises(UserError, match=r"new\.xlsx: the name of a score file must end in \.csv or \.json"):
        write_scorefile(tmp_path / "new.xlsx", table, {})
    with pytest.raises(ValueError, match="column score: 2 values for 1 images"):
        write_scorefile(tmp_path / "new.csv", table, {"score": [1, 2]})
    with pytest.raises(UserError, match="can't be written"):
        write_scorefile(tmp_path / "no such folder" / "new.csv", table, {"score": [1]})


def test_a_name_that_utf8_has_no_form_for_is_refused_by_name_and_leaves_the_file(tmp_path):
    put(tmp_path / "new.csv", "old")
    with pytest.raises(UserError, match=r"half\\ud83d' can't be written in UTF-8"):
        write_scorefile(tmp_path / "new.csv", new_table(["half\ud83d.png"]), {})
    assert [path.name for path in tmp_path.iterdir()] == ["new.csv"]
    assert (tmp_path / "new.csv").read_bytes() == b"old"


KILLED_WRITER = """
import os, pathlib, sys, time
from src.scores.scorefile import read_scorefile, write_scorefile
path = pathlib.Path(sys.argv[1])
table = read_scorefile(path)
def hang(*_):
    print("mid-write", flush=True)
    time.sleep(60)
setattr(os if sys.argv[2] == "fsync" else pathlib.Path, sys.argv[2], hang)
write_scorefile(path, table, {"score": [9] * len(table.paths)})
"""


@pytest.mark.script
@pytest.mark.parametrize("name", ["scores.csv", "scores.json"])
@pytest.mark.parametrize("moment", ["fsync", "replace"])
def test_a_writer_killed_before_it_is_done_leaves_the_old_file_whole(tmp_path, name, moment):
    path = tmp_path / name
    write_scorefile(path, new_table([f"{number}.png" for number in range(2000)]), {"score": range(2000)})
    before = path.read_bytes()
    command = [sys.executable, "-c", KILLED_WRITER, str(path), moment]
    with start(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout.readline() == "mid-write\n"
        writer.kill()
    assert path.read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 2  # the writer was in the middle: its half-made file is there, hidden
    assert find_scorefile(tmp_path, None) == path


def test_a_savefile_may_go_into_the_score_file_in_use_and_over_itself_alone(tmp_path):
    mine, other = tmp_path / "scores.csv", tmp_path / "other.csv"
    mine.write_text("relative_path,score,note\na.png,1,x\n", encoding="utf-8")
    other.write_text("relative_path,score\na.png,2\n", encoding="utf-8")
    (tmp_path / "out.csv").write_text("relative_path,score,model_score,split\na.png,1,1,eval\n", encoding="utf-8")

    def savefile(name):
        return output_paths(parse_arguments(TRAIN, "", [f"--savefile={name}"]), tmp_path)[1]

    assert [savefile(name) for name in ("scores.csv", "new.csv", "out.csv")] == [
        mine,
        tmp_path / "new.csv",
        tmp_path / "out.csv",
    ]
    with pytest.raises(UserError, match=r"--savefile=.*other\.csv: holds scores in 'score' that would be lost"):
        savefile("other.csv")
