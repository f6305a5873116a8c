"""Loads prepared events: numbers equal rows of a file, leaves out what is known, keeps what waits for its profile."""

from __future__ import annotations

import duckdb

from transforms import session_load
from transforms.cells import literal
from transforms.drops import count
from transforms.event_rows import event_id

PENDING = "NOT bad AND skip_rule IS NULL AND profile_id IS NULL AND profile_key IS NOT NULL"


def know_profiles(con: duckdb.DuckDBPyConnection) -> None:
    """Make temp table ``known_profiles``: both ids of every profile, with its profile_id. A profile_id beats an equal
    customer_id. Kept from file to file while no load changes a profile.
    """
    con.execute("CREATE TEMP TABLE IF NOT EXISTS known_profiles_of (rows BIGINT, newest BIGINT)")
    rows, newest = con.execute("SELECT count(*), coalesce(max(load_id), 0) FROM profiles").fetchall()[0]
    if count(con, f"rows = {rows} AND newest = {newest}", "known_profiles_of"):
        return
    con.execute(
        "CREATE OR REPLACE TEMP TABLE known_profiles AS SELECT profile_id AS key, profile_id FROM profiles "
        "UNION ALL SELECT customer_id, profile_id FROM profiles p "
        "WHERE customer_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM profiles q WHERE q.profile_id = p.customer_id)"
    )
    con.execute("DELETE FROM known_profiles_of")
    con.execute(f"INSERT INTO known_profiles_of VALUES ({rows}, {newest})")


def gather(con: duckdb.DuckDBPyConnection, good: str, content_hash: str) -> int:
    """Make temp table ``fresh`` of the rows to load, each with the id of the first of its equals; returns how many."""
    con.execute(
        f"CREATE OR REPLACE TEMP TABLE fresh AS SELECT {event_id(literal('1'), literal(content_hash))} AS event_id, * "
        f"FROM ({good})"
    )
    return count(con, table="fresh")


def number_equals(con: duckdb.DuckDBPyConnection, content_hash: str, *, continued: bool = False) -> None:
    """Give rows of ``fresh`` that have equals in their file ids of their own. Equal rows are equal in everything, so it
    does not matter which of them is the first.

    ``continued``: the file goes on from the rows counted in temp table ``counted`` (id, n).
    """
    repeated = "SELECT hash(event_id) AS x FROM fresh GROUP BY x HAVING count(*) > 1"
    candidates, before = f"hash(event_id) IN ({repeated})", ""
    if continued:
        candidates += " OR event_id IN (SELECT id FROM counted)"
        before = "coalesce((SELECT c.n FROM counted c WHERE c.id = f.event_id), 0) + "
    con.execute(
        f"CREATE OR REPLACE TEMP TABLE equals AS SELECT rowid AS place, *, {before}row_number() OVER ("
        f"PARTITION BY event_id ORDER BY rowid) AS n FROM fresh f WHERE {candidates}"
    )
    con.execute(
        f"UPDATE fresh SET event_id = e.id FROM (SELECT place, {event_id('CAST(n AS VARCHAR)', literal(content_hash))} "
        "AS id FROM equals WHERE n > 1) e WHERE fresh.rowid = e.place"
    )
    con.execute("DROP TABLE equals")


def insert_events(con: duckdb.DuckDBPyConnection, load_id: int) -> int:
    """Insert the rows of ``fresh`` whose id is not known; returns how many.

    Call inside the load's transaction, after ``number_equals``.
    """
    return _insert(con, "fresh", str(load_id))


def _insert(con: duckdb.DuckDBPyConnection, table: str, load_id: str) -> int:
    unknown = ""
    found = con.execute("SELECT count(*) FROM (FROM events LIMIT 1)").fetchone()
    if found and found[0]:
        span = con.execute(f"SELECT min(created_at), max(created_at) FROM {table}").fetchone()
        assert span is not None
        if span[0] is None:
            return 0
        # Equal events have equal times: only that span of what is stored has to be looked at.
        stored = f"events WHERE created_at BETWEEN TIMESTAMP '{span[0]}' AND TIMESTAMP '{span[1]}'"
        if con.execute(f"SELECT count(*) FROM (SELECT 1 FROM {stored} LIMIT 1)").fetchall()[0][0]:
            unknown = f"WHERE event_id NOT IN (SELECT event_id FROM {stored})"
    row = con.execute(
        f"INSERT INTO events SELECT event_id, event_type, profile_id, item_id, created_at, properties, {load_id} "
        f"FROM {table} {unknown}"
    ).fetchone()
    return int(row[0]) if row else 0


def keep_pending(con: duckdb.DuckDBPyConnection, load_id: int, content_hash: str, *, sessions: bool) -> int:
    """Keep the rows that lack nothing but their profile; temp table ``fault_lines`` has their lines. ``sessions``: the
    file has a column of sessions.

    Returns how many.
    """
    session = "session_id" if sessions else "NULL"
    row = con.execute(
        "INSERT INTO pending_events SELECT $load, f.line, ordinal, profile_key, event_type, item_id, created_at, "
        f"dated, properties, $hash, {session} "
        f"FROM prepared JOIN fault_lines f USING (ordinal) WHERE {PENDING}",
        {"load": load_id, "hash": content_hash},
    ).fetchone()
    return int(row[0]) if row else 0


def release_pending(con: duckdb.DuckDBPyConnection, now: str) -> tuple[int, int]:
    """Load what waited for profiles that are known now; resolves its quarantine rows. Returns (rows released, events
    new).

    Equal rows of one file waited together, so their numbering is the file's own. ``now`` is SQL of the time.
    """
    con.execute(
        "CREATE OR REPLACE TEMP TABLE released AS SELECT p.*, k.profile_id FROM pending_events p "
        "JOIN known_profiles k ON k.key = p.profile_key"
    )
    waiting = count(con, table="released")
    if not waiting:
        return 0, 0
    same = f"load_id, {event_id(literal('1'), 'content_hash')}"
    numbered = f"SELECT *, row_number() OVER (PARTITION BY {same} ORDER BY ordinal) AS n FROM released"
    keyed = f"SELECT *, {event_id('CAST(n AS VARCHAR)', 'content_hash')} AS event_id FROM ({numbered})"
    # The same event may wait in two files: it is one.
    con.execute(
        f"CREATE OR REPLACE TEMP TABLE released_once AS SELECT * FROM ({keyed}) QUALIFY row_number() OVER (PARTITION "
        "BY event_id ORDER BY load_id) = 1"
    )
    visits = count(con, "session_id IS NOT NULL", "released_once")
    if visits:
        session_load.split_sessions(con, "released_once")
    new = _insert(con, "released_once", "load_id")
    if visits:
        session_load.take_sessions(con, "happened", "resolved")
    if new:
        # Of an event that another file brought before, the row is that file's.
        con.execute(
            "INSERT INTO late_events SELECT (SELECT coalesce(max(number), 0) FROM late_events) + row_number() OVER "
            f"(ORDER BY r.created_at, r.event_id), r.load_id, r.event_id, r.created_at, {now} FROM released_once r "
            "JOIN events e ON e.event_id = r.event_id AND e.load_id = r.load_id AND e.created_at = r.created_at"
        )
    con.execute(
        f"UPDATE quarantine SET resolved_at = {now} WHERE entity = 'events' AND resolved_at IS NULL AND rule = "
        "'unknown_profile' "
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
        f"{now}, {never}, $load, true, NULL FROM fresh WHERE profile_key IS NOT NULL GROUP BY profile_id",
        {"load": load_id},
    ).fetchone()
    return int(row[0]) if row else 0
