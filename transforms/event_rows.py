"""Rows of events: their type, profile, time and properties, and the key that makes a second delivery harmless
(retention contract 9, 10.8).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import duckdb

from contracts.definitions import PropertyType
from transforms import cells, faults, properties
from transforms.cells import literal
from transforms.columns import Cell
from transforms.layouts import Fault, Fields
from transforms.profile_rows import minted_id
from transforms.properties import Property
from transforms.terms import Built, Terms, stamp

_TEXT_KEYS = ("item_id", "payment_method")


def _key_text(occurrence: str, content_hash: str) -> str:
    """SQL of what is hashed: type, profile, time (of an undated event: its file), properties, and which of its
    equals it is.
    """
    when = f"CASE WHEN dated THEN CAST(CAST(epoch(created_at) AS BIGINT) AS VARCHAR) ELSE 'file:' || {content_hash} END"
    return f"concat(event_type, chr(10), profile_id, chr(10), {when}, chr(10), properties, chr(10), {occurrence})"


def event_id(occurrence: str, content_hash: str) -> str:
    """SQL of a row's id: the first 32 hex digits of its key's hash, which tell events apart."""
    return f"'event_' || left(sha256({_key_text(occurrence, content_hash)}), 32)"


def stranger(session_id: str) -> str:
    """SQL of who acts in a session that names no profile; no profile's id has a blank in it."""
    return f"('session ' || {session_id})"


@dataclass(frozen=True, slots=True)
class _Typed:
    """A property with its type by event type; ``other`` for types not listed."""

    prop: Property
    by_type: dict[str, Property]
    other: Property


def build(con: duckdb.DuckDBPyConnection, fields: Fields, terms: Terms) -> Built:
    """See ``Built``. Knows profiles by temp table ``known_profiles`` (key, profile_id)."""
    event_type, created = fields.fields["event_type"], fields.fields.get("created_at")
    named = [fields.fields[name] for name in ("profile_id", "customer_id") if name in fields.fields]
    who = f"coalesce({', '.join(cell.text for cell in named)})" if named else "CAST(NULL AS VARCHAR)"
    session = fields.fields.get("session_id")
    visit = session.text if session is not None else "CAST(NULL AS VARCHAR)"
    of_nobody = f", CASE WHEN profile_key IS NULL THEN {stranger('visit')} END" if session is not None else ""
    when = (
        "CAST(NULL AS TIMESTAMP)"
        if created is None
        else created.value
        if created.kind == "timestamp"
        else cells.time(created.text)
    )
    found = _properties(fields)
    typed, learned, held = _types(con, fields, terms, found, event_type)
    declared = cells.one_of("event_kind", sorted(terms.event_types))
    minted, deletions = "NULL", ""
    if terms.create_profiles:
        own, deletions = minted_id("profile_key", terms)
        minted = (
            f"CASE WHEN {cells.is_identifier('profile_key')} AND NOT regexp_full_match(profile_key, "
            f"'profile_[0-9a-f]{{32}}') "
            f"THEN {own} END"
        )
    relation = (
        f"(SELECT r.*, k.profile_id AS known_id, coalesce(k.profile_id, {minted}{of_nobody}) AS found_id FROM "
        f"(SELECT *, {event_type.text} AS event_kind, {who} AS profile_key, {visit} AS visit, {when} AS happened FROM "
        f"{fields.relation}) r "
        f"LEFT JOIN known_profiles k ON k.key = r.profile_key{deletions})"
    )
    checks = _checks(fields, terms, typed, event_type, named, created, declared)
    by_key = {one.prop.key: one for one in typed}
    item = by_key["item_id"].prop.cell.text if "item_id" in by_key else "CAST(NULL AS VARCHAR)"
    select = (
        "event_kind AS event_type, CASE WHEN known_id IS NULL THEN profile_key END AS profile_key, found_id AS "
        "profile_id, "
        f"{item} AS item_id, coalesce(happened, {stamp(terms.now)}) AS created_at, happened IS NOT NULL AS dated, "
        f"{_json(typed)} AS properties{', visit AS session_id' if session is not None else ''}"
    )
    return Built(relation, select, tuple(checks), tuple(learned), tuple(held), "found_id IS NULL")


def _properties(fields: Fields) -> list[Property]:
    found = list(fields.properties)
    keys = {prop.key for prop in found}
    if "item_id" in fields.fields and "item_id" not in keys:
        found.append(Property("properties", "item_id", fields.fields["item_id"]))
    return found


