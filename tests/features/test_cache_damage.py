"""Damage within the feature cache, and caches of its first version: nothing is lost, and no row is another's."""

import os
import re
import shutil
import sqlite3
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from src.features.extraction import extract_features
from src.features.feature_cache import FeatureCache
from src.features.images import content_hash
from tests.features.test_feature_cache import filled, shards, some_features, some_hashes
from tests.toys import ToyExtractor, make_gallery, make_image, make_old

VERSION_1 = """
CREATE TABLE shards (name TEXT PRIMARY KEY, extractor TEXT NOT NULL, hidden_state INTEGER NOT NULL,
    hashes BLOB NOT NULL);
CREATE INDEX shards_by_use ON shards (extractor, hidden_state);
CREATE TABLE files (directory BLOB, path BLOB, size INTEGER NOT NULL, mtime_ms INTEGER NOT NULL, hash BLOB NOT NULL,
    PRIMARY KEY (directory, path)) WITHOUT ROWID;
PRAGMA user_version = 1;
"""


def in_index(folder: Path, statement: str, *values) -> list[tuple]:
    connection = sqlite3.connect(folder / "index.sqlite")
    rows = connection.execute(statement, values).fetchall()
    connection.commit()
    connection.close()
    return rows


def rewrite(path: Path, change, checksum: bool = True) -> None:
    """The shard with other tensors, and with the metadata that it had."""
    with safe_open(path, framework="numpy") as file:
        about = file.metadata()
    about = about if checksum else {key: value for key, value in about.items() if key != "checksum"}
    save_file({name: np.ascontiguousarray(block) for name, block in change(load_file(path)).items()}, path, about)


def check_all_there(folder: Path, hashes, features) -> None:
    loaded, complete = FeatureCache(folder).load("toy", hashes, [0])
    assert complete.all()
    np.testing.assert_array_equal(loaded[0], features.astype(np.float16).astype(np.float32))


# ---- rows of the index against the shards ----


def test_reversed_rows_of_the_index_give_each_image_its_own_features_and_the_row_is_put_right(tmp_path, capsys):
    _, hashes, features = filled(tmp_path)
    joined = b"".join(map(bytes.fromhex, reversed(hashes)))
    in_index(tmp_path, "UPDATE shards SET hashes = ?", joined)
    check_all_there(tmp_path, hashes, features)
    assert "was wrong; made anew from the shard" in capsys.readouterr().err
    check_all_there(tmp_path, hashes, features)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("damage", [b"", b"x" * 15, "text", 7, 0.5])
def test_a_row_of_the_index_that_is_damaged_is_made_anew_from_its_shard(tmp_path, damage):
    _, hashes, features = filled(tmp_path)
    _, others, more = filled(tmp_path)
    in_index(tmp_path, "UPDATE shards SET hashes = ? WHERE rowid = 1", damage)
    check_all_there(tmp_path, hashes, features)
    check_all_there(tmp_path, others, more)


@pytest.mark.parametrize("rows", [1, 9, 99])
def test_a_row_with_the_hashes_of_other_contents_gives_none_of_them_wrong_features(tmp_path, rows):
    _, hashes, _ = filled(tmp_path)
    others = some_hashes(rows)
    in_index(tmp_path, "UPDATE shards SET hashes = ?", b"".join(map(bytes.fromhex, others)))
    assert not FeatureCache(tmp_path).load("toy", others, [0])[1].any()
    assert FeatureCache(tmp_path).load("toy", hashes, [0])[1].all()


def test_a_row_that_gives_a_shard_to_another_extractor_or_state_is_put_right(tmp_path):
    _, hashes, _ = filled(tmp_path)
    in_index(tmp_path, "UPDATE shards SET extractor = 'other', hidden_state = 3")
    cache = FeatureCache(tmp_path)
    assert not cache.load("other", hashes, [3])[1].any()
    assert FeatureCache(tmp_path).load("toy", hashes, [0])[1].all()


