"""Events of any file or table for a benchmark: who did something with what, and when. DuckDB in, arrays out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
from numpy.typing import NDArray

from contracts.errors import UsageError
from contracts.settings import Recommendations
from transforms import interactions as source
from transforms.quoting import identifier

RETAIL = {"profile": "CustomerID::BIGINT", "item": "upper(trim(StockCode))", "time": "InvoiceDate",
          "text": "trim(Description)", "price": "UnitPrice", "visit": "InvoiceNo",
          "where": "Quantity > 0 AND regexp_matches(upper(trim(StockCode)), '^[0-9]{5}[A-Z]*$')"}
RATINGS = {"profile": "userId", "item": "movieId", "time": "make_timestamp(timestamp * 1000000)",
           "where": "rating >= 4"}
BARE = {"profile": "column0", "item": "column1", "time": "make_timestamp(column3 * 1000000)", "where": "column2 >= 4"}
"""Ratings without a header, as GroupLens gives them: profile, item, rating, seconds since 1970."""
HEADERLESS = (".dat", ".data")
PLAIN = {"profile": "profile_id", "item": "item_id", "time": "created_at"}
LAYOUTS = (({"CustomerID", "StockCode", "InvoiceDate", "Quantity"}, RETAIL),
           ({"userId", "movieId", "rating", "timestamp"}, RATINGS), ({"profile_id", "item_id", "created_at"}, PLAIN))
FOREVER = 1e9
HALF_LIFE = 180.0


@dataclass(frozen=True, slots=True)
class Layout:
    """SQL expressions over the columns of a file. ``where`` keeps rows; of the rows of one profile, item and ``visit``
    one event is made.
    """

    profile: str
    item: str
    time: str
    text: str = "''"
    price: str = "NULL"
    visit: str = ""
    where: str = "true"


def layout_of(path: Path, **given: str) -> Layout:
    """The layout of a known kind of file, as told by its columns, with what is ``given`` instead.

    Raises ``UsageError`` when neither the columns nor what is given name a profile, an item and a time.
    """
    with duckdb.connect() as con:
        rows = con.execute(f"DESCRIBE SELECT * FROM {reader(path)}", {"path": str(path)}).fetchall()
    columns = {str(row[0]) for row in rows}
    known: dict[str, str] = next((layout for needed, layout in LAYOUTS if needed <= columns), {})
    if path.suffix.lower() in HEADERLESS and len(columns) == len(BARE):
        known = BARE
    told = {name: value for name, value in given.items() if value}
    told |= {name: identifier(value) for name, value in told.items() if value in columns}
    found = known | told
    missing = [name for name in ("profile", "item", "time") if name not in found]
    if missing:
        raise UsageError(
            f"{path.name} has no known layout: its columns are {', '.join(sorted(columns))}",
            hint=" ".join(f"--{name} COLUMN" for name in missing),
        )
    return Layout(**found)


def reader(path: Path) -> str:
    """DuckDB's call that reads a file of this kind from the parameter ``path``. Raises ``UsageError``."""
    if path.suffix.lower() in HEADERLESS:
        with path.open(encoding="latin-1") as file:
            # Two colons are a separator that is not looked for by itself.
            return f"read_csv($path, header = false, delim = '{'::' if '::' in file.readline() else chr(9)}')"
    kinds = {".parquet": "read_parquet", ".jsonl": "read_json", ".json": "read_json"}
    kinds |= {".csv": "read_csv", ".tsv": "read_csv"}
    kind = kinds.get(path.suffix.lower().removesuffix(".gz") or ".csv")
    if kind is None:
        raise UsageError(f"{path.name} is no Parquet, CSV or JSON file, and no .dat or .data", hint="give one of these")
    return f"{kind}($path)"


def open_events(path: Path, layout: Layout, threads: int) -> duckdb.DuckDBPyConnection:
    """A connection with ``profiles``, ``items`` and ``events`` like a night's workbench, and ``item_events``."""
    con = duckdb.connect(config={"threads": threads})
    con.execute(
        f"CREATE TABLE rows AS SELECT ({layout.profile})::VARCHAR AS profile_id, ({layout.item})::VARCHAR AS item_id, "
        f"min({layout.time})::TIMESTAMP AS created_at, min({layout.text})::VARCHAR AS item_name, "
        f"avg({layout.price})::DOUBLE AS price FROM {reader(path)} "
        f"WHERE ({layout.profile}) IS NOT NULL AND ({layout.item}) IS NOT NULL AND ({layout.where}) "
        f"GROUP BY ({layout.profile}), ({layout.item}), {layout.visit or layout.time}",
        {"path": str(path)},
    )
    con.execute(
        "CREATE TABLE profiles AS SELECT profile_id, "
        "(row_number() OVER (ORDER BY md5(profile_id), profile_id) - 1)::INTEGER AS profile_index, 'active' AS status "
        "FROM (SELECT DISTINCT profile_id FROM rows)"
    )
    con.execute("CREATE VIEW events AS SELECT 'charged' AS event_type, profile_id, item_id, created_at FROM rows")
    con.execute(
        "CREATE TABLE items AS SELECT item_id, (row_number() OVER (ORDER BY item_id) - 1)::INTEGER AS item_index, "
        "min(item_name) AS item_name, NULL::VARCHAR AS item_category, NULL::VARCHAR AS item_description, "
        "NULL::JSON AS properties FROM rows GROUP BY item_id"
    )
    source.create_item_events(con, Recommendations())
    return con


def sizes(con: duckdb.DuckDBPyConnection) -> tuple[int, int]:
    """Number of profiles and of items."""
    row = con.execute("SELECT (SELECT count(*) FROM profiles), (SELECT count(*) FROM items)").fetchone()
    assert row is not None
    return int(row[0]), int(row[1])


def prices(con: duckdb.DuckDBPyConnection, before: datetime) -> NDArray[np.float64]:
    """Mean price of every item in the events before a date, by item_index; not-a-number without one."""
    found = con.execute(
        "SELECT avg(price) AS price FROM items LEFT JOIN (SELECT item_id, price FROM rows WHERE created_at < $before) "
        "AS earlier USING (item_id) GROUP BY item_index ORDER BY item_index",
        {"before": before},
    ).fetchnumpy()["price"]
    return np.asarray(np.ma.filled(np.ma.asarray(found, dtype=np.float64), np.nan))


def past(con: duckdb.DuckDBPyConnection, as_of: datetime, *, forever: bool = False) -> source.Columns:
    """Columns of interactions as of a date; with ``forever`` an event always counts like a new one."""
    wanted = Recommendations()
    if forever:
        wanted = replace(wanted, half_life_days=FOREVER, popularity_half_life_days=FOREVER)
    return source.read_interactions(con, wanted, as_of)


def cuts(con: duckdb.DuckDBPyConnection) -> tuple[datetime, datetime]:
    """The 90 % quantile of event time, and that of the events before it."""
    wanted = Recommendations()
    cut = source.time_cut(con, wanted)
    earlier = source.time_cut(con, wanted, cut) if cut else None
    if cut is None or earlier is None:
        raise UsageError("there are no events to split by time", hint="--where keeps the rows that are events")
    return cut, earlier


def pairs(con: duckdb.DuckDBPyConnection) -> dict[str, NDArray[Any]]:
    """Distinct pairs (profile_index, item_index) of all events."""
    found = con.execute(
        "SELECT DISTINCT profile_index, item_index FROM item_events ORDER BY profile_index, item_index"
    ).fetchnumpy()
    return {name: np.ma.getdata(values) for name, values in found.items()}
