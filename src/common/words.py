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


def command_of(words: Sequence[str]) -> str:
    """Words as a line that can be typed: for a shell, or on Windows for its command prompt."""
    return subprocess.list2cmdline(words) if os.name == "nt" else shlex.join(words)
