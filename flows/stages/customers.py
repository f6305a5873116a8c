"""What a run says of each customer besides models: recency, frequency and money, and past segments."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb

from contracts.account import Account
from contracts.settings import Settings
from store.exports import open_table
from transforms.customer_features import create_live_changes
from transforms.retention import count
from transforms.rfm import create_rfm
from transforms.segments import create_segments

RFM = "rfm"


def describe_customers(
    con: duckdb.DuckDBPyConnection, as_of: datetime, settings: Settings, account: Account, previous: Path | None,
    live: Sequence[tuple[str, str, str, datetime]] = (),
) -> list[dict[str, Any]]:
    """Create ``rfm``, ``segments``, ``segment_members`` and ``segment_deltas`` on the workbench; returns the job of RFM
    where the account uses jobs.

    ``live``: tags of live segments that came and went, which models learn from, too. ``previous`` is the folder of the
    published run: who was in a segment then, and since when, is read there.
    """
    scored = create_rfm(con, as_of, settings.rfm)
    before = None
    if previous is not None and open_table(con, previous, "segment_members", "published_members"):
        before = (
            "SELECT segment_id, coalesce(m.parent, p.profile_id) AS profile_id, p.created_at "
            "FROM published_members AS p LEFT JOIN profile_merges AS m ON m.child = p.profile_id"
        )
    create_segments(con, as_of, account.segments, before)
    if not account.configured:
        return []
    create_live_changes(con, live)
    customers = count(
        con,
        "SELECT count(DISTINCT profile_id) FROM events SEMI JOIN profiles USING (profile_id) "
        "WHERE event_type = 'charged'",
    )
    details: dict[str, Any] = {
        "row_counts": {
            "profiles": customers,
            "items": count(con, "SELECT count(*) FROM items"),
            "events": count(con, "SELECT count(*) FROM events WHERE event_type = 'charged'"),
            "training_rows": scored,
        },
        "figures": {"profiles": customers, "min_profiles": settings.rfm.min_profiles},
        "metrics": {"profiles_scored": scored},
        "gates": [],
        "configuration": asdict(settings.rfm),
    }
    status, reason = ("Completed", "") if scored else ("Skipped", "inadequate_data")
    return [{"algorithm": RFM, "model": RFM if scored else "", "status": status, "trained_by_run": "", "reason": reason,
             "details": details}]
