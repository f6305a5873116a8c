"""Interactions and popularity as of any date, and the pairs that followed it. DuckDB in, arrays or tables out."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import duckdb
import numpy as np
from numpy.typing import NDArray

from contracts.settings import Recommendations
from transforms import sql
from transforms.feature_keys import create_missing
from transforms.tables import create

Columns = dict[str, NDArray[Any]]
INTERACTION = -1
"""``load_id`` of events that came as interactions and ratings of the Crossing Minds dialect: they all count."""
EPOCH = datetime(1970, 1, 1)
UNLISTED = 1.0
"""Weight of their types where the settings give none."""
READ_AGAIN = ("as_of", "half_life_days")


def unlisted_types(con: duckdb.DuckDBPyConnection, settings: Recommendations) -> list[str]:
    """Types of the warehouse's interactions that the settings give no weight, in order."""
    found = con.execute(
        "SELECT DISTINCT event_type FROM warehouse.events WHERE load_id = $load AND item_id IS NOT NULL "
        "AND NOT list_contains($listed::VARCHAR[], event_type) ORDER BY event_type",
        {"load": INTERACTION, "listed": sorted(settings.event_weights)},
    ).fetchall()
    return [str(name) for (name,) in found]


def create_item_events(
    con: duckdb.DuckDBPyConnection, settings: Recommendations, unlisted: Sequence[str] = ()
) -> int:
    """Create, once for all cuts, ``item_events`` from ``events``, ``profiles`` and ``items``; returns its rows.

    Events of ``unlisted`` types weigh 1.

    Before it, ``recommender_exclusions`` (rows of ``training_exclusions``): the profiles that no recommender learns
    from, by their status, missing features, and by a failed check where the table ``quarantined_profiles`` exists.
    """
    con.execute("CREATE TABLE IF NOT EXISTS quarantined_profiles (profile_id VARCHAR)")
    create_missing(con, "recommender_missing", settings.profile_features)
    create(con, "recommender_exclusions")
    weights = {**dict.fromkeys(unlisted, UNLISTED), **settings.event_weights}
    types = sorted({*weights, *settings.exclude_event_types})
    return create(
        con,
        "item_events",
        event_types=types,
        event_weights=[weights.get(one, 0.0) for one in types],
        excluding=[one in settings.exclude_event_types for one in types],
    )


def create_interactions(con: duckdb.DuckDBPyConnection, settings: Recommendations, as_of: datetime) -> int:
    """Create the published table ``interactions`` from ``item_events``, profiles and items; returns its rows."""
    return create(con, "interactions", **_parameters(settings, as_of))


def create_popularity(con: duckdb.DuckDBPyConnection) -> int:
    """Create the published table ``popularity`` from ``interactions``, ``recommender_exclusions`` and ``items``."""
    return create(con, "popularity")


def read_trained(con: duckdb.DuckDBPyConnection) -> NDArray[np.bool_]:
    """Whether recommenders learn from each profile, bool (n_profiles,) by profile_index."""
    found = con.execute(
        "SELECT recommender_exclusions.profile_id IS NULL AS trained FROM profiles "
        "LEFT JOIN (SELECT DISTINCT profile_id FROM recommender_exclusions) AS recommender_exclusions "
        "ON recommender_exclusions.profile_id = profiles.profile_id ORDER BY profile_index"
    ).fetchnumpy()["trained"]
    return np.asarray(np.ma.getdata(found), dtype=np.bool_)


def read_exclusions(con: duckdb.DuckDBPyConnection) -> dict[str, int]:
    """Number of profiles that recommenders do not learn from, by reason."""
    query = "SELECT reason, count(*) FROM recommender_exclusions GROUP BY reason ORDER BY reason"
    found = con.execute(query).fetchall()
    return {str(reason): int(number) for reason, number in found}


