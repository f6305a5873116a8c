"""What drained writes do to the warehouse: whom they are of, what they add, change and take away; set at a time."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

import duckdb
from sqlalchemy import Connection

from scenarios.spec import PropertyType as ValueType
from scenarios.value_types import parse_type
from store.journal import documents
from store.scenario_documents import ITEM_PROPERTY, USER_PROPERTY
from transforms import (
    cells,
    decision_load,
    erasure,
    event_load,
    exposure_load,
    fact_load,
    rating_load,
    session_load,
    written_load,
)
from transforms.interactions import INTERACTION

ENTITIES = (
    "events", "ratings", "items", "profiles", "session_events", "session_resolve", "item_property", "user_property",
    "exposures",
)
_PLAIN = {"int": "number", "float": "number", "bool": "boolean"}
_KEYS = "list_sort(json_keys(p))"
_SORTED = (
    "'{' || array_to_string(list_transform(" + _KEYS + ", lambda k: CAST(to_json(k) AS VARCHAR) || ':' || "
    "CAST(json_extract(p, '/' || replace(replace(k, '~', '~0'), '/', '~1')) AS VARCHAR)), ',') || '}'"
)
_PROPERTIES = f"CASE WHEN p IS NULL THEN '{{}}' ELSE {_SORTED} END"
# The time of what happened: microseconds since 1970, or a text, or when the write came.
_HAPPENED = (
    "coalesce(make_timestamp(CAST(body->>'$.at' AS BIGINT)), "
    f"{cells.time(chr(34) + 'when' + chr(34))}, received_at)"
)


@dataclass(frozen=True, slots=True)
class Declared:
    """The type of one property as deliveries know it (``string``, ``number[]``, ...). ``entity``: items or profiles."""

    entity: str
    key: str
    type: str


def declared_properties(connection: Connection) -> list[Declared]:
    """The property definitions of the journal."""
    found = []
    for entity, kind in (("items", ITEM_PROPERTY), ("profiles", USER_PROPERTY)):
        for document in documents.listed(connection, kind):
            body = json.loads(document.body)
            type = parse_type(body["value_type"], bool(body.get("repeated", False)))
            if isinstance(type, ValueType):
                plain = _PLAIN.get(type.family, "string")
                found.append(Declared(entity, body["property_name"], f"{plain}[]" if type.repeated else plain))
    return found


def load(con: duckdb.DuckDBPyConnection, declared: Sequence[Declared]) -> tuple[int, int, int]:
    """Apply temp table ``drained`` (seq, entity, op, body, received_at) inside the caller's transaction.

    Returns events (ratings, session events, exposures and events of agents too) that are new, items and profiles that
    were written, and writes of no known kind.
    """
    decided = decision_load.take_decisions(con, "drained")
    _know(con)
    _erase(con)
    changed = _values(con, "items", "items") + _values(con, "profiles", "profiles")
    fact_load.take_key_types(con, "writes")
    _register_types(con, declared)
    _strangers(con)
    loaded = _events(con) + _ratings(con) + _sessions(con) + _exposures(con)
    row = con.execute(
        "SELECT count(*) FROM drained WHERE NOT list_contains($known, entity)", {"known": list(ENTITIES)}
    ).fetchone()
    con.execute("DROP TABLE writes")
    con.execute("DELETE FROM known_profiles_of")  # counts do not tell that profiles came and went
    return loaded + decided, changed, int(row[0]) if row else 0


def _know(con: duckdb.DuckDBPyConnection) -> None:
    """Make temp table ``writes``: the drained rows with the profile each is of (null: none).

    Who is not known gets the id that a file's row of that customer would get. A write of a profile that names both of
    its ids means the profile_id: the customer's first profile may be deleted.
    """
    event_load.know_profiles(con)
    minted = cells.profile_id_of("given", "coalesce(g.deletions, 0)")
    exact = "entity = 'profiles' AND json_exists(body, '$.profile_id')"
    con.execute(
        "CREATE OR REPLACE TEMP TABLE renewed AS SELECT seq, body->>'$.customer_id' AS customer_id, "
        "coalesce(body->>'$.next_profile_id', body->>'$.profile_id') AS profile_id "
        f"FROM drained WHERE {exact} AND (op = 'put' OR json_exists(body, '$.next_profile_id'))"
    )
    con.execute(
        "CREATE OR REPLACE TEMP TABLE writes AS SELECT d.* EXCLUDE (exact), "
        f"coalesce(r.profile_id, k.profile_id, CASE WHEN regexp_full_match(given, 'profile_[0-9a-f]{{32}}') THEN given "
        f"ELSE {minted} END) AS profile_id, CASE WHEN (k.profile_id IS NULL OR r.profile_id IS NOT NULL) AND NOT "
        "regexp_full_match(coalesce(own, given), 'profile_[0-9a-f]{32}') THEN coalesce(own, given) END AS customer_id "
        "FROM (SELECT *, CASE WHEN exact THEN body->>'$.profile_id' ELSE coalesce(body->>'$.customer_id', "
        "body->>'$.profile_id') END AS given, CASE WHEN exact THEN body->>'$.customer_id' END AS own FROM (SELECT *, "
        f"{exact} AS exact FROM drained)) d ASOF LEFT JOIN renewed r ON r.customer_id = d.given AND r.seq <= d.seq "
        "LEFT JOIN known_profiles k ON k.key = d.given LEFT JOIN profile_deletions g ON g.customer_id = d.given"
    )
    con.execute("DROP TABLE renewed")


def _erase(con: duckdb.DuckDBPyConnection) -> None:
    """Forget erased profiles, and what was written about them before; the writes after stay in ``writes``, but for
    those of a profile whose id is never given again (they name the next one).
    """
    counted = "json_exists(body, '$.next_profile_id')"
    con.execute(
        "CREATE OR REPLACE TEMP TABLE erased AS SELECT profile_id, max(seq) AS seq, min(seq) AS first, "
        f"bool_or({counted}) AS for_good FROM writes WHERE entity = 'profiles' AND op = 'erase' GROUP BY profile_id"
    )
    _count_deletions(con, counted)
    found = con.execute("SELECT count(*) FROM erased").fetchone()
    if found and found[0]:
        con.execute(
            "CREATE OR REPLACE TEMP TABLE left_sessions AS "
            "SELECT session_id, e.seq FROM (SELECT seq, profile_id, body->>'$.session_id' AS session_id FROM writes "
            "WHERE entity = 'session_resolve' AND (body->>'$.session_id') NOT IN (SELECT session_id FROM sessions) "
            "QUALIFY row_number() OVER (PARTITION BY session_id ORDER BY seq) = 1) w "  # the first stands
            "JOIN erased e USING (profile_id) WHERE w.seq < e.seq "
            "UNION SELECT session_id, e.first FROM sessions JOIN erased e USING (profile_id) "  # then it is a new one
            "UNION SELECT unnest(from_json(body->'$.sessions', '[\"VARCHAR\"]')), seq FROM writes "
            "WHERE entity = 'profiles' AND op = 'erase' AND json_type(body, '$.sessions') = 'ARRAY'"
        )
        con.execute(
            "DELETE FROM writes USING left_sessions s WHERE entity IN ('session_events', 'exposures') AND "
            "(body->>'$.session_id') = s.session_id AND writes.seq < s.seq"
        )
        con.execute("DELETE FROM session_events WHERE session_id IN (SELECT session_id FROM left_sessions)")
        con.execute(
            "DELETE FROM exposures WHERE subject_kind = 'session' AND subject IN (SELECT session_id FROM left_sessions)"
        )
        con.execute(
            "DELETE FROM writes USING erased e WHERE writes.profile_id = e.profile_id AND "
            "(writes.seq <= e.seq OR e.for_good)"
        )
        erasure.erase_profiles(con, "erased")
        con.execute("DROP TABLE left_sessions")
        # Who was known has an id of the file's making no more; the customer's own id is in what was written since.
        con.execute("UPDATE writes SET customer_id = coalesce(body->>'$.customer_id', body->>'$.profile_id') "
                    "WHERE profile_id IN (SELECT profile_id FROM erased) AND customer_id IS NULL "
                    "AND coalesce(body->>'$.customer_id', body->>'$.profile_id') <> profile_id")
    con.execute("DROP TABLE erased")


def _count_deletions(con: duckdb.DuckDBPyConnection, counted: str) -> None:
    """Know how often profiles of each customer were deleted: the next one's id goes by it."""
    con.execute(
        "CREATE OR REPLACE TEMP TABLE gone AS SELECT body->>'$.customer_id' AS customer_id, count(*) AS deletions "
        f"FROM writes WHERE entity = 'profiles' AND op = 'erase' AND {counted} AND (body->>'$.customer_id') <> '' "
        "GROUP BY ALL"
    )
    con.execute(
        "UPDATE profile_deletions SET deletions = profile_deletions.deletions + g.deletions FROM gone g "
        "WHERE g.customer_id = profile_deletions.customer_id"
    )
    con.execute(
        "INSERT INTO profile_deletions FROM gone WHERE customer_id NOT IN (SELECT customer_id FROM profile_deletions)"
    )
    con.execute("DROP TABLE gone")


