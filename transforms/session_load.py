"""Loads sessions: what happened in them, whose they are; the events of a resolved session are its profile's too."""

from __future__ import annotations

import duckdb

from transforms.drops import count
from transforms.event_rows import stranger
from transforms.interactions import INTERACTION


def split_sessions(con: duckdb.DuckDBPyConnection, table: str = "fresh") -> int:
    """Move the rows of a table that happened in sessions into temp table ``happened``, and whose sessions they are
    into ``resolved``, as ``take_sessions`` reads them; rows that name a profile stay where they are as well. Returns
    how many new ones name none.
    """
    nobody = f"profile_id = {stranger('session_id')}"
    con.execute(
        "CREATE OR REPLACE TEMP TABLE happened AS SELECT event_id, session_id, event_type, item_id, created_at, "
        f"properties FROM {table} WHERE session_id IS NOT NULL"
    )
    con.execute(
        "CREATE OR REPLACE TEMP TABLE resolved AS SELECT row_number() OVER (ORDER BY created_at, event_id) AS seq, "
        f"session_id, profile_id, created_at AS resolved_at FROM {table} "
        f"WHERE session_id IS NOT NULL AND NOT ({nobody})"
    )
    con.execute(f"DELETE FROM {table} WHERE session_id IS NOT NULL AND {nobody}")
    own = f"SELECT event_id FROM {table} UNION ALL SELECT event_id FROM session_events"
    return count(con, f"event_id NOT IN ({own})", "happened")


def take_sessions(con: duckdb.DuckDBPyConnection, happened: str, resolved: str) -> int:
    """Add the rows of table ``happened`` (the columns of ``session_events``) and of ``resolved`` (seq, session_id,
    profile_id, resolved_at); the first resolving of a session stands.

    Then the profiles' events get those of resolved sessions that they lack. Returns the session events that were new.
    Call inside the drain's transaction.
    """
    row = con.execute(
        "INSERT INTO session_events SELECT event_id, session_id, event_type, item_id, created_at, properties "
        f"FROM {happened} WHERE event_id NOT IN (SELECT event_id FROM session_events)"
    ).fetchone()
    con.execute(
        "INSERT INTO sessions SELECT session_id, profile_id, resolved_at FROM "
        f"{resolved} WHERE session_id NOT IN (SELECT session_id FROM sessions) "
        "QUALIFY row_number() OVER (PARTITION BY session_id ORDER BY seq) = 1"
    )
    con.execute(
        "INSERT INTO events BY NAME SELECT event_id, event_type, profile_id, item_id, e.created_at, properties, "
        f"{INTERACTION} AS load_id FROM session_events e JOIN sessions s USING (session_id) "
        f"WHERE session_id IN (SELECT session_id FROM {happened} UNION SELECT session_id FROM {resolved}) "
        "AND event_id NOT IN (SELECT event_id FROM events)"
    )
    return int(row[0]) if row else 0
