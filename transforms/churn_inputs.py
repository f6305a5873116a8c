"""What a churn model reads of a profile at any date: the published features, event counts, configured attributes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

import duckdb
import numpy as np
from numpy.typing import NDArray

from contracts.published import TABLE_BY_NAME
from contracts.settings import Churn
from transforms import sql
from transforms.customer_features import CustomerFeatures, create_customer_features
from transforms.feature_keys import value_of
from transforms.quoting import identifier, text_literal
from transforms.retention import count, create_profile_features

Kind = Literal["number", "boolean", "string"]

BUILT_IN = tuple(column.name for column in TABLE_BY_NAME["profile_features"].columns if column.name != "profile_id")
RHYTHM = (
    "active_days_decayed_30d",
    "active_days_decayed_60d",
    "active_days_decayed_120d",
    "active_days_decayed_240d",
    "active_days_year_ago",
    "active_months_360d",
    "gap_median_days",
    "recency_to_gap_median",
    "gaps_longer_share",
    "history_cut",
    "history_cut_per_day",
)
"""Columns of ``sql/churn_rhythm.sql``."""
DRAWS = 1_000_000
_MOST_EVENT_TYPES = 20


@dataclass(frozen=True, slots=True)
class Attribute:
    """One configured profile feature: its ``key`` in either property map, the feature's ``name``, and its type."""

    key: str
    name: str
    kind: Kind


@dataclass(frozen=True, slots=True)
class Inputs:
    """What a churn model reads of a profile: the published features, a count for each event type, configured
    attributes.

    ``since``, the first activity of anybody, adds the rhythm of active days.
    """

    event_types: tuple[str, ...] = ()
    attributes: tuple[Attribute, ...] = ()
    customers: CustomerFeatures | None = None
    since: datetime | None = None

    @property
    def numbers(self) -> tuple[str, ...]:
        """Names of the features that are numbers (booleans are 0 and 1)."""
        return (
            BUILT_IN
            + (RHYTHM if self.since else ())
            + _count_names(self.event_types)
            + tuple(one.name for one in self.attributes if one.kind != "string")
            + (("rfm_score", *self.customers.flags) if self.customers else ())
        )

    @property
    def booleans(self) -> tuple[str, ...]:
        """Names of the numbers that are 0 for false and 1 for true."""
        flags = self.customers.flags if self.customers else ()
        return ("has_charged", *(one.name for one in self.attributes if one.kind == "boolean"), *flags)

    @property
    def texts(self) -> tuple[str, ...]:
        """Names of the features that are text."""
        return tuple(one.name for one in self.attributes if one.kind == "string")

    def card(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            "event_types": list(self.event_types),
            "attributes": [[one.key, one.name, one.kind] for one in self.attributes],
            "customers": self.customers.card() if self.customers else None,
            "since": self.since.isoformat() if self.since else None,
        }

    @staticmethod
    def restore(card: dict[str, Any]) -> Inputs:
        """The inputs that ``card`` describes."""
        customers, since = card.get("customers"), card.get("since")
        return Inputs(
            tuple(card["event_types"]), tuple(Attribute(*one) for one in card["attributes"]),
            CustomerFeatures.restore(customers) if customers else None,
            datetime.fromisoformat(since) if since else None,
        )


def find_inputs(
    con: duckdb.DuckDBPyConnection, churn: Churn, customers: CustomerFeatures | None = None
) -> Inputs:
    """Inputs for a new model: the 20 most frequent event types (unless there is only the activity), and configured
    features; for an account also ``customers``.
    """
    found = con.execute(
        "SELECT event_type FROM events GROUP BY event_type ORDER BY count(*) DESC, event_type"
    ).fetchall()
    types = tuple(sorted(str(row[0]) for row in found[:_MOST_EVENT_TYPES]))
    typed = dict(
        con.execute(
            "SELECT key, min(type) FROM warehouse.property_types WHERE entity = 'profiles' GROUP BY key ORDER BY key"
        ).fetchall()
    )
    began = con.execute(
        "SELECT min(created_at) FROM events WHERE list_contains($types::VARCHAR[], event_type)",
        {"types": list(churn.activity_event_types)},
    ).fetchone()
    since = began[0] if began else None
    taken = [*BUILT_IN, *RHYTHM, *_count_names(types), *(("rfm_score", *customers.flags) if customers else ())]
    attributes = []
    for key in dict.fromkeys(churn.profile_features):
        kind: Kind = typed[key] if typed.get(key) in {"number", "boolean"} else "string"
        free = key.lower() not in {name.lower() for name in taken}
        taken.append(_unlike(taken, key if free else f"profile.{key}"))
        attributes.append(Attribute(key, taken[-1], kind))
    return Inputs(types if len(types) > 1 else (), tuple(attributes), customers, since)


