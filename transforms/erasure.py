"""Takes everything of some profiles, or of some agents, out of the warehouse."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import duckdb

OF_AGENTS = ("decisions", "goals", "decision_sessions")


def erase_profiles(con: duckdb.DuckDBPyConnection, erased: str) -> None:
    """Delete the profiles in table ``erased`` (profile_id) with their events, ratings, sessions and exposures.

    Call inside a transaction. What files deliver of them later is new.
    """
    mine = f"profile_id IN (SELECT profile_id FROM {erased})"
    con.execute(
        f"DELETE FROM exposures WHERE {mine} OR (subject_kind = 'session' AND subject IN (SELECT session_id FROM "
        f"sessions WHERE {mine}))"
    )
    con.execute(
        "DELETE FROM session_events WHERE session_id IN (SELECT session_id FROM sessions WHERE " + mine + ")"
    )
    con.execute(f"DELETE FROM sessions WHERE {mine}")
    con.execute(f"DELETE FROM events WHERE {mine}")
    con.execute(
        "DELETE FROM pending_events WHERE profile_key IN (SELECT profile_id FROM "
        f"{erased} UNION SELECT customer_id FROM profiles WHERE {mine})"
    )
    for table in ("written_rows", "written_values", "written_facts"):
        con.execute(f"DELETE FROM {table} WHERE entity = 'profiles' AND id IN (SELECT profile_id FROM {erased})")
    con.execute(f"DELETE FROM profiles WHERE {mine}")


def erase_agents(con: duckdb.DuckDBPyConnection, until: Mapping[str, datetime]) -> int:
    """Delete the events that each agent received up to a moment (naive UTC); returns how many. Call inside a
    transaction.
    """
    con.execute("CREATE OR REPLACE TEMP TABLE erased_agents (agent VARCHAR, until TIMESTAMP)")
    con.executemany("INSERT INTO erased_agents VALUES ($agent, $until)", [
        {"agent": agent, "until": at} for agent, at in sorted(until.items())
    ])
    erased = 0
    for table in OF_AGENTS:
        row = con.execute(
            f"DELETE FROM {table} USING erased_agents e "
            f"WHERE {table}.agent = e.agent AND {table}.received_ts <= e.until"
        ).fetchone()
        erased += int(row[0]) if row else 0
    con.execute("DROP TABLE erased_agents")
    return erased
