"""Arguments -> the settings of a room."""

import argparse
from dataclasses import fields
from typing import Any, TypeVar

Settings = TypeVar("Settings")


def settings_of(kind: type[Settings], arguments: argparse.Namespace, **others: Any) -> Settings:
    """Settings of this kind, a dataclass, each field of which has the name of its option.

    others: fields that have no option, or not with this value.
    """
    named = {one.name for one in fields(kind)} - others.keys()  # type: ignore[arg-type]
    return kind(**{name: getattr(arguments, name) for name in named}, **others)
