"""Loads ratings that were given through the API: one ``rating`` event for each profile and item, the last one."""

from __future__ import annotations

import duckdb

from transforms.interactions import INTERACTION

EVENT_TYPE = "rating"


def take_ratings(con: duckdb.DuckDBPyConnection, asked: str) -> int:
    """Apply the writes in table ``asked`` (seq, op, profile_id, item_id, rating as JSON text, happened).

    op: ``put`` replaces the rating of profile and item, ``delete`` takes it away; without an item_id, all of the
    profile. Returns the ratings that stand. Call inside the drain's transaction.
    """
    con.execute(
        "CREATE OR REPLACE TEMP TABLE wiped AS SELECT profile_id, max(seq) AS seq "
        f"FROM {asked} WHERE item_id IS NULL GROUP BY profile_id"
    )
    con.execute(
        f"CREATE OR REPLACE TEMP TABLE rated AS SELECT a.* FROM {asked} a LEFT JOIN wiped w USING (profile_id) "
        "WHERE a.item_id IS NOT NULL AND a.seq > coalesce(w.seq, 0) "
        "QUALIFY row_number() OVER (PARTITION BY a.profile_id, a.item_id ORDER BY a.seq DESC) = 1"
    )
    con.execute(
        f"DELETE FROM events WHERE event_type = '{EVENT_TYPE}' AND (profile_id IN (SELECT profile_id FROM wiped) "
        "OR (profile_id, item_id) IN (SELECT (profile_id, item_id) FROM rated))"
    )
    row = con.execute(
        "INSERT INTO events BY NAME SELECT 'event_' || left(sha256(concat_ws(chr(10), 'rating', profile_id, item_id)), "
        f"32) AS event_id, '{EVENT_TYPE}' AS event_type, profile_id, item_id, happened AS created_at, "
        f"'{{\"rating\":' || rating || '}}' AS properties, {INTERACTION} AS load_id FROM rated WHERE op = 'put'"
    ).fetchone()
    con.execute("DROP TABLE rated")
    con.execute("DROP TABLE wiped")
    return int(row[0]) if row else 0
