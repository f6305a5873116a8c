"""Reads Parquet files, with the fields of their nested columns as columns of their own."""

from __future__ import annotations

from pathlib import Path

import duckdb

from transforms.cells import literal
from transforms.columns import clean
from transforms.quoting import identifier
from transforms.staged import Staged, rows_of

PARENTS = ("profile_data", "platform_info", "event_properties", "properties")


def stage_parquet(con: duckdb.DuckDBPyConnection, path: Path) -> Staged:
    """Read a Parquet file; see ``transforms.staging.stage``."""
    source = f"read_parquet({literal(str(path))}, file_row_number = true, binary_as_string = true)"
    described = [
        (name, kind)
        for name, kind, *_ in con.execute(f"DESCRIBE SELECT * FROM {source}").fetchall()
        if name != "file_row_number"
    ]
    flat: list[tuple[str, str, str]] = []
    for name, kind in described:
        if name in PARENTS and kind.startswith("STRUCT"):
            fields = con.execute(f"DESCRIBE SELECT {identifier(name)}.* FROM {source}").fetchall()
            flat.extend((f"{name}>>{key}", f"{identifier(name)}.{identifier(key)}", inner) for key, inner, *_ in fields)
        elif name in PARENTS and kind.startswith("MAP"):
            values = f"typeof(any_value(map_values({identifier(name)})))"
            inner = con.execute(f"SELECT {values} FROM {source}").fetchall()[0][0]
            keys = con.execute(
                f"SELECT DISTINCT unnest(map_keys({identifier(name)})) AS k FROM {source} ORDER BY k"
            ).fetchall()
            flat.extend((f"{name}>>{key}", f"{identifier(name)}[{literal(key)}]", str(inner)[:-2]) for (key,) in keys)
        else:
            flat.append((name, identifier(name), kind))
    cleaned = [clean(name, sql, kind, f"v{at}") for at, (name, sql, kind) in enumerate(flat)]
    values = "".join(f", {sql} AS v{at}" for at, (sql, _) in enumerate(cleaned))
    raw = "json_object(" + ", ".join(f"{literal(name)}, {identifier(name)}" for name, _ in described) + ")"
    rows = rows_of(con, source)
    return Staged(
        "parquet",
        f"(SELECT file_row_number AS ordinal{values} FROM {source})",
        f"(SELECT file_row_number AS ordinal, * FROM {source})",
        raw,
        tuple(cell for _, cell in cleaned),
        rows,
    )
