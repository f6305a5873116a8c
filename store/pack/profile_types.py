"""Types of the properties of profiles, found from their values as those of items are."""

from __future__ import annotations

from typing import Any

import duckdb

# Whole numbers up to 2^53 are integers, however they are written.
_NUMBER = "kind IN ('BIGINT', 'UBIGINT', 'HUGEINT', 'UHUGEINT', 'DOUBLE')"
_WHOLE = "coalesce(number = trunc(number) AND abs(number) <= 9007199254740992, false)"


def profile_types(con: duckdb.DuckDBPyConnection) -> list[dict[str, Any]]:
    """Name in lower case, ``value_type`` and ``repeated`` of every key of ``profile_data`` in ``profiles``, by name."""
    rows = con.execute(
        f"""
        WITH given AS (
            SELECT lower(entry.key) AS name, entry.value
            FROM (SELECT unnest(map_entries(profile_data::MAP(VARCHAR, JSON))) AS entry FROM profiles)
        ),
        elements AS (
            SELECT name, json_type(value) = 'ARRAY' AS listed,
                   unnest(CASE WHEN json_type(value) = 'ARRAY' THEN json_extract(value, '$[*]') ELSE [value] END)
                   AS value
            FROM given
        ),
        typed AS (
            SELECT name, listed, json_type(value) AS kind, TRY_CAST(value AS DOUBLE) AS number FROM elements
        )
        SELECT name, bool_or(listed), bool_and({_NUMBER}), bool_and({_NUMBER} AND {_WHOLE}), bool_and(kind = 'BOOLEAN')
        FROM typed WHERE kind NOT IN ('NULL', 'OBJECT', 'ARRAY') GROUP BY name ORDER BY name
        """
    ).fetchall()
    return [
        {
            "name": name, "repeated": bool(listed),
            "value_type": "int64" if whole else "float64" if number else "bool" if boolean else "unicode255",
        }
        for name, listed, number, whole, boolean in rows
    ]
