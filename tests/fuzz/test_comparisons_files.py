"""Comparisons files whose bytes have changed, or that were cut: all choices, or one sentence; never another file."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from src.common.errors import UserError
from src.ratings import damage
from src.ratings.database import Comparisons
from tests.comparisons_file import CHOICES, as_a_scorer_leaves_it
from tests.fuzz.outcomes import BOUNDED, outcome


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return as_a_scorer_leaves_it(tmp_path_factory.mktemp("whole") / "comparisons.sqlite")


@pytest.fixture(scope="module", autouse=True)
def few_ids_beyond():
    """A rescue looks for rows at more ids than there are choices, but not at a thousand more."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(damage, "BEYOND", 2 * CHOICES)
        yield


def read(path):
    with Comparisons(path, "me") as database:
        return database.log("me")


@BOUNDED
@given(st.integers(0, 2**31), st.integers(1, 3000), st.sampled_from(["zeros", "noise", "cut"]))
def test_any_damage_is_an_error_or_harmless_and_never_changes_the_file(tmp_path, whole, seed, length, how):
    generator = random.Random(seed)
    data = bytearray(whole)
    start = generator.randrange(len(data))
    if how == "cut":
        del data[start:]
    else:
        part = bytes(length) if how == "zeros" else generator.randbytes(length)
        data[start : start + length] = part[: len(data) - start]
    for file in tmp_path.iterdir():
        file.unlink()
    path = tmp_path / "comparisons.sqlite"
    path.write_bytes(data)
    found = outcome(lambda: read(path))
    if isinstance(found, UserError):
        assert "\n" not in str(found)
        assert path.read_bytes() == data or "rows make no sense" in str(found)
    else:
        assert len(found) in (0, CHOICES - CHOICES // 10)  # 0: of the name of the rater, or of nothing at all
