"""Past segments at any date, and who entered and left (retention contract, section 11.3). DuckDB in, DuckDB out."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime

import duckdb

from contracts.account import Segment
from transforms import sql
from transforms.canonical import canonical
from transforms.quoting import identifier
from transforms.retention import count, json_pointer

_BEFORE = "previous_members"


def create_definitions(con: duckdb.DuckDBPyConnection, segments: Sequence[Segment]) -> None:
    """Create ``past_segments`` and ``segment_elements`` from the definitions of past segments."""
    con.execute(
        "CREATE OR REPLACE TABLE past_segments (segment_id VARCHAR, name VARCHAR, actions INTEGER, "
        "property_pointer VARCHAR, property_value VARCHAR)"
    )
    con.execute(
        "CREATE OR REPLACE TABLE segment_elements (segment_id VARCHAR, position INTEGER, event_type VARCHAR, "
        "action BOOLEAN, days INTEGER, conditions STRUCT(pointer VARCHAR, value VARCHAR)[])"
    )
    past = [one for one in segments if one.past]
    if not past:
        return
    con.executemany(
        "INSERT INTO past_segments VALUES (?, ?, ?, ?, ?)",
        [
            (
                one.segment_id, one.name, sum(element.action for element in one.elements),
                json_pointer(one.property_name) if one.property_name else None, one.property_value,
            )
            for one in past
        ],
    )
    con.executemany(
        "INSERT INTO segment_elements VALUES (?, ?, ?, ?, ?, ?)",
        [
            (
                one.segment_id, place, element.event_type, element.action, one.days,
                [{"pointer": json_pointer(key), "value": value} for key, value in sorted(element.properties.items())],
            )
            for one in past
            for place, element in enumerate(one.elements)
        ],
    )


def create_members(con: duckdb.DuckDBPyConnection, as_of: datetime, table: str) -> int:
    """Create ``table`` (segment_id, segment_tag, profile_id): the members at ``as_of`` of the segments defined by
    ``create_definitions``, from ``events`` and ``profiles``; returns its rows.
    """
    query = sql.read("segment_members").replace(
        "{text_of_property}", canonical("e.properties", "c.pointer")
    ).replace("{text_of_attribute}", canonical("p.profile_data", "s.property_pointer"))
    con.execute(f"CREATE OR REPLACE TABLE {identifier(table)} AS {query}", {"as_of": as_of})
    return count(con, f"SELECT count(*) FROM {identifier(table)}")


def create_segments(
    con: duckdb.DuckDBPyConnection, as_of: datetime, segments: Sequence[Segment], before: str | None = None
) -> int:
    """Create the published tables ``segments``, ``segment_members`` and ``segment_deltas``; returns the members.

    ``before`` is SQL that selects ``segment_id``, ``profile_id`` and ``created_at`` of the members of the run before
    (merged children replaced by their parents), None when there is none: all enter then. Of a segment that is gone
    nobody exits.
    """
    create_definitions(con, segments)
    create_members(con, as_of, "members_now")
    empty = "SELECT NULL::VARCHAR AS segment_id, NULL::VARCHAR AS profile_id, NULL::TIMESTAMP AS created_at WHERE false"
    # Of several that became one profile, the earliest tag stays.
    con.execute(
        f"CREATE OR REPLACE TABLE {_BEFORE} AS SELECT segment_id, profile_id, min(created_at) AS created_at "
        f"FROM ({before or empty}) GROUP BY segment_id, profile_id ORDER BY segment_id, profile_id"
    )
    con.execute(
        "CREATE OR REPLACE TABLE segment_members AS SELECT segment_id, n.segment_tag, profile_id, "
        f"coalesce(b.created_at, $as_of::TIMESTAMP) AS created_at FROM members_now AS n LEFT JOIN {_BEFORE} AS b "
        "USING (segment_id, profile_id) ORDER BY segment_id, profile_id",
        {"as_of": as_of},
    )
    con.execute(
        "CREATE OR REPLACE TABLE segment_deltas AS SELECT segment_id, profile_id, 'enter' AS change FROM members_now "
        f"ANTI JOIN {_BEFORE} USING (segment_id, profile_id) UNION ALL SELECT segment_id, profile_id, 'exit' "
        f"FROM {_BEFORE} ANTI JOIN members_now USING (segment_id, profile_id) "
        "WHERE segment_id IN (SELECT segment_id FROM past_segments) ORDER BY segment_id, profile_id"
    )
    con.execute(
        "CREATE OR REPLACE TABLE segments (segment_id VARCHAR, segment_name VARCHAR, segment_type VARCHAR, "
        "segment_sub_type INTEGER, segment_timeframe INTEGER, event_sequence JSON, profile_property_name VARCHAR, "
        "profile_property_value VARCHAR, profile_count BIGINT)"
    )
    if segments:
        members = dict(con.execute("SELECT segment_id, count(*) FROM segment_members GROUP BY segment_id").fetchall())
        con.executemany(
            "INSERT INTO segments VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                (
                    one.segment_id, one.name, one.kind, one.sub_type, one.days,
                    json.dumps(one.definition.get("event_sequence", []), sort_keys=True), one.property_name or None,
                    one.property_value or None, members.get(one.segment_id, 0) if one.past else None,
                )
                for one in segments
            ],
        )
    return count(con, "SELECT count(*) FROM segment_members")
