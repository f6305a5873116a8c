"""Loads what was written through the API beside properties: state of items and profiles, and the types of keys."""

from __future__ import annotations

import duckdb

_TYPE = (
    "CASE e.type WHEN 'VARCHAR' THEN 'string' WHEN 'BOOLEAN' THEN 'boolean' "
    "WHEN 'BIGINT' THEN 'number' WHEN 'UBIGINT' THEN 'number' WHEN 'DOUBLE' THEN 'number' END"
)


def take_facts(con: duckdb.DuckDBPyConnection, entity: str, asked: str) -> None:
    """Merge the state in table ``asked`` (seq, op, id, body as JSON, received_at), whose numbers are above all that
    were merged before. Each of has_charged, status and platform_info is that of the last write that has it; a ``put``
    replaces platform_info, a deletion takes all of it away.
    """
    place = {"entity": entity}
    charged, status = "body->>'$.has_charged'", "body->>'$.status'"
    con.execute(
        f"CREATE OR REPLACE TEMP TABLE stated AS WITH turns AS (SELECT id, coalesce(max(seq) FILTER (op NOT IN ('put', "
        f"'patch')), 0) AS gone FROM {asked} GROUP BY id) SELECT id, max(gone) > 0 AS gone, "
        f"max_by(CAST({charged} AS BOOLEAN), seq) FILTER ({charged} IS NOT NULL AND seq > gone) AS has_charged, "
        f"max_by({status}, seq) FILTER ({status} IS NOT NULL AND seq > gone) AS status, "
        f"max_by(received_at, seq) FILTER ({status} IS NOT NULL AND seq > gone) AS status_at, "
        "max_by(coalesce(CAST(json_extract(body, '$.platform_info') AS VARCHAR), '{}'), seq) "
        f"FILTER (op = 'put' AND seq > gone) AS platform_info FROM {asked} JOIN turns USING (id) GROUP BY id"
    )
    con.execute(
        "CREATE OR REPLACE TEMP TABLE merged AS SELECT s.id, coalesce(s.has_charged, w.has_charged) AS has_charged, "
        "coalesce(s.status, w.status) AS status, coalesce(s.status_at, w.status_at) AS status_at, "
        "coalesce(s.platform_info, w.platform_info::VARCHAR) AS platform_info FROM stated s LEFT JOIN (FROM "
        "written_facts WHERE entity = $entity) w ON w.id = s.id AND NOT s.gone",
        place,
    )
    con.execute("DELETE FROM written_facts WHERE entity = $entity AND id IN (SELECT id FROM merged)", place)
    con.execute(
        "INSERT INTO written_facts SELECT $entity, * FROM merged WHERE has_charged IS NOT NULL OR status IS NOT NULL "
        "OR platform_info <> '{}'",
        place,
    )
    con.execute("DROP TABLE stated")
    con.execute("DROP TABLE merged")


def take_key_types(con: duckdb.DuckDBPyConnection, asked: str) -> None:
    """Register the types of keys that have none, from the first value in table ``asked`` (seq, entity, body as JSON):
    those of profiles account-wide, those of events by event type.
    """
    typed = f"{asked} w WHERE body->>'$.typed' = 'true' AND entity"
    maps = " UNION ALL ".join(
        f"SELECT seq, '{parent}' AS parent, e.key, {_TYPE} AS type FROM (SELECT seq, "
        f"json_extract(body, '$.{member}') AS m FROM {typed} = 'profiles') w, json_each(coalesce(m, '{{}}')) AS e"
        for parent, member in (("profile_data", "properties"), ("platform_info", "platform_info"))
    )
    con.execute(
        f"INSERT INTO property_types SELECT 'profiles', parent, key, type FROM ({maps}) WHERE type IS NOT NULL AND "
        "lower(key) NOT IN (SELECT lower(key) FROM property_types WHERE entity = 'profiles') "
        "QUALIFY row_number() OVER (PARTITION BY lower(key) ORDER BY seq, parent, key) = 1"
    )
    con.execute(
        "INSERT INTO property_types SELECT 'events', parent, key, type FROM (SELECT seq, w.parent, e.key, "
        f"{_TYPE} AS type FROM (SELECT seq, body->>'$.event_type' AS parent, json_extract(body, '$.properties') AS m "
        f"FROM {typed} = 'events') w, json_each(coalesce(m, '{{}}')) AS e) WHERE type IS NOT NULL AND "
        "(parent, key) NOT IN (SELECT (parent, key) FROM property_types WHERE entity = 'events') "
        "QUALIFY row_number() OVER (PARTITION BY parent, key ORDER BY seq) = 1"
    )
