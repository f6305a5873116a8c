"""One delivered file as a relation, and what every format of text shares on the way there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import duckdb
import numpy as np

from contracts.definitions import FileFormat
from contracts.errors import DropRefused
from transforms import lines
from transforms.columns import Cell
from transforms.lines import Dialect, Positions, Records

HEAD = 1 << 20
MAX_LINE = 2_000_000


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
    ``raw_relation`` (which has ``ordinal`` too) giving the record as delivered, as JSON. ``records``, ``rejected``
    (byte positions) and ``path`` tell lines.
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
    records: Records | None = None
    rejected: Positions = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    path: Path | None = None

    def lines(self, ordinals: Positions) -> Positions:
        """Line on which each record starts; the row number from 1 for Parquet."""
        if self.format == "parquet" or self.path is None or self.dialect is None:
            return ordinals + 1
        records = self.records or scan(self.path, self.dialect, len(self.cells))
        accepted = _accepted(records, self.rejected)
        if self.format == "jsonl":
            return np.asarray(records.lines[ordinals])
        if accepted.size < self.rows:
            return ordinals + 2
        return np.asarray(accepted[ordinals])


def drop_staging(con: duckdb.DuckDBPyConnection) -> None:
    """Remove what the last file left."""
    for table in ("staged", "reject_errors", "reject_scans"):
        con.execute(f"DROP TABLE IF EXISTS temp.{table}")


def rows_of(con: duckdb.DuckDBPyConnection, relation: str) -> int:
    """Rows of a relation."""
    row = con.execute(f"SELECT count(*) FROM {relation}").fetchone()
    assert row is not None
    return int(row[0])


def head_of(path: Path) -> bytes:
    """The beginning of a text file, without its byte order mark. Raises DropRefused: empty, or not UTF-8."""
    with path.open("rb") as file:
        head = file.read(HEAD)
    if not head.strip():
        raise DropRefused(
            "the file is empty: no header", rule="no_header", hint="deliver a file whose first line names the columns"
        )
    if head[:2] in (b"\xff\xfe", b"\xfe\xff") or b"\0" in head[:4]:
        raise DropRefused("the file is not UTF-8", rule="not_utf8", hint="write it as UTF-8")
    return head.removeprefix(b"\xef\xbb\xbf")


def scan(path: Path, dialect: Dialect, columns: int) -> Records:
    """Where the records of a file of text begin."""
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


def mended(path: Path, records: Records, scratch: Path) -> Path:
    """A copy of the file whose broken quotes are closed, in the folder ``scratch``."""
    data = np.memmap(path, dtype=np.uint8, mode="r")
    target = scratch / f"mended-{path.name}"
    with target.open("wb") as file:
        for piece in lines.mended(data, records):
            file.write(piece.tobytes())
    return target


def refuse_encoding(found: Sequence[tuple[int, str, str, str]]) -> None:
    """Raise DropRefused when rows of ``reject_errors`` say that the file is not UTF-8."""
    bad = [row for row in found if row[1] in ("INVALID ENCODING", "INVALID UNICODE")]
    if bad:
        raise DropRefused("the file is not UTF-8", rule="not_utf8", hint="write it as UTF-8")
