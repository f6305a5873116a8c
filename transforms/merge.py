"""Merging of profiles that carry the same authenticated id (retention contract, section 15). DuckDB in, DuckDB out."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import duckdb

from contracts.published import TABLE_BY_NAME
from transforms import sql
from transforms.canonical import canonical
from transforms.quoting import text_literal
from transforms.retention import count, json_pointer
from transforms.tables import create

_COLUMNS = ", ".join(column.name for column in TABLE_BY_NAME["profile_merges"].columns)
# A parent that was written after the merge has what was written, and nothing of the children merged before.
_FAMILIES = """
CREATE OR REPLACE TABLE merge_families AS
WITH links AS (
    SELECT m.*, coalesce(p.updated_at IS NOT DISTINCT FROM m.parent_updated_at, false) AS holds
    FROM earlier_merges AS m LEFT JOIN profiles AS p ON p.profile_id = m.merged_into
)
SELECT m.child AS profile_id, m.parent,
    row_number() OVER (
        PARTITION BY m.parent ORDER BY m.merged_into = m.parent DESC, m.merged_at DESC, m.place, m.child
    ) AS place,
    m.holds AND coalesce(above.holds, true) AS contributes
FROM links AS m LEFT JOIN links AS above ON above.child = m.merged_into
UNION ALL
SELECT DISTINCT parent, parent, 0, true FROM earlier_merges
"""


@dataclass(frozen=True, slots=True)
class Merged:
    """What a run merged: new children, and how many values more profiles carry than may be one person."""

    children: int = 0
    suspects: int = 0


def merge_profiles(
    con: duckdb.DuckDBPyConnection, as_of: datetime, key: str, max_group: int, run_id: str, before: str | None = None
) -> Merged:
    """Create the published ``profile_merges`` and ``suspect_groups``, and give ``profiles``, ``events``, ``ratings``
    and ``sessions`` their parents.

    ``key``: the authenticated id, empty for no new merges. ``before``: SQL of the ``profile_merges`` of the run before,
    None without; they hold for good. Needs the tables of ``transforms.tables.build``, and leaves them alone where
    nobody is merged.
    """
    columns = ", ".join(f"NULL::{column.type} AS {column.name}" for column in TABLE_BY_NAME["profile_merges"].columns)
    known = before or f"SELECT {columns} WHERE false"
    con.execute(f"CREATE OR REPLACE TABLE earlier_merges AS SELECT {_COLUMNS} FROM ({known}) ORDER BY child")
    con.execute(f"CREATE OR REPLACE TABLE profile_merges AS SELECT {_COLUMNS} FROM earlier_merges")
    create_empty(con, "suspect_groups")
    if count(con, "SELECT count(*) FROM earlier_merges"):
        con.execute(_FAMILIES)
        _fold(con)
        _move_events(con, as_of)
    found = _find(con, as_of, key, max_group, run_id) if key else Merged()
    if count(con, "SELECT count(*) FROM profile_merges"):
        _move_events(con, as_of)
        create(con, "ratings", as_of=as_of)
        con.execute("UPDATE sessions SET profile_id = m.parent, customer_id = p.customer_id FROM profile_merges AS m "
                    "LEFT JOIN profiles AS p ON p.profile_id = m.parent WHERE m.child = sessions.profile_id")
    return found


def _find(con: duckdb.DuckDBPyConnection, as_of: datetime, key: str, max_group: int, run_id: str) -> Merged:
    """Group, rank and merge; adds the new rows to ``profile_merges``."""
    query = sql.read("merge_ranks").replace("{value}", canonical("profile_data", text_literal(json_pointer(key))))
    con.execute(f"CREATE OR REPLACE TABLE merge_ranks AS {query}")
    con.execute(
        "INSERT INTO suspect_groups SELECT $key, value, count(*), list(profile_id ORDER BY profile_id)[1:$most] "
        "FROM merge_ranks WHERE members > $most GROUP BY value ORDER BY value",
        {"key": key, "most": max_group},
    )
    con.execute(
        "CREATE OR REPLACE TABLE merge_families AS SELECT r.profile_id, top.profile_id AS parent, r.place, "
        "true AS contributes FROM merge_ranks AS r JOIN merge_ranks AS top ON top.value = r.value AND top.place = 1 "
        "WHERE r.members BETWEEN 2 AND $most ORDER BY r.profile_id",
        {"most": max_group},
    )
    con.execute(
        "CREATE OR REPLACE TABLE new_merges AS SELECT f.profile_id AS child, p.customer_id AS child_customer_id, "
        "f.parent, f.parent AS merged_into, $key AS key, r.value, $as_of::TIMESTAMP AS merged_at, $run AS merged_by, "
        "f.place::INTEGER AS place, top.updated_at AS parent_updated_at "
        "FROM merge_families AS f JOIN merge_ranks AS r USING (profile_id) JOIN profiles AS p USING (profile_id) "
        "JOIN profiles AS top ON top.profile_id = f.parent WHERE f.profile_id <> f.parent ORDER BY child",
        {"key": key, "as_of": as_of, "run": run_id},
    )
    children = count(con, "SELECT count(*) FROM new_merges")
    if children:
        _fold(con)
        con.execute("UPDATE profile_merges SET parent = n.parent FROM new_merges AS n WHERE n.child = "
                    "profile_merges.parent")
        con.execute(f"INSERT INTO profile_merges SELECT {_COLUMNS} FROM new_merges")
    return Merged(children, count(con, "SELECT count(*) FROM suspect_groups"))


def create_empty(con: duckdb.DuckDBPyConnection, name: str) -> None:
    """Create a published table without rows."""
    columns = ", ".join(f"{column.name} {column.type}" for column in TABLE_BY_NAME[name].columns)
    con.execute(f"CREATE OR REPLACE TABLE {name} ({columns})")


def _fold(con: duckdb.DuckDBPyConnection) -> None:
    """Take children out of ``profiles``, and give parents what ``merge_families`` gives them."""
    con.execute(f"CREATE OR REPLACE TABLE merged_profiles AS {sql.read('merged_profiles')}")
    con.execute("DROP TABLE profiles")
    con.execute("ALTER TABLE merged_profiles RENAME TO profiles")


def _move_events(con: duckdb.DuckDBPyConnection, as_of: datetime) -> None:
    cut = f"TIMESTAMP '{as_of.isoformat(sep=' ')}'"
    con.execute(
        "CREATE OR REPLACE VIEW events AS SELECT e.event_id, e.event_type, coalesce(m.parent, e.profile_id) AS "
        "profile_id, e.item_id, e.created_at, e.properties, "
        "CASE WHEN m.parent IS NOT NULL THEN e.profile_id END AS source_profile_id "
        f"FROM warehouse.events AS e LEFT JOIN profile_merges AS m ON m.child = e.profile_id WHERE e.created_at < {cut}"
    )
