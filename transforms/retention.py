"""Retention's DuckDB side: profile features at any date, the labels of churn snapshots, and what sets the horizon.

Everything here reads the workbench's ``profiles``, ``items`` and ``events`` (events before the run's cut-off) and nothing
later than the date it is asked for. Definitions are those of the retention contract, section 13. All times are naive UTC.
"""

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

Definition = Literal["explicit", "inactivity"]
Kind = Literal["number", "boolean", "string"]

BUILT_IN = tuple(column.name for column in TABLE_BY_NAME["profile_features"].columns if column.name != "profile_id")
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
    """What a churn model reads of a profile: the published features, a count for each event type, configured attributes."""

    event_types: tuple[str, ...] = ()
    attributes: tuple[Attribute, ...] = ()

    @property
    def numbers(self) -> tuple[str, ...]:
        """Names of the features that are numbers (booleans are 0 and 1)."""
        counts = tuple(_count_name(event_type) for event_type in self.event_types)
        return BUILT_IN + counts + tuple(one.name for one in self.attributes if one.kind != "string")

    @property
    def booleans(self) -> tuple[str, ...]:
        """Names of the numbers that are 0 for false and 1 for true."""
        return ("has_charged", *(one.name for one in self.attributes if one.kind == "boolean"))

    @property
    def texts(self) -> tuple[str, ...]:
        """Names of the features that are text."""
        return tuple(one.name for one in self.attributes if one.kind == "string")

    def card(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            "event_types": list(self.event_types),
            "attributes": [[one.key, one.name, one.kind] for one in self.attributes],
        }

    @staticmethod
    def restore(card: dict[str, Any]) -> Inputs:
        """The inputs that ``card`` describes."""
        return Inputs(tuple(card["event_types"]), tuple(Attribute(*one) for one in card["attributes"]))


