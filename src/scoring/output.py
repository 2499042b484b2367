"""Scored images as a CSV, JSON or Parquet file, or as a table for the terminal. docs/scoring.md describes them."""

import atexit
import csv
import io
import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..common import UserError, check_writable, number_of, replacing
from ..features import is_remote, write_object
from ..scores import json_text, refuse_lost_scores, shown

if TYPE_CHECKING:
    from .models import Model, Scored

SUFFIXES = (".csv", ".json", ".parquet")
COLUMNS = ("model_score", "percentile", "error", "filter_score", "passes")  # what `columns_of` begins with
BLOCK = 10_000  # rows in memory at once as text


def check_outfile(text: str, watch: bool, score_column: str) -> Path:
    """The path of --outfile, refused now rather than after an hour; what holds a person's scores is too."""
    path = Path(text).expanduser()
    _check_suffix(text)
    if watch and path.suffix.lower() != ".csv":
        raise UserError(f"--outfile={text}: --watch appends to it line by line, so it must end with .csv")
    check_writable("outfile", path)
    if path.suffix.lower() == ".parquet":
        pyarrow_for(text)
    refuse_lost_scores("outfile", path, score_column, lambda columns: all(c.startswith(COLUMNS) for c in columns))
    return path


def _check_suffix(text: str) -> None:
    if not text.lower().endswith(SUFFIXES):
        raise UserError(f"--outfile={text}: must end with .csv, .json or .parquet")


