"""The first derived tables of a run, in build order: what is known as of a date, numbered for the arrays."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import duckdb

from transforms import sql, written

BUILD_ORDER: tuple[str, ...] = ("profiles", "items", "ratings", "session_events", "sessions")


@dataclass(frozen=True, slots=True)
class Built:
    """One derived table and its rows."""

    name: str
    rows: int


def build(con: duckdb.DuckDBPyConnection, as_of: datetime) -> tuple[Built, ...]:
    """Create ``profiles``, ``items``, ``ratings``, both tables of sessions and the view ``events`` on the workbench,
    as of ``as_of`` (naive UTC).

    ``con`` has the warehouse attached under the name ``warehouse``. Existing tables of these names are replaced.
    """
    cut = f"TIMESTAMP '{as_of.isoformat(sep=' ')}'"
    con.execute(
        "CREATE OR REPLACE VIEW events AS SELECT event_id, event_type, profile_id, item_id, created_at, properties, "
        f"NULL::VARCHAR AS source_profile_id FROM warehouse.events WHERE created_at < {cut}"
    )
    for entity in ("profiles", "items"):
        written.create_written(con, entity)
    return tuple(Built(name, create(con, name, as_of=as_of)) for name in BUILD_ORDER)


def create(con: duckdb.DuckDBPyConnection, name: str, **parameters: object) -> int:
    """Create table ``name`` from ``sql/<name>.sql`` with its parameters; returns its rows."""
    con.execute(f"CREATE OR REPLACE TABLE {name} AS {sql.read(name)}", parameters)
    row = con.execute(f"SELECT count(*) FROM {name}").fetchone()
    assert row is not None
    return int(row[0])
