"""Half-written files: how they are called while they are written, and the end of those whose writer is gone.

Such a name is .NAME.MACHINE-PROCESS-RANDOM.part, where NAME is the beginning of the file's own.
"""

import hashlib
import os
import platform
import re
import time
from contextlib import suppress
from functools import cache
from pathlib import Path

PART = ".part"
NAME_BYTES = 60  # of the file's own name: some file systems allow no more than 143 bytes in all
OURS = re.compile(r"\..*\.(?P<machine>[0-9a-f]{8})-(?P<process>\d+)-[^.]+" + re.escape(PART))
SECONDS_ELSEWHERE = 3600.0  # after so long without a change nobody is writing, on any machine
SECONDS_HERE = 86400.0  # a process of that number runs, but may be another by now


def part_prefix(path: Path) -> str:
    """What the name of a half-written `path` begins with, in as few bytes as every file system allows."""
    beginning = os.fsencode(path.name)[:NAME_BYTES].decode("utf-8", "ignore")
    return f".{beginning}.{_machine()}-{os.getpid()}-"


def new_part(path: Path) -> Path:
    """Where this process may write what is to become `path`; nothing lies there yet."""
    return path.with_name(f"{part_prefix(path)}new{PART}")


@cache  # once for each folder: one that holds a million images is not listed for every file written
def remove_parts(folder: Path) -> None:
    """Remove what killed programs left half written in this folder; never what a living one writes."""
    with suppress(OSError), os.scandir(folder) as entries:
        for name in [entry.name for entry in entries if entry.name.endswith(PART)]:
            match = OURS.fullmatch(name)
            with suppress(OSError):
                if match and _is_abandoned(folder / name, match["machine"], int(match["process"])):
                    (folder / name).unlink()


def process_name() -> str:
    """What this process is called among those of all machines: MACHINE-PROCESS."""
    return f"{_machine()}-{os.getpid()}"


def has_ended(name: str) -> bool:
    """Whether the process of this name ran on this machine, and runs no more; False for those of other machines."""
    machine, _, process = name.partition("-")
    return machine == _machine() and process.isdigit() and not _is_alive(int(process))


def _is_abandoned(part: Path, machine: str, process: int) -> bool:
    age = time.time() - part.stat().st_mtime
    if machine != _machine():
        return age > SECONDS_ELSEWHERE
    return not _is_alive(process) or age > SECONDS_HERE


def _is_alive(process: int) -> bool:
    if os.name == "nt":  # there os.kill would end it; but what is open can't be removed there
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True  # somebody else's
    return True


@cache
def _machine() -> str:
    """What tells this machine, since it was started, from others that share a folder; containers are some."""
    about = [platform.node()]
    with suppress(OSError):
        about.append(Path("/proc/sys/kernel/random/boot_id").read_text())
        about.append(os.readlink("/proc/self/ns/pid"))  # noqa: PTH115
    return hashlib.blake2b("\0".join(about).encode(), digest_size=4).hexdigest()
