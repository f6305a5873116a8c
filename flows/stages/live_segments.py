"""Files and live segments: what a file brought is evaluated once, in the order it happened, when the file is loaded
(retention contract, section 11.2); an event that waited for its profile, when it is loaded at last.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
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

FOLLOWED, LATE = "live_segments_load", "live_segments_late"
BATCH = 5_000


def follow_files(layout: Layout, settings: Settings, journal: Journal) -> int:
    """Evaluate the events of files that were loaded since the last time, file by file; returns how many files.

    A file's events, the sweep after them and the note that the file was evaluated are one transaction of the journal.
    """
    segments = LiveSegments(settings.live_segments)
    with journal.reading() as connection:
        followed, late = counters.read(connection, FOLLOWED), counters.read(connection, LATE)
        idle = not segments.looks_at(connection)
    if not layout.warehouse.exists():
        return 0
    with warehouse.open_warehouse(layout, settings.pipeline) as con:
        loads = con.execute(
            "SELECT load_id, max(loaded_at) FROM file_loads WHERE load_id > $followed AND entity = 'events' "
            "AND status = 'loaded' GROUP BY load_id ORDER BY load_id",
            {"followed": followed},
        ).fetchall()
        releases = con.execute(
            "SELECT max(number), released_at FROM late_events WHERE number > $late GROUP BY released_at ORDER BY 1",
            {"late": late},
        ).fetchall()
        if idle and (loads or releases):
            with journal.writing() as connection:
                counters.write(connection, FOLLOWED, int(loads[-1][0]) if loads else followed)
                counters.write(connection, LATE, int(releases[-1][0]) if releases else late)
            return 0
        for load_id, loaded_at in loads:
            with journal.writing() as connection:
                _follow(connection, con, segments, _OF_LOAD, {"load": load_id}, loaded_at, journal.clock())
                counters.write(connection, FOLLOWED, int(load_id))
        for number, released_at in releases:
            # What waited in a file that was not evaluated before was among that file's events just now.
            places = {"after": late, "until": number, "followed": followed}
            with journal.writing() as connection:
                _follow(connection, con, segments, _LATE, places, released_at, journal.clock())
                counters.write(connection, LATE, int(number))
            late = int(number)
        if releases:
            # The last one stays, so that numbers go on.
            con.execute("DELETE FROM late_events WHERE number < $late", {"late": late})
    return len(loads)


_OF_LOAD = "load_id = $load"
_LATE = (
    "(event_id, load_id) IN (SELECT (event_id, load_id) FROM late_events "
    "WHERE number > $after AND number <= $until AND load_id <= $followed)"
)


def _follow(
    connection: Connection, con: duckdb.DuckDBPyConnection, segments: LiveSegments, which: str,
    places: Mapping[str, Any], arrived: datetime, now: datetime,
) -> None:
    """Evaluate the events that ``which`` picks, SQL with ``places`` as parameters, and sweep."""
    looked_at = sorted(segments.looks_at(connection))
    for events in _batches(con, which, places, looked_at, segments.oldest(arrived)):
        segments.on_events(connection, events, now, arrived)
    while segments.sweep(connection, now) >= SWEPT:
        pass


def _batches(
    con: duckdb.DuckDBPyConnection, which: str, places: Mapping[str, Any], types: list[str], oldest: datetime
) -> Iterator[list[Happened]]:
    """Events that some segment looks at and that came in time, as they happened."""
    found = con.execute(
        "SELECT coalesce(m.parent, e.profile_id), event_type, created_at, item_id, properties FROM events e LEFT JOIN "
        f"merged_profiles m ON m.child = e.profile_id WHERE {which} AND list_contains($types, event_type) "
        "AND created_at >= $oldest ORDER BY created_at, event_id",
        {**places, "types": types, "oldest": oldest},
    )
    while rows := found.fetchmany(BATCH):
        yield [_happened(*row) for row in rows]


def _happened(profile_id: str, event_type: str, at: datetime, item_id: str | None, properties: str | None) -> Happened:
    told: dict[str, Any] = json.loads(properties) if properties else {}
    if item_id is not None:
        told.setdefault("item_id", item_id)
    return Happened(profile_id, event_type, at - timedelta(microseconds=at.microsecond), told)
