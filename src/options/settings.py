"""Arguments -> the settings of a room."""

import argparse
from dataclasses import fields
from typing import Any, TypeVar

Settings = TypeVar("Settings")


def settings_of(kind: type[Settings], arguments: argparse.Namespace, **others: Any) -> Settings:
    """Settings of this kind, a dataclass, whose fields have the names of their options.

    others: fields with another value than the option's, or without one; without either, a field has its default.
    """
    named = {one.name for one in fields(kind)} & vars(arguments).keys()  # type: ignore[arg-type]
    return kind(**{name: getattr(arguments, name) for name in named} | others)
