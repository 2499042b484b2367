"""Names in few bytes against a list of the same texts."""

import random
import tracemalloc

import numpy as np
import pytest

from src.common import Names, many_names
from src.common.many_names import BLOCK

RUN = 2 * BLOCK  # in the place of 65,536
ODD = ["", "ü/\udcff.png", "a b\n", "写真/1.jpg", "😀.png", "a", "a/b", "a-b", "\U0010ffff", "\ue000", "a\0b"]


def some(count, seed=0):
    generator = random.Random(seed)
    return [generator.choice(ODD) + str(generator.randrange(10**9)) for _ in range(count)]


@pytest.mark.parametrize("count", [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 5 * BLOCK + 7])
def test_they_are_what_a_list_is(count):
    expected = some(count)
    names = Names(expected)
    assert len(names) == count
    assert list(names) == expected
    assert names == expected
    assert expected == names
    assert names == Names(expected)
    assert [names[place] for place in range(-count, count)] == expected + expected
    assert [names[place] for place in np.arange(count)] == expected
    for cut in (slice(None), slice(3, 70), slice(60, None, 7), slice(None, None, -1), slice(-70, -2), slice(9, 3)):
        assert names[cut] == expected[cut]
    for place in (count, -count - 1):
        with pytest.raises(IndexError):
            names[place]
    assert names != [*expected, "more"]
    assert names != [*expected[1:], "other"]
    assert names != "text"


def test_more_can_be_added():
    names = Names(ODD)
    names.append("x")
    names.extend(some(BLOCK))
    assert names == [*ODD, "x", *some(BLOCK)]


@pytest.mark.parametrize("count", [0, 3, BLOCK, RUN - 1, RUN, RUN + 1, 5 * RUN + 100])
def test_they_are_sorted_as_a_list_would_be(monkeypatch, count):
    monkeypatch.setattr(many_names, "RUN", RUN)
    texts = some(count)
    for order in (texts, sorted(texts), sorted(texts, reverse=True)):
        names = Names(order)
        names.sort()
        assert names == sorted(texts)
        assert names[count // 2 : count // 2 + 3] == sorted(texts)[count // 2 : count // 2 + 3]


def test_they_take_fewer_bytes_than_they_have_letters_and_sorting_little_more(monkeypatch):
    monkeypatch.setattr(many_names, "RUN", 16 * BLOCK)
    count, letters = 20 * 16 * BLOCK, 25

    def one_name(i):
        return f"train/{i * 7919 % count:014}.jpeg"

    tracemalloc.start()
    names = Names(map(one_name, range(count)))
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.reset_peak()
    names.sort()
    after, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(names[0]) == letters
    assert held / count < letters / 2
    assert after / count < letters / 2
    assert peak / count < letters + 15


def test_what_is_drained_is_gone_block_by_block():
    expected = some(5 * BLOCK + 7)
    names = Names(expected)
    drained = names.drained()
    assert next(drained) == expected[0]
    assert len(names) == 0
    assert names == []
    names.append("more")
    assert list(drained) == expected[1:]
    assert names == ["more"]
