"""Recency, frequency and money at any date (retention contract, section 14). DuckDB in, DuckDB out."""

from __future__ import annotations

from datetime import datetime

import duckdb

from contracts.settings import Rfm
from transforms.retention import create_table, json_pointer


def create_rfm(con: duckdb.DuckDBPyConnection, as_of: datetime, settings: Rfm, table: str = "rfm") -> int:
    """Create ``table`` with the columns of the published ``rfm`` from events before ``as_of``; returns its rows.

    Reads ``profiles``, ``items`` (current prices) and ``events``. No rows below ``min_profiles``.
    """
    return create_table(
        con, table, "rfm",
        {
            "as_of": as_of,
            "window_days": settings.window_days,
            "amount_pointer": json_pointer(settings.amount_property),
            "min_profiles": settings.min_profiles,
        },
    )
