"""Loads prepared profiles and items: per id the row with the greatest date, then content, wins, in whatever order
rows and files come.
"""

from __future__ import annotations

from dataclasses import dataclass

import duckdb

from transforms.drops import count


@dataclass(frozen=True, slots=True)
class Register:
    """A table of which each id has one row. ``content`` are the columns that are replaced as one."""

    table: str
    key: str
    content: tuple[str, ...]


REGISTERS = {
    "profiles": Register("profiles", "profile_id", ("customer_id", "has_charged", "profile_data", "platform_info")),
    "items": Register(
        "items", "item_id", ("item_category", "item_name", "item_description", "item_price", "properties")
    ),
}
_JSON = {"profile_data", "platform_info", "properties"}


def mark_repeats(con: duckdb.DuckDBPyConnection, register: Register, *, known: bool = False) -> int:
    """Make temp table ``repeats`` (ordinal) of rows that repeat an id of their file, the first of each left out;
    returns how many.

    ``known``: the ids in temp table ``counted`` (id) were in the file already.
    """
    keys = [register.key, *(["customer_id"] if register.table == "profiles" else [])]
    parts = [
        f"SELECT ordinal FROM prepared WHERE skip_rule IS NULL AND {key} IS NOT NULL "
        f"QUALIFY row_number() OVER (PARTITION BY {key} ORDER BY ordinal) > 1"
        for key in keys
    ]
    if known:
        parts.append(
            f"SELECT ordinal FROM prepared WHERE skip_rule IS NULL AND {register.key} IN (SELECT id FROM counted)"
        )
    con.execute(f"CREATE OR REPLACE TEMP TABLE repeats AS {' UNION '.join(parts)}")
    return count(con, table="repeats")


def merge(con: duckdb.DuckDBPyConnection, register: Register, load_id: int) -> int:
    """Merge the good rows of ``prepared`` that are not in ``repeats``; returns the ids that changed.

    Call inside the load's transaction.
    """
    key, content = register.key, register.content
    version = (
        "struct_pack(u := p.updated_at, " + ", ".join(f"c{at} := p.{name}" for at, name in enumerate(content)) + ")"
    )
    plain = "NOT bad AND skip_rule IS NULL AND ordinal NOT IN (SELECT ordinal FROM repeats)"
    # Comparing whole versions is dear: only rows of an id's last date are compared.
    con.execute(
        f"CREATE OR REPLACE TEMP TABLE incoming AS WITH dates AS (SELECT {key}, max(updated_at) AS last_at, "
        "min(created_at) AS created_at, "
        "bool_and(dated) AS dated, max(struct_pack(at := updated_at, status := status)) FILTER (status IS NOT NULL) "
        f"AS last_status FROM prepared WHERE {plain} "
        f"GROUP BY {key}), "
        f"lasts AS (SELECT p.{key}, max({version}) AS best FROM prepared p JOIN dates d ON d.{key} = p.{key} AND "
        f"d.last_at = p.updated_at WHERE {plain} "
        f"GROUP BY p.{key}) "
        f"SELECT d.{key}, best, created_at, dated, last_status FROM dates d JOIN lasts l ON l.{key} = d.{key}"
    )
    same = " AND ".join(f"n.best.c{at} IS NOT DISTINCT FROM e.{_text(name)}" for at, name in enumerate(content))
    known = (
        "struct_pack(u := e.updated_at, "
        + ", ".join(f"c{at} := e.{_text(name)}" for at, name in enumerate(content))
        + ")"
    )
    # What came without a date and repeats what came without one leaves its date alone.
    con.execute(
        f"CREATE OR REPLACE TEMP TABLE judged AS SELECT n.*, e.{key} IS NULL AS fresh, "
        f"e.{key} IS NULL OR (n.best > {known} AND NOT (NOT n.dated AND NOT e.dated AND {same})) AS wins, "
        "n.last_status IS NOT NULL AND (e.status_at IS NULL OR n.last_status > struct_pack(at := e.status_at, status "
        ":= e.status)) AS restated, "
        "e.status AS old_status, e.status_at AS old_status_at, e.load_id AS old_load_id, e.created_at AS old_created, "
        "e.updated_at AS old_updated, e.dated AS old_dated, "
        + ", ".join(f"e.{_text(name)} AS old_{name}" for name in content)
        + f" FROM incoming n LEFT JOIN {register.table} e ON e.{key} = n.{key}"
    )
    con.execute("DROP TABLE incoming")
    changed = "(wins OR restated OR created_at < old_created OR (old_dated AND NOT dated))"
    if count(con, "NOT fresh", "judged"):
        con.execute(
            f"DELETE FROM {register.table} WHERE {key} IN (SELECT {key} FROM judged WHERE {changed} AND NOT fresh)"
        )
    picked = ", ".join(
        f"CASE WHEN wins THEN best.c{at} ELSE old_{name} END AS {name}" for at, name in enumerate(content)
    )
    con.execute(
        f"INSERT INTO {register.table} BY NAME SELECT {key}, {picked}, "
        "CASE WHEN restated THEN last_status.status ELSE coalesce(old_status, 'active') END AS status, "
        "CASE WHEN restated THEN last_status.at ELSE old_status_at END AS status_at, "
        "least(created_at, old_created) AS created_at, CASE WHEN wins THEN best.u ELSE old_updated END AS updated_at, "
        "dated AND coalesce(old_dated, true) AS dated, "
        f"CASE WHEN wins OR restated THEN {load_id} ELSE old_load_id END AS load_id FROM judged WHERE {changed}"
    )
    moved = count(con, "wins OR (restated AND last_status.status IS DISTINCT FROM old_status)", "judged")
    con.execute("DROP TABLE judged")
    return moved


def _text(name: str) -> str:
    return f"{name}::VARCHAR" if name in _JSON else name
