"""The build stage: everything derived from the warehouse that later stages stand on."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import duckdb

from contracts.settings import Settings
from store.exports import open_table
from transforms import retention, tables
from transforms.merge import merge_profiles
from transforms.retention import count


def build(
    con: duckdb.DuckDBPyConnection, as_of: datetime, settings: Settings, key: str = "", run_id: str = "",
    previous: Path | None = None,
) -> dict[str, int]:
    """Create ``profiles``, ``items``, view ``events`` and ``profile_features`` as of ``as_of``; returns rows by
    table.

    Profiles that carry the same value of ``key`` are merged, with those that run ``previous`` (its folder) had merged.
    """
    rows = {built.name: built.rows for built in tables.build(con, as_of)}
    known = previous is not None and open_table(con, previous, "profile_merges", "published_merges")
    merged = merge_profiles(
        con, as_of, key, settings.identification.max_group, run_id, "FROM published_merges" if known else None
    )
    rows["profile_merges"] = count(con, "SELECT count(*) FROM profile_merges")
    rows["suspect_groups"] = merged.suspects
    rows["profiles"] = count(con, "SELECT count(*) FROM profiles")
    counted = con.execute("SELECT count(*) FROM events").fetchone()
    assert counted is not None
    rows["events"] = int(counted[0])
    rows["profile_features"] = retention.create_profile_features(con, as_of, settings.churn)
    return rows
