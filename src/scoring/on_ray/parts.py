"""Scores that have come back, on disk: `scores.parts/` beside the outfile, so that a killed run goes on.

Every few seconds a Parquet file is added, in one step, so that a row is there with all it says or not at all.
"""

import json
import shutil
import time
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ...common import UserError, note, replacing, write_text
from ...features import file_stamps, is_remote
from ..output import pyarrow_for
from ..settings import ScoringSettings
from ..shards import digest_of_files

SECONDS_IN_MEMORY = 10.0
ROWS_IN_MEMORY = 50_000
ABOUT = "about.json"
NAMES = ("utf-8", "surrogatepass")  # names of files need not be Unicode, and Arrow's text must be
KINDS = ("scores", "errors", "gates")


class Parts:
    """folder: made if it is missing. asked: what the scores depend on beside the images, as text.

    Raises UserError where the folder holds scores of other models.
    """

    def __init__(self, folder: Path, asked: str) -> None:
        self.folder, self.asked = folder, asked
        self._rows: list[tuple[Sequence[str], np.ndarray]] = []
        self._last = time.monotonic()
        self._pyarrow = pyarrow_for(folder.name)
        folder.mkdir(parents=True, exist_ok=True)
        about = folder / ABOUT
        if not about.exists():
            write_text(about, json.dumps({"asked": asked}) + "\n")
        elif _said(about) != asked:
            raise UserError(
                f"{folder}: holds what another model or other settings gave; delete it, or give another --outfile"
            )

    def add(self, paths: Sequence[str], values: np.ndarray) -> None:
        """values: (3, N, models) scores, errors and gates of N images, on disk soon after."""
        self._rows.append((paths, values))
        rows = sum(len(names) for names, _ in self._rows)
        if rows >= ROWS_IN_MEMORY or time.monotonic() - self._last > SECONDS_IN_MEMORY:
            self.flush()

    def flush(self) -> None:
        """Write what is still in memory."""
        self._last = time.monotonic()
        if not self._rows:
            return
        names = [path.encode(*NAMES) for paths, _ in self._rows for path in paths]
        values = np.concatenate([values for _, values in self._rows], axis=1)  # (3, N, models)
        columns = {"path": self._pyarrow.array(names, self._pyarrow.binary())}
        for kind, block in zip(KINDS, values, strict=True):
            flat = self._pyarrow.array(block.ravel(), self._pyarrow.float64())
            columns[kind] = self._pyarrow.FixedSizeListArray.from_arrays(flat, block.shape[1])
        with replacing(self.folder / f"{uuid.uuid4().hex}.parquet") as temporary:
            self._pyarrow.parquet.write_table(self._pyarrow.table(columns), temporary)
        self._rows = []

    def read(self, directory: Path) -> Iterator[tuple[list[str], np.ndarray]]:
        """Paths of N images and (3, N, models), part by part; without files here that were changed since."""
        for file in sorted(self.folder.glob("*.parquet")):
            try:
                table = self._pyarrow.parquet.read_table(file)
                values = np.stack([_block(table[kind]) for kind in KINDS])
            except (self._pyarrow.ArrowException, OSError, KeyError, ValueError) as error:
                note(f"note: {file}: damaged ({error}); its images are scored again")
                continue
            paths = [name.decode(*NAMES) for name in table["path"].to_pylist()]
            written = file.stat().st_mtime * 1000
            stamps = file_stamps(directory, [path for path in paths if not is_remote(path)])
            rows = [
                row
                for row, path in enumerate(paths)
                if path not in stamps or max(stamps[path].mtime_ms, stamps[path].ctime_ms) < written
            ]
            yield [paths[row] for row in rows], values[:, rows]

    def remove(self) -> None:
        """They are in the outfile now."""
        shutil.rmtree(self.folder)


def parts_of(outfile: Path, models: Sequence[Path], settings: ScoringSettings) -> Parts:
    """Those of what is to be this outfile."""
    heeded = settings.gate, settings.head_extractor, settings.head_input
    return Parts(outfile.with_name(f"{outfile.stem}.parts"), digest_of_files(models, repr(heeded)))


def _block(column: Any) -> np.ndarray:
    """(N, models) of a column of lists of one length."""
    values = column.combine_chunks()
    return values.flatten().to_numpy(zero_copy_only=False).reshape(len(values), -1)


def _said(about: Path) -> object:
    try:
        return json.loads(about.read_text(encoding="utf-8"))["asked"]
    except (OSError, ValueError, TypeError, KeyError):
        return None
