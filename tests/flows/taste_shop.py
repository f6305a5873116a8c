"""A small workbench of two tastes, before recommenders are trained on it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import duckdb
import numpy as np

from contracts.settings import Pipeline, Recommendations, Settings
from store.warehouse import create_schema

AS_OF = datetime(2024, 7, 1)
SETTINGS = Settings(
    pipeline=Pipeline(threads=2, seed=3),
    recommendations=Recommendations(candidates=8, neighbours=6, factors=8, item_stop_list=("i005",)),
)


@dataclass(frozen=True)
class Served:
    run_id: str
    folder: Path


def workbench(threads: int = 2, extra_items: int = 0) -> duckdb.DuckDBPyConnection:
    """120 profiles of two tastes, 60 items; the last 10 profiles and 2 items have no events, item 7 is inactive."""
    con = duckdb.connect(config={"threads": threads})
    con.execute("ATTACH ':memory:' AS warehouse; USE warehouse")
    create_schema(con)
    con.execute("USE memory")
    con.execute(
        "CREATE TABLE items AS SELECT 'i' || lpad((i - $extra)::VARCHAR, 3, '0') AS item_id, i::INTEGER AS item_index, "
        "CASE WHEN i % 2 = 0 THEN 'mugs' ELSE 'rugs' END AS item_category, "
        "CASE WHEN i % 2 = 0 THEN 'blue mug ' ELSE 'woven rug ' END || i AS item_name, "
        "NULL::VARCHAR AS item_description, "
        "CASE WHEN i - $extra = 7 THEN 'inactive' ELSE 'active' END AS status, "
        "'{}'::JSON AS properties, i::BIGINT AS item_price FROM range($extra + 60) r(i)",
        {"extra": extra_items},
    )
    con.execute(
        "CREATE TABLE profiles AS "
        "SELECT printf('p%03d', i) AS profile_id, i::INTEGER AS profile_index, 'active' AS status FROM range(120) r(i)"
    )
    rng = np.random.default_rng(0)
    profile = np.repeat(np.arange(110), 24)
    item = 2 * np.minimum(rng.geometric(0.08, len(profile)) - 1, 28) + profile % 2
    seconds = rng.integers(1, 300 * 86400, len(profile))
    rows = [(f"p{p:03d}", f"i{i:03d}", int(s)) for p, i, s in zip(profile, item, seconds, strict=True)]
    con.execute("CREATE TABLE seen (profile_id VARCHAR, item_id VARCHAR, seconds BIGINT)")
    con.executemany("INSERT INTO seen VALUES (?, ?, ?)", rows)
    con.execute(
        "CREATE VIEW events AS SELECT 'charged' AS event_type, profile_id, item_id, "
        "TIMESTAMP '2024-07-01' - seconds * INTERVAL 1 SECOND AS created_at FROM seen"
    )
    return con
