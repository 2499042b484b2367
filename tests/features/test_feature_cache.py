"""The feature cache: what comes back, what survives, what is noticed."""

import multiprocessing
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing, suppress
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from src.common import waiting
from src.common.errors import UserError
from src.features.feature_cache import FeatureCache, default_folder
from src.features.feature_cache import cache as cache_module
from src.features.feature_cache import files as files_module
from src.features.feature_cache.index import SCHEMA, VERSION
from src.features.images import Content, content_hash, file_stamps
from tests import ROOT
from tests.forks import start as start_python
from tests.toys import make_gallery, make_image, make_old

RANDOM = np.random.default_rng(0)


def some_hashes(count: int) -> list[str]:
    return [RANDOM.bytes(16).hex() for _ in range(count)]


def some_features(count: int, width: int = 5) -> np.ndarray:
    return RANDOM.standard_normal((count, width), dtype=np.float32)


def shards(cache: FeatureCache) -> list[Path]:
    return sorted((cache.folder / "shards").glob("*.safetensors"))


def filled(folder: Path, count: int = 10) -> tuple[FeatureCache, list[str], np.ndarray]:
    """A cache with `count` images at hidden state 0 of an extractor `toy`."""
    cache, hashes, features = FeatureCache(folder), some_hashes(count), some_features(count)
    cache.add("toy", hashes, {0: features})
    cache.flush()
    return cache, hashes, features


# ---- what comes back ----


def test_features_come_back_in_the_order_asked_for_as_float32_rounded_to_float16(tmp_path):
    _, hashes, features = filled(tmp_path)
    order = [7, 0, 3, 3]
    loaded, complete = FeatureCache(tmp_path).load("toy", [hashes[i] for i in order], [0])
    assert complete.all()
    assert loaded[0].dtype == np.float32
    np.testing.assert_array_equal(loaded[0], features[order].astype(np.float16).astype(np.float32))


def test_hidden_states_may_differ_in_width(tmp_path):
    cache, hashes = FeatureCache(tmp_path), some_hashes(4)
    cache.add("toy", hashes, {0: some_features(4, 7), 3: some_features(4, 2)})
    cache.flush()
    loaded, _ = cache.load("toy", hashes, [3, 0])
    assert {k: block.shape for k, block in loaded.items()} == {3: (4, 2), 0: (4, 7)}


def test_another_extractor_another_state_and_another_content_are_missing(tmp_path):
    cache, hashes, _ = filled(tmp_path)
    assert cache.stored("toy", 0) == set(hashes)
    assert cache.stored("other", 0) == cache.stored("toy", 1) == set()
    loaded, complete = cache.load("toy", [hashes[0], *some_hashes(1)], [0])
    assert complete.tolist() == [True, False]
    assert loaded[0][1].tolist() == [0] * 5
    assert not cache.load("toy", hashes, [0, 1])[1].any()


@pytest.mark.parametrize("value", [70_000.0, 1e-9])
def test_values_that_float16_cannot_hold_are_kept_as_float32(tmp_path, value):
    cache, hashes = FeatureCache(tmp_path), some_hashes(2)
    features = np.array([[value, -value], [value, value]], dtype=np.float32)
    cache.add("toy", hashes, {0: features})
    cache.flush()
    np.testing.assert_array_equal(cache.load("toy", hashes, [0])[0][0], features)
    assert load_file(shards(cache)[0])["features"].dtype == np.float32


def test_nothing_asked_for_is_an_empty_answer(tmp_path):
    loaded, complete = FeatureCache(tmp_path).load("toy", [], [0, 1])
    assert loaded[0].shape == (0, 0)
    assert complete.shape == (0,)


# ---- writing ----


def test_512_rows_are_written_without_a_flush_and_fewer_wait(tmp_path):
    cache = FeatureCache(tmp_path)
    for _ in range(31):
        cache.add("toy", some_hashes(16), {0: some_features(16)})
    assert shards(cache) == []
    cache.add("toy", some_hashes(16), {0: some_features(16)})
    assert len(cache.stored("toy", 0)) == 512


def test_what_has_waited_ten_seconds_is_written(tmp_path, monkeypatch):
    cache = FeatureCache(tmp_path)
    clock = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: clock + 11)
    cache.add("toy", some_hashes(1), {0: some_features(1), 1: some_features(1)})
    assert len(cache.stored("toy", 0)) == len(cache.stored("toy", 1)) == 1


