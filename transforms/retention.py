"""Profile features at any date, in DuckDB, and the few words that retention's SQL is made with.

Retention reads the workbench's ``profiles``, ``items`` and ``events`` (events before the run's cut-off) and nothing
later than the date it is asked for. All times are naive UTC.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import duckdb

from contracts.settings import Churn
from transforms import sql
from transforms.quoting import identifier


def json_pointer(key: str) -> str:
    """JSON pointer (RFC 6901) of a top-level key; empty for the empty key, which names no property."""
    return "/" + key.replace("~", "~0").replace("/", "~1") if key else ""


def create_profile_features(
    con: duckdb.DuckDBPyConnection,
    as_of: datetime,
    churn: Churn,
    table: str = "profile_features",
    *,
    profiles: str = "profiles",
    events: str = "events",
) -> int:
    """Create ``table`` with the features of every profile from events before ``as_of``; returns its rows.

    Columns and meanings are those of ``profile_features`` in ``contracts.published``. ``as_of`` may lie before the
    run's cut-off: a training snapshot is computed by the same SQL. ``profiles`` and ``events`` may name tables with a
    part of the workbench's rows.
    """
    query = sql.read("profile_features")
    if (profiles, events) != ("profiles", "events"):
        query = f"WITH profiles AS (FROM {identifier(profiles)}), events AS (FROM {identifier(events)}) FROM ({query})"
    con.execute(
        f"CREATE OR REPLACE TABLE {identifier(table)} AS {query}",
        {
            "as_of": as_of,
            "activity_event_types": list(churn.activity_event_types),
            "amount_pointer": json_pointer(churn.amount_property),
        },
    )
    return count(con, f"SELECT count(*) FROM {identifier(table)}")


def create_table(con: duckdb.DuckDBPyConnection, table: str, file: str, parameters: dict[str, Any]) -> int:
    """Create or replace ``table`` from ``sql/<file>.sql`` with its parameters; returns its rows."""
    con.execute(f"CREATE OR REPLACE TABLE {identifier(table)} AS {sql.read(file)}", parameters)
    return count(con, f"SELECT count(*) FROM {identifier(table)}")


def count(con: duckdb.DuckDBPyConnection, query: str) -> int:
    """The one whole number that ``query`` answers."""
    row = con.execute(query).fetchone()
    assert row is not None
    return int(row[0])
