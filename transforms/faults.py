"""Checks that several entities share."""

from __future__ import annotations

from collections.abc import Sequence

from transforms import cells, properties
from transforms.columns import Cell
from transforms.layouts import Fault
from transforms.properties import Property


def required(column: str, value: str, *, identifier: bool, unless: str = "") -> list[Fault]:
    """A cell that must be there and, when it is an id, 1 to 255 characters without comma or control characters.

    ``unless`` is SQL that, where true, says that the id is one.
    """
    absent = Fault(
        "missing_required", column, f"({value} IS NULL)", "CAST(NULL AS VARCHAR)", f"{column} is missing; fill it in"
    )
    if not identifier:
        return [absent]
    wrong = f"coalesce(NOT {cells.is_identifier(value)}, false)"
    return [absent, Fault(
        "bad_identifier", column, f"CASE WHEN {unless} THEN false ELSE {wrong} END" if unless else wrong, value,
        f"{column} must have 1 to 255 characters, none of them a comma or a control character; change the id",
    )]


def misfits(found: Sequence[Property]) -> list[Fault]:
    """Present values that do not fit their key's type."""
    faults = []
    for prop in found:
        when = properties.misfit(prop)
        if when != "false":
            faults.append(misfit(prop, when))
    return faults


def misfit(prop: Property, when: str, kind: str = "") -> Fault:
    """The fault of a property whose value does not fit."""
    return Fault(
        "bad_type",
        prop.cell.name,
        when,
        prop.cell.text,
        f"{prop.key} is a {kind or prop.type}; write one, or leave the cell empty",
    )


def both_maps(found: Sequence[Property]) -> list[Fault]:
    """A key may have a value in one of a profile's maps only."""
    by_key: dict[str, list[Property]] = {}
    for prop in found:
        by_key.setdefault(prop.key, []).append(prop)
    return [
        Fault(
            "key_in_both_maps",
            pair[1].cell.name,
            "(" + " AND ".join(f"{prop.cell.value} IS NOT NULL" for prop in pair) + ")",
            pair[1].cell.text,
            f"{key} is in profile_data and in platform_info; keep it in one of them",
        )
        for key, pair in by_key.items()
        if len({prop.parent for prop in pair}) > 1
    ]


def one_of(column: str, cell: Cell, values: Sequence[str]) -> Fault:
    """A cell with few allowed values."""
    allowed = ", ".join(cells.literal(value) for value in values)
    return Fault(
        "bad_value",
        column,
        f"coalesce({cell.text} NOT IN ({allowed}), false)",
        cell.text,
        f"{column} must be one of {', '.join(values)}",
    )
