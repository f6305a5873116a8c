"""From the fields of a file to checked rows: everything typed, every broken rule known, one pass over the file (retention contract 7 to 10)."""

from __future__ import annotations

from dataclasses import dataclass

import duckdb

from contracts.definitions import Entity, PropertyType
from transforms import event_rows, item_rows, profile_rows
from transforms.cells import literal
from transforms.layouts import Fault, Fields
from transforms.properties import json_key
from transforms.terms import Terms

_BUILDERS = {"profiles": profile_rows.build, "items": item_rows.build, "events": event_rows.build}


@dataclass(frozen=True, slots=True)
class Checked:
    """Rows of one entity in temp table ``prepared``, with ``bad`` true where a rule is broken and ``skip_rule`` where one leaves it out.

    ``relation`` and ``faults`` say it again in words for the bad rows only; ``learned`` are the property types to register.
    """

    entity: Entity
    relation: str
    faults: tuple[Fault, ...]
    learned: tuple[tuple[str, str, PropertyType], ...]


def prepare(con: duckdb.DuckDBPyConnection, fields: Fields, terms: Terms) -> Checked:
    """Check and type all rows of one entity into temp table ``prepared``. Reads the table ``profiles`` to know profiles."""
    built = _BUILDERS[fields.entity](con, fields, terms)
    relation = built.relation
    faults = (*fields.first, *built.faults, *fields.faults)
    casts = " OR ".join(fault.when for fault in fields.first) or "false"
    bad = " OR ".join(fault.when for fault in faults) or "false"
    con.execute(
        f"CREATE OR REPLACE TEMP TABLE prepared AS SELECT *{built.after} "
        f"FROM (SELECT ordinal, {built.select}, CASE WHEN {casts} THEN NULL ELSE {fields.skip} END AS skip_rule, {bad} AS bad FROM {relation})"
    )
    return Checked(fields.entity, relation, faults, built.learned and _with_values(con, fields.entity, built.learned))


def find_broken(con: duckdb.DuckDBPyConnection, checked: Checked) -> None:
    """Make temp table ``broken_rows`` (ordinal, column_name, value, rule, reason): every rule that a row breaks, skipped rows left out."""
    con.execute(
        "CREATE OR REPLACE TEMP TABLE broken_rows (ordinal BIGINT, place INTEGER, column_name VARCHAR, value VARCHAR, rule VARCHAR, reason VARCHAR)"
    )
    if checked.faults and count(con, "bad AND skip_rule IS NULL"):
        parts = ", ".join(
            f"CASE WHEN {fault.when} THEN {{'p': {at}, 'c': {literal(fault.column)}, 'v': CAST({fault.value} AS VARCHAR), "
            f"'r': {literal(fault.rule)}, 'm': {literal(fault.reason)}}} END"
            for at, fault in enumerate(checked.faults)
        )
        con.execute(
            f"INSERT INTO broken_rows SELECT ordinal, b.p, b.c, b.v, b.r, b.m FROM (SELECT ordinal, unnest([{parts}]) AS b "
            f"FROM {checked.relation} WHERE ordinal IN (SELECT ordinal FROM prepared WHERE bad AND skip_rule IS NULL)) WHERE b IS NOT NULL"
        )


def count(con: duckdb.DuckDBPyConnection, where: str = "true", table: str = "prepared") -> int:
    """Rows of a temporary table."""
    row = con.execute(f"SELECT count(*) FROM {table} WHERE {where}").fetchone()
    assert row is not None
    return int(row[0])


def skips(con: duckdb.DuckDBPyConnection) -> list[tuple[str, int]]:
    """Rows left out, by rule."""
    return [
        (str(rule), int(rows))
        for rule, rows in con.execute("SELECT skip_rule, count(*) FROM prepared WHERE skip_rule IS NOT NULL GROUP BY 1 ORDER BY 1").fetchall()
    ]


def _with_values(
    con: duckdb.DuckDBPyConnection, entity: Entity, learned: tuple[tuple[str, str, PropertyType], ...]
) -> tuple[tuple[str, str, PropertyType], ...]:
    """Those of the types whose key has a value in a good row."""
    # A quote inside a JSON string is escaped, so '"key":' cannot stand there.
    counts = []
    for parent, key, _ in learned:
        held = "properties" if entity != "profiles" else "profile_data || platform_info"
        of_type = f" AND event_type = {literal(parent)}" if entity == "events" else ""
        counts.append(f"count(*) FILTER (contains({held}, {literal(json_key(key))}){of_type})")
    row = con.execute(f"SELECT {', '.join(counts)} FROM prepared WHERE NOT bad AND skip_rule IS NULL").fetchone()
    assert row is not None
    return tuple(one for one, rows in zip(learned, row, strict=True) if rows)
