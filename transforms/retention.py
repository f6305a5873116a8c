"""Retention's DuckDB side: profile features at any date, labels of churn snapshots, and the gaps that set the horizon.

Everything here reads the workbench's ``profiles``, ``items`` and ``events`` (events before the run's cut-off) and nothing later than the
date it is asked for. Definitions are those of the retention contract, section 13.
"""

from __future__ import annotations

from datetime import datetime

import duckdb

from contracts.settings import Churn
from transforms import sql


def json_pointer(key: str) -> str:
    """JSON pointer (RFC 6901) of a top-level key; empty for the empty key, which names no property."""
    return "/" + key.replace("~", "~0").replace("/", "~1") if key else ""


def create_profile_features(con: duckdb.DuckDBPyConnection, as_of: datetime, churn: Churn, table: str = "profile_features") -> int:
    """Create ``table`` with the features of every profile from events before ``as_of`` (naive UTC); returns its rows.

    Columns and meanings are those of ``profile_features`` in ``contracts.published``. ``as_of`` may lie before the run's cut-off: a
    training snapshot is computed by the same SQL.
    """
    con.execute(
        f"CREATE OR REPLACE TABLE {table} AS {sql.read('profile_features')}",
        {
            "as_of": as_of,
            "activity_event_types": list(churn.activity_event_types),
            "amount_pointer": json_pointer(churn.amount_property),
        },
    )
    row = con.execute(f"SELECT count(*) FROM {table}").fetchone()
    assert row is not None
    return int(row[0])
