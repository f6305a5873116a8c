"""Who is in the churn population at a date, who churned after it, and what sets the horizon (retention contract,
section 13).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Literal

import duckdb
import numpy as np
from numpy.typing import NDArray

from contracts.settings import Churn
from transforms import sql
from transforms.retention import count, create_table

Definition = Literal["explicit", "inactivity"]


def create_moments(con: duckdb.DuckDBPyConnection, as_of: datetime, churn: Churn) -> int:
    """Create ``churn_explicit`` and ``churn_endings``: when profiles churned explicitly, and what ends that.

    Returns the profiles with an explicit churn before ``as_of``.
    """
    create_table(con, "churn_explicit", "churn_explicit", {"as_of": as_of})
    activity = list(churn.activity_event_types)
    create_table(con, "churn_endings", "churn_endings", {"as_of": as_of, "activity_event_types": activity})
    return count(con, "SELECT count(DISTINCT profile_id) FROM churn_explicit")


def definition(explicit_profiles: int, churn: Churn) -> Definition:
    """The definition in force: as configured, or by how many profiles have an explicit churn."""
    if churn.definition != "auto":
        return churn.definition
    return "explicit" if explicit_profiles >= churn.min_explicit_profiles else "inactivity"


def gaps(con: duckdb.DuckDBPyConnection, as_of: datetime, churn: Churn) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Days between neighbouring activity dates of a profile before ``as_of``, rising, and how often each occurs."""
    found = con.execute(
        sql.read("activity_gaps"), {"as_of": as_of, "activity_event_types": list(churn.activity_event_types)}
    ).fetchnumpy()
    return np.asarray(found["gap"], dtype=np.int64), np.asarray(found["times"], dtype=np.int64)


def activity(con: duckdb.DuckDBPyConnection, as_of: datetime, churn: Churn) -> tuple[int, int | None]:
    """Activity events before ``as_of``, and whole days since the first (with none: since the first event; None without
    any).
    """
    row = con.execute(
        "SELECT count(*) FILTER (acted), coalesce(min(created_at) FILTER (acted), min(created_at)) FROM ("
        "SELECT created_at, list_contains($types::VARCHAR[], event_type) AS acted FROM events "
        "WHERE created_at < $as_of::TIMESTAMP)",
        {"types": list(churn.activity_event_types), "as_of": as_of},
    ).fetchone()
    assert row is not None
    return int(row[0]), None if row[1] is None else (as_of - row[1]) // timedelta(days=1)


def create_exclusions(con: duckdb.DuckDBPyConnection, as_of: datetime, churn: Churn, defined: Definition) -> None:
    """Create, from ``churn_attributes``, the tables ``churn_population`` at ``as_of`` and ``churn_exclusions`` (rows of
    training_exclusions).

    Profiles that failed a check are those of the table ``quarantined_profiles``, where it exists.
    """
    create_population(con, as_of, churn, defined)
    con.execute("CREATE TABLE IF NOT EXISTS quarantined_profiles (profile_id VARCHAR)")
    create_table(con, "churn_exclusions", "churn_exclusions", {"inactivity": defined == "inactivity"})


def create_population(con: duckdb.DuckDBPyConnection, cut: datetime, churn: Churn, defined: Definition) -> int:
    """Create ``churn_population`` at ``cut`` from the tables of ``create_moments``; returns its rows."""
    return create_table(
        con,
        "churn_population",
        "churn_population",
        {
            "cut": cut,
            "activity_event_types": list(churn.activity_event_types),
            "inactivity": defined == "inactivity",
            "lookback_days": churn.lookback_days,
        },
    )


def snapshot_ages(horizon_days: int, span_days: int, count: int) -> tuple[int, ...]:
    """Days from each training snapshot to the cut-off, newest first.

    ``count`` snapshots a horizon apart; one a year before the cut-off (the same season), unless one is near it; and one
    a year before the newest. Each with at least a horizon of history before it, but for the newest, which always is.
    """
    ages = [horizon_days * number for number in range(1, count + 1)]
    if count > 1 and horizon_days <= 365:
        near = [age for age in ages if abs(age - 365) <= max(horizon_days // 4, 7)]
        season = near[0] if near else 365
        ages += [season, season + horizon_days]
    return tuple(sorted(age for age in set(ages) if age == horizon_days or age + horizon_days <= span_days))


def create_labels(
    con: duckdb.DuckDBPyConnection,
    as_of: datetime,
    ages: Sequence[int],
    horizon_days: int,
    churn: Churn,
    defined: Definition,
) -> None:
    """Create ``churn_labels``: one row a snapshot (numbered from 0, newest first) and profile of its population.

    Columns: snapshot, profile_id, label, duration, event, draw (a fixed number of the profile below ``DRAWS``),
    activity (active days within the horizon). Leaves ``churn_population`` as of the oldest snapshot.
    """
    activity_types = list(churn.activity_event_types)
    create_table(
        con,
        "churn_silences",
        "churn_silences",
        {"as_of": as_of, "activity_event_types": activity_types, "horizon_days": horizon_days},
    )
    con.execute(
        "CREATE OR REPLACE TABLE churn_labels "
        "(snapshot INTEGER, profile_id VARCHAR, label INTEGER, duration INTEGER, event BOOLEAN, draw INTEGER, "
        "activity INTEGER)"
    )
    for number, age in enumerate(ages):
        cut = as_of - timedelta(days=age)
        create_population(con, cut, churn, defined)
        con.execute(
            f"INSERT INTO churn_labels SELECT {number}, * FROM ({sql.read('churn_snapshot')})",
            {
                "cut": cut,
                "as_of": as_of,
                "horizon_days": horizon_days,
                "activity_event_types": activity_types,
                "inactivity": defined == "inactivity",
            },
        )


def label_counts(con: duckdb.DuckDBPyConnection) -> tuple[int, int]:
    """Rows of ``churn_labels`` with label 0 and with label 1."""
    return count(con, "SELECT count(*) FROM churn_labels WHERE label = 0"), count(
        con, "SELECT count(*) FROM churn_labels WHERE label = 1"
    )


def eligible_profiles(con: duckdb.DuckDBPyConnection) -> int:
    """Profiles that no rule but lack of activity excludes."""
    return count(
        con,
        "SELECT count(*) FROM profiles WHERE profile_id NOT IN "
        "(SELECT profile_id FROM churn_exclusions WHERE reason <> 'no_activity')",
    )


def exclusion_counts(con: duckdb.DuckDBPyConnection) -> dict[str, int]:
    """Excluded profiles by reason."""
    found = con.execute("SELECT reason, count(*) FROM churn_exclusions GROUP BY reason ORDER BY reason").fetchall()
    return {str(reason): int(count) for reason, count in found}


def report(
    con: duckdb.DuckDBPyConnection, as_of: datetime, churn: Churn, defined: Definition, horizon_days: int
) -> tuple[int, int]:
    """Profiles counted and profiles churned at ``as_of``, from the tables of ``create_moments``."""
    row = con.execute(
        sql.read("churn_report"),
        {
            "as_of": as_of,
            "activity_event_types": list(churn.activity_event_types),
            "inactivity": defined == "inactivity",
            "horizon_days": horizon_days,
        },
    ).fetchone()
    assert row is not None
    return int(row[0]), int(row[1])
