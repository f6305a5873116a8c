"""Typed properties: which type a key has (declared, registered, or decided by its column), and the JSON that holds
its values.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import duckdb

from contracts.definitions import PropertyType
from transforms import cells
from transforms.cells import literal
from transforms.columns import Cell

# A column of texts is a number or boolean column from this share of its present cells on (contract 10.4).
SHARE = 0.95


@dataclass(frozen=True, slots=True)
class Property:
    """One property column: its map or, for events, ``properties``; ``settled`` keys already had their type."""

    parent: str
    key: str
    cell: Cell
    type: PropertyType = "string"
    settled: bool = False


def decide(
    con: duckdb.DuckDBPyConnection,
    relation: str,
    found: Sequence[Property],
    settled: Mapping[str, PropertyType],
    where: str = "true",
) -> list[Property]:
    """Give every property its type: the settled one of its key, its column's own, or for texts what 95 % of the
    present cells are.
    """
    decided = dict(settled)
    open_texts = [prop for prop in found if prop.key not in settled and prop.cell.kind == "text"]
    if open_texts:
        counts = ", ".join(
            f"count({v}), count(*) FILTER ({cells.is_number(v)}), count(*) FILTER ({cells.is_boolean(v, short=False)})"
            for v in (prop.cell.value for prop in open_texts)
        )
        row = con.execute(f"SELECT {counts} FROM {relation} WHERE {where}").fetchone()
        assert row is not None
        sums: dict[str, list[int]] = {}
        for at, prop in enumerate(open_texts):
            held = sums.setdefault(prop.key, [0, 0, 0])
            for place in range(3):
                held[place] += int(row[3 * at + place])
        for key, (present, numbers, booleans) in sums.items():
            if present:
                decided[key] = (
                    "number" if numbers >= SHARE * present else "boolean" if booleans >= SHARE * present else "string"
                )
    for prop in found:
        decided.setdefault(prop.key, own_type(prop.cell))
    return [replace(prop, type=decided[prop.key], settled=prop.key in settled) for prop in found]


def own_type(cell: Cell) -> PropertyType:
    """The type a cell's kind has by itself."""
    if cell.kind == "list":
        return {"number": "number[]", "boolean": "boolean[]"}.get(cell.element, "string[]")  # type: ignore[return-value]
    if cell.kind == "number":
        return "number"
    return "boolean" if cell.kind == "boolean" else "string"


def misfit(prop: Property) -> str:  # noqa: PLR0911 - one answer a kind
    """SQL that is true where a present value does not fit the property's type."""
    cell, v = prop.cell, prop.cell.value
    if cell.kind == "nested":
        return f"({v} IS NOT NULL)"
    if prop.type.endswith("[]"):
        if cell.kind != "list" or (own_type(cell) not in (prop.type, "string[]") and prop.type != "string[]"):
            return f"({v} IS NOT NULL)"
        return "false"
    if cell.kind == "list":
        return f"({v} IS NOT NULL)"
    if prop.type == "string":
        return "false"
    if prop.type == "number":
        if cell.kind == "number":
            big = f"abs({v}) > {cells.MAX_INTEGER}" + ("" if cell.whole else f" AND ({v} = trunc({v}) OR isinf({v}))")
            return f"coalesce({big}, false)"
        return f"coalesce(NOT {cells.is_number(cell.text)}, false)"
    if cell.kind == "boolean":
        return "false"
    return f"coalesce(NOT {cells.is_boolean(cell.text, short=prop.settled)}, false)"


def json_value(prop: Property) -> str:  # noqa: PLR0911 - one answer a kind
    """SQL of the value as canonical JSON text; NULL when missing. Only meaningful where ``misfit`` is false."""
    cell, v = prop.cell, prop.cell.value
    if cell.kind == "nested":
        return "NULL"
    if prop.type.endswith("[]"):
        return _json_list(prop) if cell.kind == "list" else "NULL"
    if cell.kind == "list":
        return "NULL"
    if prop.type == "string":
        return cells.json_text(cell.text)
    if prop.type == "number":
        return cell.text if cell.kind == "number" else cells.canonical_number(cell.text)
    if cell.kind == "boolean":
        return f"CASE WHEN {v} THEN 'true' WHEN NOT {v} THEN 'false' END"
    return f"CASE WHEN {cells.boolean(cell.text)} THEN 'true' WHEN NOT ({cells.boolean(cell.text)}) THEN 'false' END"


def _json_list(prop: Property) -> str:
    v, element = prop.cell.value, prop.cell.element
    if element == "number":
        text = cells.number_text("e")
    elif element == "boolean":
        text = "CASE WHEN e THEN 'true' ELSE 'false' END"
    else:
        text = cells.present("e")
    if prop.type == "string[]":
        text = cells.json_text(text)
    kept = f"list_filter(list_transform({v}, lambda e: {text}), lambda t: t IS NOT NULL AND t <> 'null')"
    return f"CASE WHEN {v} IS NOT NULL THEN '[' || array_to_string({kept}, ',') || ']' END"


def json_object(properties: Sequence[tuple[str, str]]) -> str:
    """SQL of a JSON object with sorted keys from (key, SQL of the value's JSON text or NULL); missing values leave
    their key out.
    """
    if not properties:
        return "'{}'"
    by_key: dict[str, list[str]] = {}
    for key, value in properties:
        by_key.setdefault(key, []).append(value)
    parts = []
    for key in sorted(by_key):
        values = by_key[key]
        value = values[0] if len(values) == 1 else f"coalesce({', '.join(values)})"
        parts.append(f"{literal(json_key(key))} || {value}")
    return "concat('{', concat_ws(',', " + ", ".join(parts) + "), '}')"


def json_key(key: str) -> str:
    """A key as it stands in the JSON object, with its colon."""
    return json.dumps(key, ensure_ascii=False) + ":"
