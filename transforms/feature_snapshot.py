"""The features of a run as one flat, typed relation: the columns of ``profile_features`` and every property of the
profiles.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import duckdb

from transforms.quoting import identifier, text_literal

PARENTS = ("profile_data", "platform_info")
KEY = "profile_id"
SAMPLE = 200_000

_KINDS = {
    "VARCHAR": "string",
    "BOOLEAN": "boolean",
    "DOUBLE": "number",
    "FLOAT": "number",
    "TIMESTAMP": "timestamp",
    "DATE": "timestamp",
    **dict.fromkeys(
        ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT"),
        "integer",
    ),
}
_SQL_TYPES = {
    "string": "VARCHAR",
    "number": "DOUBLE",
    "integer": "DOUBLE",
    "boolean": "BOOLEAN",
    "timestamp": "TIMESTAMP",
}
_JSON_NUMBERS = "('UBIGINT', 'BIGINT', 'HUGEINT', 'UHUGEINT', 'DOUBLE')"


@dataclass(frozen=True, slots=True)
class Feature:
    """One column of the snapshot.

    ``name`` is what people write (``recency_days``, ``profile_data>>plan``), ``column`` a plain identifier made from
    it, ``kind`` one of string, number, integer, boolean, timestamp, each also with ``[]``, or other. ``parent`` is
    empty for columns of the table, whose type as described by DuckDB is ``described``.
    """

    name: str
    column: str
    kind: str
    parent: str = ""
    key: str = ""
    described: str = ""

    @property
    def base(self) -> str:
        """Kind of the value, or of a list's elements."""
        return self.kind.removesuffix("[]")

    @property
    def is_list(self) -> bool:
        return self.kind.endswith("[]")


@dataclass(frozen=True, slots=True)
class Property:
    """A registered property of profiles: ``type`` is string, number, boolean, or one of them with ``[]``."""

    parent: str
    key: str
    type: str


def literal(value: str | float | bool) -> str:
    """A value as an SQL literal."""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, int | float):
        return f"{float(value)!r}::DOUBLE" if abs(value) != float("inf") else f"'{value}'::DOUBLE"
    return text_literal(value)


def sql_type(kind: str) -> str:
    """DuckDB type of values of ``kind``."""
    base = _SQL_TYPES.get(kind.removesuffix("[]"), "VARCHAR")
    return base + "[]" if kind.endswith("[]") else base


def registered_properties(con: duckdb.DuckDBPyConnection) -> tuple[Property, ...]:
    """Properties of profiles in ``warehouse.property_types``, by parent and key."""
    rows = con.execute(
        "SELECT parent, key, type FROM warehouse.property_types "
        "WHERE entity = 'profiles' AND list_contains($parents, parent) ORDER BY ALL",
        {"parents": list(PARENTS)},
    ).fetchall()
    return tuple(Property(*row) for row in rows)


def describe(con: duckdb.DuckDBPyConnection, table: str, properties: Iterable[Property]) -> tuple[Feature, ...]:
    """Features of ``table`` (any relation that can stand after FROM, with a column ``profile_id``) and of
    ``properties``, in order.
    """
    taken: set[str] = set()
    found = []
    for name, described in _columns(con, table):
        found.append(Feature(name, plain_name(name, taken), _kind(described), described=described))
    for wanted in properties:
        name = f"{wanted.parent}>>{wanted.key}"
        found.append(Feature(name, plain_name(name, taken), wanted.type, wanted.parent, wanted.key))
    return tuple(found)


@dataclass(frozen=True, slots=True)
class TypeColumns:
    """Two further columns about a property's JSON value: ``flag``, true where it is of ``kind`` and NULL where there
    is none; and ``raw``, its text where it is not of that kind.
    """

    flag: str
    raw: str
    kind: str


def select(
    features: Sequence[Feature], table: str, profiles: str, typed: Mapping[str, TypeColumns] | None = None
) -> str:
    """SELECT with one row a row of ``table`` and one column a feature, missing values as NULL.

    ``profiles`` is a relation with profile_id, profile_data and platform_info. ``typed`` asks for further columns by
    a feature's name.
    """
    keys = {parent: [feature.key for feature in features if feature.parent == parent] for parent in PARENTS}
    parts = [f"json_extract({parent}, {_pointers(keys[parent])}) AS {parent}" for parent in PARENTS if keys[parent]]
    columns = []
    for feature in features:
        if not feature.parent:
            columns.append(f"f.{identifier(feature.name)} AS {identifier(feature.column)}")
            continue
        raw = f"p.{feature.parent}[{keys[feature.parent].index(feature.key) + 1}]"
        columns.append(f"{_value(raw, feature.kind)} AS {identifier(feature.column)}")
        if typed and feature.name in typed:
            further = typed[feature.name]
            fits = _is_kind(raw, further.kind)
            columns.append(f"CASE WHEN {_present(raw)} THEN {fits} END AS {identifier(further.flag)}")
            columns.append(
                f"CASE WHEN {_present(raw)} AND NOT {fits} THEN {_text(raw)} END AS {identifier(further.raw)}"
            )
    join = f" LEFT JOIN (SELECT {KEY}, {', '.join(parts)} FROM {profiles}) AS p ON p.{KEY} = f.{KEY}" if parts else ""
    return f"SELECT {', '.join(columns)} FROM {table} AS f{join}"


