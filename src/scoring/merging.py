"""All shards' tables as one: `--merge`. In memory is a row of each, whatever their lengths."""

import csv
import heapq
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..common import UserError, number_of, replacing
from ..features import is_remote
from .output import BLOCK, check_outfile, csv_lines, pyarrow_for
from .shards import SUFFIXES, About, Shard, read_about

Row = list[Any]  # a path, and what stands behind it


def merge(text: str, score_column: str) -> str:
    """Write what `--outfile=text` asks for from its shards, sorted by path; what there is to say of it.

    The rows that one process would have written of a folder, in its order. Raises UserError where a shard is
    missing, is of other images or models than the others, or has not as many rows as it says.
    """
    if is_remote(text):
        raise UserError(
            f"--outfile={text}: --merge puts files of this machine together; name the one they were given"
        )
    outfile = check_outfile(text, False, score_column)
    check_suffix("merge", outfile)
    shards = find_shards(outfile)
    files = [shard.file(outfile) for shard in shards]
    abouts = [read_about(file) for file in files]
    _check_together(outfile, shards, abouts)
    merged = _merge_csv if outfile.suffix.lower() == ".csv" else _merge_parquet
    with replacing(outfile) as temporary:
        merged(files, abouts, temporary)
    rows, unreadable = sum(about.rows for about in abouts), sum(about.unreadable for about in abouts)
    return f"{number_of(rows, 'row')} of {len(shards)} shards; {number_of(unreadable, 'image')} could not be read."


def check_suffix(option: str, outfile: Path) -> None:
    """UserError for what can't be put together row by row."""
    if outfile.suffix.lower() not in SUFFIXES:
        raise UserError(f"--{option}: needs an --outfile that ends with .csv or .parquet, not {outfile.name}")


def find_shards(outfile: Path) -> list[Shard]:
    """All of them, by number; UserError where there are none, or some are missing."""
    pattern = re.compile(
        re.escape(outfile.stem) + r"\.shard-(\d+)-of-(\d+)" + re.escape(outfile.suffix), re.IGNORECASE
    )
    matches = [found for path in outfile.parent.iterdir() if (found := pattern.fullmatch(path.name))]
    counts = sorted({int(found[2]) for found in matches})
    if len(counts) != 1:
        there = (
            f"those of {' and of '.join(map(str, counts))} are there; delete the others"
            if counts
            else "none is there"
        )
        raise UserError(f"--merge: no one set of shards beside {outfile}: {there}")
    numbers = {int(found[1]) for found in matches}
    missing = [number for number in range(1, counts[0] + 1) if number not in numbers]
    if missing:
        first, more = f"--shard={missing[0]}/{counts[0]}", f" and {len(missing) - 1} more" if missing[1:] else ""
        raise UserError(
            f"--merge: of {counts[0]} shards of {outfile} there is not {first}{more}; run what is missing"
        )
    return [Shard(number, counts[0]) for number in sorted(numbers)]


def _check_together(outfile: Path, shards: list[Shard], abouts: list[About]) -> None:
    """All of one list of images, by the same models, and together all of it."""
    for shard, about in zip(shards, abouts, strict=True):
        for what, one, first in (
            ("models or choices", about.asked, abouts[0].asked),
            ("images", about.listed, abouts[0].listed),
        ):
            if one != first:
                raise UserError(f"--merge: {shard.file(outfile)} is of other {what} than shard 1; run it again")
    if (own := sum(about.own for about in abouts)) != abouts[0].listed:
        raise UserError(
            f"--merge: the shards of {outfile} hold {own} of {abouts[0].listed} images; they changed meanwhile: "
            "delete the shards, and run them again"
        )


def _counted(rows: Iterator[Row], file: Path, expected: int) -> Iterator[Row]:
    """UserError, behind the last row, where there were more or fewer."""
    count = 0
    for row in rows:
        count += 1
        yield row
    if count != expected:
        raise UserError(f"{file}: has {count} rows and should have {expected}; delete it, and run that shard again")


def _in_order(rows: list[Iterator[Row]], files: list[Path], abouts: list[About]) -> Iterator[Row]:
    counted = [_counted(one, file, about.rows) for one, file, about in zip(rows, files, abouts, strict=True)]
    return heapq.merge(*counted, key=lambda row: row[0])


def _merge_csv(files: list[Path], abouts: list[About], target: Path) -> None:
    readers = [_csv_rows(file) for file in files]
    headers = [next(reader, []) for reader in readers]
    for file, header in zip(files, headers, strict=True):
        if header != headers[0]:
            raise UserError(f"{file}: has other columns than {files[0].name}; delete it, and run that shard again")
    with target.open("wb") as out:
        out.writelines(csv_lines(iter(headers[:1])))
        out.writelines(csv_lines(_in_order(readers, files, abouts)))


def _csv_rows(file: Path) -> Iterator[Row]:
    with file.open(encoding="utf-8", errors="surrogateescape", newline="") as lines:
        yield from csv.reader(lines)


def _merge_parquet(files: list[Path], abouts: list[About], target: Path) -> None:
    pyarrow = pyarrow_for(files[0].name)
    tables = [pyarrow.parquet.ParquetFile(file) for file in files]
    schema = tables[0].schema_arrow
    for file, table in zip(files, tables, strict=True):
        if not table.schema_arrow.equals(schema):
            raise UserError(f"{file}: has other columns than {files[0].name}; delete it, and run that shard again")
    rows = _in_order([_parquet_rows(table) for table in tables], files, abouts)
    with pyarrow.parquet.ParquetWriter(target, schema) as writer:
        while block := _block(rows):
            columns = zip(zip(*block, strict=True), schema.types, strict=True)
            arrays = [pyarrow.array(values, kind) for values, kind in columns]
            writer.write_table(pyarrow.Table.from_arrays(arrays, schema=schema))


def _parquet_rows(table: Any) -> Iterator[Row]:
    for batch in table.iter_batches(batch_size=1000):
        columns = [column.to_pylist() for column in batch.columns]
        yield from (list(row) for row in zip(*columns, strict=True))


def _block(rows: Iterator[Row]) -> list[Row]:
    return [row for _, row in zip(range(BLOCK), rows, strict=False)]
