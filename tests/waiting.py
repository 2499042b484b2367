"""Waiting for what another process or thread does, for as long as a busy machine needs, and not forever."""

import time


def wait_for(condition, seconds=180, every=0.05):
    """Return as soon as `condition()` is true; AssertionError if it is not within so many seconds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"waited {seconds} seconds in vain"
        time.sleep(every)