def identifier(name: str) -> str:
    """``name`` as a quoted SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """``text`` as a quoted SQL string."""
    return "'" + text.replace("'", "''") + "'"


def json_pointer(key: str) -> str:
    """JSON pointer (RFC 6901) of a top-level key; empty for the empty key, which names no property."""
    return "/" + key.replace("~", "~0").replace("/", "~1") if key else ""


def create_profile_features(
    con: duckdb.DuckDBPyConnection, as_of: datetime, churn: Churn, table: str = "profile_features"
) -> int:
    """Create ``table`` with the features of every profile from events before ``as_of``; returns its rows.

    Columns and meanings are those of ``profile_features`` in ``contracts.published``. ``as_of`` may lie before the run's
    cut-off: a training snapshot is computed by the same SQL.
    """
    return _create(con, table, "profile_features", {
        "as_of": as_of,
        "activity_event_types": list(churn.activity_event_types),
        "amount_pointer": json_pointer(churn.amount_property),
    })


def find_inputs(con: duckdb.DuckDBPyConnection, churn: Churn) -> Inputs:
    """Inputs for a new model: the 20 most frequent event types (unless there is only the activity), and configured features."""
    found = con.execute("SELECT event_type FROM events GROUP BY event_type ORDER BY count(*) DESC, event_type").fetchall()
    types = tuple(sorted(str(row[0]) for row in found[:_MOST_EVENT_TYPES]))
    typed = dict(con.execute(
        "SELECT key, min(type) FROM warehouse.property_types WHERE entity = 'profiles' GROUP BY key ORDER BY key"
    ).fetchall())
    taken = {*BUILT_IN, *(_count_name(one) for one in types)}
    attributes = []
    for key in dict.fromkeys(churn.profile_features):
        kind: Kind = typed[key] if typed.get(key) in {"number", "boolean"} else "string"
        attributes.append(Attribute(key, f"profile.{key}" if key in taken else key, kind))
    return Inputs(types if len(types) > 1 else (), tuple(attributes))


def _count_name(event_type: str) -> str:
    return f"events.{event_type}"


def create_moments(con: duckdb.DuckDBPyConnection, as_of: datetime, churn: Churn) -> int:
    """Create ``churn_explicit`` and ``churn_endings``: when profiles churned explicitly, and what ends that.

    Returns the profiles with an explicit churn before ``as_of``.
    """
    _create(con, "churn_explicit", "churn_explicit", {"as_of": as_of})
    activity = list(churn.activity_event_types)
    _create(con, "churn_endings", "churn_endings", {"as_of": as_of, "activity_event_types": activity})
    return _number(con, "SELECT count(DISTINCT profile_id) FROM churn_explicit")


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
    """Activity events before ``as_of``, and whole days since the first (with none: since the first event; None without any)."""
    row = con.execute(
        "SELECT count(*) FILTER (acted), coalesce(min(created_at) FILTER (acted), min(created_at)) FROM ("
        "SELECT created_at, list_contains($types::VARCHAR[], event_type) AS acted FROM events WHERE created_at < $as_of::TIMESTAMP)",
        {"types": list(churn.activity_event_types), "as_of": as_of},
    ).fetchone()
    assert row is not None
    return int(row[0]), None if row[1] is None else (as_of - row[1]) // timedelta(days=1)


def create_exclusions(
    con: duckdb.DuckDBPyConnection, as_of: datetime, churn: Churn, inputs: Inputs, defined: Definition
) -> None:
    """Create ``churn_attributes``, ``churn_population`` at ``as_of`` and ``churn_exclusions`` (rows of training_exclusions).

    Profiles that failed a check are those of the table ``quarantined_profiles``, where it exists.
    """
    _create_attributes(con, inputs)
    create_population(con, as_of, churn, defined)
    con.execute("CREATE TABLE IF NOT EXISTS quarantined_profiles (profile_id VARCHAR)")
    _create(con, "churn_exclusions", "churn_exclusions", {"inactivity": defined == "inactivity"})


def _create_attributes(con: duckdb.DuckDBPyConnection, inputs: Inputs) -> None:
    """``churn_attributes``: one row a profile: ``missing_keys``, and each configured feature's current value by its name."""
    texts, values, missing = [], [], []
    for number, one in enumerate(inputs.attributes):
        pointer = literal(json_pointer(one.key))
        paths = (f"nullif(json_extract_string({column}, {pointer}), 'null')" for column in ("profile_data", "platform_info"))
        texts.append(f"coalesce({', '.join(paths)}) AS t{number}")
        missing.append(f"CASE WHEN t{number} IS NULL THEN {literal(one.key)} END")
        read = {"number": f"try_cast(t{number} AS DOUBLE)", "boolean": f"(t{number} = 'true')::DOUBLE", "string": f"t{number}"}
        values.append(f"{read[one.kind]} AS {identifier(one.name)}")
    con.execute(
        "CREATE OR REPLACE TABLE churn_attributes AS "
        f"SELECT {', '.join(['profile_id', *values])}, "
        f"list_filter([{', '.join(['NULL::VARCHAR', *missing])}], lambda key: key IS NOT NULL) AS missing_keys "
        f"FROM (SELECT {', '.join(['profile_id', *texts])} FROM profiles) ORDER BY profile_id"
    )


def create_population(con: duckdb.DuckDBPyConnection, cut: datetime, churn: Churn, defined: Definition) -> int:
    """Create ``churn_population`` at ``cut`` from the tables of ``create_moments``; returns its rows."""
    return _create(con, "churn_population", "churn_population", {
        "cut": cut,
        "activity_event_types": list(churn.activity_event_types),
        "inactivity": defined == "inactivity",
        "lookback_days": churn.lookback_days,
    })


