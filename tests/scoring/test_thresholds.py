"""One threshold for all models, or one each."""

import pytest

from src.common.errors import UserError
from src.scoring.thresholds import one_threshold_each


def test_one_threshold_counts_for_all_models_and_several_for_one_each():
    assert one_threshold_each([], 2) == []
    assert one_threshold_each([0.5], 3) == [0.5, 0.5, 0.5]
    assert one_threshold_each([1, 2], 2) == [1, 2]
    with pytest.raises(UserError, match="--threshold is given 2 times for 3 models; give one for all or one"):
        one_threshold_each([1, 2], 3)