def test_many_small_shards_become_one_and_keep_every_value(tmp_path):
    cache, hashes, features = FeatureCache(tmp_path), some_hashes(40), some_features(40)
    features[20] *= 1e6  # one of them is float32
    before = []
    for i in range(40):
        cache.add("toy", hashes[i : i + 1], {0: features[i : i + 1]})
        cache.flush()
        before.append(cache.load("toy", hashes[i : i + 1], [0])[0][0][0])
    assert len(shards(cache)) < 20
    loaded, complete = FeatureCache(tmp_path).load("toy", hashes, [0])
    assert complete.all()
    np.testing.assert_array_equal(loaded[0], before)


def test_full_shards_become_larger_ones_so_that_many_images_are_few_files(tmp_path):
    cache, hashes, features = FeatureCache(tmp_path), some_hashes(9 * 512), some_features(9 * 512, 2)
    for start in range(0, len(hashes), 512):
        rows = slice(start, start + 512)
        cache.add("toy", hashes[rows], {0: features[rows], 1: -features[rows]})
    lengths = sorted(len(load_file(path)["hashes"]) for path in shards(cache))
    assert lengths == [512, 512, 4096, 4096]
    loaded, complete = FeatureCache(tmp_path).load("toy", hashes, [0, 1])
    assert complete.all()
    np.testing.assert_array_equal(loaded[1], -features.astype(np.float16).astype(np.float32))
    np.testing.assert_array_equal(loaded[0], -loaded[1])


def test_hidden_states_that_were_written_together_share_the_memory_that_says_where_they_are(tmp_path, monkeypatch):
    monkeypatch.setattr("src.features.feature_cache.cache.SETTLED", 10)
    cache, hashes = FeatureCache(tmp_path), some_hashes(30)
    for rows in (slice(0, 20), slice(20, 30)):
        cache.add("toy", hashes[rows], {0: some_features(30)[rows], 1: some_features(30)[rows]})
        cache.flush()
        first, second = cache.stored("toy", 0), cache.stored("toy", 1)
        assert first.table is second.table
        assert first.names != second.names
    cache.add("toy", some_hashes(1), {1: some_features(1)})
    cache.flush()
    assert [len(cache.stored("toy", k)) for k in (0, 1)] == [30, 31]
    assert cache.load("toy", hashes, [0, 1])[1].all()
    more = some_hashes(20)
    cache.add("toy", more, {1: some_features(20)})  # alone, and many
    cache.flush()
    assert cache.stored("toy", 0).table is cache.stored("toy", 1).table
    assert cache.stored("toy", 0) == set(hashes)
    assert set(more) <= cache.stored("toy", 1)
    for path in shards(cache):  # what is gone is known by nobody any more, and the rest as before
        if len(load_file(path)["hashes"]) == 10:
            path.unlink()
    assert FeatureCache(tmp_path).load("toy", hashes, [0, 1])[1].tolist() == [True] * 20 + [False] * 10
    assert cache.load("toy", hashes, [0, 1])[1].tolist() == [True] * 20 + [False] * 10


@pytest.mark.parametrize("steps", range(6))
def test_a_crash_at_any_step_of_making_shards_one_loses_nothing(tmp_path, monkeypatch, steps):
    class Killed(BaseException):
        """What no code catches; like a kill, it leaves the index as it was before."""

    def step(*_):
        left.pop() if left else die()

    def die():
        raise Killed

    monkeypatch.setattr(cache_module, "MERGED", ((256, 4),))
    cache, hashes, features = FeatureCache(tmp_path), some_hashes(40), some_features(40)
    left = [None] * 100
    for name in ("write_shard", "_row"):
        whole = getattr(cache_module, name)
        monkeypatch.setattr(cache_module, name, lambda *given, whole=whole: (whole(*given), step())[0])
    unlink = Path.unlink
    monkeypatch.setattr(Path, "unlink", lambda path, *a, **k: (step(), unlink(path, *a, **k))[1])
    for i in range(4):
        left[:] = [None] * (100 if i < 3 else 2 + steps)  # two steps write the fourth, the next make one of all
        with suppress(Killed):
            cache.add("toy", hashes[10 * i : 10 * i + 10], {0: features[10 * i : 10 * i + 10]})
            cache.flush()
    assert not left  # it did crash
    left[:] = [None] * 100
    for _ in range(2):
        loaded, complete = FeatureCache(tmp_path).load("toy", hashes, [0])
        assert complete.all()
        np.testing.assert_array_equal(loaded[0], features.astype(np.float16).astype(np.float32))


