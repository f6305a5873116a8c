"""Rows of profiles: who they are, their two maps of typed properties, and their state (retention contract 7, 10.7)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import duckdb

from contracts.definitions import PropertyType
from transforms import cells, faults, properties
from transforms.columns import Cell
from transforms.layouts import Fault, Fields
from transforms.terms import Built, Terms, stamp

STATUSES = ("active", "inactive", "churned")


def build(con: duckdb.DuckDBPyConnection, fields: Fields, terms: Terms) -> Built:
    """See ``Built``. Knows profiles by the table ``profiles``."""
    customer = fields.fields["customer_id"]
    given = fields.fields.get("profile_id")
    settled: dict[str, PropertyType] = {key: kind for (_, key), kind in terms.types.items()} | fields.declared
    typed = properties.decide(con, fields.relation, fields.properties, settled)
    minted, deletions = minted_id("customer_key", terms)
    own_id = f", {given.text} AS given_id" if given else ""
    columns = f"SELECT *, {customer.text} AS customer_key{own_id} FROM {fields.relation}"
    if given is None:
        relation = (
            f"(SELECT r.*, coalesce(e.profile_id, {minted}) AS found_id FROM ({columns}) r "
            f"LEFT JOIN profiles e ON e.customer_id = r.customer_key{deletions})"
        )
    else:
        relation = (
            f"(SELECT r.*, coalesce(given_id, e.profile_id, {minted}) AS found_id, e.profile_id AS owner_id, "
            f"given_id IS NOT NULL AND g.profile_id IS NULL AND given_id IS DISTINCT FROM {minted} AS stranger FROM "
            f"({columns}) r "
            "LEFT JOIN profiles e ON e.customer_id = r.customer_key LEFT JOIN profiles g ON g.profile_id = r.given_id"
            f"{deletions})"
        )
    checks = faults.required("customer_id", "customer_key", identifier=True)
    if given is not None:
        checks.append(
            Fault(
                "unknown_profile",
                "profile_id",
                "stranger",
                "given_id",
                "no such profile; leave profile_id empty to make one",
            )
        )
        checks.append(
            Fault(
                "bad_value",
                "customer_id",
                "coalesce(owner_id <> given_id, false)",
                "customer_key",
                "belongs to another profile; correct one of the ids",
            )
        )
    charged, wrong_charged = _charged(fields.fields.get("has_charged"))
    if wrong_charged:
        checks.append(
            Fault("bad_type", "has_charged", wrong_charged, fields.fields["has_charged"].text, "must be true or false")
        )
    if "status" in fields.fields:
        checks.append(faults.one_of("status", fields.fields["status"], STATUSES))
    checks.extend(faults.misfits(typed))
    checks.extend(faults.both_maps(typed))
    maps = {
        parent: properties.json_object(
            [(prop.key, properties.json_value(prop)) for prop in typed if prop.parent == parent]
        )
        for parent in ("profile_data", "platform_info")
    }
    status = fields.fields["status"].text if "status" in fields.fields else "CAST(NULL AS VARCHAR)"
    select = (
        f"found_id AS profile_id, customer_key AS customer_id, {charged} AS has_charged, {status} AS status, "
        f"{maps['profile_data']} AS profile_data, {maps['platform_info']} AS platform_info, "
        f"{dates(fields.fields, fields.updated_at, terms)}"
    )
    if not fields.plain:
        checks.extend(date_faults(fields))
    return Built(relation, select, tuple(checks), learned(typed, terms.types))


def minted_id(key: str, terms: Terms) -> tuple[str, str]:
    """SQL of the id of the profile of customer ``key`` of relation r, and of the join that it needs."""
    if not terms.deletions:
        return cells.profile_id_of(key), ""
    return cells.profile_id_of(key, "coalesce(gone.deletions, 0)"), (
        f" LEFT JOIN profile_deletions gone ON gone.customer_id = r.{key}"
    )


def _charged(cell: Cell | None) -> tuple[str, str]:
    """SQL of the flag, and of a present value that is none."""
    if cell is None:
        return "false", ""
    value = cell.value if cell.kind == "boolean" else cells.boolean(cell.text)
    return (
        f"coalesce({value}, false)",
        f"({cell.value} IS NOT NULL AND ({value}) IS NULL)" if cell.kind != "boolean" else "",
    )


def dates(named: Mapping[str, Cell], updated_at: Cell | None, terms: Terms) -> str:
    """SQL of updated_at, created_at and dated: the mapping's dates, else the ingest's time."""
    now = stamp(terms.now)
    updated, created = _moment(updated_at), _moment(named.get("created_at"))
    return f"coalesce({updated}, {now}) AS updated_at, coalesce({created}, {updated}, {now}) AS created_at, " \
           f"coalesce({created}, {updated}) IS NOT NULL AS dated"


def _moment(cell: Cell | None) -> str:
    if cell is None:
        return "CAST(NULL AS TIMESTAMP)"
    return cell.value if cell.kind == "timestamp" else cells.time(cell.text)


def date_faults(fields: Fields) -> list[Fault]:
    """Dates of a mapping that are present and no dates."""
    found = []
    for name, cell in (("updated_at", fields.updated_at), ("created_at", fields.fields.get("created_at"))):
        if cell is not None and cell.kind != "timestamp":
            when = f"({cell.value} IS NOT NULL AND ({cells.time(cell.text)}) IS NULL)"
            found.append(Fault("bad_timestamp", name, when, cell.text, "is not a time; write YYYY-MM-DD HH:MM:SS"))
    return found


def learned(
    typed: Sequence[properties.Property], known: Mapping[tuple[str, str], PropertyType]
) -> tuple[tuple[str, str, PropertyType], ...]:
    """Types of keys that had no registered type."""
    names = {key for _, key in known}
    return tuple({prop.key: (prop.parent, prop.key, prop.type) for prop in typed if prop.key not in names}.values())
