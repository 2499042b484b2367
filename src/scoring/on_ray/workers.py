"""What runs in Ray's processes: tasks that open images, and actors that ask the models. Rows come and go as Arrow.

Between the two a row has: place, its position among all images; reason, why it can't be scored; pixels, what the
image models need of it, as a file of numpy's, as each has its own shapes.
"""

import io
import os
import uuid
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ...common import notes_kept
from ...features import Extractor, extract_prepared, image_file, open_image, pixels_of
from ..models import Model, judge, load_models
from ..settings import ScoringSettings
from .parts import NAMES
from .pulse import Beats, tell


@dataclass(frozen=True)
class Order:
    """What all processes are told.

    folder: where the script was started, as names of image models may begin there. pulse: the name of the `Pulse`
    that hears of what is done, if there is one.
    """

    directory: Path
    models: tuple[Path, ...]
    settings: ScoringSettings
    folder: Path
    pulse: str = ""


def prepare(table: Any, order: Order) -> Any:
    """place, path -> place, reason, pixels. Runs on a CPU; no network is loaded."""
    import pyarrow

    extractors = _extractors(_models(replace(order, settings=replace(order.settings, device="cpu"))))
    beat = Beats(order.pulse)
    found = [_prepared(order.directory, path.decode(*NAMES), extractors, beat) for path in table["path"].to_pylist()]
    pixels, reasons = zip(*found, strict=True)
    columns = {"reason": pyarrow.array(reasons, pyarrow.string()), "pixels": pyarrow.array(pixels, pyarrow.binary())}
    return pyarrow.table({"place": table["place"], **columns})


def _prepared(
    directory: Path, path: str, extractors: Sequence[Extractor], beat: Callable[[], None]
) -> tuple[bytes | None, str | None]:
    held = []
    for extractor in extractors:
        pixels, reason = pixels_of(extractor, lambda least: open_image(image_file(directory, path), least))
        beat()
        if pixels is None:
            return None, reason
        held.append(pixels)
    file = io.BytesIO()
    np.savez(file, *held)
    return file.getvalue(), None


def _unpacked(held: bytes) -> list[np.ndarray]:
    with np.load(io.BytesIO(held), allow_pickle=False) as file:
        return [file[name] for name in file.files]


class Asking:
    """An actor: place, reason, pixels -> place, reason, values, a row (3 * models,) of scores, errors and gates.

    When it is made, its networks are in memory.
    """

    def __init__(self, order: Order) -> None:
        process = uuid.uuid4().hex
        tell(order.pulse, "loads", process)
        self._models, self._batch_size = _models(order), order.settings.extract_batch_size
        self._beat = Beats(order.pulse)
        grey = Image.new("RGB", (64, 64), (128, 128, 128))
        self._ask([[extractor.prepare(grey) for extractor in _extractors(self._models)]])  # the first call loads
        tell(order.pulse, "ready", process)

    def __call__(self, table: Any) -> Any:
        import pyarrow

        reasons = table["reason"].to_pylist()
        rows = [row for row, reason in enumerate(reasons) if reason is None]
        pixels = [_unpacked(held) for held in table["pixels"].to_pylist() if held is not None]
        values = np.full((3, len(reasons), len(self._models)), np.nan)
        if rows:
            values[:, rows], unusable = self._ask(pixels)
            for row, reason in zip(rows, unusable, strict=True):
                reasons[row] = reason
        flat = values.transpose(1, 0, 2).reshape(len(reasons), -1)  # (N, 3 * models)
        lists = pyarrow.FixedSizeListArray.from_arrays(pyarrow.array(flat.ravel()), flat.shape[1])
        return pyarrow.table(
            {"place": table["place"], "reason": pyarrow.array(reasons, pyarrow.string()), "values": lists}
        )

    def _ask(self, pixels: Sequence[Sequence[np.ndarray]]) -> tuple[np.ndarray, list[str | None]]:
        """(3, N, models) of N images with what each image model needs of them, and why one has no score."""
        known: dict[int, np.ndarray] = {}
        reasons: list[str | None] = [None] * len(pixels)
        for place, extractor in enumerate(_extractors(self._models)):
            own = [model for model in _asked(self._models) if model.extractor is extractor]
            states = sorted({state for model in own for state in model.config.hidden_states_used})
            held = [image[place] for image in pixels]
            features, finite = extract_prepared(held, extractor, states, self._batch_size, self._beat)
            known |= {id(model): model.predict(features) for model in own}
            for row in np.flatnonzero(~finite):
                reasons[row] = f"{extractor.in_words}: no finite features; leave out --fp16_features"
        return judge(self._models, known), reasons


@cache
def _models(order: Order) -> list[Model]:
    with suppress(OSError):  # on another machine
        os.chdir(order.folder)
    with notes_kept():
        return load_models(order.models, order.settings)


def _asked(models: Sequence[Model]) -> list[Model]:
    """The models and their filters."""
    return [*models, *(model.gate.model for model in models if model.gate)]


def _extractors(models: Sequence[Model]) -> list[Extractor]:
    """Each once, in an order that all processes agree on."""
    return list({id(model.extractor): model.extractor for model in _asked(models)}.values())
