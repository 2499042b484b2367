"""Feature caches whose files have changed bytes, or were cut: the right features, none, or one sentence."""

import shutil

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from src.common.errors import UserError
from src.features.feature_cache import FeatureCache
from src.features.images import file_stamps
from tests.fuzz.outcomes import BOUNDED, outcome
from tests.toys import make_gallery, make_old

WIDTH = 3


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    """(folder, images, {hash: features}) of a cache with two shards and four files."""
    folder = tmp_path_factory.mktemp("cache")
    paths = make_gallery(folder / "images", 4)
    make_old(folder / "images")
    cache = FeatureCache(folder / "cache")
    hashes, _ = cache.hashes(folder / "images", paths)
    known = {digest: np.arange(WIDTH, dtype=np.float32) + i for i, digest in enumerate(hashes.values())}
    for k in (0, 1):
        cache.add("toy", list(known), {k: np.stack(list(known.values()))})
        cache.flush()
    return folder, paths, known


def used(folder, paths, known):
    """All that is done with a cache: every row that it has is right."""
    cache = FeatureCache(folder / "cache")
    hashes = cache.known_hashes(folder / "images", file_stamps(folder / "images", paths))
    assert all(len(digest) == 32 for digest in hashes.values())  # another one finds no features, and they are made
    for k in (0, 1):
        states, there = cache.load("toy", list(known), [k])
        for row, values in zip(np.flatnonzero(there), states[k][there], strict=True):
            assert values.tolist() == list(known.values())[row].tolist()
    cache.add("toy", list(known), {0: np.stack(list(known.values()))})
    cache.flush()
    assert cache.load("toy", list(known), [0])[1].all()


@BOUNDED
@given(
    st.sampled_from(["index.sqlite", "shard"]),
    st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), max_size=3),
    st.floats(0, 2),
)
def test_a_changed_or_cut_file_costs_work_and_nothing_else(original, tmp_path, which, flips, cut):
    folder, paths, known = original
    shutil.rmtree(tmp_path / "cache", ignore_errors=True)
    shutil.copytree(folder / "cache", tmp_path / "cache")
    if not (tmp_path / "images").exists():
        shutil.copytree(folder / "images", tmp_path / "images")
    file = (
        tmp_path / "cache" / which
        if which != "shard"
        else next((tmp_path / "cache" / "shards").glob("*.safetensors"))
    )
    content = bytearray(file.read_bytes())
    for place, value in flips:
        content[int(place * (len(content) - 1))] = value
    file.write_bytes(content[: int(cut * len(content))])
    if isinstance(outcome(lambda: used(tmp_path, paths, known)), UserError):
        (tmp_path / "cache" / "index.sqlite").unlink()  # as the sentence says
        outcome(lambda: used(tmp_path, paths, known))
