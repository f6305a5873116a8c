"""Copies what the journal took in through the API into the warehouse, exactly once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import duckdb
import pyarrow as pa

from contracts.settings import Settings
from store import warehouse
from store.layout import Layout
from transforms import cells, event_load

# Reads the journal's writes with numbers in (after, up_to], in order, in batches.
Reader = Callable[[int, int], Iterable[Iterable[Any]]]

_KEYS = "list_sort(json_keys(p))"
_SORTED = (
    "'{' || array_to_string(list_transform(" + _KEYS + ", lambda k: CAST(to_json(k) AS VARCHAR) || ':' || "
    "CAST(json_extract(p, '/' || replace(replace(k, '~', '~0'), '/', '~1')) AS VARCHAR)), ',') || '}'"
)


@dataclass(frozen=True, slots=True)
class DrainReport:
    """``rows`` writes were read; ``loaded`` events were new; ``other`` writes are of no concern to the warehouse
    yet.
    """

    rows: int = 0
    loaded: int = 0
    other: int = 0
    up_to: int = 0


def drain(layout: Layout, settings: Settings, writes: Reader, up_to_seq: int) -> DrainReport:
    """Copy the writes above the last drained number, up to and with ``up_to_seq``, in one transaction.

    ``writes`` gives batches of objects or mappings with seq, entity, body (JSON text) and received_at (naive UTC). An
    event's body has event_id, event_type, profile_id, item_id, created_at and properties, checked when it came in. A
    crash doubles nothing: the number is stored with the rows, and an event whose id is known is left out.
    """
    if up_to_seq <= 0:
        return DrainReport()
    with warehouse.open_warehouse(layout, settings.pipeline) as con:
        last = drained_up_to(con)
        if up_to_seq <= last:
            return DrainReport(up_to=last)
        with warehouse.transaction(con):
            report = _copy(con, writes(last, up_to_seq), last, up_to_seq)
    return report


def drained_up_to(con: duckdb.DuckDBPyConnection) -> int:
    """Number of the last write that is in the warehouse."""
    row = con.execute("SELECT coalesce(max(journal_seq), 0) FROM journal_drains").fetchone()
    assert row is not None
    return int(row[0])


def _copy(con: duckdb.DuckDBPyConnection, batches: Iterable[Iterable[Any]], last: int, up_to: int) -> DrainReport:
    con.execute(
        "CREATE OR REPLACE TEMP TABLE drained (seq BIGINT, entity VARCHAR, body VARCHAR, received_at TIMESTAMP)"
    )
    for batch in batches:
        rows = [_row(write) for write in batch]
        if rows:
            names = ("seq", "entity", "body", "received_at")
            con.register("arrays", pa.table({name: [row[at] for row in rows] for at, name in enumerate(names)}))
            con.execute(f"INSERT INTO drained SELECT * FROM arrays WHERE seq > {last} AND seq <= {up_to}")
            con.unregister("arrays")
    counted = con.execute(
        "SELECT count(*), count(*) FILTER (entity <> 'events'), max(received_at) FROM drained"
    ).fetchone()
    assert counted is not None
    rows_read, other, newest = counted
    loaded = 0
    if rows_read > other:
        event_load.know_profiles(con)
        row = con.execute(
            "INSERT INTO events SELECT event_id, event_type, coalesce(k.profile_id, given), item_id, "
            "coalesce(happened, received_at), "
            f"CASE WHEN p IS NULL THEN '{{}}' ELSE {_SORTED} END, 0 FROM ("
            "SELECT seq, received_at, body->>'$.event_id' AS event_id, body->>'$.event_type' AS event_type, "
            "body->>'$.profile_id' AS given, "
            f"body->>'$.item_id' AS item_id, {cells.time(chr(34) + 'when' + chr(34))} AS happened, "
            "CASE WHEN json_type(body, '$.properties') = 'OBJECT' THEN CAST(json_extract(body, '$.properties') AS "
            "VARCHAR) END AS p "
            "FROM (SELECT *, body->>'$.created_at' AS \"when\" FROM drained WHERE entity = 'events')) d "
            "LEFT JOIN known_profiles k ON k.key = d.given WHERE event_id NOT IN (SELECT event_id FROM events) "
            "QUALIFY row_number() OVER (PARTITION BY event_id ORDER BY seq) = 1"
        ).fetchone()
        loaded = int(row[0]) if row else 0
    con.execute("INSERT INTO journal_drains VALUES ($seq, $rows, $at)", {"seq": up_to, "rows": rows_read, "at": newest})
    if loaded:
        warehouse.bump_version(con)
    con.execute("DROP TABLE drained")
    return DrainReport(int(rows_read), loaded, int(other), up_to)


def _row(write: Any) -> tuple[int, str, str, datetime | None]:
    if isinstance(write, Mapping):
        return write["seq"], write["entity"], write["body"], write.get("received_at")
    return write.seq, write.entity, write.body, write.received_at
