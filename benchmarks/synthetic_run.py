"""A made-up published run of any size: tables with the published columns, and the arrays that precompute leaves.

It looks like a run to the endpoint without a night having run; tests and benchmarks of serving use it.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import duckdb
import numpy as np

from contracts.manifest import Identity
from contracts.published import TABLE_BY_NAME
from contracts.settings import Settings
from store import runs
from store.layout import Layout
from store.pack.build import build_pack

AS_OF = datetime(2026, 11, 1)

TABLES = {
    "profiles": """
        SELECT 'profile_' || left(sha256('c-' || i || chr(10) || '0'), 32) AS profile_id, 'c-' || i AS customer_id,
               (row_number() OVER (ORDER BY sha256('c-' || i || chr(10) || '0')) - 1)::INTEGER AS profile_index,
               i % 2 = 0 AS has_charged, 'active' AS status,
               ('{"age":' || (i % 80) || ',"city":"Zürich \\"' || (i % 7) || '\\""}')::JSON AS profile_data,
               '{}'::JSON AS platform_info,
               TIMESTAMP '2026-01-01' AS created_at, TIMESTAMP '2026-02-01 03:04:05' AS updated_at,
               false AS implicit
        FROM range($profiles) AS t(i) ORDER BY profile_id""",
    "items": """
        SELECT 'i-' || lpad(i::VARCHAR, 7, '0') AS item_id, i::INTEGER AS item_index,
               'category ' || (i % 12) AS item_category, 'Item number ' || i AS item_name,
               'Described at length' AS item_description, (i * 5 + 100)::BIGINT AS item_price,
               CASE WHEN i % 50 = 49 THEN 'inactive' ELSE 'active' END AS status,
               $properties AS properties,
               TIMESTAMP '2026-01-01' AS created_at, TIMESTAMP '2026-01-01' AS updated_at
        FROM range($items) AS t(i) ORDER BY item_id""",
    "interactions": """
        SELECT profile_id, item_id, profile_index, item_index, 1.0::DOUBLE AS weight, 1.0::DOUBLE AS recent_weight,
               1 AS events, TIMESTAMP '2026-10-01' AS first_at, TIMESTAMP '2026-10-01' AS last_at,
               (item_index - profile_index * 7) % $items <> 5 AS excludes
        FROM profiles JOIN items ON (item_index - profile_index * 7) % $items IN (0, 3, 5, 8)
        WHERE profile_index % 10 <> 9 ORDER BY profile_id, item_id""",
    "events": """
        SELECT 'event_' || profile_index || '_' || item_index || '_' || k AS event_id,
               CASE k WHEN 2 THEN 'rating' WHEN 1 THEN 'view' ELSE 'charged' END AS event_type, profile_id,
               item_id, TIMESTAMP '2026-10-01' + k * INTERVAL 1 DAY AS created_at,
               (CASE k WHEN 2 THEN '{"rating":' || (1 + item_index % 10) || '}' ELSE '{}' END)::JSON AS properties
        FROM interactions, range(3) AS t(k) WHERE k = 0 OR (item_index + k) % 4 = 0 ORDER BY created_at, event_id""",
    "ratings": """
        SELECT profile_id, item_id, TRY_CAST(properties->>'$.rating' AS DOUBLE) AS rating, created_at FROM events
        WHERE event_type = 'rating' ORDER BY profile_id, item_id""",
    "session_events": """
        SELECT 's-' || (i // 3) AS session_id, TIMESTAMP '2026-10-02' + i * INTERVAL 1 MINUTE AS created_at,
               'event_s' || i AS event_id, 'view' AS event_type, 'i-' || lpad((i % $items)::VARCHAR, 7, '0') AS item_id,
               '{}'::JSON AS properties
        FROM range(30) AS t(i) ORDER BY session_id, created_at, event_id""",
    "sessions": """
        SELECT DISTINCT session_id, NULL::VARCHAR AS profile_id, NULL::VARCHAR AS customer_id,
               NULL::TIMESTAMP AS resolved_at FROM session_events ORDER BY session_id""",
    "churn": """
        SELECT profile_id, (profile_index / 1000000)::DOUBLE AS churn_score, 'low' AS churn_probability,
               42 AS expected_days_to_churn,
               [{'feature': 'recency_days', 'value': '12', 'effect': 'up', 'contribution': 0.25::DOUBLE}]
               AS churn_reasons,
               [0.99, 0.98, 0.95, 0.9, 0.85, 0.8, 0.7]::DOUBLE[] AS survival, 90 AS horizon_days, 'cox' AS model
        FROM profiles WHERE profile_index % 5 <> 4 ORDER BY profile_id""",
    "recommendation_lists": """
        SELECT profile_id, profile_index, CASE WHEN profile_index % 10 = 9 THEN 'popular' ELSE 'ease' END AS model,
               profile_index % 10 = 9 AS cold, []::VARCHAR[] AS item_ids, []::FLOAT[] AS scores
        FROM profiles ORDER BY profile_id""",
    "item_neighbour_lists": """
        SELECT item_id, item_index, CASE WHEN item_index % 9 = 8 THEN 'content' ELSE 'ease' END AS model,
               []::VARCHAR[] AS item_ids, []::FLOAT[] AS scores
        FROM items ORDER BY item_id""",
}


def write_run(
    layout: Layout,
    run_id: str,
    profiles: int = 100,
    items: int = 60,
    width: int = 10,
    seed: int = 0,
    settings: Settings | None = None,
    journal_seq: int = 0,
    properties: str = """'{"tags":["a","b"]}'::JSON""",
) -> Path:
    """Write a complete run under ``layout.runs``; returns its folder. Item 0 is the most popular. ``properties``: SQL
    of the properties of item ``i``.

    A tenth of the profiles is cold, a fiftieth of the items inactive and in no list, a fifth has no churn score.
    """
    folder = layout.run(run_id)
    for part in ("tables", "pack"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    with duckdb.connect() as con:
        for name, query in TABLES.items():
            text = query.replace("$profiles", str(profiles)).replace("$items", str(items)).replace(
                "$properties", properties
            )
            con.execute(f"CREATE TABLE {name} AS {text}")
            kept = [column for column in TABLE_BY_NAME[name].columns if column.name != "source_profile_id"]
            columns = ", ".join(column.name for column in kept)
            columns += ", NULL::VARCHAR AS source_profile_id" if name == "events" else ""
            path = folder / "tables" / ("events/2026-10.parquet" if name == "events" else f"{name}.parquet")
            path.parent.mkdir(exist_ok=True)
            con.execute(f"COPY (SELECT {columns} FROM {name}) TO '{path}' (FORMAT parquet)")
    _write_arrays(folder / "pack", profiles, items, width, np.random.default_rng(seed))
    build_pack(folder, settings or Settings(), folder / "scratch")
    identity = Identity(layout.workspace, AS_OF.isoformat(), journal_seq, "", "", "", seed)
    runs.write_manifest(folder, run_id, AS_OF, identity, [], {"rec": "ease"}, {})
    return folder


def _write_arrays(pack: Path, profiles: int, items: int, width: int, rng: np.random.Generator) -> None:
    """Lists of distinct active items that were not seen (neighbours in number from a random start); falling scores."""
    active = np.array([item for item in range(items) if item % 50 != 49], np.int32)
    for name, rows in (("lists", profiles), ("neighbours", items)):
        start = rng.integers(0, len(active), (rows, 1))
        chosen = active[(start + np.arange(width)) % len(active)]
        own = np.arange(rows)[:, None]
        if name == "lists":
            seen = np.isin((chosen - own * 7) % items, (0, 3, 8))
            chosen = np.where(seen | (own % 10 == 9), -1, chosen)
        else:
            chosen = np.where(chosen == own, -1, chosen)
        order = np.argsort(chosen == -1, axis=1, kind="stable")
        chosen = np.take_along_axis(chosen, order, axis=1).astype(np.int32)
        scores = np.where(chosen >= 0, 1 / (1 + np.arange(width)) + rng.random((rows, 1)), 0).astype(np.float32)
        np.save(pack / f"{name}_items.npy", chosen)
        np.save(pack / f"{name}_scores.npy", scores)
    np.save(pack / "popularity.npy", np.arange(items, dtype=np.int32))
