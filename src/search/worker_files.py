"""Where processes that share in one search keep what each of them finds."""

import atexit
from contextlib import suppress
from pathlib import Path

from ..common import UserError, process_name


def workers_folder(model: Path) -> Path:
    """Where the models of workers are that share in the search for this one, each in a folder of its own."""
    return model.with_suffix(".workers")


def worker_model(model: Path) -> Path:
    """Where this process, a worker, writes the best that it finds; the folder is made, and gone at the end if empty.

    Raises UserError where it can't be made.
    """
    own = workers_folder(model) / process_name() / model.name
    try:
        own.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{own.parent}: can't be made ({error.strerror}); make room, or give another --model")
    atexit.register(_remove_if_empty, own.parent)  # as of a worker that is refused
    return own


def _remove_if_empty(folder: Path) -> None:
    with suppress(OSError):  # it is not, or others' are beside it
        folder.rmdir()
        folder.parent.rmdir()
