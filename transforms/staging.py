"""Reads one delivered file into DuckDB, whatever its format, so that what follows sees clean columns and an ordinal
for every record.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import duckdb
import numpy as np

from contracts.definitions import FileFormat, ReadOptions
from contracts.errors import DropRefused
from transforms import json_lines, lines
from transforms.cells import literal, present
from transforms.columns import Cell, clean
from transforms.lines import Dialect, Positions, Records
from transforms.quoting import identifier

_HEAD = 1 << 20
_MAX_LINE = 2_000_000
_BROKEN = ("UNQUOTED VALUE", "LINE SIZE OVER MAXIMUM")


@dataclass(frozen=True, slots=True)
class Reject:
    """A record that could not be split into its columns."""

    line: int
    rule: Literal["column_count", "bad_quoting", "bad_json"]
    reason: str
    raw: str


@dataclass(frozen=True, slots=True)
class Staged:
    """One file as a relation.

    ``relation`` is SQL giving ``ordinal`` (from 0, in file order) and one clean column per cell; ``raw`` is SQL over
    ``raw_relation`` (which has ``ordinal`` too) giving the record as delivered, as JSON. ``kinds`` names each column's
    kind for the record of columns.
    """

    format: FileFormat
    relation: str
    raw_relation: str
    raw: str
    cells: tuple[Cell, ...]
    rows: int
    rejects: tuple[Reject, ...] = ()
    dialect: Dialect | None = None
    noticed: tuple[str, ...] = ()
    _records: Records | None = None
    _rejected: Positions = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    _path: Path | None = None

    def lines(self, ordinals: Positions) -> Positions:
        """Line on which each record starts; the row number from 1 for Parquet."""
        if self.format == "parquet" or self._path is None or self.dialect is None:
            return ordinals + 1
        records = self._records or _scan(self._path, self.dialect, len(self.cells))
        accepted = _accepted(records, self._rejected)
        if self.format == "jsonl":
            return np.asarray(records.lines[ordinals])
        if accepted.size < self.rows:
            return ordinals + 2
        return np.asarray(accepted[ordinals])


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


def drop_staging(con: duckdb.DuckDBPyConnection) -> None:
    """Remove what the last file left."""
    for table in ("staged", "reject_errors", "reject_scans"):
        con.execute(f"DROP TABLE IF EXISTS temp.{table}")


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
            return _parquet(con, path)
        if format == "jsonl":
            return _json_lines(con, path, scratch)
        return _csv(con, path, options, required, scratch)
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


# CSV


def _csv(
    con: duckdb.DuckDBPyConnection, path: Path, options: ReadOptions, required: Sequence[str], scratch: Path
) -> Staged:
    head = _head(path)
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
        records = _scan(path, dialect, len(names))
        mended_lines = _broken_rejects(path, records)
        path = _mend(path, records, scratch)
        records = None
        still = _read_csv(con, path, dialect, len(names))
        if still == "state":
            raise DropRefused(
                "the file's lines cannot be told apart", rule="unreadable", hint="write it with one kind of line break"
            )
    rows = _count(con, "staged")
    rejects: list[Reject] = list(mended_lines)
    rejected = np.zeros(0, dtype=np.int64)
    found = con.execute(
        "SELECT line_byte_position, arg_min(error_type::VARCHAR, column_idx), arg_max(error_message, column_idx), "
        "any_value(csv_line) FROM reject_errors "
        "GROUP BY 1 ORDER BY 1"
    ).fetchall()
    if found:
        _refuse_encoding(found)
        records = _scan(path, dialect, len(names))
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
        rows = _count(con, "staged WHERE c0 IS NOT NULL")
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
    return _dialect(con, path, _head(path), options, required)


def _noticed(original: Path, path: Path) -> tuple[str, ...]:
    return () if original == path else ("lines with broken quotes were held back one by one",)


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        head = file.read(_HEAD)
    if not head.strip():
        raise DropRefused(
            "the file is empty: no header", rule="no_header", hint="deliver a file whose first line names the columns"
        )
    if head[:2] in (b"\xff\xfe", b"\xfe\xff") or b"\0" in head[:4]:
        raise DropRefused("the file is not UTF-8", rule="not_utf8", hint="write it as UTF-8")
    return head.removeprefix(b"\xef\xbb\xbf")


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
        text = head.decode("utf-8", "strict" if len(head) < _HEAD else "ignore")
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
            f"store_rejects = true, rejects_limit = 0, max_line_size = {_MAX_LINE})"
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


def _scan(path: Path, dialect: Dialect, columns: int) -> Records:
    data = np.memmap(path, dtype=np.uint8, mode="r") if path.stat().st_size else np.zeros(0, dtype=np.uint8)
    single = columns == 1
    return lines.find_records(data, dialect, columns, keep_blank=single)


def _accepted(records: Records, rejected: Positions) -> Positions:
    """Lines of the records that were not rejected, header left out."""
    starts, numbers = records.starts[1:], records.lines[1:]
    if rejected.size:
        record = np.searchsorted(starts, rejected, side="right") - 1
        keep = np.ones(starts.size, dtype=bool)
        keep[record[record >= 0]] = False
        return np.asarray(numbers[keep])
    return numbers


def _mend(path: Path, records: Records, scratch: Path) -> Path:
    data = np.memmap(path, dtype=np.uint8, mode="r")
    target = scratch / f"mended-{path.name}"
    with target.open("wb") as file:
        for piece in lines.mended(data, records):
            file.write(piece.tobytes())
    return target


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
            line, "column_count", f"the record is longer than {_MAX_LINE} bytes; split or shorten it", text[:2000]
        )
    seen = message.rsplit("Found: ", 1)[-1].split(maxsplit=1)[0] if "Found: " in message else "another number"
    return Reject(
        line,
        "column_count",
        f"the row has {seen} cells, the header {columns}; add or remove cells, or quote a cell with a delimiter",
        text,
    )


def _refuse_encoding(found: Sequence[tuple[int, str, str, str]]) -> None:
    bad = [row for row in found if row[1] in ("INVALID ENCODING", "INVALID UNICODE")]
    if bad:
        raise DropRefused("the file is not UTF-8", rule="not_utf8", hint="write it as UTF-8")


# JSON lines


def _json_lines(con: duckdb.DuckDBPyConnection, path: Path, scratch: Path) -> Staged:
    head = _head(path)
    if head.lstrip()[:1] == b"[":
        raise DropRefused(
            "the file is one JSON array, not JSON lines", rule="unreadable", hint="write one object a line"
        )
    dialect = Dialect("\x01", "", "")
    if _read_lines(con, path):
        records = lines.find_records(np.memmap(path, dtype=np.uint8, mode="r"), dialect, 1, keep_blank=True)
        path = _mend(path, records, scratch)
        _read_lines(con, path)
    found = con.execute(
        "SELECT line_byte_position, error_type::VARCHAR, error_message, csv_line FROM reject_errors ORDER BY 1"
    ).fetchall()
    _refuse_encoding(found)
    if found:
        raise DropRefused(
            "a line is too long or holds control characters",
            rule="unreadable",
            hint="write one object a line, as UTF-8",
        )
    con.execute("UPDATE staged SET c0 = substr(c0, 2) WHERE rowid = 0 AND c0[1] = chr(65279)")
    rows, bad = (
        int(value)
        for value in con.execute(
            "SELECT count(*) FILTER (good), count(*) FILTER (NOT good) FROM (SELECT json_valid(c0) AND c0[1] = '{' AS "
            "good FROM "
            "(SELECT trim(c0, ' ' || chr(9) || chr(13)) AS c0 FROM staged) WHERE c0 <> '')"
        ).fetchall()[0]
    )
    rejects: tuple[Reject, ...] = ()
    where = "c0 IS NOT NULL"
    if bad:
        where = "CASE WHEN json_valid(c0) THEN json_type(c0) = 'OBJECT' ELSE false END"
        found = con.execute(
            "SELECT rowid + 1, c0 FROM staged WHERE trim(c0, ' ' || chr(9) || chr(13)) <> '' "
            f"AND NOT ({where}) ORDER BY 1"
        ).fetchall()
        rejects = tuple(
            Reject(line, "bad_json", "the line is not a JSON object; write one object a line", raw)
            for line, raw in found
        )
    else:
        where = "trim(c0) <> ''"
    columns, values = json_lines.columns(con, where)
    extracted = f"SELECT rowid, {json_lines.extract(columns)} AS x FROM staged WHERE {where}"
    relation = f"(SELECT rowid AS ordinal{values} FROM ({extracted}))"
    records = lines.find_records(np.zeros(0, dtype=np.uint8), dialect, 1)
    raw_relation = f"(SELECT rowid AS ordinal, c0 FROM staged WHERE {where})"
    return Staged("jsonl", relation, raw_relation, "c0", tuple(column.cell for column in columns), rows, rejects)


def _read_lines(con: duckdb.DuckDBPyConnection, path: Path) -> bool:
    drop_staging(con)
    try:
        con.execute(
            f"CREATE TEMP TABLE staged AS FROM read_csv({literal(str(path))}, columns = {{'c0': 'VARCHAR'}}, "
            "auto_detect = false, "
            "header = false, delim = '\x01', quote = '', escape = '', store_rejects = true, rejects_limit = 0, "
            f"max_line_size = {_MAX_LINE})"
        )
    except duckdb.InvalidInputException as error:
        if "state machine" in str(error):
            return True
        raise
    return False


# Parquet


def _parquet(con: duckdb.DuckDBPyConnection, path: Path) -> Staged:
    source = f"read_parquet({literal(str(path))}, file_row_number = true, binary_as_string = true)"
    described = [
        (name, kind)
        for name, kind, *_ in con.execute(f"DESCRIBE SELECT * FROM {source}").fetchall()
        if name != "file_row_number"
    ]
    flat: list[tuple[str, str, str]] = []
    for name, kind in described:
        if name in PARENTS and kind.startswith("STRUCT"):
            fields = con.execute(f"DESCRIBE SELECT {identifier(name)}.* FROM {source}").fetchall()
            flat.extend((f"{name}>>{key}", f"{identifier(name)}.{identifier(key)}", inner) for key, inner, *_ in fields)
        elif name in PARENTS and kind.startswith("MAP"):
            values = f"typeof(any_value(map_values({identifier(name)})))"
            inner = con.execute(f"SELECT {values} FROM {source}").fetchall()[0][0]
            keys = con.execute(
                f"SELECT DISTINCT unnest(map_keys({identifier(name)})) AS k FROM {source} ORDER BY k"
            ).fetchall()
            flat.extend((f"{name}>>{key}", f"{identifier(name)}[{literal(key)}]", str(inner)[:-2]) for (key,) in keys)
        else:
            flat.append((name, identifier(name), kind))
    cleaned = [clean(name, sql, kind, f"v{at}") for at, (name, sql, kind) in enumerate(flat)]
    values = "".join(f", {sql} AS v{at}" for at, (sql, _) in enumerate(cleaned))
    raw = "json_object(" + ", ".join(f"{literal(name)}, {identifier(name)}" for name, _ in described) + ")"
    rows = _count(con, source)
    return Staged(
        "parquet",
        f"(SELECT file_row_number AS ordinal{values} FROM {source})",
        f"(SELECT file_row_number AS ordinal, * FROM {source})",
        raw,
        tuple(cell for _, cell in cleaned),
        rows,
    )


PARENTS = ("profile_data", "platform_info", "event_properties", "properties")


def _count(con: duckdb.DuckDBPyConnection, relation: str) -> int:
    row = con.execute(f"SELECT count(*) FROM {relation}").fetchone()
    assert row is not None
    return int(row[0])


def _first_line(text: str) -> str:
    return text.strip().splitlines()[0][:400]
