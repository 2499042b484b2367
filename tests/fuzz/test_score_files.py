"""Score files and split files of any content: a table that is written back as it was, or one sentence."""

import json

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from src.common.errors import UserError
from src.scores.scorefile import add_images, read_scorefile, refuse_lost_scores, write_scorefile
from src.scores.spelling import match_images
from src.scoring.found_split import read_split
from tests.fuzz.outcomes import BOUNDED, outcome

IMAGES = ["a.png", "sub/b.JPG", "é.png", "caf\udce9.png"]
CELLS = st.one_of(
    st.sampled_from(
        ["a.png", "sub\\b.jpg", "é.png", "/photos/a.png", "1", "-2.5", "4,90", "1e999", "nan", "eval", ""]
    ),
    st.text(max_size=6),
)
PATHS, SCORES = (
    st.sampled_from(["relative_path", "File_Name", "image"]),
    st.sampled_from(["score", "Rating", "stars"]),
)
OTHERS = st.sampled_from(["split", "weight", "", " n ", "estimated", "score", "path"])
JSONS = st.recursive(
    st.one_of(CELLS, st.floats(), st.integers(), st.booleans(), st.none()),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.one_of(st.sampled_from(["ImageRecords", "score", "split", "file_name", "train", "#meta#"]), CELLS),
            inner,
            max_size=4,
        ),
    ),
    max_leaves=8,
)


@st.composite
def csvs(draw):
    """Bytes of something like a CSV."""
    delimiter, newline = draw(st.sampled_from(",;\t|")), draw(st.sampled_from(["\n", "\r\n", "\r"]))
    quote = draw(st.booleans())
    needed = [draw(PATHS), draw(SCORES)] if draw(st.integers(0, 5)) else []
    rows = [draw(st.permutations(needed + draw(st.lists(OTHERS, max_size=3))))]
    rows += draw(st.lists(st.lists(CELLS, max_size=5), max_size=4))
    lines = [delimiter.join(f'"{cell}"' if quote else cell for cell in row) for row in rows]
    start = draw(st.sampled_from(["", "\ufeff", f"sep={delimiter}{newline}"]))
    encoding = draw(st.sampled_from(["utf-8", "cp1252", "utf-16"]))
    return (start + newline.join(lines)).encode(encoding, "replace")


@st.composite
def jsons(draw):
    """Bytes of JSON, or of JSON lines, as it should be or of any form, perhaps cut off."""
    record = st.dictionaries(st.one_of(SCORES, OTHERS), st.one_of(CELLS, st.floats(), JSONS), max_size=3)
    named = st.builds(lambda path, image, rest: {path: image, **rest}, PATHS, CELLS, record)
    of_images = st.dictionaries(CELLS, st.one_of(record, st.floats(), st.lists(st.floats(), max_size=3)), max_size=3)
    whole = st.one_of(of_images, st.builds(lambda images: {"ImageRecords": images, "Metadata": {"a": 1}}, of_images))
    lines = draw(
        st.one_of(
            st.lists(named, min_size=2, max_size=3),
            st.lists(st.one_of(whole, st.lists(named), JSONS), min_size=1, max_size=1),
        )
    )
    text = "\n".join(json.dumps(line) for line in lines)
    return text.encode() if draw(st.integers(0, 5)) else text[: draw(st.integers(1, len(text)))].encode()


def written_back(tmp_path, path, table):
    """Whatever was read is written, and read again as the same."""
    for name in (path.name, "again.json", "again.csv", "again.jsonl"):
        again = tmp_path / name
        if isinstance(outcome(lambda again=again: write_scorefile(again, table, {})), UserError):
            continue
        score = table.document.score_column.strip("\0 \t")
        read = outcome(lambda again=again, score=score: read_scorefile(again, score))
        if isinstance(read, UserError) and name.startswith("again"):
            continue  # such as a column that a CSV already has under another spelling
        assert not isinstance(read, UserError), read
        both = dict(zip(read.paths, read.scores.tolist(), strict=True))
        for image, value in zip(table.paths, table.scores.tolist(), strict=True):
            assert image in both or name.startswith("again")
            if image in both and not np.isnan(value):
                assert both[image] == value


def used(tmp_path, path):
    """Everything that is done with a score file; nothing in it may end in a traceback."""
    table = outcome(lambda: read_scorefile(path, None, tmp_path))
    outcome(lambda: refuse_lost_scores("savefile", path, "score", lambda _: False))
    if isinstance(table, UserError):
        return
    matched, problems = match_images(table, IMAGES, keep_unscored=True)
    assert all(line.isprintable() for line in [*table.problems, *problems])
    grown = add_images(matched, IMAGES)
    assert set(grown.paths) == set(IMAGES)
    outcome(lambda: write_scorefile(tmp_path / "new.csv", grown, {"score": [1.5] * len(grown.paths)}))
    written_back(tmp_path, path, table)


@BOUNDED
@given(st.one_of(csvs(), st.binary(max_size=60)))
def test_any_csv_is_a_table_or_one_sentence(tmp_path, data):
    (tmp_path / "scores.csv").write_bytes(data)
    used(tmp_path, tmp_path / "scores.csv")


@BOUNDED
@given(jsons(), st.sampled_from(["scores.json", "scores.jsonl"]))
def test_any_json_is_a_table_or_one_sentence(tmp_path, data, name):
    (tmp_path / name).write_bytes(data)
    used(tmp_path, tmp_path / name)


@BOUNDED
@given(st.one_of(jsons(), csvs(), st.binary(max_size=40)))
def test_any_split_file_is_a_split_or_one_sentence(tmp_path, data):
    (tmp_path / "split.json").write_bytes(data)
    split = outcome(lambda: read_split(tmp_path / "split.json", IMAGES))
    if not isinstance(split, UserError):
        assert set(split.tolist()) <= {"train", "eval", "test", ""}
