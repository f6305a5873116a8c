"""Writes what happened, row by row, into the serving pack; ``store.pack.logs`` reads it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from store.pack.arrays import create_array, flush, save_array
from store.pack.blobs import BlobWriter
from store.pack.ids import SQL_DIGEST, write_index
from store.pack.logs import NO_OWNER, OTHER_OWNER, RATING
from store.pack.profile_types import profile_types
from store.pack.strings import ends_and_bytes

BATCH = 50_000


def write_logs(con: duckdb.DuckDBPyConnection, folder: Path, profiles: int, items: int) -> None:
    """Write under ``folder`` what the relations ``profiles``, ``items``, ``events``, ``ratings``, ``session_events``
    and ``sessions`` of ``con`` say.

    ``log_*``: interactions without ratings by profile_index and time; ``session_log_*`` by session, which are numbered
    by id; ``ratings_*`` by profile and item id. Items are item_index, and from ``items`` on places in the blob
    ``other_items``. Equal relations give equal bytes.
    """
    con.execute(
        "CREATE OR REPLACE TABLE known_items AS SELECT item_id, item_index::INTEGER AS code FROM items UNION ALL "
        f"SELECT item_id, ({items} + row_number() OVER (ORDER BY item_id) - 1)::INTEGER FROM (SELECT item_id FROM "
        "events UNION SELECT item_id FROM ratings UNION SELECT item_id FROM session_events) "
        "WHERE item_id IS NOT NULL AND item_id NOT IN (SELECT item_id FROM items)"
    )
    con.execute(
        "CREATE OR REPLACE TABLE known_types AS SELECT event_type, (row_number() OVER (ORDER BY event_type) - 1)"
        "::USMALLINT AS code FROM (SELECT event_type FROM events WHERE item_id IS NOT NULL AND event_type <> "
        f"'{RATING}' UNION SELECT event_type FROM session_events)"
    )
    con.execute(
        "CREATE OR REPLACE TABLE known_sessions AS SELECT session_id, (row_number() OVER (ORDER BY session_id) - 1)"
        f"::INTEGER AS code, coalesce(p.profile_index, CASE WHEN s.profile_id IS NULL THEN {NO_OWNER} ELSE "
        f"{OTHER_OWNER} END)::INTEGER AS owner, coalesce(s.profile_id, '') AS profile_id, "
        "coalesce(s.customer_id, '') AS customer_id, coalesce(epoch_us(resolved_at), 0) AS micros "
        "FROM sessions s LEFT JOIN profiles p ON p.profile_id = s.profile_id"
    )
    sessions = _count(con, "known_sessions")
    others = "SELECT item_id FROM known_items WHERE code >= $first ORDER BY code"
    _blobs(con, folder, others, ["other_items"], _count(con, f"known_items WHERE code >= {items}"), {"first": items})
    entry = (
        "i.code, t.code, epoch_us(e.created_at), CASE WHEN e.properties::VARCHAR = '{}' THEN '' ELSE "
        "coalesce(e.properties::VARCHAR, '') END"
    )
    joined = "JOIN known_items i USING (item_id) JOIN known_types t USING (event_type)"
    _log(con, folder, "log", profiles,
         f"SELECT p.profile_index, {entry} FROM events e JOIN profiles p USING (profile_id) {joined} "
         f"WHERE event_type <> '{RATING}' ORDER BY p.profile_index, e.created_at, e.event_id")
    _log(con, folder, "session_log", sessions,
         f"SELECT s.code, {entry} FROM session_events e JOIN known_sessions s USING (session_id) {joined} "
         "ORDER BY s.code, e.created_at, e.event_id")
    _ratings(con, folder, profiles)
    ordered = con.execute("SELECT owner, micros FROM known_sessions ORDER BY code").fetchnumpy()
    save_array(folder / "session_owners.npy", np.ma.getdata(ordered["owner"]).astype(np.int32))
    save_array(folder / "session_at.npy", np.ma.getdata(ordered["micros"]).astype(np.int64))
    digests = con.execute(
        f"SELECT {SQL_DIGEST.format(column='session_id')} AS d FROM known_sessions ORDER BY code"
    ).fetchnumpy()["d"]
    _blobs(con, folder, "SELECT session_id, profile_id, customer_id FROM known_sessions ORDER BY code",
           ["session_ids", "session_profile_ids", "session_customer_ids"], sessions)
    write_index(folder, "session", [np.ma.getdata(digests).astype(np.uint64)])
    found = con.execute(
        "SELECT profile_index FROM profiles WHERE customer_id IS NOT NULL AND NOT implicit ORDER BY customer_id, "
        "profile_index"
    ).fetchnumpy()["profile_index"]
    save_array(folder / "customer_order.npy", np.ma.getdata(found).astype(np.int32))
    implicit = con.execute("SELECT implicit FROM profiles ORDER BY profile_index").fetchnumpy()["implicit"]
    save_array(folder / "implicit.npy", np.ma.filled(implicit, False).astype(np.uint8))
    names = [name for (name,) in con.execute("SELECT event_type FROM known_types ORDER BY code").fetchall()]
    facts = {"event_types": names, "profile_types": profile_types(con)}
    (folder / "logs.json").write_text(json.dumps(facts, sort_keys=True) + "\n")
    for table in ("known_items", "known_types", "known_sessions"):
        con.execute(f"DROP TABLE {table}")


def _log(con: duckdb.DuckDBPyConnection, folder: Path, name: str, subjects: int, query: str) -> None:
    total = _count(con, f"({query})")
    columns: list[tuple[str, Any]] = [("items", np.int32), ("types", np.uint16), ("times", np.int64)]
    arrays = [create_array(folder / f"{name}_{column}.npy", (total,), kind) for column, kind in columns]
    counts = np.zeros(subjects, np.uint64)
    at = 0
    with BlobWriter(folder, f"{name}_properties", total) as texts:
        for batch in _batches(con, query):
            end = at + batch.num_rows
            np.add.at(counts, batch.column(0).to_numpy(), np.uint64(1))
            for array, values in zip(arrays, batch.columns[1:4], strict=True):
                array[at:end] = values.to_numpy()
            texts.write(*ends_and_bytes(batch.column(4)))
            at = end
    for array in arrays:
        flush(array)
    save_array(folder / f"{name}_offsets.npy", np.concatenate([np.zeros(1, np.uint64), np.cumsum(counts)]))


def _ratings(con: duckdb.DuckDBPyConnection, folder: Path, profiles: int) -> None:
    found = con.execute(
        "SELECT p.profile_index, i.code, r.rating, epoch_us(r.created_at) AS micros FROM ratings r "
        "JOIN profiles p USING (profile_id) JOIN known_items i USING (item_id) ORDER BY p.profile_index, r.item_id"
    ).fetchnumpy()
    counts = np.bincount(np.ma.getdata(found["profile_index"]).astype(np.int64), minlength=profiles)
    ends = np.cumsum(counts, dtype=np.uint64)
    save_array(folder / "ratings_offsets.npy", np.concatenate([np.zeros(1, np.uint64), ends]))
    columns: list[tuple[str, str, Any]] = [
        ("code", "items", np.int32), ("rating", "values", np.float64), ("micros", "times", np.int64)
    ]
    for column, name, kind in columns:
        save_array(folder / f"ratings_{name}.npy", np.ma.getdata(found[column]).astype(kind))


def _blobs(
    con: duckdb.DuckDBPyConnection, folder: Path, query: str, names: list[str], rows: int,
    given: dict[str, Any] | None = None,
) -> None:
    with ExitStack() as stack:
        writers = [stack.enter_context(BlobWriter(folder, name, rows)) for name in names]
        for batch in _batches(con, query, given):
            for writer, strings in zip(writers, batch.columns, strict=True):
                writer.write(*ends_and_bytes(strings))


def _batches(
    con: duckdb.DuckDBPyConnection, query: str, given: dict[str, Any] | None = None
) -> Iterator[pa.RecordBatch]:
    reader: Any = con.execute(query, given or {}).to_arrow_reader(BATCH)
    yield from reader


def _count(con: duckdb.DuckDBPyConnection, relation: str) -> int:
    row = con.execute(f"SELECT count(*) FROM {relation}").fetchone()
    return int(row[0]) if row else 0
