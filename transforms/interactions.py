"""Interactions and popularity as of any date, and the pairs that followed it. DuckDB in, arrays or tables out."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import duckdb
import numpy as np
from numpy.typing import NDArray

from contracts.settings import Recommendations
from transforms import sql
from transforms.tables import create

Columns = dict[str, NDArray[Any]]
READ_AGAIN = ("as_of", "half_life_days")


def create_interactions(con: duckdb.DuckDBPyConnection, settings: Recommendations, as_of: datetime) -> int:
    """Create the published table ``interactions`` from ``events``, ``profiles`` and ``items``; returns its rows."""
    return create(con, "interactions", **_parameters(settings, as_of))


def create_popularity(con: duckdb.DuckDBPyConnection) -> int:
    """Create the published table ``popularity`` from ``interactions`` and ``items``; returns its rows."""
    return create(con, "popularity")


def read_interactions(
    con: duckdb.DuckDBPyConnection, settings: Recommendations, as_of: datetime, *, created: bool = False
) -> Columns:
    """Columns of interactions as of a date; with ``created`` from the table, which must be of that date.

    Returns profile_index and item_index int32, weight and recent_weight float64, events int32, last_day int32 (days
    since 1970-01-01), and strength float64: the weight in units of one event of the heaviest type, but never more than
    one such event at the time of the last one. Rows are in no particular order.
    """
    columns = con.execute(
        "SELECT profile_index, item_index, weight, recent_weight, events, "
        "(epoch_us(last_at) // 86400000000)::INTEGER AS last_day, "
        "least(weight / $heaviest, pow(0.5, (epoch_us($as_of::TIMESTAMP) - epoch_us(last_at)) / 86400000000.0 "
        "/ $half_life_days)) AS strength "
        f"FROM {'interactions' if created else '(' + sql.read('interactions') + ')'} AS interactions",
        {"heaviest": max(settings.event_weights.values(), default=0.0) or 1.0}
        | {name: value for name, value in _parameters(settings, as_of).items() if not created or name in READ_AGAIN},
    ).fetchnumpy()
    return {name: np.ma.getdata(values) for name, values in columns.items()}


def read_window(con: duckdb.DuckDBPyConnection, settings: Recommendations, start: datetime) -> Columns:
    """Distinct pairs (profile_index, item_index) with a weighted event from ``start`` on."""
    columns = con.execute(
        "SELECT DISTINCT profile_index, item_index "
        "FROM events JOIN profiles USING (profile_id) JOIN items USING (item_id) "
        "WHERE list_contains($event_types::VARCHAR[], event_type) AND events.created_at >= $start::TIMESTAMP",
        {"event_types": list(settings.event_weights), "start": start},
    ).fetchnumpy()
    return {name: np.ma.getdata(values) for name, values in columns.items()}


def time_cut(con: duckdb.DuckDBPyConnection, settings: Recommendations) -> datetime | None:
    """Time from which the last ``validation_share`` of weighted events lie, or None without events."""
    row = con.execute(
        "SELECT quantile_disc(events.created_at, $share) "
        "FROM events JOIN profiles USING (profile_id) JOIN items USING (item_id) "
        "WHERE list_contains($event_types::VARCHAR[], event_type)",
        {"event_types": list(settings.event_weights), "share": 1 - settings.validation_share},
    ).fetchone()
    return row[0] if row else None


def read_item_text(con: duckdb.DuckDBPyConnection) -> tuple[list[str], list[list[str]]]:
    """Words and exact tokens of every item, by item_index."""
    table = con.execute(sql.read("item_text")).to_arrow_table()
    return table.column("words").to_pylist(), table.column("tokens").to_pylist()


def _parameters(settings: Recommendations, as_of: datetime) -> dict[str, Any]:
    return {
        "as_of": as_of,
        "event_types": list(settings.event_weights),
        "event_weights": list(settings.event_weights.values()),
        "half_life_days": settings.half_life_days,
        "popularity_half_life_days": settings.popularity_half_life_days,
    }
