"""What a predictor file says of where it comes from, for those who need it; only they find out what is nonsense."""

import json
import math
from collections.abc import Mapping
from typing import Any, TypeVar

from ..common import UserError

Value = TypeVar("Value", dict[str, Any], list[Any], int, float)


def said_by(name: str, metadata: Mapping[str, str], key: str, kind: type[Value]) -> Value:
    """What a file's metadata say of where the model comes from, read as JSON. name: the model's.

    kind: dict, list, int or float. Raises UserError where it is something else, or not there.
    """
    text = metadata.get(key, "")
    try:
        value = json.loads(text)
        if kind is float and type(value) is int:
            value = float(value)
        if type(value) is kind and not (isinstance(value, float) and not math.isfinite(value)):
            return value
    except (ValueError, RecursionError, OverflowError):
        pass
    raise UserError(f"{name}: its metadata say {key}={text[:60]!r}, which can't be read; train the model again")