def _count_names(event_types: Sequence[str]) -> tuple[str, ...]:
    names: list[str] = []
    for event_type in event_types:
        names.append(_unlike(names, f"events.{event_type}"))
    return tuple(names)


def _unlike(taken: Sequence[str], name: str) -> str:
    """``name``, or with ``~`` appended until no other name is equal but for case, which DuckDB's columns ignore."""
    return name if name.lower() not in {one.lower() for one in taken} else _unlike(taken, name + "~")


def create_attributes(con: duckdb.DuckDBPyConnection, inputs: Inputs) -> None:
    """Create ``churn_attributes``: one row a profile: ``missing_keys``, and each configured feature's current value by
    its name.
    """
    texts, values, missing = [], [], []
    for number, one in enumerate(inputs.attributes):
        texts.append(f"{value_of(one.key)} AS t{number}")
        missing.append(f"CASE WHEN t{number} IS NULL THEN {text_literal(one.key)} END")
        read = {
            "number": f"try_cast(t{number} AS DOUBLE)",
            "boolean": f"(t{number} = 'true')::DOUBLE",
            "string": f"t{number}",
        }
        values.append(f"{read[one.kind]} AS {identifier(one.name)}")
    con.execute(
        "CREATE OR REPLACE TABLE churn_attributes AS "
        f"SELECT {', '.join(['profile_id', *values])}, "
        f"list_filter([{', '.join(['NULL::VARCHAR', *missing])}], lambda key: key IS NOT NULL) AS missing_keys "
        f"FROM (SELECT {', '.join(['profile_id', *texts])} FROM profiles) ORDER BY profile_id"
    )


def create_inputs(
    con: duckdb.DuckDBPyConnection,
    cut: datetime,
    churn: Churn,
    inputs: Inputs,
    *,
    profiles: str = "profiles",
    events: str = "events",
) -> None:
    """Create ``churn_inputs``: one row a profile with every feature of ``inputs`` at ``cut``; numbers are DOUBLE, null
    missing. ``profiles`` and ``events`` as in ``create_profile_features``.
    """
    create_profile_features(con, cut, churn, "churn_features", profiles=profiles, events=events)
    columns = [identifier(name) for name in _count_names(inputs.event_types)]
    counts = "".join(
        f", count(*) FILTER (event_type = {text_literal(one)})::DOUBLE AS {column}"
        for one, column in zip(inputs.event_types, columns, strict=True)
    )
    names = [
        *(f"r.{name}" for name in (RHYTHM if inputs.since is not None else ())),
        *(f"coalesce(c.{column}, 0) AS {column}" for column in columns),
        *(f"a.{identifier(one.name)}" for one in inputs.attributes),
    ]
    joined = ""
    if inputs.customers is not None:
        create_customer_features(con, cut, inputs.customers)
        names += [f"s.{identifier(name)}" for name in ("rfm_score", *inputs.customers.flags)]
        joined += "LEFT JOIN churn_customers AS s USING (profile_id) "
    if inputs.since is not None:
        query = sql.read("churn_rhythm")
        if events != "events":
            query = f"WITH events AS (FROM {identifier(events)}) FROM ({query})"
        known = {"cut": cut, "since": inputs.since, "activity_event_types": list(churn.activity_event_types)}
        con.execute(f"CREATE OR REPLACE TABLE churn_rhythm AS {query}", known)
        joined += "LEFT JOIN churn_rhythm AS r USING (profile_id) "
    built_in = [f"f.{identifier(name)}::DOUBLE AS {identifier(name)}" for name in BUILT_IN]
    con.execute(
        f"CREATE OR REPLACE TABLE churn_inputs AS SELECT {', '.join(['f.profile_id', *built_in, *names])} "
        f"FROM churn_features AS f JOIN churn_attributes AS a USING (profile_id) {joined}LEFT JOIN ("
        f"SELECT profile_id{counts} FROM {identifier(events)} WHERE created_at < $cut::TIMESTAMP GROUP BY profile_id"
        ") AS c USING (profile_id) ORDER BY f.profile_id",
        {"cut": cut},
    )


