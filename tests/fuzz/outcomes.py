"""What every fuzz test asks of an outcome: right, or exactly one sentence to a person."""

import os
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO

from hypothesis import HealthCheck, settings

from src.common.errors import UserError

MORE = os.environ.get("FUZZ_EXAMPLES")  # so many instead, and others each time
BOUNDED = settings(
    max_examples=int(MORE or 40),
    derandomize=not MORE,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def outcome(act):
    """What `act` gives, or the UserError that it ends with, whose text can be shown; any other error is raised."""
    try:
        with redirect_stdout(StringIO()), redirect_stderr(StringIO()):
            return act()
    except UserError as refusal:
        error = refusal
    text = str(error)
    assert text.strip()
    assert len(text) < 3000
    return error
