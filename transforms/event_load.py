"""Loads prepared events: numbers equal rows of a file, leaves out what is known, keeps what waits for its profile."""

from __future__ import annotations

import duckdb

from transforms.cells import literal
from transforms.drops import count
from transforms.event_rows import key

_NEW = "NOT bad AND skip_rule IS NULL AND profile_id IS NOT NULL"
PENDING = "NOT bad AND skip_rule IS NULL AND profile_id IS NULL AND profile_key IS NOT NULL"


def know_profiles(con: duckdb.DuckDBPyConnection) -> None:
    """Make temp table ``known_profiles``: both ids of every profile, with its profile_id. A profile_id beats an equal customer_id."""
    con.execute(
        "CREATE OR REPLACE TEMP TABLE known_profiles AS SELECT profile_id AS key, profile_id FROM profiles "
        "UNION ALL SELECT customer_id, profile_id FROM profiles p "
        "WHERE customer_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM profiles q WHERE q.profile_id = p.customer_id)"
    )


def number_equals(con: duckdb.DuckDBPyConnection, *, continued: bool = False) -> None:
    """Make temp table ``repeated`` (ordinal, n): which of its equals in the file a row is, for rows that have equals.

    ``continued``: the file goes on from the rows counted in temp table ``counted`` (h, n).
    """
    before = "coalesce((SELECT c.n FROM counted c WHERE c.h = p.h), 0) + " if continued else ""
    candidates = "h IS NOT NULL AND hash(h) IN (SELECT hash(h) AS x FROM prepared WHERE h IS NOT NULL GROUP BY x HAVING count(*) > 1)"
    if continued:
        candidates += " OR h IN (SELECT h FROM counted)"
    con.execute(
        f"CREATE OR REPLACE TEMP TABLE repeated AS SELECT ordinal, {before}row_number() OVER (PARTITION BY h ORDER BY ordinal) AS n "
        f"FROM prepared p WHERE {candidates}"
    )
    con.execute("DELETE FROM repeated WHERE n = 1")


def insert_events(con: duckdb.DuckDBPyConnection, load_id: int, content_hash: str, *, table: str = "prepared") -> int:
    """Insert the good rows whose key is not known; returns how many. Call inside the load's transaction, after ``number_equals``."""
    taken, source = "h", f"{table} p"
    if count(con, table="repeated"):
        taken = f"CASE WHEN r.n IS NULL THEN h ELSE {key('CAST(r.n AS VARCHAR)', literal(content_hash))} END"
        source = f"{table} p LEFT JOIN repeated r USING (ordinal)"
    return _insert(con, f"SELECT p.*, {taken} AS k FROM {source} WHERE {_NEW}", str(load_id))


def _insert(con: duckdb.DuckDBPyConnection, rows: str, load_id: str) -> int:
    unknown = ""
    found = con.execute("SELECT count(*) FROM (FROM events LIMIT 1)").fetchone()
    if found and found[0]:
        span = con.execute(f"SELECT min(created_at), max(created_at) FROM ({rows})").fetchone()
        assert span is not None
        if span[0] is None:
            return 0
        # Equal events have equal times: only that span of what is stored has to be looked at.
        unknown = (
            "WHERE event_id NOT IN (SELECT event_id FROM events "
            f"WHERE created_at BETWEEN TIMESTAMP '{span[0]}' AND TIMESTAMP '{span[1]}')"
        )
    row = con.execute(
        "INSERT INTO events SELECT event_id, event_type, profile_id, item_id, created_at, properties, load_id FROM ("
        f"SELECT 'event_' || k AS event_id, event_type, profile_id, item_id, created_at, properties, "
        f"{load_id} AS load_id FROM ({rows})) {unknown}"
    ).fetchone()
    return int(row[0]) if row else 0


def keep_pending(con: duckdb.DuckDBPyConnection, load_id: int, content_hash: str) -> int:
    """Keep the rows that lack nothing but their profile; temp table ``fault_lines`` has their lines. Returns how many."""
    row = con.execute(
        "INSERT INTO pending_events SELECT $load, f.line, ordinal, profile_key, event_type, item_id, created_at, dated, properties, $hash "
        f"FROM prepared JOIN fault_lines f USING (ordinal) WHERE {PENDING}",
        {"load": load_id, "hash": content_hash},
    ).fetchone()
    return int(row[0]) if row else 0


def release_pending(con: duckdb.DuckDBPyConnection, now: str) -> tuple[int, int]:
    """Load what waited for profiles that are known now; resolves its quarantine rows. Returns (rows released, events new).

    Equal rows of one file waited together, so their numbering is the file's own. ``now`` is SQL of the time.
    """
    con.execute(
        "CREATE OR REPLACE TEMP TABLE released AS SELECT p.*, k.profile_id FROM pending_events p "
        "JOIN known_profiles k ON k.key = p.profile_key"
    )
    waiting = count(con, table="released")
    if not waiting:
        return 0, 0
    numbered = f"SELECT *, row_number() OVER (PARTITION BY load_id, {key(literal('1'), 'content_hash')} ORDER BY ordinal) AS n FROM released"
    keyed = f"SELECT *, {key('CAST(n AS VARCHAR)', 'content_hash')} AS k FROM ({numbered})"
    # The same event may wait in two files: it is one.
    con.execute(
        f"CREATE OR REPLACE TEMP TABLE released_once AS SELECT * FROM ({keyed}) QUALIFY row_number() OVER (PARTITION BY k ORDER BY load_id) = 1"
    )
    new = _insert(con, "SELECT * FROM released_once", "load_id")
    con.execute(
        f"UPDATE quarantine SET resolved_at = {now} WHERE entity = 'events' AND resolved_at IS NULL AND rule = 'unknown_profile' "
        "AND (load_id, line) IN (SELECT (load_id, line) FROM released)"
    )
    con.execute("DELETE FROM pending_events WHERE (load_id, line) IN (SELECT (load_id, line) FROM released)")
    con.execute("DROP TABLE released")
    con.execute("DROP TABLE released_once")
    return waiting, new


def create_profiles(con: duckdb.DuckDBPyConnection, load_id: int, now: str, never: str) -> int:
    """Make bare profiles for the unknown customers of good rows. Whatever is delivered for them later replaces them."""
    row = con.execute(
        "INSERT INTO profiles SELECT profile_id, min(profile_key), false, 'active', '{}', '{}', "
        f"{now}, {never}, $load, true, NULL FROM prepared WHERE {_NEW} AND profile_key IS NOT NULL GROUP BY profile_id",
        {"load": load_id},
    ).fetchone()
    return int(row[0]) if row else 0
