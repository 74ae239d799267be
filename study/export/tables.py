"""Tables as CSV and Parquet, written in batches so that memory does not grow with the record.

In CSV an empty text is `""` and a missing value is nothing at all between the commas; times stay as they stand in the
record. In Parquet numbers, times and dates have types.
"""

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa
from pyarrow import csv, parquet

from study.export.dictionary import Column

__all__ = ["CsvFile", "ParquetFile", "RowFile", "write_rows"]

BATCH = 5_000
"""Rows that are held in memory at a time. Turns with their provenance have some kilobytes each."""

_TYPES = {
    "integer": pa.int64(),
    "key": pa.int64(),
    "visit": pa.int64(),
    "form": pa.int64(),
    "minute": pa.int64(),
    "number": pa.float64(),
    "time": pa.timestamp("ms", tz="UTC"),
    "date": pa.date32(),
}
"""The Parquet type of a column; all others are text."""


class RowFile(Protocol):
    """A file that takes batches of rows."""

    def write(self, batch: pa.RecordBatch) -> None: ...

    def close(self) -> None: ...


class CsvFile:
    def __init__(self, path: Path, columns: Sequence[Column]) -> None:
        self._writer = csv.CSVWriter(str(path), _schema(columns))

    def write(self, batch: pa.RecordBatch) -> None:
        self._writer.write_batch(batch)

    def close(self) -> None:
        self._writer.close()


class ParquetFile:
    def __init__(self, path: Path, columns: Sequence[Column]) -> None:
        described = [
            pa.field(column.name, _TYPES.get(column.type, pa.string()), metadata={"description": column.description})
            for column in columns
        ]
        self._schema = pa.schema(described)
        self._writer = parquet.ParquetWriter(str(path), self._schema, compression="zstd")

    def write(self, batch: pa.RecordBatch) -> None:
        arrays = [array.cast(field.type) for array, field in zip(batch.columns, self._schema, strict=True)]
        self._writer.write_batch(pa.RecordBatch.from_arrays(arrays, schema=self._schema))

    def close(self) -> None:
        self._writer.close()


def write_rows(
    rows: Iterable[Sequence[Any]] | sqlite3.Cursor,
    columns: Sequence[Column],
    files: Sequence[RowFile],
    step: Callable[[int], None] = lambda rows: None,
) -> int:
    """Write `rows` into each of `files`, close them, and return how many there were. `step` is told of each batch."""
    schema = _schema(columns)
    source = iter(rows)
    count = 0
    writing: list[Future[None]] = []
    # While the files are written, which needs no Python, the next batch is read.
    with ThreadPoolExecutor(max(1, len(files))) as pool:
        try:
            while batch := list(islice(source, BATCH)):
                values = zip(*batch, strict=True)
                arrays = [pa.array(column, field.type) for column, field in zip(values, schema, strict=True)]
                ready = pa.RecordBatch.from_arrays(arrays, schema=schema)
                _finish(writing)
                writing = [pool.submit(file.write, ready) for file in files]
                count += len(batch)
                step(len(batch))
            _finish(writing)
        finally:
            wait(writing)
            for file in files:
                file.close()
    return count


def _finish(writing: Sequence[Future[None]]) -> None:
    """Wait until they are done, and raise what they raised."""
    for one in writing:
        one.result()


def _schema(columns: Sequence[Column]) -> pa.Schema:
    """Numbers as numbers, all else as the text that stands in the record."""
    plain = {"integer", "key", "visit", "form", "minute", "number"}
    return pa.schema(
        [(column.name, _TYPES[column.type] if column.type in plain else pa.string()) for column in columns]
    )
