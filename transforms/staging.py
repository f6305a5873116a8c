"""Reads one delivered file into DuckDB, whatever its format, so that what follows sees clean columns and an ordinal
for every record.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import duckdb

from contracts.definitions import FileFormat, ReadOptions
from contracts.errors import DropRefused
from transforms.csv_files import stage_csv
from transforms.json_line_files import stage_json_lines
from transforms.parquet_files import stage_parquet
from transforms.staged import Staged, drop_staging

# Words of the system by which an error is the disk's and not the file's: a good file must not be set aside because the
# disk is full.
_REFUSALS = (
    "no space left",
    "could not write",
    "temp directory",
    "file too large",
    "disk quota",
    "permission denied",
    "read-only file system",
    "input/output error",
)


def stage(
    con: duckdb.DuckDBPyConnection,
    path: Path,
    format: FileFormat,
    options: ReadOptions,
    required: Sequence[str],
    scratch: Path,
) -> Staged:
    """Read ``path`` (not compressed, unless Parquet). Raises ``DropRefused`` when it cannot be read as a whole.

    ``required`` are column names that help to tell the delimiter; ``scratch`` is a folder for a mended copy of a file
    with broken quotes.
    """
    drop_staging(con)
    try:
        if format == "parquet":
            return stage_parquet(con, path)
        if format == "jsonl":
            return stage_json_lines(con, path, scratch)
        return stage_csv(con, path, options, required, scratch)
    except (
        duckdb.InvalidInputException,
        duckdb.ConversionException,
        duckdb.SerializationException,
        duckdb.IOException,
    ) as error:
        text = str(error)
        if any(words in text.lower() for words in _REFUSALS):
            raise
        raise DropRefused(
            _first_line(text).replace(str(path), "the file"), rule="unreadable", hint="deliver the file again, whole"
        ) from error


def _first_line(text: str) -> str:
    return text.strip().splitlines()[0][:400]
