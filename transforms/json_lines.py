"""Columns of JSON lines: which keys occur, of what kind each is, and the SQL that takes them out of a line in one
go.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import duckdb

from transforms.cells import literal, present
from transforms.columns import Cell, Kind

PARENTS = ("profile_data", "platform_info", "event_properties", "properties")
_NUMBERS = {"UBIGINT", "BIGINT", "HUGEINT", "DOUBLE"}
_ELEMENTS: dict[str, Kind] = {"number": "number", "boolean": "boolean"}


@dataclass(frozen=True, slots=True)
class JsonColumn:
    """One key, or one key inside a nested object of ours, with the pointer to it."""

    cell: Cell
    pointer: str


def columns(con: duckdb.DuckDBPyConnection, where: str) -> tuple[list[JsonColumn], str]:
    """The columns of table ``staged`` (one JSON object in ``c0`` where ``where`` holds), and SQL of their values
    over a list ``x``.
    """
    found = con.execute(
        f"SELECT DISTINCT json_structure(c0)::VARCHAR AS s FROM staged WHERE {where} ORDER BY s"
    ).fetchall()
    kinds: dict[tuple[str, ...], set[str]] = {}
    for (structure,) in found:
        for path, kind in _leaves(json.loads(structure)):
            kinds.setdefault(path, set()).add(kind)
    result = []
    values = []
    for at, (path, seen) in enumerate(sorted(kinds.items())):
        name = ">>".join(path)
        taken = f"x[{at + 1}]"
        sql, cell = _clean(name, taken, f"v{at}", seen - {"null"})
        values.append(f", {sql} AS v{at}")
        result.append(JsonColumn(cell, "".join("/" + part.replace("~", "~0").replace("/", "~1") for part in path)))
    return result, "".join(values)


def extract(found: Sequence[JsonColumn]) -> str:
    """SQL that takes all columns out of ``c0``, as a list of texts."""
    return (
        f"json_extract_string(c0, [{', '.join(literal(column.pointer) for column in found)}])"
        if found
        else "CAST([] AS VARCHAR[])"
    )


def _leaves(structure: Any) -> Iterator[tuple[tuple[str, ...], str]]:
    if not isinstance(structure, dict):
        return
    for key, value in structure.items():
        if key in PARENTS and isinstance(value, dict):
            for inner, inner_value in value.items():
                yield (key, inner), _kind(inner_value)
        elif key in PARENTS and value == "NULL":
            continue
        else:
            yield (key,), _kind(value)


def _kind(value: Any) -> str:
    if isinstance(value, dict):
        return "nested"
    if isinstance(value, list):
        inner = _kind(value[0]) if value else "null"
        return f"list:{inner}"
    if value in _NUMBERS:
        return "number"
    return {"VARCHAR": "string", "BOOLEAN": "boolean", "NULL": "null"}.get(str(value), "nested")


def _clean(name: str, taken: str, value: str, seen: set[str]) -> tuple[str, Cell]:
    if seen == {"number"}:
        return f"TRY_CAST({taken} AS DOUBLE)", Cell(name, value, "number")
    if seen == {"boolean"}:
        return f"TRY_CAST({taken} AS BOOLEAN)", Cell(name, value, "boolean")
    if seen and all(kind.startswith("list:") for kind in seen) and not any("nested" in kind for kind in seen):
        inner = {kind[5:] for kind in seen} - {"null"}
        element = _ELEMENTS.get(next(iter(inner)), "string") if len(inner) == 1 else "string"
        type_name = {"number": "DOUBLE", "boolean": "BOOLEAN"}.get(element, "VARCHAR")
        return f"CAST(from_json({taken}, '[\"{type_name}\"]') AS {type_name}[])", Cell(name, value, "list", element)
    if any("nested" in kind for kind in seen):
        return taken, Cell(name, value, "nested")
    return present(taken), Cell(name, value, "string" if seen <= {"string"} else "text")
