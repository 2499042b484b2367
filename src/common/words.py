"""Words for people."""

import os
import shlex
import subprocess
from collections.abc import Sequence

PLURAL = {"is": "are", "was": "were", "has": "have"}


def number_of(count: int, what: str, verb: str = "") -> str:
    """A number, its noun, which takes a plain s, and a verb: 1 image is, 2 images are; verb: is, was, has or none."""
    counted = f"{count} {what}" if count == 1 else f"{count} {what}s"
    return f"{counted} {verb if count == 1 else PLURAL[verb]}" if verb else counted


def all_of(names: Sequence[str]) -> str:
    """Names in a sentence: "a", "a and b", "a, b and c"."""
    return ", ".join([*names[:-2], " and ".join(names[-2:])])


def command_of(words: Sequence[str]) -> str:
    """Words as a line that can be typed: for a shell, or on Windows for its command prompt and PowerShell."""
    if os.name != "nt":
        return shlex.join(words)
    quoted = (subprocess.list2cmdline([word]) for word in words)
    return " ".join(f'"{word}"' if word.startswith("@") else word for word in quoted)  # a bare @ is PowerShell's own
