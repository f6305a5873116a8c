"""Reads CSV files of any dialect: whole records, rejected ones apart, broken quotes mended."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

import duckdb
import numpy as np

from contracts.definitions import ReadOptions
from contracts.errors import DropRefused
from transforms.cells import literal, present
from transforms.columns import Cell
from transforms.lines import Dialect, Records
from transforms.staged import (
    HEAD,
    MAX_LINE,
    Reject,
    Staged,
    drop_staging,
    head_of,
    mended,
    refuse_encoding,
    rows_of,
    scan,
)

_BROKEN = ("UNQUOTED VALUE", "LINE SIZE OVER MAXIMUM")


def stage_csv(
    con: duckdb.DuckDBPyConnection, path: Path, options: ReadOptions, required: Sequence[str], scratch: Path
) -> Staged:
    """Read a CSV file; see ``transforms.staging.stage``."""
    head = head_of(path)
    dialect, names = _dialect(con, path, head, options, required)
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise DropRefused(
            f"repeated column: {', '.join(repeated)}", rule="repeated_column", hint="give every column its own name"
        )
    records: Records | None = None
    original = path
    mended_lines: tuple[Reject, ...] = ()
    broken = _read_csv(con, path, dialect, len(names))
    if broken:
        records = scan(path, dialect, len(names))
        mended_lines = _broken_rejects(path, records)
        path = mended(path, records, scratch)
        records = None
        still = _read_csv(con, path, dialect, len(names))
        if still == "state":
            raise DropRefused(
                "the file's lines cannot be told apart", rule="unreadable", hint="write it with one kind of line break"
            )
    rows = rows_of(con, "staged")
    rejects: list[Reject] = list(mended_lines)
    rejected = np.zeros(0, dtype=np.int64)
    found = con.execute(
        "SELECT line_byte_position, arg_min(error_type::VARCHAR, column_idx), arg_max(error_message, column_idx), "
        "any_value(csv_line) FROM reject_errors "
        "GROUP BY 1 ORDER BY 1"
    ).fetchall()
    if found:
        refuse_encoding(found)
        records = scan(path, dialect, len(names))
        rejected = np.array([row[0] for row in found], dtype=np.int64)
        where = np.searchsorted(records.line_starts, rejected, side="right")
        for line, (_, kind, message, text) in zip(where.tolist(), found, strict=True):
            rejects.append(_reject(line, kind, message, text, len(names)))
    columns = [Cell(name, f"v{at}", "text") for at, name in enumerate(names)]
    values = ", ".join(f"{present(f'c{at}')} AS v{at}" for at in range(len(names)))
    raw = "json_object(" + ", ".join(f"{literal(name)}, c{at}" for at, name in enumerate(names)) + ")"
    source = "(SELECT rowid AS ordinal, * FROM staged)"
    only = ""
    if len(names) == 1:
        # An empty line of a file with one column is an empty line, not a row with an empty cell.
        rows = rows_of(con, "staged WHERE c0 IS NOT NULL")
        only = " WHERE c0 IS NOT NULL"
    return Staged(
        "csv",
        f"(SELECT rowid AS ordinal, {values} FROM staged{only})",
        source,
        raw,
        tuple(columns),
        rows,
        tuple(sorted(rejects, key=lambda reject: reject.line)),
        dialect,
        _noticed(original, path),
        records,
        rejected,
        path,
    )


def header(
    con: duckdb.DuckDBPyConnection, path: Path, options: ReadOptions, required: Sequence[str]
) -> tuple[Dialect, list[str]]:
    """Dialect and column names of a CSV file."""
    return _dialect(con, path, head_of(path), options, required)


def _noticed(original: Path, path: Path) -> tuple[str, ...]:
    return () if original == path else ("lines with broken quotes were held back one by one",)


def _dialect(
    con: duckdb.DuckDBPyConnection, path: Path, head: bytes, options: ReadOptions, required: Sequence[str]
) -> tuple[Dialect, list[str]]:
    """The delimiter under which the header holds the required columns, else the sniffed one."""
    plain = _plainly(head, options, required)
    if plain is not None:
        return plain
    sniffed = _sniff(con, path)
    quote = options.quote or (sniffed.quote if sniffed and sniffed.quote in ('"', "'") else '"')
    escape = sniffed.escape if sniffed and sniffed.escape == "\\" else quote
    choices = [options.delimiter] if options.delimiter else [sniffed.delimiter if sniffed else ",", ",", "\t", ";", "|"]
    best: tuple[int, int, Dialect, list[str]] | None = None
    for place, delimiter in enumerate(choices):
        names = _header(head, delimiter, quote)
        held = sum(any(name in names for name in wanted.split("|")) for wanted in required)
        if best is None or held > best[0]:
            best = (held, -place, Dialect(delimiter, quote, escape), names)
    assert best is not None
    return best[2], best[3]


def _plainly(head: bytes, options: ReadOptions, required: Sequence[str]) -> tuple[Dialect, list[str]] | None:
    """Dialect and column names when nothing is quoted in the head and its header holds all required columns: sniffing,
    which costs more than a small file's load, could not tell more.
    """
    if any(mark in head for mark in (b'"', b"'", b"\\")):
        return None
    quote = options.quote or '"'
    for delimiter in [options.delimiter] if options.delimiter else [",", "\t", ";", "|"]:
        names = _header(head, delimiter, quote)
        whole = all(any(name in names for name in wanted.split("|")) for wanted in required)
        # A single column is in the header under every delimiter.
        if required and whole and (len(names) > 1 or options.delimiter):
            return Dialect(delimiter, quote, quote), names
    return None


def _sniff(con: duckdb.DuckDBPyConnection, path: Path) -> Dialect | None:
    try:
        row = con.execute(
            f'SELECT "Delimiter", "Quote", "Escape" FROM sniff_csv({literal(str(path))}, sample_size = 2048)'
        ).fetchone()
    except duckdb.Error:
        return None
    if row is None or len(row[0]) != 1:
        return None
    return Dialect(row[0], row[1] or "", row[2] or "")


def _header(head: bytes, delimiter: str, quote: str) -> list[str]:
    try:
        text = head.decode("utf-8", "strict" if len(head) < HEAD else "ignore")
    except UnicodeDecodeError as error:
        raise DropRefused("the file is not UTF-8", rule="not_utf8", hint="write it as UTF-8") from error
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, quotechar=quote)
    try:
        names = next((row for row in rows if row), [])
    except csv.Error as error:
        raise DropRefused(
            f"the header cannot be read: {error}", rule="no_header", hint="name the columns in the first line"
        ) from error
    return [name.strip() for name in names]


def _read_csv(con: duckdb.DuckDBPyConnection, path: Path, dialect: Dialect, columns: int) -> str:
    """Fill ``staged``; returns why the result cannot be used as it is, or nothing."""
    drop_staging(con)
    names = ", ".join(f"'c{at}': 'VARCHAR'" for at in range(columns))
    try:
        con.execute(
            f"CREATE TEMP TABLE staged AS FROM read_csv({literal(str(path))}, columns = {{{names}}}, auto_detect = "
            "false, header = true, "
            f"delim = {literal(dialect.delimiter)}, quote = {literal(dialect.quote)}, escape = "
            f"{literal(dialect.escape)}, "
            f"store_rejects = true, rejects_limit = 0, max_line_size = {MAX_LINE})"
        )
    except duckdb.InvalidInputException as error:
        if "state machine" in str(error) or "Maximum line size" in str(error):
            return "state"
        raise
    types = ", ".join(literal(kind) for kind in _BROKEN)
    row = con.execute(
        f"SELECT count(*) FROM reject_errors WHERE error_type IN ({types}) "
        "AND (contains(csv_line, chr(10)) OR contains(csv_line, chr(13)) OR error_type <> 'UNQUOTED VALUE') "
        "OR error_type IN ('MISSING COLUMNS', 'TOO MANY COLUMNS') AND contains(csv_line, chr(10))"
    ).fetchone()
    return "quotes" if row and row[0] else ""


def _broken_rejects(path: Path, records: Records) -> tuple[Reject, ...]:
    data = np.memmap(path, dtype=np.uint8, mode="r")
    ends = np.append(records.line_starts[1:], data.size)
    found = []
    for line in records.broken.tolist():
        raw = data[records.line_starts[line - 1] : ends[line - 1]].tobytes().decode("utf-8", "replace").rstrip("\r\n")
        found.append(
            Reject(
                line,
                "column_count",
                "a quote is opened and not closed before the next column; close or double the quote",
                raw,
            )
        )
    return tuple(found)


def _reject(line: int, kind: str, message: str, text: str, columns: int) -> Reject:
    if kind == "UNQUOTED VALUE":
        return Reject(
            line, "column_count", "a quoted cell goes on after its closing quote; double the quotes inside it", text
        )
    if kind == "LINE SIZE OVER MAXIMUM":
        return Reject(
            line, "column_count", f"the record is longer than {MAX_LINE} bytes; split or shorten it", text[:2000]
        )
    seen = message.rsplit("Found: ", 1)[-1].split(maxsplit=1)[0] if "Found: " in message else "another number"
    return Reject(
        line,
        "column_count",
        f"the row has {seen} cells, the header {columns}; add or remove cells, or quote a cell with a delimiter",
        text,
    )
