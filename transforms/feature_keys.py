"""Which profiles lack a configured feature (retention contract, section 4, rule 2). DuckDB in, DuckDB out."""

from __future__ import annotations

from collections.abc import Sequence

import duckdb

from transforms.quoting import identifier, text_literal
from transforms.retention import json_pointer


def value_of(key: str) -> str:
    """SQL of a key's value as text in ``profile_data`` or ``platform_info``; null when it is missing, which the string
    ``null`` is too.
    """
    pointer = text_literal(json_pointer(key))
    paths = (
        f"nullif(json_extract_string({column}, {pointer}), 'null')" for column in ("profile_data", "platform_info")
    )
    return f"coalesce({', '.join(paths)})"


def create_missing(con: duckdb.DuckDBPyConnection, table: str, keys: Sequence[str]) -> None:
    """Create ``table`` (profile_id, missing_keys): the profiles that lack any of ``keys``, none without keys."""
    if not keys:
        con.execute(f"CREATE OR REPLACE TABLE {identifier(table)} (profile_id VARCHAR, missing_keys VARCHAR[])")
        return
    missing = ", ".join(f"CASE WHEN {value_of(key)} IS NULL THEN {text_literal(key)} END" for key in keys)
    con.execute(
        f"CREATE OR REPLACE TABLE {identifier(table)} AS SELECT * FROM (SELECT profile_id, "
        f"list_filter([{missing}], lambda key: key IS NOT NULL) AS missing_keys FROM profiles) "
        "WHERE len(missing_keys) > 0 ORDER BY profile_id"
    )
