"""Images behind addresses, such as s3://bucket/a.jpg, through fsspec and whatever package it needs for each kind."""

from collections.abc import Mapping
from datetime import datetime, timezone
from functools import cache
from typing import Any

from ...common import UserError, first_line
from .errors import UnreadableImage
from .held import Held


def is_remote(path: str) -> bool:
    """Whether it is an address rather than the path of a file."""
    return "://" in path


def held_object(address: str) -> Held:
    """The image, which need not be there. Raises UserError where a package for such addresses is missing."""
    system = file_system(address)

    def read() -> bytes:
        try:
            return bytes(system.cat_file(address))
        except FileNotFoundError:
            raise UnreadableImage("no such file")
        except Exception as error:  # each kind of store has errors of its own
            raise UnreadableImage(f"can't be read: {first_line(error)}")

    return Held(address, read)


def about_object(address: str) -> tuple[int, int] | None:
    """(size in bytes, ms from 1970 to its last change, 0 where the store does not say); None where it is not."""
    system = file_system(address)
    try:
        info = system.info(address)
    except Exception:  # whatever it is: the image counts as changed, and whoever reads it is told
        return None
    return int(info.get("size") or 0), _milliseconds(info)


def objects_below(address: str) -> list[str]:
    """Addresses of all files below a remote folder, sorted. Raises UserError where it can't be listed."""
    system = file_system(address)
    try:
        names = system.find(address)
    except Exception as error:
        raise UserError(
            f"{address}: can't be listed ({first_line(error)}); is the address right, and may you read it?"
        )
    return sorted(system.unstrip_protocol(name) for name in names)


def write_object(address: str, data: bytes) -> None:
    """Put a file there in one step. Raises UserError where that can't be done."""
    system = file_system(address)
    try:
        system.pipe_file(address, data)
    except Exception as error:
        raise UserError(
            f"{address}: can't be written ({first_line(error)}); is the address right, and may you write it?"
        )


def file_system(address: str) -> Any:
    """fsspec's file system of an address; UserError where a package for it is missing."""
    return _file_system(address.partition("://")[0])


@cache
def _file_system(protocol: str) -> Any:
    try:
        import fsspec
    except ImportError:
        raise UserError(f"{protocol}://: needs fsspec; run: pip install -r requirements-remote.txt")
    try:
        return fsspec.filesystem(protocol)
    except (ImportError, ValueError) as error:
        raise UserError(
            f"{protocol}://: {first_line(error)}; see requirements-remote.txt for what reads s3, gs and hf"
        )


def _milliseconds(info: Mapping[str, Any]) -> int:
    """When it changed, by whichever name this kind of store has for it."""
    for name in ("mtime", "LastModified", "last_modified", "updated", "created"):
        value = info.get(name)
        if isinstance(value, str):
            try:
                value = datetime.fromisoformat(value.replace("Z", "+00:00"))
            except ValueError:
                continue
        if isinstance(value, datetime):
            moment = value if value.tzinfo else value.replace(tzinfo=timezone.utc)
            return int(moment.timestamp() * 1000)
        if isinstance(value, int | float):
            return int(value * 1000)
    return 0
