"""A generated shop with known structure: profiles with tastes and fates, items, and the events they cause.

Every number is drawn by hashing the seed with the row's own place (profile, month, visit, line), so a row depends on
nothing but the plan: the tables are the same for any number of threads, and months are made one after the other in
memory bounded by the largest.

What a model can find: 16 circles of taste over categories and style families, four orders of preference inside them,
three staples that a profile buys again and again, popularity that falls as a power of the rank, a Christmas peak and
seasons of categories, items launched on the way (some in the last weeks, with a telling text), and departures whose
monthly odds depend on plan, newsletter, age, complaints, time since sign-up and activity; most are announced by fewer
visits.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, timedelta

import duckdb

from contracts.errors import UsageError
from transforms import sql

DEFAULT_END = date(2026, 7, 1)
DEFAULT_DAYS = 546  # with the default end: January 2025 to June 2026
PROFILE_FAULTS, EVENT_FAULTS = 5, 12

_SEED_SPAN = 1 << 32
_EVENTS_PER_VISIT = 62.0  # measured: events a profile causes in the default period, per visit a month
_SETTING = (
    "categories",
    "families",
    "days",
    "months",
    "day_slots",
    "category_slots",
    "items",
    "profiles",
    "profile_rows",
)
_MONTH = ("shelf", "cells", "lines")


@dataclass(frozen=True, slots=True)
class SamplePlan:
    """What to generate, in the period ``[first_day, end)``.

    ``dirty`` is the share of damaged lines in the CSV files that carry them.
    """

    profiles: int
    items: int
    days: int
    end: date
    seed: int
    dirty: float
    events_per_profile: float

    @property
    def first_day(self) -> date:
        return self.end - timedelta(days=self.days)

    @property
    def categories(self) -> int:
        return min(12, max(1, self.items // 8))

    @property
    def families(self) -> int:
        return min(6, max(1, self.items // (self.categories * 3)))

    def damaged(self, rows: int, faults: int) -> int:
        """Lines to damage in a file of ``rows`` good rows: the planned share, but each fault at least once."""
        return min(rows, max(faults, round(rows * self.dirty))) if self.dirty else 0


@dataclass(frozen=True, slots=True)
class Month:
    """One calendar month of the period; days count from its first day, ``[from_day, to_day)``."""

    index: int
    name: str
    from_day: int
    to_day: int


def plan(
    profiles: int,
    *,
    seed: int = 0,
    items: int = 0,
    days: int = DEFAULT_DAYS,
    end: date = DEFAULT_END,
    dirty: float = 0.01,
    events_per_profile: float = 30.0,
) -> SamplePlan:
    """Check the wishes and return the plan. ``items`` 0 means a fifth of the profiles, at least 120 and at most 20,000.

    ``events_per_profile`` is the mean over a period of the default length. Raises ``UsageError``.
    """
    if not 1 <= profiles <= 100_000_000:
        raise UsageError(f"cannot make {profiles} profiles", hint="--profiles between 1 and 100000000")
    if items < 0 or items > 10_000_000:
        raise UsageError(f"cannot make {items} items", hint="--items between 1 and 10000000")
    if not 1 <= days <= 3660:
        raise UsageError(f"cannot make {days} days", hint="--days between 1 and 3660")
    if not 0 <= dirty <= 0.5:
        raise UsageError(f"a share of {dirty} damaged lines is not possible", hint="--dirty between 0 and 0.5")
    if not 0 < events_per_profile <= 1000:
        hint = "--events-per-profile above 0, at most 1000"
        raise UsageError(f"cannot make {events_per_profile} events for each profile", hint=hint)
    return SamplePlan(
        profiles=profiles,
        items=items or min(20_000, max(120, profiles // 5)),
        days=days,
        end=end,
        seed=seed % _SEED_SPAN,
        dirty=dirty,
        events_per_profile=events_per_profile,
    )


def prepare(con: duckdb.DuckDBPyConnection, planned: SamplePlan) -> tuple[Month, ...]:
    """Create the tables of the whole period (``sample_items`` and so on); returns its months in order."""
    con.execute(sql.read("sample_macros"))
    for name in _SETTING:
        _create(con, planned, name)
    con.execute(
        "CREATE OR REPLACE TABLE sample_carried "
        "(profile_index INTEGER, sequence INTEGER, key UBIGINT, moment BIGINT, event_type VARCHAR, item_index INTEGER)"
    )
    found = con.execute("SELECT month_index, name, from_day, to_day FROM sample_months ORDER BY month_index").fetchall()
    return tuple(Month(*row) for row in found)


def make_month(con: duckdb.DuckDBPyConnection, planned: SamplePlan, month: Month) -> int:
    """Create ``sample_happened``, the events of one month, and carry what follows from them later.

    Months must come in order. Returns the number of events of the month.
    """
    for name in _MONTH:
        _create(con, planned, name, month)
    happenings, parameters = query(planned, "happenings", month)
    both = f"{happenings} UNION ALL SELECT * FROM sample_carried"
    con.execute(f"CREATE OR REPLACE TABLE sample_happened AS {both}", parameters)
    turn = {"turn": month.to_day * 86400}
    con.execute("CREATE OR REPLACE TABLE sample_carried AS SELECT * FROM sample_happened WHERE moment >= $turn", turn)
    row = con.execute("SELECT count(*) FROM sample_happened WHERE moment < $turn", turn).fetchone()
    assert row is not None
    return int(row[0])


def query(planned: SamplePlan, name: str, month: Month | None = None, **more: object) -> tuple[str, dict[str, object]]:
    """Text of ``sample_<name>.sql`` and the values of the parameters it names."""
    text = sql.read(f"sample_{name}")
    values: dict[str, object] = {
        "profiles": planned.profiles,
        "items": planned.items,
        "days": planned.days,
        "first_day": planned.first_day,
        "seed": planned.seed,
        "categories": planned.categories,
        "families": planned.families,
        "visits": planned.events_per_profile / _EVENTS_PER_VISIT,
        **({"month": month.index, "to_day": month.to_day} if month else {}),
        **more,
    }
    return text, {name: values[name] for name in set(re.findall(r"\$(\w+)", text))}


def keep_last_events(
    con: duckdb.DuckDBPyConnection, planned: SamplePlan, month: Month, *, skip: int | None = None
) -> int:
    """Create or extend ``sample_last_events`` with the month's events as delivered, in order; returns its rows.

    With ``skip`` it is made anew without the first ``skip`` events of the month.
    """
    text, parameters = query(planned, "events", month)
    if skip is not None:
        con.execute(f"CREATE OR REPLACE TABLE sample_last_events AS FROM ({text}) OFFSET {skip}", parameters)
    else:
        con.execute(f"CREATE TABLE IF NOT EXISTS sample_last_events AS SELECT * FROM ({text}) LIMIT 0", parameters)
        con.execute(f"INSERT INTO sample_last_events {text}", parameters)
    return _count(con, "sample_last_events")


def make_lines(con: duckdb.DuckDBPyConnection, planned: SamplePlan, name: str) -> int:
    """Create ``sample_<name>_lines`` (``profile`` or ``event``): lines of a CSV file; returns how many are damaged."""
    sources = {"profile": ("sample_profile_rows", PROFILE_FAULTS), "event": ("sample_last_events", EVENT_FAULTS)}
    source, faults = sources[name]
    rows = _count(con, source)
    damaged = planned.damaged(rows, faults)
    text, parameters = query(planned, f"{name}_lines", rows=max(rows, 1), damaged=damaged)
    con.execute(f"CREATE OR REPLACE TABLE sample_{name}_lines AS {text}", parameters)
    return damaged


def _create(con: duckdb.DuckDBPyConnection, planned: SamplePlan, name: str, month: Month | None = None) -> None:
    text, parameters = query(planned, name, month)
    con.execute(f"CREATE OR REPLACE TABLE sample_{name} AS {text}", parameters)


def _count(con: duckdb.DuckDBPyConnection, table: str) -> int:
    row = con.execute(f"SELECT count(*) FROM {table}").fetchone()
    assert row is not None
    return int(row[0])
