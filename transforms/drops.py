"""From the fields of a file to checked rows: everything typed, every broken rule known, one pass over the file
(retention contract 7 to 10).
"""

from __future__ import annotations

from dataclasses import dataclass

import duckdb

from contracts.definitions import Entity, PropertyType
from transforms import event_rows, item_rows, profile_rows
from transforms.cells import literal
from transforms.layouts import Fault, Fields
from transforms.properties import json_key
from transforms.terms import Built, Terms

_BUILDERS = {"profiles": profile_rows.build, "items": item_rows.build}


@dataclass(frozen=True, slots=True)
class Checked:
    """What is known of the rows of one entity. ``relation`` and ``faults`` say for bad rows what is wrong with them;
    ``learned`` are the property types to register.

    For events ``good`` is SQL of the rows to load and ``failing`` of all others.
    """

    entity: Entity
    relation: str
    faults: tuple[Fault, ...]
    learned: tuple[tuple[str, str, PropertyType], ...]
    good: str = ""
    failing: str = ""
    held: tuple[str, ...] = ()


def prepare(con: duckdb.DuckDBPyConnection, fields: Fields, terms: Terms) -> Checked:
    """Check and type all rows of profiles or items into temp table ``prepared``, with ``bad`` true where a rule is
    broken and ``skip_rule`` where one leaves the row out. Reads the tables ``profiles`` and ``merged_profiles`` to know
    profiles, and those that were merged into others: rows of these are left out.
    """
    built = _BUILDERS[fields.entity](con, fields, terms)
    skip, bad, faults = _verdict(fields, built)
    con.execute(
        f"CREATE OR REPLACE TEMP TABLE prepared AS SELECT ordinal, {built.select}, {skip} AS skip_rule, {bad} AS bad "
        f"FROM {built.relation}"
    )
    if fields.entity == "profiles":
        con.execute(
            "UPDATE prepared SET skip_rule = 'merged_profile' WHERE skip_rule IS NULL AND profile_id IN (SELECT child "
            "FROM merged_profiles)"
        )
    learned = built.learned and _with_values(con, fields.entity, built.learned)
    return Checked(fields.entity, built.relation, faults, learned)


def judge(con: duckdb.DuckDBPyConnection, fields: Fields, terms: Terms) -> Checked:
    """Learn what it takes to check and type the rows of events. Reads temp table ``known_profiles``.

    Nothing is stored: most files have good rows only, which are written once, where they belong.
    """
    built = event_rows.build(con, fields, terms)
    skip, bad, faults = _verdict(fields, built)
    passes = f"NOT ({bad}) AND ({skip}) IS NULL AND NOT ({built.lacks})"
    return Checked(
        fields.entity,
        built.relation,
        faults,
        built.learned,
        f"SELECT {built.select} FROM {built.relation} WHERE {passes}",
        f"SELECT ordinal, {built.select}, {skip} AS skip_rule, {bad} AS bad FROM {built.relation} "
        f"WHERE {bad} OR ({skip}) IS NOT NULL OR {built.lacks}",
        built.held,
    )


def set_aside(con: duckdb.DuckDBPyConnection, checked: Checked, *, failing: bool) -> None:
    """Make temp table ``prepared`` of the events that are not loaded; empty unless there are ``failing`` ones."""
    con.execute(f"CREATE OR REPLACE TEMP TABLE prepared AS {checked.failing}{'' if failing else ' LIMIT 0'}")


def learned_by_good(con: duckdb.DuckDBPyConnection, checked: Checked) -> tuple[tuple[str, str, PropertyType], ...]:
    """Those of the events' types whose key has a value in a row that is neither bad nor skipped; one that waits for its
    profile counts.
    """
    if not checked.learned or not count(con, "bad OR skip_rule IS NOT NULL"):
        return checked.learned
    row = con.execute(
        f"SELECT {', '.join(f'bool_or({held})' for held in checked.held)} FROM {checked.relation} "
        "WHERE ordinal NOT IN (SELECT ordinal FROM prepared WHERE bad OR skip_rule IS NOT NULL)"
    ).fetchone()
    assert row is not None
    return tuple(one for one, found in zip(checked.learned, row, strict=True) if found)


def _verdict(fields: Fields, built: Built) -> tuple[str, str, tuple[Fault, ...]]:
    """SQL of the rule that leaves a row out, SQL of whether it is bad, and all that may be wrong with it."""
    faults = (*fields.first, *built.faults, *fields.faults)
    casts = " OR ".join(fault.when for fault in fields.first)
    skip = f"CASE WHEN {casts} THEN NULL ELSE {fields.skip} END" if casts else fields.skip
    return skip, "(" + (" OR ".join(fault.when for fault in faults) or "false") + ")", faults


def find_broken(con: duckdb.DuckDBPyConnection, checked: Checked) -> None:
    """Make temp table ``broken_rows`` (ordinal, column_name, value, rule, reason): every rule that a row breaks,
    skipped rows left out.
    """
    con.execute(
        "CREATE OR REPLACE TEMP TABLE broken_rows (ordinal BIGINT, place INTEGER, column_name VARCHAR, value VARCHAR, "
        "rule VARCHAR, reason VARCHAR)"
    )
    if checked.faults and count(con, "bad AND skip_rule IS NULL"):
        parts = ", ".join(
            f"CASE WHEN {fault.when} THEN {{'p': {at}, 'c': {literal(fault.column)}, 'v': CAST({fault.value} AS "
            "VARCHAR), "
            f"'r': {literal(fault.rule)}, 'm': {literal(fault.reason)}}} END"
            for at, fault in enumerate(checked.faults)
        )
        con.execute(
            "INSERT INTO broken_rows SELECT ordinal, b.p, b.c, b.v, b.r, b.m FROM (SELECT ordinal, "
            f"unnest([{parts}]) AS b "
            f"FROM {checked.relation} WHERE ordinal IN (SELECT ordinal FROM prepared WHERE bad AND skip_rule IS "
            "NULL)) WHERE b IS NOT NULL"
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
        for rule, rows in con.execute(
            "SELECT skip_rule, count(*) FROM prepared WHERE skip_rule IS NOT NULL GROUP BY 1 ORDER BY 1"
        ).fetchall()
    ]


def _with_values(
    con: duckdb.DuckDBPyConnection, entity: Entity, learned: tuple[tuple[str, str, PropertyType], ...]
) -> tuple[tuple[str, str, PropertyType], ...]:
    """Those of the types whose key has a value in a good row."""
    # A quote inside a JSON string is escaped, so '"key":' cannot stand there.
    counts = []
    for _, key, _ in learned:
        held = "properties" if entity != "profiles" else "profile_data || platform_info"
        counts.append(f"count(*) FILTER (contains({held}, {literal(json_key(key))}))")
    row = con.execute(f"SELECT {', '.join(counts)} FROM prepared WHERE NOT bad AND skip_rule IS NULL").fetchone()
    assert row is not None
    return tuple(one for one, rows in zip(learned, row, strict=True) if rows)