@pytest.mark.parametrize("table", ["files", "shards"])
def test_a_table_that_is_gone_is_made_anew(tmp_path, table):
    _, hashes, features = filled(tmp_path)
    in_index(tmp_path, f"DROP TABLE {table}")
    check_all_there(tmp_path, hashes, features)


def test_damaged_rows_of_files_count_as_unknown(tmp_path):
    paths = make_gallery(tmp_path / "images", 4)
    make_old(tmp_path / "images")
    first, _ = FeatureCache(tmp_path / "cache").hashes(tmp_path / "images", paths)
    in_index(tmp_path / "cache", "UPDATE files SET hash = ? WHERE path = ?", b"short", paths[0].encode())
    in_index(tmp_path / "cache", "UPDATE files SET key = 'text' WHERE path = ?", paths[1].encode())
    in_index(tmp_path / "cache", "UPDATE files SET note = 7 WHERE path = ?", paths[2].encode())
    assert FeatureCache(tmp_path / "cache").hashes(tmp_path / "images", paths) == (first, {})


# ---- shards ----


@pytest.mark.parametrize("tensor", ["hashes", "features"])
def test_rows_reversed_within_a_shard_are_damage(tmp_path, capsys, tensor):
    cache, hashes, _ = filled(tmp_path)
    rewrite(shards(cache)[0], lambda tensors: {**tensors, tensor: tensors[tensor][::-1]})
    assert not FeatureCache(tmp_path).load("toy", hashes, [0])[1].any()
    assert "damaged (it holds other numbers than were written)" in capsys.readouterr().err


def test_a_bit_that_flips_within_the_numbers_is_damage(tmp_path):
    cache, hashes, _ = filled(tmp_path)
    data = bytearray(shards(cache)[0].read_bytes())
    data[-200] ^= 1
    shards(cache)[0].write_bytes(data)
    assert not FeatureCache(tmp_path).load("toy", hashes, [0])[1].any()


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_no_number_is_damage_and_is_extracted_anew(tmp_path, capsys, value):
    paths = make_gallery(tmp_path, 6)
    cache = FeatureCache(tmp_path / "cache")
    before = extract_features(tmp_path, paths, ToyExtractor(), [0], cache, progress=False)

    def spoil(tensors):
        tensors["features"][2, 1] = value
        return tensors

    rewrite(shards(cache)[0], spoil, checksum=False)  # as of the first version, which had none
    extractor = ToyExtractor()
    after = extract_features(tmp_path, paths, extractor, [0], FeatureCache(tmp_path / "cache"), progress=False)
    np.testing.assert_array_equal(after.states[0], before.states[0])
    assert extractor.loaded
    assert "damaged (it holds something else than finite numbers)" in capsys.readouterr().err


def test_features_that_are_not_finite_are_not_taken(tmp_path):
    with pytest.raises(ValueError, match="toy: features must be finite"):
        FeatureCache(tmp_path).add("toy", some_hashes(1), {0: np.array([[1, np.nan]], np.float32)})


# ---- files changed in place ----


@pytest.mark.skipif(os.name == "nt", reason="Windows keeps no time of change that can't be set back")
def test_a_file_rotated_in_place_with_size_and_date_kept_is_extracted_anew(tmp_path):
    path = tmp_path / "x.bmp"
    Image.fromarray(np.arange(192, dtype=np.uint8).reshape(8, 8, 3)).save(path)
    make_old(tmp_path)
    before = path.stat()
    cache = FeatureCache(tmp_path / "cache")
    first = cache.hashes(tmp_path, ["x.bmp"])[0]
    time.sleep(0.02)  # more than a tick of the clock
    with Image.open(path) as image:
        turned = image.rotate(90)
    turned.save(path)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    after = path.stat()
    assert (after.st_size, after.st_mtime_ns) == (before.st_size, before.st_mtime_ns)
    second = cache.hashes(tmp_path, ["x.bmp"])[0]
    assert second == {"x.bmp": content_hash(path)} != first


# ---- caches of the first version ----