def _types(
    con: duckdb.DuckDBPyConnection, fields: Fields, terms: Terms, found: Sequence[Property], event_type: Cell
) -> tuple[list[_Typed], list[tuple[str, str, PropertyType]], list[str]]:
    """Types of every property under every event type of the file; those to register if a good row has a value; and for
    each of these the SQL that says where.
    """
    if not found:
        return [], [], []
    kind = f"CASE WHEN {cells.one_of(event_type.text, sorted(terms.event_types))} THEN {event_type.text} END"
    counts = ", ".join(f"count({prop.cell.value})" for prop in found)
    rows = con.execute(f"SELECT {kind} AS t, {counts} FROM {fields.relation} GROUP BY t").fetchall()
    values = {str(name): dict(zip(map(id, found), numbers, strict=True)) for name, *numbers in rows if name is not None}

    def settled(name: str, key: str) -> PropertyType | None:
        if key in _TEXT_KEYS:
            return "string"
        by_contract: PropertyType | None = "string" if name == "charged" and fields.plain else None
        return fields.declared.get(key) or terms.types.get((name, key)) or by_contract

    # Only types whose events have a value need one.
    unsettled = [
        prop
        for prop in found
        if any(values[name][id(prop)] and settled(name, prop.key) is None for name in sorted(values))
    ]
    decided = properties.decide(con, fields.relation, unsettled, {})
    own = {id(prop): one.type for prop, one in zip(unsettled, decided, strict=True)}
    typed: list[_Typed] = []
    learned: list[tuple[str, str, PropertyType]] = []
    held: list[str] = []
    for prop in found:
        other = own.get(id(prop), "string")
        by_type = {}
        for name in sorted(values):
            fixed = settled(name, prop.key)
            by_type[name] = replace(prop, type=fixed or other, settled=fixed is not None)
            # A charged event without a payment method gets one.
            filled = name == "charged" and prop.key == "payment_method"
            if (name, prop.key) not in terms.types and (filled or values[name][id(prop)]):
                learned.append((name, prop.key, fixed or other))
                of_type = f"coalesce(event_kind = {literal(name)}, false)"
                held.append(of_type if filled else f"({of_type} AND {prop.cell.value} IS NOT NULL)")
        typed.append(_Typed(prop, by_type, replace(prop, type=other)))
    return typed, learned, held


def _variants(one: _Typed) -> dict[tuple[PropertyType, bool], list[str]]:
    kinds: dict[tuple[PropertyType, bool], list[str]] = {}
    for name, prop in one.by_type.items():
        kinds.setdefault((prop.type, prop.settled), []).append(name)
    return kinds


def _json(typed: Sequence[_Typed]) -> str:
    values = []
    for one in typed:
        variants = _variants(one)
        choices = [(names, properties.json_value(one.by_type[names[0]])) for names in variants.values()]
        if len({value for _, value in choices}) <= 1:
            value = choices[0][1] if choices else properties.json_value(one.other)
        else:
            # Types that are not listed are faults: they need no branch of their own.
            *few, (_, most) = sorted(choices, key=lambda choice: len(choice[0]))
            cases = " ".join(f"WHEN {cells.one_of('event_kind', names)} THEN {value}" for names, value in few)
            value = f"CASE {cases} ELSE {most} END"
        if one.prop.key == "payment_method":
            value = f"coalesce({value}, CASE WHEN event_kind = 'charged' THEN '\"unknown\"' END)"
        values.append((one.prop.key, value))
    if not any(one.prop.key == "payment_method" for one in typed):
        values.append(("payment_method", "CASE WHEN event_kind = 'charged' THEN '\"unknown\"' END"))
    return properties.json_object(values)


def _checks(
    fields: Fields,
    terms: Terms,
    typed: Sequence[_Typed],
    event_type: Cell,
    named: Sequence[Cell],
    created: Cell | None,
    declared: str,
) -> list[Fault]:
    checks = faults.required(event_type.name if fields.plain else "event_type", "event_kind", identifier=False)
    checks.append(Fault(
        "unknown_event_type", "event_type", f"coalesce(NOT {declared}, false)", "event_kind",
        "the event type is not declared; correct it, or add it to ingest.event_types or to a source mapping",
    ))
    session = fields.fields.get("session_id")
    if named:
        # The ids of known profiles were checked when the profiles came.
        missing, unfit = faults.required(
            named[0].name if fields.plain else "customer_id", "profile_key", identifier=True,
            unless="known_id IS NOT NULL",
        )
        checks.extend([unfit] if session is not None else [missing, unfit])
    if session is not None:
        missing, unfit = faults.required("session_id", "visit", identifier=True)
        checks.extend([replace(missing, when=f"({missing.when} AND profile_key IS NULL)"), unfit])
    if created is not None:
        checks.append(Fault(
            "bad_timestamp", "created_at", f"({created.value} IS NOT NULL AND happened IS NULL)", created.text,
            "is not a time; write YYYY-MM-DD HH:MM:SS, in UTC or with an offset",
        ))
        checks.append(Fault(
            "future_timestamp", "created_at", f"coalesce(happened > {stamp(terms.latest)}, false)", created.text,
            "lies too far in the future; correct it, or raise ingest.max_future_hours",
        ))
    by_key = {one.prop.key: one for one in typed}
    for name, wanted in (("charged", "item_id"), ("complaint", "channel")):
        if name in terms.event_types:
            cell = by_key[wanted].prop.cell if wanted in by_key else None
            absent = f"{cell.value} IS NULL" if cell else "true"
            checks.append(
                Fault(
                    "missing_property",
                    cell.name if cell else f"event_properties>>{wanted}",
                    f"coalesce(event_kind = '{name}' AND {absent}, false)",
                    "CAST(NULL AS VARCHAR)",
                    f"every {name} event needs {wanted}; fill it in",
                )
            )
    if "item_id" in by_key:
        cell = by_key["item_id"].prop.cell
        checks.append(Fault(
            "bad_identifier", cell.name, f"coalesce(NOT {cells.is_identifier(cell.text)}, false)", cell.text,
            "item_id must have 1 to 255 characters, none of them a comma or a control character; change the id",
        ))
    for one in typed:
        checks.extend(_misfits(one))
    return checks


def _misfits(one: _Typed) -> list[Fault]:
    found = []
    for (kind, _), names in _variants(one).items():
        when = properties.misfit(one.by_type[names[0]])
        if when != "false":
            limited = f"({when} AND {cells.one_of('event_kind', names)})"
            found.append(faults.misfit(one.prop, f"coalesce({limited}, false)", kind))
    return found
