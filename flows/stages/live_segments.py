"""Files and live segments: what a file brought is evaluated once, in the order it happened, when the file is loaded
(retention contract, section 11.2).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import duckdb
from sqlalchemy import Connection

from contracts.settings import Settings
from segments.live import Happened
from store import warehouse
from store.journal import Journal, counters
from store.layout import Layout
from store.live_segments import SWEPT, LiveSegments

FOLLOWED = "live_segments_load"
BATCH = 5_000


def follow_files(layout: Layout, settings: Settings, journal: Journal) -> int:
    """Evaluate the events of files that were loaded since the last time, file by file; returns how many files.

    A file's events, the sweep after them and the note that the file was evaluated are one transaction of the journal.
    """
    segments = LiveSegments(settings.live_segments)
    with journal.reading() as connection:
        followed = counters.read(connection, FOLLOWED)
        idle = not segments.looks_at(connection)
    if not layout.warehouse.exists():
        return 0
    with warehouse.open_warehouse(layout, settings.pipeline) as con:
        loads = con.execute(
            "SELECT load_id, max(loaded_at) FROM file_loads WHERE load_id > $followed AND entity = 'events' "
            "AND status = 'loaded' GROUP BY load_id ORDER BY load_id",
            {"followed": followed},
        ).fetchall()
        if not loads:
            return 0
        if idle:
            with journal.writing() as connection:
                counters.write(connection, FOLLOWED, int(loads[-1][0]))
            return 0
        for load_id, loaded_at in loads:
            with journal.writing() as connection:
                _follow(connection, con, segments, int(load_id), loaded_at, journal.clock())
                counters.write(connection, FOLLOWED, int(load_id))
    return len(loads)


def _follow(
    connection: Connection, con: duckdb.DuckDBPyConnection, segments: LiveSegments, load_id: int, loaded_at: datetime,
    now: datetime,
) -> None:
    for events in _batches(con, load_id, sorted(segments.looks_at(connection)), segments.oldest(loaded_at)):
        segments.on_events(connection, events, now, loaded_at)
    while segments.sweep(connection, now) >= SWEPT:
        pass


def _batches(
    con: duckdb.DuckDBPyConnection, load_id: int, types: list[str], oldest: datetime
) -> Iterator[list[Happened]]:
    """Events of a load that some segment looks at and that came in time, as they happened."""
    found = con.execute(
        "SELECT coalesce(m.parent, e.profile_id), event_type, created_at, item_id, properties FROM events e LEFT JOIN "
        "merged_profiles m ON m.child = e.profile_id WHERE load_id = $load AND list_contains($types, event_type) "
        "AND created_at >= $oldest ORDER BY created_at, event_id",
        {"load": load_id, "types": types, "oldest": oldest},
    )
    while rows := found.fetchmany(BATCH):
        yield [_happened(*row) for row in rows]


def _happened(profile_id: str, event_type: str, at: datetime, item_id: str | None, properties: str | None) -> Happened:
    told: dict[str, Any] = json.loads(properties) if properties else {}
    if item_id is not None:
        told.setdefault("item_id", item_id)
    return Happened(profile_id, event_type, at - timedelta(microseconds=at.microsecond), told)