def make_version_1(folder: Path) -> None:
    """What that version would have left: no checksums, no ctime, no keys."""
    rows = in_index(folder, "SELECT * FROM shards")
    files = in_index(folder, "SELECT directory, path, size, mtime_ms, hash FROM files")
    (folder / "index.sqlite").unlink()
    connection = sqlite3.connect(folder / "index.sqlite")
    connection.executescript(VERSION_1)
    connection.executemany("INSERT INTO shards VALUES (?, ?, ?, ?)", rows)
    connection.executemany("INSERT INTO files VALUES (?, ?, ?, ?, ?)", files)
    connection.commit()
    connection.close()
    for path in (folder / "shards").iterdir():
        rewrite(path, lambda tensors: tensors, checksum=False)


def test_a_cache_of_the_first_version_keeps_all_features_and_no_file_is_hashed_again(tmp_path, monkeypatch):
    paths = make_gallery(tmp_path / "images", 8)
    cache = FeatureCache(tmp_path / "cache")
    soon = time.time() + 3600  # ahead of ctime, as if nothing had happened to the files since
    for path in paths:
        os.utime(tmp_path / "images" / path, (soon, soon))
    before = extract_features(tmp_path / "images", paths, ToyExtractor(), [0, 1], cache, progress=False)
    make_version_1(tmp_path / "cache")
    monkeypatch.setattr("src.features.images.contents.content_hash", lambda path: pytest.fail(f"{path} was hashed"))
    extractor = ToyExtractor()
    for _ in range(2):
        cache = FeatureCache(tmp_path / "cache")
        after = extract_features(tmp_path / "images", paths, extractor, [0, 1], cache, progress=False)
        np.testing.assert_array_equal(after.states[1], before.states[1])
        assert not extractor.loaded
        monkeypatch.setattr(
            "src.features.extraction.content_of", lambda *of: pytest.fail(f"{of} was looked at again")
        )
    assert in_index(tmp_path / "cache", "PRAGMA user_version") == [(2,)]


@pytest.mark.skipif(os.name == "nt", reason="Windows keeps no time of change that can't be set back")
def test_a_file_that_the_first_version_may_have_missed_a_change_of_is_hashed_once_more(tmp_path):
    make_image(tmp_path / "x.png", (1, 2, 3))
    make_old(tmp_path)  # the date is an hour before the change
    cache = FeatureCache(tmp_path / "cache")
    cache.hashes(tmp_path, ["x.png"])
    make_version_1(tmp_path / "cache")
    in_index(tmp_path / "cache", "UPDATE files SET hash = ?", bytes(16))
    assert FeatureCache(tmp_path / "cache").hashes(tmp_path, ["x.png"])[0] == {
        "x.png": content_hash(tmp_path / "x.png")
    }


def test_shards_without_a_checksum_get_one_when_small_ones_are_made_one(tmp_path):
    cache, hashes, features = filled(tmp_path, 4)
    rewrite(shards(cache)[0], lambda tensors: tensors, checksum=False)
    for _ in range(20):
        cache.add("toy", some_hashes(1), {0: some_features(1)})
        cache.flush()
    for path in shards(cache):
        with safe_open(path, framework="numpy") as file:
            assert re.fullmatch("[0-9a-f]{8}", file.metadata()["checksum"])
    check_all_there(tmp_path, hashes, features)


def test_a_copied_cache_whose_files_have_new_times_of_change_costs_a_hash_and_no_features(tmp_path):
    paths = make_gallery(tmp_path / "old", 3)
    make_old(tmp_path / "old")
    before = extract_features(
        tmp_path / "old", paths, ToyExtractor(), [0], FeatureCache(tmp_path / "old/cache"), progress=False
    )
    shutil.copytree(tmp_path / "old", tmp_path / "new")  # keeps dates
    extractor = ToyExtractor()
    cache = FeatureCache(tmp_path / "new/cache")
    after = extract_features(tmp_path / "new", paths, extractor, [0], cache, progress=False)
    np.testing.assert_array_equal(after.states[0], before.states[0])
    assert not extractor.loaded
