"""From the columns of a file to the fields of an entity: the plain drop layout (retention contract 10.2) and source
mappings.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import duckdb

from contracts.definitions import Entity, EntityMapping, PropertyType, RowRule, Source
from contracts.errors import DropRefused
from transforms import expressions
from transforms.cells import literal
from transforms.columns import Cell, clean
from transforms.properties import Property
from transforms.quoting import identifier
from transforms.staged import Staged

REQUIRED: dict[Entity, tuple[str, ...]] = {
    "profiles": ("customer_id",),
    "items": ("item_id", "item_category", "item_name", "item_description", "item_price"),
    "events": ("event_type", "profile_id|customer_id"),
}
FIELDS: dict[Entity, tuple[str, ...]] = {
    "profiles": ("customer_id", "profile_id", "has_charged", "status", "created_at"),
    "items": ("item_id", "item_category", "item_name", "item_description", "item_price", "status", "created_at"),
    "events": ("event_type", "profile_id", "customer_id", "session_id", "item_id", "created_at"),
}
MAPS: dict[Entity, tuple[str, ...]] = {
    "profiles": ("profile_data", "platform_info"),
    "items": ("properties",),
    "events": ("event_properties", "properties"),
}
# In plain drops an event's item is one of its properties, and nothing has a date of its own but an event.
_PLAIN: dict[Entity, tuple[str, ...]] = {
    "profiles": ("customer_id", "profile_id", "has_charged", "status"),
    "items": ("item_id", "item_category", "item_name", "item_description", "item_price", "status"),
    "events": ("event_type", "profile_id", "customer_id", "created_at"),
}
_FREE: dict[Entity, str] = {"profiles": "profile_data", "items": "properties", "events": "properties"}


@dataclass(frozen=True, slots=True)
class Fault:
    """A rule that rows break where ``when`` (SQL, never NULL) is true."""

    rule: str
    column: str
    when: str
    value: str
    reason: str


@dataclass(frozen=True, slots=True)
class Fields:
    """What a file gives for one entity.

    ``relation`` has ``ordinal`` and everything the cells name. ``skip`` is SQL of the name of the rule under which a
    row is left out, or NULL. ``plain`` files keep the contract's rules for event properties; ``ignored`` columns are
    not used.
    """

    entity: Entity
    relation: str
    fields: dict[str, Cell]
    properties: tuple[Property, ...]
    declared: dict[str, PropertyType] = field(default_factory=dict)
    skip: str = "CAST(NULL AS VARCHAR)"
    first: tuple[Fault, ...] = ()
    faults: tuple[Fault, ...] = ()
    updated_at: Cell | None = None
    plain: bool = True
    latest: bool = False
    create_profiles: bool = False
    ignored: tuple[str, ...] = ()


def plain(staged: Staged, entity: Entity) -> Fields:
    """Fields of a plain drop. Raises ``DropRefused`` when a required column is missing."""
    names = [cell.name for cell in staged.cells]
    missing = [wanted for wanted in REQUIRED[entity] if not any(name in names for name in wanted.split("|"))]
    if missing:
        wanted = ", ".join(name.replace("|", " or ") for name in missing)
        raise DropRefused(
            f"required column missing: {wanted} (found: {', '.join(names)})", rule="missing_column",
            hint="name the column so, or write a source mapping for this layout",
        )
    fields: dict[str, Cell] = {}
    nested: list[Property] = []
    free: list[Cell] = []
    for cell in staged.cells:
        parent, _, rest = cell.name.partition(">")
        if rest and parent in MAPS[entity]:
            nested.append(
                Property(_FREE[entity] if parent == "event_properties" else parent, rest.rpartition(">")[2], cell)
            )
        elif cell.name in _PLAIN[entity]:
            fields[cell.name] = cell
        else:
            free.append(cell)
    if nested and entity != "items":
        return Fields(entity, staged.relation, fields, tuple(nested), ignored=tuple(cell.name for cell in free))
    further = tuple(Property(_FREE[entity], cell.name, cell) for cell in free)
    return Fields(entity, staged.relation, fields, tuple(nested) + further)


def mapped(con: duckdb.DuckDBPyConnection, staged: Staged, source: Source, mapping: EntityMapping) -> Fields:
    """Fields of one entity of a mapped file.

    Raises ``DropRefused`` when the file lacks a column that the mapping uses.
    """
    names = [cell.name for cell in staged.cells]
    by_lower: dict[str, str] = {}
    for name in names:
        if name.lower() in by_lower:
            raise DropRefused(
                f"columns {by_lower[name.lower()]!r} and {name!r} differ only in case",
                rule="repeated_column",
                hint="give every column its own name",
            )
        by_lower[name.lower()] = name
    used = expressions.used_columns(source)
    lost = sorted(name for name in used if name.lower() not in by_lower)
    if lost:
        raise DropRefused(
            f"the mapping {source.name!r} uses columns that the file lacks: {', '.join(lost)}",
            rule="missing_column",
            hint=f"the file has {', '.join(names)}; correct the file or definitions/sources",
        )
    wanted = {name.lower(): type_name for name, type_name in source.read.types}
    columns, first = [], []
    casts: list[tuple[str, Cell, str]] = []
    for cell in staged.cells:
        type_name = wanted.get(cell.name.lower())
        if type_name is None:
            columns.append(f"{cell.value} AS {identifier(cell.name)}")
            continue
        columns.append(f"TRY_CAST({_castable(cell, type_name)} AS {type_name}) AS {identifier(cell.name)}")
        if cell.name.lower() in {name.lower() for name in used}:
            casts.append((cell.name, cell, type_name))
            columns.append(f"{cell.value} AS {identifier('raw ' + cell.name)}")
    inner = f"(SELECT ordinal, {', '.join(columns)} FROM {staged.relation})"
    outputs: list[tuple[str, str]] = [
        *((target, _with_default(sql, mapping, target)) for target, sql in mapping.columns),
        *((target, literal(value)) for target, value in mapping.defaults if target not in dict(mapping.columns)),
    ]
    if mapping.updated_at:
        outputs.append(("updated_at", f"({mapping.updated_at}\n)"))
    try:
        described = con.execute(
            "DESCRIBE SELECT " + ", ".join(f"{sql} AS o{at}" for at, (_, sql) in enumerate(outputs)) + f" FROM {inner}"
        )
        types = [str(row[1]) for row in described.fetchall()]
    except duckdb.Error as error:
        raise DropRefused(
            f"the mapping {source.name!r} does not fit the file: {str(error).splitlines()[0]}",
            rule="bad_mapping",
            hint="correct the expression or declare read.types in definitions/sources",
        ) from error
    selected, raw, targets = [], [], {}
    for at, ((target, sql), type_name) in enumerate(zip(outputs, types, strict=True)):
        # In a layer of its own: cleaning names its value several times.
        raw.append(f"{sql} AS o{at}")
        cleaned, cell = clean(target, f"o{at}", type_name, f"m{at}")
        selected.append(f"{cleaned} AS m{at}")
        targets[target] = cell
    skips = [*((RowRule("where", f"({mapping.where}\n) IS NOT TRUE"),) if mapping.where else ()), *mapping.skip]
    cases = " ".join(f"WHEN ({rule.when}\n) THEN {literal(rule.rule)}" for rule in skips)
    selected.append("skip_rule")
    raw.append(f"{f'CASE {cases} END' if cases else 'CAST(NULL AS VARCHAR)'} AS skip_rule")
    for at, (name, cell, _) in enumerate(casts):
        delivered = replace(cell, value=identifier("raw " + name))
        selected.append(f"cast{at}, castraw{at}")
        raw.append(
            f"{delivered.value} IS NOT NULL AND {identifier(name)} IS NULL AS cast{at}, {delivered.text} AS castraw{at}"
        )
        first.append(
            Fault(
                "bad_type",
                name,
                f"cast{at}",
                f"castraw{at}",
                f"is not of the declared type {casts[at][2]}; correct the value",
            )
        )
    faults = []
    for at, rule in enumerate(mapping.quarantine):
        selected.append(f"rule{at}")
        raw.append(f"coalesce(({rule.when}\n), false) AS rule{at}")
        faults.append(
            Fault(
                rule.rule,
                "",
                f"rule{at}",
                "CAST(NULL AS VARCHAR)",
                rule.reason or f"the mapping's rule {rule.rule} holds it back",
            )
        )
    fields = {target: cell for target, cell in targets.items() if "." not in target and target != "updated_at"}
    properties = tuple(
        Property(parent, key, cell)
        for target, cell in targets.items()
        for parent, dot, key in [target.partition(".")]
        if dot
    )
    relation = f"(SELECT ordinal, {', '.join(selected)} FROM (SELECT ordinal, {', '.join(raw)} FROM {inner}))"
    return Fields(
        mapping.entity,
        relation,
        fields,
        properties,
        dict(mapping.types),
        "skip_rule",
        tuple(first),
        tuple(faults),
        targets.get("updated_at"),
        plain=False,
        latest=mapping.on_repeat == "latest",
        create_profiles=mapping.create_profiles,
    )


def _castable(cell: Cell, type_name: str) -> str:
    """Numbers become texts in their canonical form, so that 13085.0 and '13085' are the same VARCHAR."""
    return cell.text if type_name.upper() in ("VARCHAR", "TEXT", "STRING") else cell.value


def _with_default(sql: str, mapping: EntityMapping, target: str) -> str:
    default = dict(mapping.defaults).get(target)
    return f"({sql}\n)" if default is None else f"coalesce(({sql}\n), {literal(default)})"