def _values(con: duckdb.DuckDBPyConnection, entity: str, written: str) -> int:
    """Items or profiles: bare rows for new ones, and the values of all."""
    own = "body->>'$.item_id'" if entity == "items" else "profile_id"
    con.execute(
        f"CREATE OR REPLACE TEMP TABLE asked AS SELECT seq, op, {own} AS id, customer_id, received_at, body, "
        f"CAST(json_extract(body, '$.properties') AS VARCHAR) AS properties FROM writes WHERE entity = '{written}'"
    )
    singular = {"items": "item_property", "profiles": "user_property"}[entity]
    con.execute(
        "CREATE OR REPLACE TEMP TABLE dropped AS SELECT lower(body->>'$.property_name') AS key, max(seq) AS seq "
        f"FROM writes WHERE entity = '{singular}' AND op = 'delete' GROUP BY key"
    )
    changed = written_load.take_values(con, entity, "asked", "dropped")
    if changed:
        fact_load.take_facts(con, entity, "asked")
        if entity == "items":
            written_load.add_items(con, "asked")
        else:
            written_load.add_profiles(con, "asked", dated=False)
    con.execute("DROP TABLE asked")
    con.execute("DROP TABLE dropped")
    return changed


def _register_types(con: duckdb.DuckDBPyConnection, declared: Sequence[Declared]) -> None:
    """Types of declared properties that have values, where no file taught one."""
    for one in declared:
        parent = "profile_data" if one.entity == "profiles" else "properties"
        con.execute(
            "INSERT INTO property_types SELECT $entity, $parent, $key, $type WHERE NOT EXISTS (FROM property_types "
            "WHERE entity = $entity AND lower(key) = lower($key)) AND EXISTS (FROM written_values WHERE entity = "
            "$entity AND lower(key) = lower($key))",
            {"entity": one.entity, "parent": parent, "key": one.key, "type": one.type},
        )