def test_where_the_same_content_was_stored_twice_the_older_counts_also_when_shards_become_one(tmp_path):
    cache, hashes = FeatureCache(tmp_path), some_hashes(1)
    for i in range(1, 20):  # as two processes would that extract the same image, one a little differently
        cache.add("toy", hashes, {0: np.full((1, 2), i, np.float32)})
        cache.flush()
        assert cache.load("toy", hashes, [0])[0][0].tolist() == [[1, 1]]
    assert len(shards(cache)) < 10


def test_a_folder_that_cannot_be_made_is_refused(tmp_path):
    file = make_image(tmp_path / "x.png")
    with pytest.raises(UserError, match=r"x\.png.*can't be made .*give another --cache_directory"):
        FeatureCache(file / "cache")


def test_a_full_disk_is_reported_in_one_sentence(tmp_path, monkeypatch):
    cache = FeatureCache(tmp_path)
    cache.add("toy", some_hashes(1), {0: some_features(1)})

    def full(*_args, **_kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(UserError, match=r"shards.*can't be written \(No space left on device\); .* make room"):
        cache.flush()
    assert list((tmp_path / "shards").iterdir()) == []


# ---- hashes of files ----


def test_hashes_of_unchanged_files_are_known_without_opening_them(tmp_path, monkeypatch):
    paths = make_gallery(tmp_path / "images", 6)
    make_old(tmp_path / "images")
    first, unreadable = FeatureCache(tmp_path / "cache").hashes(tmp_path / "images", paths)
    assert first == {path: content_hash(tmp_path / "images" / path) for path in paths}
    assert unreadable == {}
    monkeypatch.setattr(files_module, "content_of", lambda path, digest: pytest.fail(f"{path} was opened"))
    assert FeatureCache(tmp_path / "cache").hashes(tmp_path / "images", paths) == (first, {})


def test_a_changed_size_or_time_makes_a_file_unknown(tmp_path):
    paths = make_gallery(tmp_path, 3)
    make_old(tmp_path)
    cache = FeatureCache(tmp_path / "cache")
    cache.hashes(tmp_path, paths)
    stamps = file_stamps(tmp_path, paths)
    assert set(cache.known_hashes(tmp_path, stamps)) == set(paths)
    stamps[paths[0]] = stamps[paths[0]]._replace(size=1)
    stamps[paths[1]] = stamps[paths[1]]._replace(mtime_ms=1)
    assert set(cache.known_hashes(tmp_path, stamps)) == {paths[2]}


def test_a_file_changed_this_moment_is_hashed_again_next_time(tmp_path):
    make_image(tmp_path / "x.png", (1, 2, 3))
    cache = FeatureCache(tmp_path / "cache")
    cache.hashes(tmp_path, ["x.png"])
    assert cache.known_hashes(tmp_path, file_stamps(tmp_path, ["x.png"])) == {}


def test_files_that_cannot_be_read_have_a_reason(tmp_path):
    make_image(tmp_path / "x.png")
    (tmp_path / "folder.png").mkdir()
    found, unreadable = FeatureCache(tmp_path / "cache").hashes(tmp_path, ["x.png", "gone.png", "folder.png"])
    assert set(found) == {"x.png"}
    assert unreadable == {"gone.png": "no such file", "folder.png": "a folder, not a file"}


def test_a_directory_moved_together_with_its_cache_stays_known(tmp_path):
    paths = make_gallery(tmp_path / "old", 3)
    make_old(tmp_path / "old")
    FeatureCache(default_folder(tmp_path / "old")).hashes(tmp_path / "old", paths)
    shutil.move(tmp_path / "old", tmp_path / "new")
    cache = FeatureCache(default_folder(tmp_path / "new"))
    assert set(cache.known_hashes(tmp_path / "new", file_stamps(tmp_path / "new", paths))) == set(paths)


def test_one_cache_serves_two_directories_with_equal_names(tmp_path):
    for name in ("a", "b"):
        make_image(tmp_path / name / "x.png", (1, 2, ord(name)))
    make_old(tmp_path)
    cache = FeatureCache(tmp_path / "cache")
    a, b = (cache.hashes(tmp_path / name, ["x.png"])[0]["x.png"] for name in ("a", "b"))
    assert a != b
    assert cache.known_hashes(tmp_path / "a", file_stamps(tmp_path / "a", ["x.png"])) == {"x.png": a}


def test_names_that_are_not_unicode_are_kept(tmp_path):
    names = ['a "b", c.png', "日本\n.png", "lone \udcff.png"]
    cache = FeatureCache(tmp_path / "cache")
    stamp = file_stamps(tmp_path, [make_image(tmp_path / "x.png").name])["x.png"]._replace(settled=True)
    for name in names:
        cache.remember(tmp_path, name, stamp, Content("ab" * 16, "cd" * 16, "odd"))
    cache.flush()
    assert cache.known(tmp_path, dict.fromkeys(names, stamp)) == dict.fromkeys(
        names, Content("ab" * 16, "cd" * 16, "odd")
    )


# ---- damage ----


def test_a_deleted_shard_is_noted_and_its_features_are_missing(tmp_path, capsys):
    cache, hashes, _ = filled(tmp_path)
    shards(cache)[0].unlink()
    assert not cache.load("toy", hashes, [0])[1].any()  # deleted while it is in use
    assert "1 files are gone; what only they held is extracted again" in capsys.readouterr().err
    assert FeatureCache(tmp_path).stored("toy", 0) == set()


@pytest.mark.parametrize("harm", ["truncated", "garbled", "emptied", "another safetensors file"])
def test_a_damaged_shard_is_noted_and_its_features_are_missing(tmp_path, capsys, harm):
    cache, hashes, _ = filled(tmp_path)
    path = shards(cache)[0]
    data = path.read_bytes()
    if harm == "another safetensors file":
        from safetensors.numpy import save_file

        save_file({"x": np.zeros(3)}, path)
    else:
        path.write_bytes({"truncated": data[:-1], "garbled": data[:8] + b"x" * 50 + data[58:], "emptied": b""}[harm])
    assert not FeatureCache(tmp_path).load("toy", hashes, [0])[1].any()
    assert re.search(r"safetensors: damaged \(.+\); its features are extracted again", capsys.readouterr().err)
    assert not path.exists()


@pytest.mark.parametrize("harm", ["deleted", "emptied", "garbled"])
def test_a_lost_index_is_made_anew_from_the_shards(tmp_path, capsys, harm):
    cache, hashes, _ = filled(tmp_path)
    before = cache.load("toy", hashes, [0])[0][0]
    index = tmp_path / "index.sqlite"
    if harm == "deleted":
        index.unlink()
    else:
        index.write_bytes(b"" if harm == "emptied" else b"no database " * 1000)
    loaded, complete = FeatureCache(tmp_path).load("toy", hashes, [0])
    assert complete.all()
    np.testing.assert_array_equal(loaded[0], before)
    assert (harm == "garbled") == ("damaged (file is not a database); made anew" in capsys.readouterr().err)


def test_an_index_damaged_in_the_middle_is_made_anew(tmp_path, capsys):
    cache, hashes, _ = filled(tmp_path, 5000)
    before = cache.load("toy", hashes, [0])[0][0]
    index = tmp_path / "index.sqlite"
    data = index.read_bytes()
    index.write_bytes(data[:4096] + b"\xaa" * (len(data) - 4096))
    loaded, complete = FeatureCache(tmp_path).load("toy", hashes, [0])
    assert complete.all()
    np.testing.assert_array_equal(loaded[0], before)
    assert re.search(
        r"index\.sqlite: damaged \(.+\); made anew from the shards, no features", capsys.readouterr().err
    )


def test_a_cache_of_a_newer_version_is_left_alone(tmp_path):
    cache, _, _ = filled(tmp_path)
    connection = sqlite3.connect(tmp_path / "index.sqlite")
    connection.execute(f"PRAGMA user_version = {VERSION + 1}")
    connection.close()
    with pytest.raises(UserError, match="made by a newer version of this; give another --cache_directory"):
        FeatureCache(tmp_path)
    assert len(shards(cache)) == 1


def test_a_shard_that_the_index_lacks_is_taken_up(tmp_path):
    """A crash between the two writes, or shards copied in from another machine."""
    cache, hashes, _ = filled(tmp_path / "a")
    other, more, _ = filled(tmp_path / "b")
    shutil.copy(shards(other)[0], cache.folder / "shards")
    assert FeatureCache(tmp_path / "a").load("toy", hashes + more, [0])[1].all()


# ---- other processes ----


def _fill(folder: Path, hashes: list[str], features: np.ndarray) -> None:
    cache = FeatureCache(folder)
    for i in range(len(hashes)):
        cache.add("toy", hashes[i : i + 1], {0: features[i : i + 1]})
        cache.flush()


@pytest.mark.script
def test_two_processes_write_at_once_and_nothing_is_lost(tmp_path):
    hashes, features = some_hashes(60), some_features(60)
    context = multiprocessing.get_context("spawn")
    parts = [slice(0, 40), slice(20, 60)]  # 20 of them in both
    writers = [context.Process(target=_fill, args=(tmp_path, hashes[part], features[part])) for part in parts]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert [writer.exitcode for writer in writers] == [0, 0]
    loaded, complete = FeatureCache(tmp_path).load("toy", hashes, [0])
    assert complete.all()
    np.testing.assert_array_equal(loaded[0], features.astype(np.float16).astype(np.float32))


WRITER = """
import sys
import numpy as np
from contextlib import closing, suppress
from pathlib import Path
from src.features.feature_cache import FeatureCache, cache
cache.MERGED = ((2, 4), (12, 3))  # so that both happen often
cache = FeatureCache(Path(sys.argv[1]))
i = 0
while True:
    cache.add("toy", [f"{i:032x}"], {k: np.full((1, 300), i, np.float32) for k in (0, 1)})
    cache.flush()
    print(i, flush=True)
    i += 1
"""


@pytest.mark.script
@pytest.mark.skipif(os.name == "nt", reason="SIGKILL is POSIX's")
def test_a_killed_writer_leaves_everything_it_had_flushed(tmp_path, capsys):
    for round_ in range(2):
        folder = tmp_path / str(round_)
        writer = start_python([sys.executable, "-c", WRITER, folder], stdout=subprocess.PIPE, cwd=ROOT, text=True)
        for _ in range(14 + 20 * round_):
            last = int(writer.stdout.readline())
        time.sleep(0.004 * round_)  # so that it is killed at different points
        writer.send_signal(signal.SIGKILL)
        last = max([last, *map(int, writer.stdout.read().split())])
        writer.wait()
        loaded, complete = FeatureCache(folder).load("toy", [f"{i:032x}" for i in range(last + 1)], [0, 1])
        assert complete.all()
        np.testing.assert_array_equal(loaded[1][:, 0], np.arange(last + 1))
    assert "damaged" not in capsys.readouterr().err


# ---- the documentation ----


def test_the_files_are_as_documented(tmp_path):
    page = (ROOT / "docs/feature-cache.md").read_text(encoding="utf-8")
    documented, real = sqlite3.connect(":memory:"), sqlite3.connect(":memory:")
    documented.executescript(re.findall(r"```sql\n(.*?)```", page, re.DOTALL)[0])
    real.executescript(";".join((*SCHEMA, f"PRAGMA user_version = {VERSION}")))
    questions = ("PRAGMA user_version", "PRAGMA table_list", "PRAGMA table_info(shards)", "PRAGMA table_info(files)")
    for question in (*questions, "PRAGMA index_info(shards_by_use)"):
        assert documented.execute(question).fetchall() == real.execute(question).fetchall()
    documented.close()
    real.close()

    cache, hashes, _ = filled(default_folder(tmp_path))
    assert (tmp_path / ".aesthetic_cache/index.sqlite").is_file()
    tensors = load_file(shards(cache)[0])
    table = re.findall(r"^\| `(\w+)` \| `\((\w+), (\w+)\)` \| (.+?) \|", page, re.MULTILINE)
    assert {name for name, *_ in table} == set(tensors)
    for name, _, _, dtypes in table:
        assert str(tensors[name].dtype) in dtypes
    assert tensors["hashes"].tobytes().hex() == "".join(hashes)


@pytest.mark.parametrize("how", ["EXCLUSIVE", "IMMEDIATE"])
def test_while_another_program_holds_the_index_it_is_said(tmp_path, capfd, monkeypatch, how):
    monkeypatch.setattr(waiting, "AFTER_SECONDS", 0.05)
    cache = FeatureCache(tmp_path)
    with closing(sqlite3.connect(tmp_path / "index.sqlite", isolation_level=None, check_same_thread=False)) as other:
        other.execute(f"BEGIN {how}")
        release = threading.Timer(0.15, lambda: other.execute("ROLLBACK"))
        release.start()
        cache.add("toy", ["00" * 16], {0: np.zeros((1, 2), np.float32)})
        cache.flush()
        release.join()
    said = capfd.readouterr().err
    assert said.startswith(f"Waiting for another program that holds {tmp_path / 'index.sqlite'} ...\n")


def test_a_text_of_the_index_that_is_no_unicode_is_damage_that_mends_itself(tmp_path, capfd):
    cache = FeatureCache(tmp_path)
    cache.add("toy", ["00" * 16], {0: np.ones((1, 2), np.float32)})
    cache.flush()
    with closing(sqlite3.connect(tmp_path / "index.sqlite")) as connection, connection:
        connection.execute("INSERT INTO shards VALUES (CAST(X'ff' AS TEXT), 'toy', 0, X'00')")
    assert FeatureCache(tmp_path).load("toy", ["00" * 16], [0])[1].all()
    assert "damaged (Could not decode to UTF-8" in capfd.readouterr().err
