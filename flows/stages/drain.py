"""Copies what the journal took in through the API into the warehouse, exactly once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import duckdb
import pyarrow as pa

from contracts.settings import Settings
from flows.stages import drained
from flows.stages.drained import Declared
from store import warehouse
from store.layout import Layout

# Reads the journal's writes with numbers in (after, up_to], in order, in batches.
Reader = Callable[[int, int], Iterable[Iterable[Any]]]


@dataclass(frozen=True, slots=True)
class DrainReport:
    """``rows`` writes were read; ``loaded`` events, ratings, session events and exposures were new or
    changed, and ``changed`` items and profiles were written; ``other`` writes are of no concern to the warehouse.
    """

    rows: int = 0
    loaded: int = 0
    changed: int = 0
    other: int = 0
    up_to: int = 0


def drain(
    layout: Layout, settings: Settings, writes: Reader, up_to_seq: int, declared: Sequence[Declared] = ()
) -> DrainReport:
    """Copy the writes above the last drained number, up to and with ``up_to_seq``, in one transaction.

    ``writes`` gives batches of objects or mappings with seq, entity, op, body (JSON text) and received_at (naive UTC);
    bodies were checked when they came in (docs/journal.md has their members). A crash doubles nothing: the number is
    stored with the rows, and an event whose id is known is left out. ``declared``: the types of properties.
    """
    if up_to_seq <= 0:
        return DrainReport()
    with warehouse.open_warehouse(layout, settings.pipeline) as con:
        last = drained_up_to(con)
        if up_to_seq <= last:
            return DrainReport(up_to=last)
        with warehouse.transaction(con):
            report = _copy(con, writes(last, up_to_seq), last, up_to_seq, declared)
    return report


def drained_up_to(con: duckdb.DuckDBPyConnection) -> int:
    """Number of the last write that is in the warehouse."""
    row = con.execute("SELECT coalesce(max(journal_seq), 0) FROM journal_drains").fetchone()
    assert row is not None
    return int(row[0])


def _copy(
    con: duckdb.DuckDBPyConnection, batches: Iterable[Iterable[Any]], last: int, up_to: int,
    declared: Sequence[Declared],
) -> DrainReport:
    con.execute(
        "CREATE OR REPLACE TEMP TABLE drained (seq BIGINT, entity VARCHAR, op VARCHAR, body VARCHAR, "
        "received_at TIMESTAMP)"
    )
    for batch in batches:
        rows = [_row(write) for write in batch]
        if rows:
            names = ("seq", "entity", "op", "body", "received_at")
            con.register("arrays", pa.table({name: [row[at] for row in rows] for at, name in enumerate(names)}))
            con.execute(f"INSERT INTO drained SELECT * FROM arrays WHERE seq > {last} AND seq <= {up_to}")
            con.unregister("arrays")
    counted = con.execute("SELECT count(*), max(received_at) FROM drained").fetchone()
    assert counted is not None
    rows_read, newest = int(counted[0]), counted[1]
    loaded = changed = other = 0
    if rows_read:
        loaded, changed, other = drained.load(con, declared)
    con.execute("INSERT INTO journal_drains VALUES ($seq, $rows, $at)", {"seq": up_to, "rows": rows_read, "at": newest})
    if other < rows_read:
        warehouse.bump_version(con)
    con.execute("DROP TABLE drained")
    return DrainReport(rows_read, loaded, changed, other, up_to)


def _row(write: Any) -> tuple[int, str, str, str, datetime | None]:
    if isinstance(write, Mapping):
        return write["seq"], write["entity"], write.get("op", "create"), write["body"], write.get("received_at")
    return write.seq, write.entity, write.op, write.body, write.received_at
