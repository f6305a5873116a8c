"""Histories of the serving pack are what SQL says of the events."""

from __future__ import annotations

from pathlib import Path

import duckdb
import numpy as np
import pytest

from store.pack.history import write_history

SETUP = """
    CREATE TABLE profiles AS SELECT printf('p%02d', i) AS profile_id, i::INTEGER AS profile_index FROM range(20) r(i);
    CREATE TABLE items AS SELECT printf('i%02d', i) AS item_id, i::INTEGER AS item_index FROM range(15) r(i);
    CREATE TABLE events AS SELECT 'e' || i AS event_id,
        ['view', 'charged', 'rating', 'churned'][1 + i % 4] AS event_type,
        printf('p%02d', (i * i) % 22) AS profile_id,
        CASE WHEN i % 4 <> 3 THEN printf('i%02d', (i * 7) % 17) END AS item_id,
        TIMESTAMP '2026-01-01' + (i * 37 % 100) * INTERVAL 1 HOUR AS created_at,
        (CASE WHEN i % 4 = 2 THEN '{"rating":' || (1 + i % 10) || '.5}' ELSE '{}' END)::JSON AS properties
    FROM range(600) r(i);
"""


@pytest.fixture
def con() -> duckdb.DuckDBPyConnection:
    con = duckdb.connect()
    con.execute(SETUP)
    return con


def test_histories_are_the_distinct_events_of_the_run(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    names = write_history(con, tmp_path, 20)
    assert names == ["charged", "rating", "view"]
    offsets, items, types, ratings, events, rated = (
        np.load(tmp_path / f"history_{part}.npy")
        for part in ("offsets", "items", "types", "ratings", "events", "rated")
    )
    assert offsets.dtype == np.uint64 and items.dtype == np.int32 and types.dtype == np.uint16
    for profile in range(20):
        span = slice(int(offsets[profile]), int(offsets[profile + 1]))
        found = [(f"i{item:02d}", names[kind]) for item, kind in zip(items[span], types[span], strict=True)]
        wanted = con.execute(
            "SELECT DISTINCT item_id, event_type FROM events JOIN items USING (item_id) WHERE profile_id = $id "
            "ORDER BY ALL", {"id": f"p{profile:02d}"},
        ).fetchall()
        assert found == wanted
        for (item, kind), value in zip(found, ratings[span], strict=True):
            newest = con.execute(
                "SELECT (properties ->> 'rating')::FLOAT AS rating FROM events "
                "WHERE profile_id = $id AND item_id = $item AND event_type = 'rating' "
                "ORDER BY created_at DESC, rating DESC LIMIT 1",
                {"id": f"p{profile:02d}", "item": item},
            ).fetchone()
            assert newest == (value,) if kind == "rating" else np.isnan(value)
        counted = con.execute(
            "SELECT count(*) FILTER (event_type <> 'rating'), count(DISTINCT item_id) FROM events "
            "WHERE profile_id = $id AND item_id IS NOT NULL", {"id": f"p{profile:02d}"},
        ).fetchone()
        assert counted == (events[profile], rated[profile])
    assert events.sum() > 0 and (rated > np.diff(offsets.astype(np.int64))).any()


def test_the_order_of_events_and_the_threads_do_not_matter(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    written = []
    for number, threads in enumerate((1, 4)):
        con.execute(f"SET threads = {threads}")
        con.execute(f"CREATE OR REPLACE TABLE events AS SELECT * FROM events ORDER BY hash(event_id || '{number}')")
        folder = tmp_path / str(number)
        folder.mkdir()
        write_history(con, folder, 20)
        written.append({path.name: path.read_bytes() for path in folder.iterdir()})
    assert written[0] == written[1]


def test_nothing_happened(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    con.execute("DELETE FROM events")
    assert write_history(con, tmp_path, 20) == []
    assert np.load(tmp_path / "history_offsets.npy").tolist() == [0] * 21
