"""Where files and the API meet: of each property of a row, the later arrival counts. DuckDB in, DuckDB out.

A file's row arrives when the file that brought its content is loaded; a file that repeats what was known brings
nothing. A write arrives when it is received.
"""

from __future__ import annotations

from dataclasses import dataclass

import duckdb


@dataclass(frozen=True, slots=True)
class _Register:
    key: str
    map: str
    texts: tuple[str, ...] = ()
    whole: tuple[str, ...] = ()


_REGISTERS = {
    "items": _Register(
        "item_id", "properties", ("item_category", "item_name", "item_description"), ("item_price",)
    ),
    "profiles": _Register("profile_id", "profile_data"),
}


def create_written(con: duckdb.DuckDBPyConnection, entity: str) -> None:
    """Create ``written_<entity>``: one row an item or profile that was written through the API.

    Columns: its id, ``live`` (it stands for something: it is neither deleted, nor known from events alone),
    ``from_file`` (what a file delivered counts), ``written_at``, the state that was written (``written_charged``,
    ``written_status`` and ``written_status_at``, ``written_platform``; null: none was), the map of properties as JSON
    with sorted keys, and for items the columns of the same name. Reads the warehouse's ``written_rows``,
    ``written_values`` and ``written_facts``.
    """
    register = _REGISTERS[entity]
    key, columns = register.key, (*register.texts, *register.whole)
    con.execute(
        f"CREATE OR REPLACE TABLE met AS SELECT r.*, w.deleted, w.written_at, a.arrived, "
        "r.load_id IS DISTINCT FROM 0 AND (w.cleared_at IS NULL OR a.arrived > w.cleared_at) AS from_file, "
        "f.has_charged AS written_charged, f.status AS written_status, f.status_at AS written_status_at, "
        "f.platform_info AS written_platform "
        f"FROM warehouse.{entity} r JOIN warehouse.written_rows w ON w.entity = '{entity}' AND w.id = r.{key} "
        f"LEFT JOIN warehouse.written_facts f ON f.entity = '{entity}' AND f.id = r.{key} "
        "LEFT JOIN (SELECT load_id, max(loaded_at) AS arrived FROM warehouse.file_loads "
        f"WHERE entity = '{entity}' GROUP BY load_id) a ON a.load_id = r.load_id"
    )
    delivered = [f"SELECT {key} AS id, e.key, e.value::VARCHAR AS value, arrived FROM met, "
                 f"json_each(coalesce({register.map}, '{{}}')) AS e WHERE from_file"]
    delivered += [
        f"SELECT {key}, '{name}', to_json({name})::VARCHAR, arrived FROM met WHERE from_file AND {name} IS NOT NULL"
        for name in columns
    ]
    con.execute(
        "CREATE OR REPLACE TABLE met_values AS SELECT coalesce(f.id, w.id) AS id, "
        "coalesce(f.key, t.key, w.key) AS key, "
        "CASE WHEN w.id IS NULL OR f.arrived > w.written_at THEN f.value ELSE w.value::VARCHAR END AS value "
        f"FROM ({' UNION ALL '.join(delivered)}) f FULL JOIN "
        f"(SELECT * FROM warehouse.written_values WHERE entity = '{entity}') w "
        "ON w.id = f.id AND lower(w.key) = lower(f.key) LEFT JOIN (SELECT lower(key) AS name, min(key) AS key FROM "
        f"warehouse.property_types WHERE entity = '{entity}' GROUP BY name) t ON t.name = lower(w.key)"
    )
    typed = [f"(lower(key) = '{name}' AND json_type(value) = 'VARCHAR')" for name in register.texts]
    typed += [
        f"(lower(key) = '{name}' AND json_type(value) IN ('BIGINT', 'UBIGINT') AND TRY_CAST(value AS BIGINT) IS NOT "
        "NULL)" for name in register.whole
    ]
    in_column = " OR ".join(typed) or "false"
    own = "".join(
        f", max(CASE WHEN {test} THEN " + ("value->>'$'" if name in register.texts else "TRY_CAST(value AS BIGINT)")
        + f" END) AS {name}"
        for name, test in zip(columns, typed, strict=True)
    )
    con.execute(
        f"CREATE OR REPLACE TABLE written_{entity} AS SELECT {key}, NOT deleted OR from_file AS live, from_file, "
        "m.written_at, written_charged, written_status, written_status_at, written_platform, "
        f"coalesce(v.map, '{{}}')::JSON AS {register.map}"
        f"{''.join(f', v.{name}' for name in columns)} FROM met m LEFT JOIN (SELECT id, "
        "'{' || coalesce(string_agg(to_json(key)::VARCHAR || ':' || value, ',' ORDER BY key) "
        f"FILTER (NOT ({in_column})), '') || '}}' AS map{own} "
        f"FROM met_values WHERE value IS NOT NULL AND value <> 'null' GROUP BY id) v ON v.id = m.{key}"
    )
    con.execute("DROP TABLE met")
    con.execute("DROP TABLE met_values")
