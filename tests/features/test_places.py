"""The compact set of contents against a plain dictionary."""

import numpy as np
import pytest

from src.features.feature_cache import row_table
from src.features.feature_cache.places import Places
from src.features.feature_cache.row_table import RowTable


@pytest.fixture(params=[False, True])
def often(request, monkeypatch):
    """Whether rows are sorted in after each block, a few at once, as they are where there are millions."""
    if request.param:
        monkeypatch.setattr(row_table, "AT_ONCE", 7)


def some_blocks(generator, pool, prefix, count, rows=40):
    return [(f"{prefix}{i}", b"".join(pool[k] for k in generator.integers(0, len(pool), rows))) for i in range(count)]


@pytest.mark.usefixtures("often")
def test_places_agree_with_a_dictionary_where_the_older_shard_counts_and_settled_ones_before_others():
    generator = np.random.default_rng(0)
    pool = [generator.bytes(15) + bytes([i % 3]) for i in range(300)] + [bytes(16), b"\1" + bytes(15)]
    places, settled = Places(), []
    for step in range(6):
        added = some_blocks(generator, pool, f"s{step}-", step)
        recent = some_blocks(generator, pool, f"t{step}-", (5 - step) % 3)
        settled += added
        places = places.with_shards(added, recent)
        expected: dict[bytes, list[tuple[str, int]]] = {}
        for name, hashes in [*settled, *recent]:
            for row in range(len(hashes) // 16):
                expected.setdefault(hashes[16 * row : 16 * row + 16], []).append((name, row))
        assert places.names == tuple(name for name, _ in [*settled, *recent])
        shards, rows = places.find(b"".join(pool))
        for key, shard, row in zip(pool, shards, rows, strict=True):
            assert (key in expected) == (shard >= 0)
            if key in expected:
                assert (places.names[shard], row) == expected[key][0]
        assert places == {key.hex() for key in expected}
        assert len(places) == len(expected)
        assert (pool[0].hex() in places) == (pool[0] in expected)
        assert places.among([key.hex() for key in pool]) == {key.hex() for key in expected}
    assert bytes(16)[:15].hex() + "02" not in places


@pytest.mark.usefixtures("often")
def test_what_was_known_earlier_is_as_it_was_however_the_table_grew():
    generator = np.random.default_rng(2)
    pool = [generator.bytes(16) for _ in range(60)]
    earlier = [Places()]
    for step in range(8):
        earlier.append(earlier[-1].with_shards(some_blocks(generator, pool, f"s{step}-", 1)))
    known = [(set(each), *map(np.ndarray.tolist, each.find(b"".join(pool)))) for each in earlier]
    other = earlier[3].with_shards(some_blocks(generator, pool, "other", 5))  # than those that came there
    assert other.table is not earlier[3].table
    assert other.names[:3] == earlier[3].names
    for each, was in zip(earlier, known, strict=True):
        assert (set(each), *map(np.ndarray.tolist, each.find(b"".join(pool)))) == was
    assert earlier[1].table is earlier[-1].table


@pytest.mark.usefixtures("often")
def test_tables_that_grow_alike_stay_one_in_memory_and_others_do_not():
    generator = np.random.default_rng(1)
    pool = [generator.bytes(16) for _ in range(60)]
    first, second, other = Places(), Places(), Places()
    for step in range(8):
        hashes = b"".join(pool[i] for i in generator.integers(0, len(pool), 20))  # often there already
        first = first.with_shards([(f"a{step}", hashes)])
        second = second.with_shards([(f"b{step}", hashes)], (), [other.table, first.table])
        less = hashes[:-16] if step == 5 else hashes
        other = other.with_shards([(f"c{step}", less)], (), [first.table])
        assert second.table is first.table
        assert second.names[-1] == f"b{step}"
        assert (other.table is first.table) == (step < 5)
    assert len(other.table) == len(first.table) - 1
    assert other.starts[-1] == first.starts[-1] - 1
    alone = Places().with_shards([("x", b"".join(pool))], (), [first.table])
    assert alone.table is not first.table
    assert set(alone) == {key.hex() for key in pool}


def test_a_row_takes_20_bytes_and_a_table_that_grows_no_second_one(monkeypatch):
    import tracemalloc

    monkeypatch.setattr(row_table, "AT_ONCE", 1000)
    generator, table = np.random.default_rng(3), RowTable()
    tracemalloc.start()
    for _ in range(20):
        table.add_block(generator.bytes(16 * 1000))
        table.settle()
    held, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert table.nbytes == 20_000 * 20
    assert held < 20_000 * 24  # Python leaves room behind what grows
    assert peak < 20_000 * 24 + 1000 * 150
