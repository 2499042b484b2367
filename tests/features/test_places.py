"""The compact set of contents against a plain dictionary."""

import numpy as np

from src.features.feature_cache.places import Places


def test_places_agree_with_a_dictionary_where_the_older_shard_counts():
    generator = np.random.default_rng(0)
    pool = [generator.bytes(15) + bytes([i % 3]) for i in range(300)] + [bytes(16), b"\1" + bytes(15)]
    expected, places = {}, Places()
    for step in range(6):
        added = []
        for number in range(step):
            keys = [pool[i] for i in generator.integers(0, len(pool), 40)]
            name = f"{step}-{number}"
            added.append((name, b"".join(keys)))
            for row, key in enumerate(keys):
                expected.setdefault(key, set()).add((name, row))
        places = places.with_shards(added)
    shards, rows = places.find(b"".join(pool))
    for key, shard, row in zip(pool, shards, rows, strict=True):
        if key in expected:
            name = places.names[shard]
            assert (name, row) in expected[key]
            assert name == min(name for name, _ in expected[key])
        else:
            assert shard == -1
    assert places == {key.hex() for key in expected}
    assert pool[0].hex() in places or pool[0] not in expected
    assert bytes(16)[:15].hex() + "02" not in places


def test_tables_that_grow_alike_stay_one_in_memory_and_others_do_not():
    generator = np.random.default_rng(1)
    pool = [generator.bytes(16) for _ in range(60)]
    first, second, other = Places(), Places(), Places()
    for step in range(8):
        hashes = b"".join(pool[i] for i in generator.integers(0, len(pool), 20))  # often there already
        first = first.with_shards([(f"a{step}", hashes)])
        second = second.with_shards([(f"b{step}", hashes)], [other, first])
        less = hashes[:-16] if step == 5 else hashes
        other = other.with_shards([(f"c{step}", less)], [first])
        assert second.keys is first.keys
        assert second.rows is first.rows
        assert second.names[-1] == f"b{step}"
        assert (other.keys is first.keys) == (step < 5)
    assert len(other.keys) == len(first.keys) - 1
    alone = Places().with_shards([("x", first.keys.tobytes())])
    assert alone.keys is not first.keys
    assert (alone.keys == first.keys).all()