def inputs_of(
    con: duckdb.DuckDBPyConnection, as_of: datetime, churn: Churn, inputs: Inputs, profile_id: str
) -> dict[str, Any] | None:
    """Each feature's value at ``as_of`` for one profile (None is missing), or None for an unknown profile.

    Creates ``churn_attributes`` and ``churn_inputs`` of all profiles in ``profiles``.
    """
    create_attributes(con, inputs)
    create_inputs(con, as_of, churn, inputs)
    found = con.execute("SELECT * EXCLUDE (profile_id) FROM churn_inputs WHERE profile_id = $id", {"id": profile_id})
    names = [column[0] for column in found.description or ()]
    row = found.fetchone()
    return None if row is None else dict(zip(names, row, strict=True))


def create_rows(
    con: duckdb.DuckDBPyConnection, as_of: datetime, ages: Sequence[int], churn: Churn, inputs: Inputs, most_rows: int
) -> float:
    """Create ``churn_rows``: ``churn_labels`` with the inputs at each snapshot, on a fixed sample of profiles.

    Returns the share of profiles in the sample: 1 up to ``most_rows`` rows, else such that about that many remain. A
    profile is in or out for all snapshots, and for every run with the same share.
    """
    total = count(con, "SELECT count(*) FROM churn_labels")
    share = min(1.0, most_rows / max(total, 1))
    con.execute(
        "CREATE OR REPLACE TABLE churn_sample AS SELECT DISTINCT profile_id FROM churn_labels WHERE draw < $limit",
        {"limit": int(np.ceil(share * DRAWS))},
    )
    for name in ("profiles", "events"):
        con.execute(f"CREATE OR REPLACE TABLE churn_{name} AS FROM {name} SEMI JOIN churn_sample USING (profile_id)")
    con.execute("DROP TABLE IF EXISTS churn_rows")
    for number, age in enumerate(ages):
        cut = as_of - timedelta(days=age)
        create_inputs(con, cut, churn, inputs, profiles="churn_profiles", events="churn_events")
        head = "INSERT INTO churn_rows" if number else "CREATE TABLE churn_rows AS"
        con.execute(
            f"{head} SELECT l.*, i.* EXCLUDE (profile_id) FROM churn_labels AS l JOIN churn_inputs AS i "
            "USING (profile_id) WHERE l.snapshot = $number",
            {"number": number},
        )
    return share


def read_rows(con: duckdb.DuckDBPyConnection, inputs: Inputs) -> dict[str, NDArray[Any]]:
    """All columns of ``churn_rows`` by name, rows by snapshot and profile; a missing number is NaN."""
    found = con.execute("SELECT * EXCLUDE (profile_id) FROM churn_rows ORDER BY snapshot, profile_id").fetchnumpy()
    return _plain(found, inputs)


def create_scoring(con: duckdb.DuckDBPyConnection, as_of: datetime, churn: Churn, inputs: Inputs) -> int:
    """Create ``churn_scoring``: inputs at ``as_of`` of the profiles to be scored, numbered by profile; returns its
    rows.

    Needs ``churn_population`` as of ``as_of``. Explicitly churned profiles are not in it: their score is known.
    """
    create_inputs(con, as_of, churn, inputs)
    con.execute(
        "CREATE OR REPLACE TABLE churn_scoring AS "
        "SELECT (row_number() OVER (ORDER BY profile_id) - 1)::BIGINT AS position, i.* FROM churn_inputs AS i "
        "JOIN churn_population AS p USING (profile_id) "
        "ANTI JOIN (SELECT profile_id FROM churn_exclusions WHERE reason <> 'no_activity') AS x USING (profile_id) "
        "WHERE NOT p.explicitly_churned ORDER BY position"
    )
    return count(con, "SELECT count(*) FROM churn_scoring")


def read_scoring(con: duckdb.DuckDBPyConnection, inputs: Inputs, first: int, last: int) -> dict[str, NDArray[Any]]:
    """All columns of ``churn_scoring`` at positions [first, last), by position."""
    found = con.execute(
        "SELECT * EXCLUDE (profile_id) FROM churn_scoring WHERE position >= $first AND position < $last "
        "ORDER BY position",
        {"first": first, "last": last},
    ).fetchnumpy()
    return _plain(found, inputs)


def _plain(found: dict[str, Any], inputs: Inputs) -> dict[str, NDArray[Any]]:
    numbers = set(inputs.numbers)
    return {
        name: np.ma.filled(values.astype(np.float64), np.nan) if name in numbers else np.ma.filled(values)
        for name, values in found.items()
    }