def _strangers(con: duckdb.DuckDBPyConnection) -> None:
    """Profiles for whoever did something without being described by anybody: known from their first event on."""
    con.execute(
        "CREATE OR REPLACE TEMP TABLE asked AS SELECT profile_id AS id, customer_id, "
        f"{_HAPPENED} AS received_at FROM (SELECT *, body->>'$.created_at' AS \"when\" FROM writes WHERE "
        "entity IN ('events', 'session_resolve') OR (entity = 'ratings' AND op = 'put'))"
    )
    written_load.add_profiles(con, "asked", dated=True)
    con.execute("DROP TABLE asked")


def _events(con: duckdb.DuckDBPyConnection) -> int:
    row = con.execute(
        "INSERT INTO events BY NAME SELECT event_id, event_type, profile_id, item_id, created_at, properties, load_id "
        f"FROM (SELECT seq, profile_id, CASE WHEN json_exists(body, '$.at') THEN {INTERACTION} ELSE 0 END AS load_id, "
        f"{_event_columns()} FROM ({_of('events')})) "
        "WHERE event_id NOT IN (SELECT event_id FROM events) "
        "QUALIFY row_number() OVER (PARTITION BY event_id ORDER BY seq) = 1"
    ).fetchone()
    return int(row[0]) if row else 0


