"""The build stage: everything derived from the warehouse that later stages stand on."""

from __future__ import annotations

from datetime import datetime

import duckdb

from contracts.settings import Settings
from transforms import retention, tables


def build(con: duckdb.DuckDBPyConnection, as_of: datetime, settings: Settings) -> dict[str, int]:
    """Create ``profiles``, ``items``, view ``events`` and ``profile_features`` as of ``as_of``; returns rows by
    table.
    """
    rows = {built.name: built.rows for built in tables.build(con, as_of)}
    counted = con.execute("SELECT count(*) FROM events").fetchone()
    assert counted is not None
    rows["events"] = int(counted[0])
    rows["profile_features"] = retention.create_profile_features(con, as_of, settings.churn)
    return rows
