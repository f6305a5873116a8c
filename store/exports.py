"""Writes a run's tables as Parquet: rows in key order, one file a table, what only grows one file a month."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import duckdb
import pyarrow.parquet as pq

from contracts.errors import VerificationFailed
from contracts.manifest import Manifest, PublishedTable
from contracts.published import TABLE_BY_NAME
from contracts.tables.table import Table
from store import disk
from transforms.quoting import text_literal

_FORMAT = "FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1, ROW_GROUP_SIZE 122880"


def export_table(con: duckdb.DuckDBPyConnection, name: str, target: Path) -> PublishedTable:
    """Write table or view ``name`` of the workbench to ``target/tables/<name>.parquet`` with exactly its contract's
    columns.
    """
    table = TABLE_BY_NAME[name]
    path = target / "tables" / f"{name}.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    con.execute(f"COPY ({_select(table)} ORDER BY {_keys(table)}) TO {text_literal(str(path))} ({_FORMAT})")
    return published(name, target, (path,))


MONTHLY = {"events": "created_at", "decisions": "ts", "goals": "ts", "decision_sessions": "ts"}
"""Tables that only grow at their end, in files of a month, with the column that tells the month."""


def months_note(name: str) -> str:
    """Where a manifest's notes hold the content digests of a table's months."""
    return f"{name.removesuffix('s')}_months"


def export_monthly(
    con: duckdb.DuckDBPyConnection, name: str, target: Path, previous: tuple[Path, Manifest] | None
) -> tuple[PublishedTable, dict[str, str]]:
    """Write view ``name`` to ``target/tables/<name>/<YYYY-MM>.parquet``; a month that did not change is hard-linked
    from ``previous``.

    Returns the table and the content digest of each month, which belong in the manifest's notes (``months_note``).
    """
    table, at = TABLE_BY_NAME[name], MONTHLY[name]
    folder = target / "tables" / name
    folder.mkdir(parents=True, exist_ok=True)
    # The hash is over the whole row; its sum does not depend on order or threads.
    columns = ", ".join(column.name for column in table.columns)
    months = con.execute(
        f"SELECT strftime({at}, '%Y-%m') AS month, count(*) || '-' || sum(hash({columns})::HUGEINT) FROM {name} "
        "GROUP BY 1 ORDER BY 1"
    ).fetchall()
    known: dict[str, str] = previous[1].notes.get(months_note(name), {}) if previous else {}
    for month, content in months:
        path = folder / f"{month}.parquet"
        if previous and known.get(month) == content and _link(previous[0] / "tables" / name / path.name, path):
            continue
        con.execute(
            f"COPY ({_select(table)} WHERE {at} >= $from::TIMESTAMP AND {at} < $from::TIMESTAMP + INTERVAL 1 MONTH "
            f"ORDER BY {_keys(table)}) TO {text_literal(str(path))} ({_FORMAT})",
            {"from": f"{month}-01 00:00:00"},
        )
    if not months:
        empty = text_literal(str(folder / "none.parquet"))
        con.execute(f"COPY ({_select(table)} ORDER BY {_keys(table)}) TO {empty} ({_FORMAT})")
    return published(name, target, sorted(folder.glob("*.parquet"))), dict(months)


def open_table(con: duckdb.DuckDBPyConnection, folder: Path, name: str, view: str) -> bool:
    """Make ``view`` of a table of the run in ``folder``; False where that run has none of that name."""
    path = folder / "tables" / f"{name}.parquet"
    if not path.is_file():
        return False
    con.execute(f"CREATE OR REPLACE VIEW {view} AS FROM read_parquet({text_literal(str(path))})")
    return True


def check_table(folder: Path, published: PublishedTable) -> None:
    """Raise ``VerificationFailed`` unless the files exist with the stated rows, columns and digests."""
    expected = [column.name for column in TABLE_BY_NAME[published.name].columns]
    rows = 0
    for relative, digest in zip(published.files, published.digests, strict=True):
        path = folder / relative
        if not path.is_file() or disk.digest(path) != digest:
            raise VerificationFailed(f"{relative} is missing or not what was written", hint="run the night again")
        file = pq.ParquetFile(path)
        if file.schema_arrow.names != expected:
            raise VerificationFailed(f"{relative} has columns {file.schema_arrow.names}, not {expected}")
        rows += file.metadata.num_rows
    if rows != published.rows:
        raise VerificationFailed(f"table {published.name} has {rows} rows, the manifest says {published.rows}")


def published(name: str, target: Path, paths: Iterable[Path]) -> PublishedTable:
    """Make the files of a table durable and count and digest them."""
    paths = tuple(paths)
    for path in paths:
        disk.sync_file(path)
    rows = sum(pq.read_metadata(path).num_rows for path in paths)
    return PublishedTable(
        name, tuple(path.relative_to(target).as_posix() for path in paths), rows, tuple(map(disk.digest, paths))
    )


def _link(old: Path, new: Path) -> bool:
    """Hard-link an unchanged file; False where the old one is gone."""
    try:
        os.link(old, new)
    except FileNotFoundError:
        return False
    return True


def _select(table: Table) -> str:
    columns = ", ".join(f"{column.name}::{column.type} AS {column.name}" for column in table.columns)
    return f"SELECT {columns} FROM {table.name}"


def _keys(table: Table) -> str:
    return ", ".join(f"{key} NULLS FIRST" for key in table.key)