def local_outfile(text: str, in_parts: bool) -> str:
    """What --outfile names, or where that is an address, a file of this machine that `upload` brings there.

    in_parts: it is one of several, or grows. Raises UserError where an address can't be that.
    """
    if not is_remote(text):
        return text
    if in_parts:
        raise UserError(
            f"--outfile={text}: shards, --watch and --engine=ray need a folder of this machine; name a file in one"
        )
    _check_suffix(text)
    folder = tempfile.mkdtemp(prefix="scores-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return str(Path(folder) / text.rpartition("/")[2])


def upload(outfile: Path, text: str) -> None:
    """Where --outfile=text is an address, put the file there."""
    if is_remote(text):
        write_object(text, outfile.read_bytes())


def place_of(outfile: Path | None, text: str | None) -> str | Path | None:
    """Where the scores are, once they are written: text, what --outfile says, where that is an address."""
    return text if text and is_remote(text) else outfile


def check_names(outfile: Path, paths: Sequence[str]) -> None:
    """Refuse now names that the outfile can't hold, rather than after an hour."""
    odd = [path for path in paths if outfile.suffix.lower() == ".parquet" and not _is_unicode(path)]
    if odd:
        more = f" and {len(odd) - 3} more" if len(odd) > 3 else ""
        raise UserError(
            f"--outfile={outfile}: Parquet can't hold names that are no UTF-8; rename "
            f"{', '.join(map(shown, odd[:3]))}{more}, or write a .csv"
        )


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def columns_of(models: "Sequence[Model]") -> list[str]:
    """Names of the columns: one model's are plain, several models' carry its name."""
    return [name for name, _ in _kinds_of(models)]


def _kinds_of(models: "Sequence[Model]") -> list[tuple[str, type]]:
    """Each column's name and what it holds."""
    kinds: list[tuple[str, type]] = [("relative_path", str)]
    for model in models:
        ending = f"_{model.name}" if len(models) > 1 else ""
        kinds += [(f"model_score{ending}", float), (f"percentile{ending}", float)]
        kinds += [(f"error{ending}", float)] * _has_error(model)
        kinds += [(f"filter_score{ending}", float)] * (model.gate is not None)
        kinds += [(f"passes{ending}", int)] * _may_fail(model)
    return kinds


def _has_error(model: "Model") -> bool:
    return model.has_error or (model.gate is not None and model.gate.model.has_error)


def _may_fail(model: "Model") -> bool:
    return model.threshold is not None or model.gate is not None


def rows_of(scored: "Scored") -> Iterator[list[Any]]:
    """A row for each image, in the order of `columns_of`: text, then numbers, None where there is none, 0 or 1."""
    for start in range(0, len(scored), BLOCK):
        part = scored.part(np.arange(start, min(start + BLOCK, len(scored))))
        yield from zip(part.paths, *_columns(part), strict=True)


def _columns(scored: "Scored") -> list[list[Any]]:
    columns: list[list[Any]] = []
    passed = scored.passed()
    for i, model in enumerate(scored.models):
        columns += [_short(scored.scores[:, i]), _rounded(model.percentiles(scored.scores[:, i]))]
        columns += [_short(scored.errors[:, i])] * _has_error(model)
        columns += [_short(scored.gates[:, i])] * (model.gate is not None)
        columns += [passed[:, i].astype(int).tolist()] * _may_fail(model)
    return columns


def _short(values: np.ndarray) -> list[float | None]:
    # Networks compute in float32: the shortest text that reads back as the same float32 is all that is known.
    return [float(str(value)) if np.isfinite(value) else None for value in values.astype(np.float32)]


def _rounded(percentiles: np.ndarray) -> list[float | None]:
    return [round(value, 2) if value == value else None for value in percentiles.tolist()]


def write_scores(path: Path, scored: "Scored") -> None:
    """Replace `path` atomically, a row for each image in their order. Raises UserError where it can't be written."""
    write = {".csv": _write_csv, ".json": _write_json, ".parquet": _write_parquet}[path.suffix.lower()]
    with replacing(path) as temporary:
        write(temporary, scored)


def csv_lines(rows: Iterable[Sequence[Any]]) -> Iterator[bytes]:
    """One line each. Undecodable bytes of a file's name are written as they are."""
    for row in rows:
        text = io.StringIO()
        # csv quotes whatever is part of its line end: with \r\n it is both in every version of Python.
        csv.writer(text, lineterminator="\r\n").writerow(["" if value is None else value for value in row])
        yield (text.getvalue().removesuffix("\r\n") + "\n").encode("utf-8", "surrogateescape")


def _write_csv(path: Path, scored: "Scored") -> None:
    with path.open("wb") as file:
        file.writelines(csv_lines(iter([columns_of(scored.models)])))
        file.writelines(csv_lines(rows_of(scored)))


def _write_json(path: Path, scored: "Scored") -> None:
    names = columns_of(scored.models)
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.write('{\n  "ImageRecords": {')
        for number, row in enumerate(rows_of(scored)):
            record = {"relative_filepath": row[0], **dict(zip(names[1:], row[1:], strict=True))}
            file.write(f"{',' if number else ''}\n    {json_text(row[0])}: {json_text(record)}")
        file.write(
            '\n  },\n  "Metadata": ' + json_text({"models": [str(model.path) for model in scored.models]}) + "\n}\n"
        )


def pyarrow_for(name: str) -> Any:
    """pyarrow with its Parquet; UserError where it is missing."""
    try:
        import pyarrow.parquet
    except ImportError:
        raise UserError(f"--outfile={name}: Parquet needs pyarrow; run: pip install pyarrow, or write a .csv")
    return pyarrow


def _write_parquet(path: Path, scored: "Scored") -> None:
    pyarrow = pyarrow_for(path.name)
    types = {str: pyarrow.string(), float: pyarrow.float64(), int: pyarrow.int8()}
    schema = pyarrow.schema([(name, types[kind]) for name, kind in _kinds_of(scored.models)])
    with pyarrow.parquet.ParquetWriter(path, schema) as writer:
        for start in range(0, max(1, len(scored)), BLOCK):
            part = scored.part(np.arange(start, min(start + BLOCK, len(scored))))
            columns = [part.paths, *_columns(part)]
            arrays = [pyarrow.array(v, k) for v, k in zip(columns, schema.types, strict=True)]
            writer.write_table(pyarrow.Table.from_arrays(arrays, schema=schema))


def table_head(models: "Sequence[Model]") -> str:
    """The names above `table_lines`."""
    names = columns_of(models)
    return "  ".join([*(f"{name:>{width}}" for name, width in zip(names[1:], _widths(names), strict=True)), names[0]])


def table_lines(scored: "Scored") -> Iterator[str]:
    """A line for each image in their order, for the terminal: numbers first."""
    widths = _widths(columns_of(scored.models))
    for row in rows_of(scored):
        yield "  ".join([*map(_cell, row[1:], widths), shown(row[0])])


def best_first(scored: "Scored") -> "Scored":
    """By the first model."""
    return scored.part(np.argsort(-scored.scores[:, 0], kind="stable"))


def _widths(names: list[str]) -> list[int]:
    return [max(10, len(name)) for name in names[1:]]


def _cell(value: Any, width: int) -> str:
    if value is None:
        return " " * width
    return f"{value:>{width}}" if isinstance(value, int) else f"{value:>{width}.4g}"


def unreadable_lines(scored: "Scored") -> list[str]:
    """What could not be read, and why."""
    lines = [f"  {shown(path)}: {reason}" for path, reason in scored.unreadable.items()]
    return [f"{number_of(len(lines), 'image')} could not be read, left out:", *lines] if lines else []


def check_readable(directory: Path, scored: "Scored", may_come: bool) -> None:
    """UserError, behind the reasons, where none of the images could be read. may_come: others may be there later."""
    if scored.unreadable and not (len(scored) or may_come):
        print("\n".join(unreadable_lines(scored)), file=sys.stderr)
        raise UserError(f"{directory}: none of {len(scored.unreadable)} images can be read; see --directory")


def summarise(scored: "Scored", chosen: int, place: str | Path | None, seconds: float) -> None:
    """How much was new, and what was left out and why; on stderr, so that tables can be piped."""
    lines = [*unreadable_lines(scored), *summary_lines(scored, chosen, seconds)]
    print("\n".join([*lines, f"Scores are in {place}"] if place else lines), file=sys.stderr)


def summary_lines(scored: "Scored", chosen: int, seconds: float) -> list[str]:
    """How many were stopped by a filter, how many were scored, and how much work that was."""
    lines = [
        f"{model.name}: {stopped} of {len(scored)} images fail {model.gate.model.path} ({model.gate.threshold:g} is "
        "needed) and have its score."
        for model, stopped in zip(scored.models, scored.stopped().sum(axis=0).tolist(), strict=True)
        if model.gate
    ]
    through = f"{scored.extracted} through the image model"
    if scored.extracted < len(scored):
        through += ", the others known from the cache or as copies of others"
    return [*lines, f"{number_of(len(scored), 'image')} scored in {seconds:.1f} s: {through}; {chosen} chosen."]


def write_rows(outfile: Path | None, scored: "Scored") -> None:
    """A line for each image at the end of the outfile, a CSV, where there is one, and here."""
    if outfile and len(scored) and not outfile.exists():  # somebody took it away, with the lines of before
        append_line(outfile, columns_of(scored.models))
    for row, line in zip(rows_of(scored), table_lines(scored), strict=True):
        if outfile:
            append_line(outfile, row)
        print(line, flush=True)


def append_line(path: Path, row: list[Any]) -> None:
    """Add one line to a CSV, on disk when this returns."""
    line = next(csv_lines(iter([row])))
    try:
        with path.open("ab", buffering=0) as file:
            file.write(line)
    except OSError as error:
        raise UserError(f"{path}: can't be appended to ({error.strerror}); close what has it open, or make room")