def _ratings(con: duckdb.DuckDBPyConnection) -> int:
    con.execute(
        "CREATE OR REPLACE TEMP TABLE asked AS SELECT seq, op, profile_id, body->>'$.item_id' AS item_id, "
        f"CAST(json_extract(body, '$.rating') AS VARCHAR) AS rating, {_HAPPENED} AS happened FROM ({_of('ratings')})"
    )
    found = con.execute("SELECT count(*) FROM asked").fetchone()
    loaded = rating_load.take_ratings(con, "asked") if found and found[0] else 0
    con.execute("DROP TABLE asked")
    return loaded


def _sessions(con: duckdb.DuckDBPyConnection) -> int:
    con.execute(
        f"CREATE OR REPLACE TEMP TABLE happened AS SELECT body->>'$.session_id' AS session_id, {_event_columns()} "
        f"FROM ({_of('session_events')}) QUALIFY row_number() OVER (PARTITION BY event_id ORDER BY seq) = 1"
    )
    con.execute(
        "CREATE OR REPLACE TEMP TABLE resolved AS SELECT seq, body->>'$.session_id' AS session_id, profile_id, "
        f"{_HAPPENED} AS resolved_at FROM ({_of('session_resolve')})"
    )
    loaded = session_load.take_sessions(con, "happened", "resolved")
    con.execute("DROP TABLE happened")
    con.execute("DROP TABLE resolved")
    return loaded


def _exposures(con: duckdb.DuckDBPyConnection) -> int:
    con.execute(
        "CREATE OR REPLACE TEMP TABLE asked AS SELECT body->>'$.test_id' AS test_id, "
        "CASE WHEN body->>'$.session_id' IS NULL THEN 'user' ELSE 'session' END AS subject_kind, "
        "coalesce(body->>'$.session_id', body->>'$.customer_id') AS subject, "
        "CASE WHEN body->>'$.session_id' IS NULL THEN profile_id END AS profile_id, body->>'$.group' AS group_name, "
        f"{_HAPPENED} AS first_at, CAST(NULL AS TIMESTAMP) AS crossed_at, body->>'$.reco_type' AS reco_type, "
        f"body->>'$.scenario_name' AS scenario_name, body->>'$.run_id' AS run_id FROM ({_of('exposures')})"
    )
    found = con.execute("SELECT count(*) FROM asked").fetchone()
    loaded = exposure_load.take_exposures(con, "asked") if found and found[0] else 0
    con.execute("DROP TABLE asked")
    return loaded


def _of(entity: str) -> str:
    return (
        "SELECT *, body->>'$.created_at' AS \"when\", CASE WHEN json_type(body, '$.properties') = 'OBJECT' THEN "
        f"CAST(json_extract(body, '$.properties') AS VARCHAR) END AS p FROM writes WHERE entity = '{entity}'"
    )


def _event_columns() -> str:
    return (
        "body->>'$.event_id' AS event_id, body->>'$.event_type' AS event_type, body->>'$.item_id' AS item_id, "
        f"{_HAPPENED} AS created_at, {_PROPERTIES} AS properties"
    )
