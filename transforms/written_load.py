"""Loads items and profiles that were written through the API: the last writer of each property wins, by arrival.

They are kept apart from what files deliver (``written_rows``, ``written_values``) and meet it when a run is built.
"""

from __future__ import annotations

import duckdb

NEVER = "TIMESTAMP '1970-01-01 00:00:00'"
"""Date of a row that stands for something nobody described: whatever is delivered is newer."""


def take_values(con: duckdb.DuckDBPyConnection, entity: str, asked: str, dropped: str) -> int:
    """Merge the writes in table ``asked`` (seq, op, id, properties as JSON text or null, received_at), whose numbers
    are above all that were merged before. Returns the ids that were written.

    op: ``put`` replaces, ``patch`` changes some properties (JSON null takes a value away), ``delete``. ``dropped`` is a
    table (key in lower case, seq) of properties whose values up to that number are to go. Call inside the drain's
    transaction.
    """
    place = {"entity": entity}
    con.execute(
        f"CREATE OR REPLACE TEMP TABLE standing AS SELECT id, max_by(op, seq) = 'delete' AS deleted, "
        "max(seq) FILTER (op <> 'patch') AS cleared, max_by(received_at, seq) FILTER (op <> 'patch') AS cleared_at, "
        f"max_by(received_at, seq) AS written_at FROM {asked} GROUP BY id"
    )
    con.execute(
        "CREATE OR REPLACE TEMP TABLE newest AS SELECT w.id, w.key, nullif(w.value::VARCHAR, 'null') AS value, "
        "w.received_at FROM (SELECT a.id, a.seq, a.received_at, e.key, e.value, "
        "row_number() OVER (PARTITION BY a.id, lower(e.key) ORDER BY a.seq DESC) AS n "
        f"FROM {asked} a JOIN standing s ON s.id = a.id AND a.seq >= coalesce(s.cleared, 0), "
        "json_each(coalesce(a.properties, '{}')) AS e WHERE a.op <> 'delete') w "
        f"LEFT JOIN {dropped} d ON d.key = lower(w.key) AND w.seq < d.seq WHERE w.n = 1 AND d.key IS NULL"
    )
    con.execute(
        "DELETE FROM written_values WHERE entity = $entity AND (id IN (SELECT id FROM standing WHERE cleared IS NOT "
        f"NULL) OR lower(key) IN (SELECT key FROM {dropped}) "
        "OR (id, lower(key)) IN (SELECT (id, lower(key)) FROM newest))",
        place,
    )
    con.execute("INSERT INTO written_values SELECT $entity, id, key, value, received_at FROM newest", place)
    con.execute(
        "CREATE OR REPLACE TEMP TABLE moved AS SELECT s.id, s.deleted, coalesce(s.cleared_at, w.cleared_at) AS "
        "cleared_at, s.written_at FROM standing s LEFT JOIN (FROM written_rows WHERE entity = $entity) w USING (id)",
        place,
    )
    con.execute("DELETE FROM written_rows WHERE entity = $entity AND id IN (SELECT id FROM moved)", place)
    row = con.execute("INSERT INTO written_rows SELECT $entity, * FROM moved", place).fetchone()
    _forget_types(con, entity, dropped)
    for table in ("standing", "newest", "moved"):
        con.execute(f"DROP TABLE {table}")
    return int(row[0]) if row else 0


def _forget_types(con: duckdb.DuckDBPyConnection, entity: str, dropped: str) -> None:
    """Types of dropped properties go, where no file has values of them."""
    found = con.execute(f"SELECT count(*) FROM {dropped}").fetchone()
    if not found or not found[0]:
        return
    maps = ("properties",) if entity == "items" else ("profile_data", "platform_info")
    used = " UNION ".join(f"SELECT lower(unnest(json_keys({name}))) AS key FROM {entity}" for name in maps)
    con.execute(
        f"DELETE FROM property_types WHERE entity = $entity AND lower(key) IN (SELECT key FROM {dropped}) "
        f"AND lower(key) NOT IN (SELECT key FROM ({used}))",
        {"entity": entity},
    )


def add_items(con: duckdb.DuckDBPyConnection, asked: str) -> None:
    """Make bare items for the ids in table ``asked`` (id, received_at) that no file delivered."""
    con.execute(
        "INSERT INTO items BY NAME SELECT id AS item_id, 'active' AS status, '{}' AS properties, "
        f"min(received_at) AS created_at, {NEVER} AS updated_at, 0 AS load_id, false AS dated "
        f"FROM {asked} WHERE id NOT IN (SELECT item_id FROM items) GROUP BY id"
    )


def add_profiles(con: duckdb.DuckDBPyConnection, asked: str, *, dated: bool) -> int:
    """Make bare profiles for the ids in table ``asked`` (id, customer_id or null, received_at) that nobody knows.

    ``dated``: they are known from that date on; else always.
    """
    row = con.execute(
        "INSERT INTO profiles BY NAME SELECT id AS profile_id, max(customer_id) AS customer_id, false AS has_charged, "
        "'active' AS status, '{}' AS profile_data, '{}' AS platform_info, min(received_at) AS created_at, "
        f"{NEVER} AS updated_at, 0 AS load_id, {str(dated).lower()} AS dated "
        f"FROM {asked} WHERE id NOT IN (SELECT profile_id FROM profiles) GROUP BY id"
    ).fetchone()
    return int(row[0]) if row else 0