def snapshot_ages(horizon_days: int, span_days: int, count: int) -> tuple[int, ...]:
    """Days from each training snapshot to the cut-off, newest first.

    ``count`` snapshots a horizon apart, and one a year before the cut-off (the same season), unless one is near it; each with
    at least a horizon of history before it, but for the newest, which always is.
    """
    ages = [horizon_days * number for number in range(1, count + 1)]
    if count > 1 and horizon_days <= 365 and not any(abs(age - 365) <= max(horizon_days // 4, 7) for age in ages):
        ages.append(365)
    return tuple(sorted(age for age in set(ages) if age == horizon_days or age + horizon_days <= span_days))


def create_labels(
    con: duckdb.DuckDBPyConnection, as_of: datetime, ages: Sequence[int], horizon_days: int, churn: Churn, defined: Definition
) -> None:
    """Create ``churn_labels``: one row a snapshot (numbered from 0, newest first) and profile of its population.

    Columns: snapshot, profile_id, label, duration, event, draw (a fixed number of the profile below ``DRAWS``). Leaves
    ``churn_population`` as of the oldest snapshot.
    """
    activity_types = list(churn.activity_event_types)
    _create(con, "churn_silences", "churn_silences", {
        "as_of": as_of, "activity_event_types": activity_types, "horizon_days": horizon_days
    })
    con.execute(
        "CREATE OR REPLACE TABLE churn_labels "
        "(snapshot INTEGER, profile_id VARCHAR, label INTEGER, duration INTEGER, event BOOLEAN, draw INTEGER)"
    )
    for number, age in enumerate(ages):
        cut = as_of - timedelta(days=age)
        create_population(con, cut, churn, defined)
        con.execute(f"INSERT INTO churn_labels SELECT {number}, * FROM ({sql.read('churn_snapshot')})", {
            "cut": cut, "as_of": as_of, "horizon_days": horizon_days, "activity_event_types": activity_types,
            "inactivity": defined == "inactivity",
        })


def create_rows(
    con: duckdb.DuckDBPyConnection, as_of: datetime, ages: Sequence[int], churn: Churn, inputs: Inputs, most_rows: int
) -> float:
    """Create ``churn_rows``: ``churn_labels`` with the inputs at each snapshot, on a fixed sample of profiles.

    Returns the share of profiles in the sample: 1 up to ``most_rows`` rows, else such that about that many remain. A profile
    is in or out for all snapshots, and for every run with the same share.
    """
    total = _number(con, "SELECT count(*) FROM churn_labels")
    share = min(1.0, most_rows / max(total, 1))
    con.execute("DROP TABLE IF EXISTS churn_rows")
    for number, age in enumerate(ages):
        create_inputs(con, as_of - timedelta(days=age), churn, inputs)
        select = (
            "SELECT l.*, i.* EXCLUDE (profile_id) FROM churn_labels AS l JOIN churn_inputs AS i USING (profile_id) "
            "WHERE l.snapshot = $number AND l.draw < $limit"
        )
        head = "INSERT INTO churn_rows" if number else "CREATE TABLE churn_rows AS"
        con.execute(f"{head} {select}", {"number": number, "limit": int(np.ceil(share * DRAWS))})
    return share


def create_inputs(con: duckdb.DuckDBPyConnection, cut: datetime, churn: Churn, inputs: Inputs) -> None:
    """Create ``churn_inputs``: one row a profile with every feature of ``inputs`` at ``cut``; numbers are DOUBLE, null missing."""
    create_profile_features(con, cut, churn, "churn_features")
    counts = "".join(
        f", count(*) FILTER (event_type = {literal(one)})::DOUBLE AS {identifier(_count_name(one))}" for one in inputs.event_types
    )
    names = [*(f"coalesce(c.{identifier(_count_name(one))}, 0) AS {identifier(_count_name(one))}" for one in inputs.event_types),
             *(f"a.{identifier(one.name)}" for one in inputs.attributes)]
    built_in = [f"f.{identifier(name)}::DOUBLE AS {identifier(name)}" for name in BUILT_IN]
    con.execute(
        f"CREATE OR REPLACE TABLE churn_inputs AS SELECT {', '.join(['f.profile_id', *built_in, *names])} FROM churn_features AS f "
        "JOIN churn_attributes AS a USING (profile_id) LEFT JOIN ("
        f"SELECT profile_id{counts} FROM events WHERE created_at < $cut::TIMESTAMP GROUP BY profile_id) AS c USING (profile_id) "
        "ORDER BY f.profile_id",
        {"cut": cut},
    )


def read_rows(con: duckdb.DuckDBPyConnection, inputs: Inputs) -> dict[str, NDArray[Any]]:
    """All columns of ``churn_rows`` by name, rows by snapshot and profile; a missing number is NaN."""
    found = con.execute("SELECT * EXCLUDE (profile_id) FROM churn_rows ORDER BY snapshot, profile_id").fetchnumpy()
    return _plain(found, inputs)


def create_scoring(con: duckdb.DuckDBPyConnection, as_of: datetime, churn: Churn, inputs: Inputs) -> int:
    """Create ``churn_scoring``: inputs at ``as_of`` of the profiles to be scored, numbered by profile; returns its rows.

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
    return _number(con, "SELECT count(*) FROM churn_scoring")


def read_scoring(con: duckdb.DuckDBPyConnection, inputs: Inputs, first: int, last: int) -> dict[str, NDArray[Any]]:
    """All columns of ``churn_scoring`` at positions [first, last), by position."""
    found = con.execute(
        "SELECT * EXCLUDE (profile_id) FROM churn_scoring WHERE position >= $first AND position < $last ORDER BY position",
        {"first": first, "last": last},
    ).fetchnumpy()
    return _plain(found, inputs)


def inputs_of(
    con: duckdb.DuckDBPyConnection, as_of: datetime, churn: Churn, inputs: Inputs, profile_id: str
) -> dict[str, Any] | None:
    """Each feature's value at ``as_of`` for one profile (None is missing), or None for an unknown profile.

    Creates ``churn_attributes`` and ``churn_inputs`` of all profiles in ``profiles``.
    """
    _create_attributes(con, inputs)
    create_inputs(con, as_of, churn, inputs)
    found = con.execute("SELECT * EXCLUDE (profile_id) FROM churn_inputs WHERE profile_id = $id", {"id": profile_id})
    names = [column[0] for column in found.description or ()]
    row = found.fetchone()
    return None if row is None else dict(zip(names, row, strict=True))


def eligible_profiles(con: duckdb.DuckDBPyConnection) -> int:
    """Profiles that no rule but lack of activity excludes."""
    return _number(con, "SELECT count(*) FROM profiles WHERE profile_id NOT IN "
                        "(SELECT profile_id FROM churn_exclusions WHERE reason <> 'no_activity')")


def label_counts(con: duckdb.DuckDBPyConnection) -> tuple[int, int]:
    """Rows of ``churn_labels`` with label 0 and with label 1."""
    return _number(con, "SELECT count(*) FROM churn_labels WHERE label = 0"), _number(con, "SELECT count(*) FROM churn_labels WHERE label = 1")


def exclusion_counts(con: duckdb.DuckDBPyConnection) -> dict[str, int]:
    """Excluded profiles by reason."""
    found = con.execute("SELECT reason, count(*) FROM churn_exclusions GROUP BY reason ORDER BY reason").fetchall()
    return {str(reason): int(count) for reason, count in found}


def _plain(found: dict[str, Any], inputs: Inputs) -> dict[str, NDArray[Any]]:
    numbers = set(inputs.numbers)
    return {
        name: np.ma.filled(values.astype(np.float64), np.nan) if name in numbers else np.ma.filled(values)
        for name, values in found.items()
    }


def create_scored(con: duckdb.DuckDBPyConnection) -> None:
    """Create ``churn_scored`` without rows."""
    con.execute(
        "CREATE OR REPLACE TABLE churn_scored (position BIGINT, probability DOUBLE, label VARCHAR, days INTEGER, "
        "survival DOUBLE[], r1 INTEGER, c1 DOUBLE, r2 INTEGER, c2 DOUBLE, r3 INTEGER, c3 DOUBLE)"
    )


def insert_scored(
    con: duckdb.DuckDBPyConnection, position: NDArray[Any], probability: NDArray[Any], label: NDArray[Any], days: NDArray[Any],
    survival: NDArray[Any], place: NDArray[Any], share: NDArray[Any],
) -> None:
    """Add a block to ``churn_scored``: ``survival`` (n, curve days); ``place`` and ``share`` (n, up to 3), largest first."""
    import pyarrow as pa

    width = survival.shape[1]
    offsets = np.arange(0, (len(position) + 1) * width, width, dtype=np.int32)
    columns: dict[str, Any] = {
        "position": position, "probability": probability, "label": label, "days": days,
        "survival": pa.ListArray.from_arrays(offsets, np.ascontiguousarray(survival).ravel()),
    }
    for number in range(3):
        known = number < place.shape[1]
        columns[f"r{number + 1}"] = np.ascontiguousarray(place[:, number]) if known else np.zeros(len(position), np.int64)
        columns[f"c{number + 1}"] = np.ascontiguousarray(share[:, number]) if known else np.zeros(len(position))
    con.register("churn_block", pa.table(columns))
    con.execute("INSERT INTO churn_scored FROM churn_block")
    con.unregister("churn_block")


def create_churn(
    con: duckdb.DuckDBPyConnection, inputs: Inputs, features: Sequence[str], curve_days: int, horizon_days: int, model: str
) -> int:
    """Create the published table ``churn`` from ``churn_scored`` and the explicitly churned profiles; returns its rows.

    ``churn_scored`` has position, probability, label, days, survival and, for the largest contributions, r1..r3 (place in
    ``features``) and c1..c3. An explicitly churned profile has probability 1, no days left and the one reason for it.
    """
    shown = " ".join(f"WHEN {place} THEN {_text_of(name, inputs)}" for place, name in enumerate(features))
    named = " ".join(f"WHEN {place} THEN {literal(name)}" for place, name in enumerate(features))
    reason = ", ".join(
        f"CASE WHEN c{n} <> 0 THEN {{'feature': CASE r{n} {named} END, 'value': CASE r{n} {shown} END, "
        f"'effect': CASE WHEN c{n} > 0 THEN 'raises' ELSE 'lowers' END, 'contribution': c{n}}} END" for n in (1, 2, 3)
    ) if features else "NULL"
    kind = "STRUCT(feature VARCHAR, value VARCHAR, effect VARCHAR, contribution DOUBLE)[]"
    columns = ", ".join(f"{column.name} {column.type}" for column in TABLE_BY_NAME["churn"].columns)
    con.execute(f"CREATE OR REPLACE TABLE churn ({columns})")
    con.execute(
        "INSERT INTO churn SELECT * FROM ("
        f"SELECT i.profile_id, s.probability, s.label, s.days, list_filter([{reason}], lambda one: one IS NOT NULL)::{kind}, "
        "s.survival, $horizon::INTEGER, $model FROM churn_scored AS s JOIN churn_scoring AS i USING (position) UNION ALL "
        "SELECT p.profile_id, 1.0::DOUBLE, 'very-high', 0, "
        f"[{{'feature': 'explicit_churn', 'value': 'true', 'effect': 'raises', 'contribution': NULL::DOUBLE}}]::{kind}, "
        "list_transform(range($days::BIGINT), lambda one: 0.0::DOUBLE), $horizon::INTEGER, $model FROM churn_population AS p "
        "ANTI JOIN (SELECT profile_id FROM churn_exclusions WHERE reason <> 'no_activity') AS x USING (profile_id) "
        "WHERE p.explicitly_churned) ORDER BY profile_id",
        {"horizon": horizon_days, "model": model, "days": curve_days},
    )
    return _number(con, "SELECT count(*) FROM churn")


def create_empty(con: duckdb.DuckDBPyConnection) -> None:
    """Create ``churn`` without rows."""
    columns = ", ".join(f"{column.name} {column.type}" for column in TABLE_BY_NAME["churn"].columns)
    con.execute(f"CREATE OR REPLACE TABLE churn ({columns})")


def report(
    con: duckdb.DuckDBPyConnection, as_of: datetime, churn: Churn, defined: Definition, horizon_days: int
) -> tuple[int, int]:
    """Profiles counted and profiles churned at ``as_of``, from the tables of ``create_moments``."""
    row = con.execute(sql.read("churn_report"), {
        "as_of": as_of, "activity_event_types": list(churn.activity_event_types), "inactivity": defined == "inactivity",
        "horizon_days": horizon_days,
    }).fetchone()
    assert row is not None
    return int(row[0]), int(row[1])


def _text_of(name: str, inputs: Inputs) -> str:
    """SQL of a feature's value as canonical text: a whole number without fraction, others to 4 decimals, text as it is."""
    value = f"i.{identifier(name)}"
    if name in inputs.texts:
        return value
    if name in inputs.booleans:
        return f"({value} <> 0)::VARCHAR"
    whole = f"{value} = trunc({value}) AND abs({value}) < 1e15"
    return f"CASE WHEN {whole} THEN {value}::BIGINT::VARCHAR ELSE round({value}, 4)::VARCHAR END"


def _create(con: duckdb.DuckDBPyConnection, table: str, file: str, parameters: dict[str, Any]) -> int:
    con.execute(f"CREATE OR REPLACE TABLE {identifier(table)} AS {sql.read(file)}", parameters)
    return _number(con, f"SELECT count(*) FROM {identifier(table)}")


def _number(con: duckdb.DuckDBPyConnection, query: str) -> int:
    row = con.execute(query).fetchone()
    assert row is not None
    return int(row[0])