def read_interactions(
    con: duckdb.DuckDBPyConnection, settings: Recommendations, as_of: datetime, *, created: bool = False
) -> Columns:
    """Columns of interactions as of a date; with ``created`` from the table, which must be of that date.

    Returns profile_index and item_index int32, weight and recent_weight float64, events int32, last_day and first_day
    int32 (days since 1970-01-01), excludes bool, and strength float64: the weight in units of one event of the heaviest
    type, but never more than one such event at the time of the last one. Pairs that only exclude have no events and
    zeros.
    Rows are in no particular order.
    """
    columns = con.execute(
        "SELECT profile_index, item_index, weight, recent_weight, events, excludes, "
        "coalesce(epoch_us(last_at) // 86400000000, 0)::INTEGER AS last_day, "
        "coalesce(epoch_us(first_at) // 86400000000, 0)::INTEGER AS first_day, "
        "least(weight / $heaviest, pow(0.5, (epoch_us($as_of::TIMESTAMP) - epoch_us(last_at)) / 86400000000.0 "
        "/ $half_life_days)) AS strength "
        f"FROM {'interactions' if created else '(' + sql.read('interactions') + ')'} AS interactions",
        {"heaviest": max(settings.event_weights.values(), default=0.0) or 1.0}
        | {name: value for name, value in _parameters(settings, as_of).items() if not created or name in READ_AGAIN},
    ).fetchnumpy()
    return {name: np.ma.getdata(values) for name, values in columns.items()}


def read_window(con: duckdb.DuckDBPyConnection, start: datetime, end: datetime | None = None) -> Columns:
    """Distinct pairs (profile_index, item_index) with a weighted event from ``start`` on, of trained profiles; with
    ``end`` before that.
    """
    columns = con.execute(
        "SELECT DISTINCT profile_index, item_index FROM item_events "
        "WHERE trained AND weight > 0 AND created_at >= $start::TIMESTAMP "
        "AND ($end::TIMESTAMP IS NULL OR created_at < $end::TIMESTAMP)",
        {"start": start, "end": end},
    ).fetchnumpy()
    return {name: np.ma.getdata(values) for name, values in columns.items()}


def time_cut(
    con: duckdb.DuckDBPyConnection, settings: Recommendations, before: datetime | None = None
) -> datetime | None:
    """Time from which the last ``validation_share`` of weighted events of trained profiles lie, or None without any.
    With ``before`` only the events before that date are looked at.
    """
    row = con.execute(
        "SELECT quantile_disc(created_at, $share) FROM item_events "
        "WHERE trained AND weight > 0 AND ($before::TIMESTAMP IS NULL OR created_at < $before::TIMESTAMP)",
        {"share": 1 - settings.validation_share, "before": before},
    ).fetchone()
    return row[0] if row else None


def digest(con: duckdb.DuckDBPyConnection, until: datetime) -> str:
    """The same text for the same events of ``item_events`` before a date."""
    row = con.execute(sql.read("interaction_digest"), {"until": until}).fetchone()
    assert row is not None  # sums over any number of rows are one row
    return str(row[0])


def read_item_text(con: duckdb.DuckDBPyConnection) -> tuple[list[str], list[list[str]]]:
    """Words and exact tokens of every item, by item_index."""
    table = con.execute(sql.read("item_text")).to_arrow_table()
    return table.column("words").to_pylist(), table.column("tokens").to_pylist()


def read_item_prices(con: duckdb.DuckDBPyConnection) -> NDArray[np.float64]:
    """Price of every item, by item_index; not-a-number where it has none."""
    found = con.execute("SELECT item_price::DOUBLE AS price FROM items ORDER BY item_index").fetchnumpy()["price"]
    return np.asarray(np.ma.filled(np.ma.asarray(found, dtype=np.float64), np.nan))


def day_of(when: datetime) -> int:
    """Number of a date as in ``last_day``: whole days since 1970-01-01."""
    return (when - EPOCH).days


def _parameters(settings: Recommendations, as_of: datetime) -> dict[str, Any]:
    return {
        "as_of": as_of,
        "half_life_days": settings.half_life_days,
        "popularity_half_life_days": settings.popularity_half_life_days,
    }
