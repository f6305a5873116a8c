"""Customers of any file for a benchmark of churn: what they did and when, or how long they stayed. DuckDB in, tables
and arrays out.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
from numpy.typing import NDArray

from contracts.errors import UsageError
from transforms.benchmark_events import reader
from transforms.quoting import identifier

RETAIL = {"profile": "CustomerID::BIGINT", "item": "upper(trim(StockCode))", "time": "InvoiceDate",
          "price": "abs(Quantity) * UnitPrice", "returned": "Quantity < 0", "where": "Quantity <> 0"}
PLAIN = {"profile": "profile_id", "time": "created_at"}
LAYOUTS = (({"CustomerID", "StockCode", "InvoiceDate", "Quantity"}, RETAIL),
           ({"profile_id", "item_id", "created_at"}, PLAIN | {"item": "item_id"}),
           ({"profile_id", "created_at"}, PLAIN))
TELCO = {"duration": "tenure", "event": "Churn = 'Yes'", "without": ("customerID", "TotalCharges")}
"""TotalCharges is price times tenure: it contains what is to be told."""


@dataclass(frozen=True, slots=True)
class CustomerLayout:
    """SQL expressions over the columns of a file; ``returned`` rows are events of a type of their own."""

    profile: str
    time: str
    item: str = "''"
    price: str = "0"
    returned: str = "false"
    where: str = "true"


def columns_of(path: Path) -> dict[str, str]:
    """Type of every column of a file, by name. Raises ``UsageError`` where it cannot be read."""
    with _told(path, "it has to be a table with the names of its columns first"), duckdb.connect() as con:
        rows = con.execute(f"DESCRIBE SELECT * FROM {reader(path)}", {"path": str(path)}).fetchall()
    return {str(row[0]): str(row[1]) for row in rows}


@contextmanager
def _told(path: Path, hint: str) -> Iterator[None]:
    """Errors of DuckDB as ``UsageError``: what is given as a column may be any SQL, and any file may be given."""
    try:
        yield
    except duckdb.Error as error:
        raise UsageError(f"{path.name} cannot be read as asked: {str(error).splitlines()[0]}", hint=hint) from error


def layout_of(path: Path, **given: str) -> CustomerLayout:
    """The layout of a known kind of file, as told by its columns, with what is ``given`` instead.

    Raises ``UsageError`` when neither the columns nor what is given name a profile and a time.
    """
    columns = columns_of(path)
    known: dict[str, str] = next((layout for needed, layout in LAYOUTS if needed <= columns.keys()), {})
    told = {name: value for name, value in given.items() if value}
    found = known | {name: identifier(value) if value in columns else value for name, value in told.items()}
    missing = [name for name in ("profile", "time") if name not in found]
    if missing:
        raise UsageError(
            f"{path.name} has no known layout: its columns are {', '.join(sorted(columns))}",
            hint=" ".join(f"--{name} COLUMN" for name in missing),
        )
    return CustomerLayout(**found)


def open_customers(path: Path, layout: CustomerLayout, horizon_days: int, threads: int) -> duckdb.DuckDBPyConnection:
    """A connection with a night's workbench as of the date of ``cut``, and ``all_events`` with what came after.

    Amounts are in hundredths. Times may also be numbers (20110911, or seconds, milliseconds or microseconds since
    1970). Raises ``UsageError`` where the layout does not fit the file.
    """
    con = duckdb.connect(config={"threads": threads})
    with _told(path, f"each of --profile --time --price --returned --where is a column ({', '.join(columns_of(path))}) "
                     "or SQL over them"):
        con.execute(
            f"CREATE TABLE all_events AS SELECT 'e' || row_number() OVER () AS event_id, "
            f"CASE WHEN {layout.returned} THEN 'returned' ELSE 'charged' END AS event_type, "
            f"({layout.profile})::VARCHAR AS profile_id, ({layout.item})::VARCHAR AS item_id, "
            f"{_moment(con, path, layout.time)} AS created_at, "
            f"json_object('amount', round(coalesce(try_cast({layout.price} AS DOUBLE), 0) * 100)) AS properties "
            f"FROM {reader(path)} WHERE ({layout.profile}) IS NOT NULL AND ({layout.time}) IS NOT NULL "
            f"AND ({layout.where})",
            {"path": str(path)},
        )
    _dated(con, path, layout.time)
    con.execute(
        """
        CREATE TABLE items AS SELECT DISTINCT item_id, 0::BIGINT AS item_price FROM all_events;
        CREATE TABLE profiles AS
        SELECT profile_id, false AS has_charged, 'active' AS status, '{}'::JSON AS profile_data,
               '{}'::JSON AS platform_info, min(created_at) AS created_at
        FROM all_events GROUP BY profile_id ORDER BY profile_id;
        CREATE SCHEMA warehouse;
        CREATE TABLE warehouse.profiles AS SELECT profile_id, status, NULL::TIMESTAMP AS status_at FROM profiles;
        CREATE TABLE warehouse.property_types (entity VARCHAR, parent VARCHAR, key VARCHAR, type VARCHAR);
        """
    )
    cut(con, horizon_days)
    con.execute("CREATE VIEW events AS SELECT e.* FROM all_events AS e, bench_cut AS c WHERE e.created_at < c.cut")
    return con


def _moment(con: duckdb.DuckDBPyConnection, path: Path, expression: str) -> str:
    """SQL of the time that an expression tells, NULL where it tells none."""
    found = con.execute(f"DESCRIBE SELECT ({expression}) AS told FROM {reader(path)}", {"path": str(path)}).fetchone()
    kind = str(found[1]) if found else ""
    if kind == "VARCHAR":
        return f"coalesce(try_cast(({expression}) AS TIMESTAMP), try_strptime(({expression}), '%Y%m%d'))"
    if not kind.startswith(_NUMBERS):
        return f"({expression})::TIMESTAMP"
    number = f"round({expression})::BIGINT"
    return (
        f"CASE WHEN {number} BETWEEN 19000101 AND 21001231 THEN try_strptime({number}::VARCHAR, '%Y%m%d') "
        f"WHEN abs({number}) < 1e11 THEN make_timestamp({number} * 1000000) "
        f"WHEN abs({number}) < 1e14 THEN make_timestamp({number} * 1000) ELSE make_timestamp({number}) END"
    )


def _dated(con: duckdb.DuckDBPyConnection, path: Path, expression: str) -> None:
    row = con.execute("SELECT count(*), count(created_at) FROM all_events").fetchone()
    assert row is not None
    rows, dated = row
    if rows > dated:
        raise UsageError(
            f"{rows - dated} of {rows} rows of {path.name} have no date in {expression}",
            hint="--time takes SQL, such as \"strptime(day, '%d/%m/%Y')\"",
        )


def cut(con: duckdb.DuckDBPyConnection, horizon_days: int) -> datetime:
    """``horizon_days`` before the end of the last day with an event, also as the table ``bench_cut``.

    Raises ``UsageError`` without an event.
    """
    row = con.execute("SELECT max(created_at)::DATE::TIMESTAMP FROM all_events").fetchone()
    if row is None or row[0] is None:
        raise UsageError("there are no events", hint="--where keeps the rows that are events")
    last: datetime = row[0]
    found = last + timedelta(days=1 - horizon_days)
    con.execute("CREATE OR REPLACE TABLE bench_cut AS SELECT $cut::TIMESTAMP AS cut", {"cut": found})
    return found


def outcomes(con: duckdb.DuckDBPyConnection, table: str, names: tuple[str, ...]) -> dict[str, NDArray[Any]]:
    """Of every profile with a purchase before the cut, by profile: the numbers ``names`` of ``table`` (NaN is missing),
    ``label`` (1 without a purchase since), and of its days with purchases ``visits`` (after the first), ``last`` and
    ``age`` (the latest, and the cut, in days since the first).
    """
    found = con.execute(
        f"""
        WITH days AS (
            SELECT profile_id, count(DISTINCT created_at::DATE) - 1 AS visits,
                   max(created_at)::DATE - min(created_at)::DATE AS last,
                   any_value(cut)::DATE - min(created_at)::DATE AS age
            FROM events, bench_cut WHERE event_type = 'charged' GROUP BY profile_id
        ), since AS (
            SELECT DISTINCT profile_id FROM all_events, bench_cut WHERE event_type = 'charged' AND created_at >= cut
        )
        SELECT {", ".join(f"i.{identifier(name)}" for name in names)}, d.visits, d.last, d.age,
               (s.profile_id IS NULL)::INTEGER AS label
        FROM {identifier(table)} AS i JOIN days AS d USING (profile_id)
        LEFT JOIN since AS s ON s.profile_id = i.profile_id
        ORDER BY i.profile_id
        """
    ).fetchnumpy()
    return {name: np.ma.filled(np.ma.asarray(values, dtype=np.float64), np.nan) for name, values in found.items()}


@dataclass(frozen=True, slots=True)
class Lives:
    """Columns of the features by name (text is an object array, missing text empty), whole durations and churns."""

    columns: dict[str, NDArray[Any]]
    numbers: tuple[str, ...]
    texts: tuple[str, ...]
    duration: NDArray[np.int64]
    event: NDArray[np.bool_]


_NUMBERS = ("DOUBLE", "FLOAT", "BIGINT", "INTEGER", "SMALLINT", "TINYINT", "HUGEINT", "DECIMAL", "BOOLEAN", "UINTEGER")


def read_lives(path: Path, *, duration: str, event: str, without: tuple[str, ...]) -> Lives:
    """Rows of a file with a duration and whether it ended, features being all other columns but those ``without``.

    Durations and events are columns or SQL expressions; known layouts need none. Raises ``UsageError``.
    """
    kinds = columns_of(path)
    if {"tenure", "Churn", "customerID"} <= kinds.keys():
        duration, event = duration or str(TELCO["duration"]), event or str(TELCO["event"])
        without = without or tuple(TELCO["without"])
    if not duration or not event:
        raise UsageError(
            f"{path.name} has no known layout: its columns are {', '.join(sorted(kinds))}",
            hint="--duration COLUMN --event COLUMN",
        )
    if strange := [name for name in without if name not in kinds]:
        raise UsageError(f"{path.name} has no column {', '.join(strange)}", hint=", ".join(sorted(kinds)))
    expressions = [identifier(one) if one in kinds else one for one in (duration, event)]
    used = [name for name in kinds if name not in without and not _names(name, duration) and not _names(name, event)]
    numbers = tuple(name for name in used if kinds[name].startswith(_NUMBERS))
    texts = tuple(name for name in used if name not in numbers)
    chosen = [f"({identifier(name)})::DOUBLE AS n{place}" for place, name in enumerate(numbers)]
    chosen += [f"coalesce(({identifier(name)})::VARCHAR, '') AS t{place}" for place, name in enumerate(texts)]
    hint = f"--duration and --event take a column ({', '.join(sorted(kinds))}) or SQL over them"
    with _told(path, hint), duckdb.connect() as con:
        found = con.execute(
            f"SELECT {', '.join(chosen)}{',' if chosen else ''} floor(({expressions[0]})::DOUBLE)::BIGINT AS lasted, "
            f"({expressions[1]})::BOOLEAN AS ended FROM {reader(path)} WHERE ({expressions[0]}) IS NOT NULL "
            f"AND ({expressions[1]}) IS NOT NULL",
            {"path": str(path)},
        ).fetchnumpy()
    columns: dict[str, NDArray[Any]] = {
        name: np.ma.filled(np.ma.asarray(found[f"n{place}"], dtype=np.float64), np.nan)
        for place, name in enumerate(numbers)
    }
    columns |= {name: np.ma.filled(found[f"t{place}"], "").astype(object) for place, name in enumerate(texts)}
    return Lives(
        columns, numbers, texts, np.ma.getdata(found["lasted"]).astype(np.int64),
        np.ma.getdata(found["ended"]).astype(np.bool_),
    )


def _names(column: str, expression: str) -> bool:
    """Whether an expression has the column's name as a word."""
    import re

    return re.search(rf"(?<!\w){re.escape(column)}(?!\w)", expression) is not None
