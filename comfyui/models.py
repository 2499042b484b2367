"""Loaded models: kept by path, size and time, so that a file that was trained again is read again."""

import logging
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from ..src.common import UserError

if TYPE_CHECKING:
    from ..src.scoring import Scorer

KEPT = 2  # models, with their image models: as many as one workflow compares
FOLDERS = ("aesthetic", "customaesthetic")  # below ComfyUI's models; the second is the older tool's
DEVICES = ("auto", "cpu", "cuda", "mps")

_loaded: "OrderedDict[tuple, Scorer]" = OrderedDict()


def state(path: str | Path) -> tuple[str, int, int]:
    """What tells a model file from any other: path, bytes, nanoseconds. UserError where there is none."""
    try:
        found = Path(path).stat()
    except OSError as error:
        raise UserError(f"{path}: can't be read ({error.strerror}); put the model back, or choose another")
    return str(path), found.st_size, found.st_mtime_ns


def load(path: str | Path, device: str) -> "Scorer":
    """The model as a scorer; its image model is loaded when it first scores. UserError where it can't be had."""
    key = (*state(path), device)
    if key not in _loaded:
        with explained(str(path)):
            from ..src.scoring import load_scorer

            scorer = load_scorer(path, device)
        for line in scorer.notes:
            logging.info("aesthetic: %s", line)
        _loaded[key] = scorer
        while len(_loaded) > KEPT:
            _loaded.popitem(last=False)
    _loaded.move_to_end(key)
    return _loaded[key]


@contextmanager
def explained(model: str) -> Iterator[None]:
    """A package that ComfyUI's environment lacks, or has too old, as a sentence."""
    try:
        yield
    except ImportError as error:
        package = (error.name or "transformers").split(".")[0]
        raise UserError(
            f"{model}: its image model needs {package}, which can't be used here ({str(error)[:200]}); "
            "docs/comfyui.md says which versions do"
        )
