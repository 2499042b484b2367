"""The one error that people see, and the way every script shows it."""

import sys
from collections.abc import Callable


class UserError(Exception):
    """Something a person can mend. The message says where, what is wrong, and what would be right."""


def run(main: Callable[[], None]) -> None:
    """Run a script's `main`; a UserError is printed as one line and exits with 2, Ctrl-C exits with 130."""
    try:
        main()
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print("stopped by Ctrl-C; what was finished is kept", file=sys.stderr)
        sys.exit(130)
