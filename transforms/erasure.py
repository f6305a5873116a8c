"""Takes everything of some profiles out of the warehouse."""

from __future__ import annotations

import duckdb


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
