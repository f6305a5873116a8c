"""Rows of items: id, category, name, description, price in the lowest denomination, and typed properties (retention
contract 8).
"""

from __future__ import annotations

import duckdb

from contracts.definitions import PropertyType
from transforms import cells, faults, properties
from transforms.columns import Cell
from transforms.layouts import Fault, Fields
from transforms.profile_rows import date_faults, dates, learned
from transforms.terms import Built, Terms

STATUSES = ("active", "inactive")
_TEXTS = ("item_category", "item_name", "item_description")
_LONGEST = 1000


def build(con: duckdb.DuckDBPyConnection, fields: Fields, terms: Terms) -> Built:
    """See ``Built``. A mapping need not give all columns; a plain drop must."""
    settled: dict[str, PropertyType] = {key: kind for (_, key), kind in terms.types.items()} | fields.declared
    typed = properties.decide(con, fields.relation, fields.properties, settled)
    relation = f"(SELECT *, {fields.fields['item_id'].text} AS item_key FROM {fields.relation})"
    checks = faults.required("item_id", "item_key", identifier=True)
    texts = {}
    for name in _TEXTS:
        cell = fields.fields.get(name)
        texts[name] = cell.text if cell else "CAST(NULL AS VARCHAR)"
        if cell and (fields.plain or name == "item_name"):
            checks.extend(faults.required(name, cell.value, identifier=False))
        if cell and name == "item_description":
            checks.append(
                Fault(
                    "bad_value",
                    name,
                    f"coalesce(length({cell.text}) > {_LONGEST}, false)",
                    cell.text,
                    f"is longer than {_LONGEST} characters; shorten it",
                )
            )
    price, price_faults = _price(fields.fields.get("item_price"), required=fields.plain)
    checks.extend(price_faults)
    if "status" in fields.fields:
        checks.append(faults.one_of("status", fields.fields["status"], STATUSES))
    checks.extend(faults.misfits(typed))
    if not fields.plain:
        checks.extend(date_faults(fields))
    status = fields.fields["status"].text if "status" in fields.fields else "CAST(NULL AS VARCHAR)"
    select = (
        f"item_key AS item_id, {texts['item_category']} AS item_category, {texts['item_name']} AS item_name, "
        f"{texts['item_description']} AS item_description, {price} AS item_price, {status} AS status, "
        f"{properties.json_object([(prop.key, properties.json_value(prop)) for prop in typed])} AS properties, "
        f"{dates(fields.fields, fields.updated_at, terms)}"
    )
    return Built(relation, select, tuple(checks), learned(typed, terms.types))


def _price(cell: Cell | None, *, required: bool) -> tuple[str, list[Fault]]:
    """SQL of the price, and what may be wrong with it."""
    if cell is None:
        return "CAST(NULL AS BIGINT)", []
    number = (
        cell.value
        if cell.kind == "number"
        else f"CASE WHEN {cells.is_number(cell.text)} THEN TRY_CAST({cell.text} AS DOUBLE) END"
    )
    whole = f"({number}) = trunc({number}) AND abs({number}) <= {cells.MAX_INTEGER}"
    checks = faults.required("item_price", cell.value, identifier=False) if required else []
    checks.append(Fault(
        "bad_type", "item_price", f"({cell.value} IS NOT NULL AND NOT coalesce({whole}, false))", cell.text,
        "must be a whole number in the lowest denomination: 2000 for 20.00",
    ))
    checks.append(
        Fault("bad_value", "item_price", f"coalesce(({number}) < 0, false)", cell.text, "must not be negative")
    )
    return f"TRY_CAST(({number}) AS BIGINT)", checks