def sample(relation: str, rows: int) -> str:
    """At most about ``SAMPLE`` of the ``rows`` of ``relation``, always the same profiles: enough to know a
    distribution by.
    """
    parts = -(-rows // SAMPLE)
    return relation if parts <= 1 else f"(SELECT * FROM {relation} WHERE hash({KEY}) % {parts} = 0)"


def restrict(con: duckdb.DuckDBPyConnection, features: Sequence[Feature], table: str) -> tuple[Feature, ...]:
    """Those of ``features`` that ``table`` has with the same kind; properties stay."""
    kinds = {name: _kind(described) for name, described in _columns(con, table)}
    return tuple(feature for feature in features if feature.parent or kinds.get(feature.name) == feature.kind)


def _columns(con: duckdb.DuckDBPyConnection, table: str) -> list[tuple[str, str]]:
    return [(str(row[0]), str(row[1])) for row in con.execute(f"DESCRIBE SELECT * FROM {table}").fetchall()]


def _kind(described: str) -> str:
    if described.endswith("[]"):
        inner = _kind(described[:-2])
        return (
            "other"
            if inner in {"other", "timestamp"} or inner.endswith("[]")
            else ("number[]" if inner == "integer" else inner + "[]")
        )
    return "number" if described.startswith("DECIMAL") else _KINDS.get(described, "other")


def plain_name(name: str, taken: set[str]) -> str:
    """A plain identifier like ``name``, safe in every dialect and template. ``taken`` holds the lower-case names in
    use and is added to.
    """
    stem = re.sub(r"[^A-Za-z0-9_]+", "_", name).strip("_") or "feature"
    plain, number = stem, 2
    while plain.lower() in taken:
        plain, number = f"{stem}_{number}", number + 1
    taken.add(plain.lower())
    return plain


def _pointers(keys: Sequence[str]) -> str:
    """A list of JSON pointers (RFC 6901), which take any key."""
    return "[" + ", ".join(literal("/" + key.replace("~", "~0").replace("/", "~1")) for key in keys) + "]"


def _text(raw: str) -> str:
    return f"({raw}->>'$')"


def _present(raw: str) -> str:
    # The text "null" is what clients send for blanks: a missing value by contract.
    return f"({raw} IS NOT NULL AND json_type({raw}) <> 'NULL' AND {_text(raw)} <> 'null')"


def _value(raw: str, kind: str) -> str:
    if kind == "string":
        return f"nullif({_text(raw)}, 'null')"
    if kind in {"boolean", "timestamp"}:
        return f"TRY_CAST({_text(raw)} AS {sql_type(kind)})"
    return f"CASE WHEN {_present(raw)} THEN TRY_CAST({raw} AS {sql_type(kind)}) END"


def _is_kind(raw: str, kind: str) -> str:
    """Whether a JSON value is of ``kind``."""
    if kind.endswith("[]"):
        inner = _is_kind("e", kind[:-2])
        return (
            f"(json_type({raw}) = 'ARRAY' AND coalesce(list_bool_and(list_transform("
            f"CASE WHEN json_type({raw}) = 'ARRAY' THEN CAST({raw} AS JSON[]) END, lambda e: {inner})), TRUE))"
        )
    number = f"TRY_CAST({raw} AS DOUBLE)"
    return {
        "string": f"json_type({raw}) = 'VARCHAR'",
        "boolean": f"json_type({raw}) = 'BOOLEAN'",
        "number": f"json_type({raw}) IN {_JSON_NUMBERS}",
        "integer": f"(json_type({raw}) IN {_JSON_NUMBERS} AND coalesce({number} = floor({number}), FALSE))",
        "timestamp": f"(json_type({raw}) = 'VARCHAR' AND TRY_CAST({_text(raw)} AS TIMESTAMP) IS NOT NULL)",
    }[kind]
