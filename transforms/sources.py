"""Parses a source mapping (``definitions/sources/*.yaml``): a document becomes a frozen ``Source``, or all of its
problems at once.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, get_args

import duckdb

from contracts.definitions import (
    ENTITIES,
    Entity,
    EntityMapping,
    FileFormat,
    OnRepeat,
    PropertyType,
    ReadOptions,
    RowRule,
    Source,
)
from contracts.errors import Problem
from transforms import expressions
from transforms.layouts import FIELDS, MAPS

_TOP = ("name", "match", "read", "format", "event_types", "entities", "version", "description")
_READ = ("format", "delimiter", "quote", "types")
_ENTITY = (
    "entity",
    "columns",
    "where",
    "skip",
    "quarantine",
    "defaults",
    "updated_at",
    "on_repeat",
    "types",
    "create_profiles",
)
_RULE = ("rule", "when", "reason")
# Exact types of properties, and the type in which deliveries hold them.
_EXACT = re.compile(
    r"((u?int(8|16|32|64)?|float(32|64)?)|(bool)|"
    r"(unicode([1-9]\d?|1\d\d|2[0-4]\d|25[0-5])?|bytes([1-9]|[1-5]\d|6[0-4])?|text|image_url))(\[\])?"
)
_NEEDED = {"profiles": ("customer_id",), "items": ("item_id", "item_name"), "events": ("event_type",)}


@dataclass(frozen=True, slots=True)
class ParsedSource:
    """Either ``source``, or None with every one of its ``problems``."""

    source: Source | None
    problems: tuple[Problem, ...]


def parse_source(document: Any, where: str) -> ParsedSource:
    """Turn a YAML document (nested dicts and lists) into a ``Source``.

    ``where`` is the file's name, for the problems.
    """
    parser = _Parser(where)
    source = parser.source(document)
    return ParsedSource(None if parser.problems else source, tuple(parser.problems))


class _Parser:
    def __init__(self, where: str) -> None:
        self.where = where
        self.problems: list[Problem] = []

    def problem(self, path: str, message: str, hint: str = "") -> None:
        self.problems.append(Problem(f"{self.where}: {path}" if path else self.where, message, hint))

    def source(self, document: Any) -> Source:
        top = self.mapping(document, "", _TOP)
        name = self.text(top.get("name"), "name", required=True)
        if name in (*ENTITIES, "documents"):
            self.problem("name", f"{name!r} is the name of a drop folder", "choose another name")
        match = self.texts(top.get("match"), "match")
        if not match:
            self.problem("match", "is missing", "a pattern of paths in the inbox, such as shop/*.csv")
        read = self.read(
            {**self.mapping(top.get("read"), "read", _READ), **({"format": top["format"]} if "format" in top else {})}
        )
        raw = top.get("entities")
        if not isinstance(raw, list) or not raw:
            self.problem("entities", "must be a list of at least one entity")
            raw = []
        entities = tuple(self.entity(one, f"entities[{at}]") for at, one in enumerate(raw))
        kinds = [entity.entity for entity in entities]
        for kind in sorted({kind for kind in kinds if kinds.count(kind) > 1}):
            self.problem("entities", f"{kind} is there more than once", "use one mapping with CASE, or two files")
        return Source(
            name,
            match,
            entities,
            read,
            self.texts(top.get("event_types"), "event_types") or _constant_types(entities),
            self.where,
        )

    def read(self, raw: dict[str, Any]) -> ReadOptions:
        kind = raw.get("format")
        if kind is not None and kind not in get_args(FileFormat):
            self.problem("read.format", f"{kind!r} is not known", ", ".join(get_args(FileFormat)))
        delimiter = self.text(raw.get("delimiter"), "read.delimiter")
        quote = self.text(raw.get("quote"), "read.quote")
        for name, value in (("delimiter", delimiter), ("quote", quote)):
            if len(value) > 1:
                self.problem(f"read.{name}", f"must be one character, not {value!r}")
        types = tuple(
            (str(name), str(value)) for name, value in self.mapping(raw.get("types"), "read.types", None).items()
        )
        for name, type_name in types:
            fault = _type_problem(type_name)
            if fault:
                self.problem(
                    f"read.types.{name}", fault, "VARCHAR, BIGINT, DOUBLE, DECIMAL(18,2), BOOLEAN, DATE or TIMESTAMP"
                )
        return ReadOptions(kind, delimiter, quote, types)

    def entity(self, raw: Any, path: str) -> EntityMapping:
        found = self.mapping(raw, path, _ENTITY)
        named = found.get("entity")
        entity: Entity | None = next((known for known in ENTITIES if known == named), None)
        if entity is None:
            self.problem(f"{path}.entity", f"{named!r} is not an entity", ", ".join(ENTITIES))
            entity = "events"
        kind = entity
        columns = {
            name: self.expression(sql, f"{path}.columns.{name}")
            for name, sql in self.mapping(found.get("columns"), f"{path}.columns", None).items()
        }
        defaults = self.defaults(found.get("defaults"), f"{path}.defaults")
        for name in (*columns, *(name for name, _ in defaults)):
            self.target(kind, name, f"{path}.columns.{name}")
        given = {*columns, *(name for name, _ in defaults)}
        missing = [name for name in _NEEDED[entity] if name not in given]
        if entity == "events" and not given & {"profile_id", "customer_id", "session_id"}:
            missing.append("customer_id")
        if missing:
            self.problem(f"{path}.columns", f"lacks {', '.join(missing)}")
        repeat = found.get("on_repeat", "latest")
        if repeat not in get_args(OnRepeat):
            self.problem(f"{path}.on_repeat", f"{repeat!r} is not known", ", ".join(get_args(OnRepeat)))
        if "updated_at" in found and entity == "events":
            self.problem(f"{path}.updated_at", "events have no versions", "give created_at among the columns")
        held, exact = self.types(found.get("types"), f"{path}.types")
        create = found.get("create_profiles", False)
        if not isinstance(create, bool):
            self.problem(f"{path}.create_profiles", "must be true or false")
        return EntityMapping(
            kind,
            tuple(columns.items()),
            self.optional(found, "where", path),
            self.rules(found.get("skip"), f"{path}.skip"),
            self.rules(found.get("quarantine"), f"{path}.quarantine"),
            defaults,
            self.optional(found, "updated_at", path),
            repeat,
            held,
            bool(create),
            exact,
        )

    def target(self, entity: Entity, name: str, path: str) -> None:
        parent, dot, key = name.partition(".")
        known = FIELDS[entity]
        if dot and (parent not in MAPS[entity] or parent == "event_properties" or not key):
            self.problem(
                path,
                f"{parent}.… is not a map of {entity}",
                ", ".join(f"{one}.key" for one in MAPS[entity] if one != "event_properties"),
            )
        elif not dot and name not in known:
            near = get_close_matches(name, known, 1)
            self.problem(
                path,
                f"{name!r} is not a column of {entity}",
                f"did you mean {near[0]!r}?" if near else f"{', '.join(known)}, or properties.{name}",
            )

    def rules(self, raw: Any, path: str) -> tuple[RowRule, ...]:
        if raw is None:
            return ()
        if not isinstance(raw, list):
            self.problem(path, "must be a list of {rule, when}")
            return ()
        rules = []
        for at, one in enumerate(raw):
            found = self.mapping(one, f"{path}[{at}]", _RULE)
            name = self.text(found.get("rule"), f"{path}[{at}].rule", required=True)
            rules.append(
                RowRule(
                    name,
                    self.expression(found.get("when"), f"{path}[{at}].when"),
                    self.text(found.get("reason"), f"{path}[{at}].reason"),
                )
            )
        names = [rule.rule for rule in rules]
        for name in sorted({name for name in names if names.count(name) > 1}):
            self.problem(path, f"rule {name!r} is there more than once")
        return tuple(rules)

    def types(self, raw: Any, path: str) -> tuple[tuple[tuple[str, PropertyType], ...], tuple[tuple[str, str], ...]]:
        """The types in which deliveries hold properties, and the exact ones of those that name one."""
        held: list[tuple[str, PropertyType]] = []
        exact: list[tuple[str, str]] = []
        for name, kind in self.mapping(raw, path, None).items():
            key = name.rpartition(".")[2]
            if kind in get_args(PropertyType):
                held.append((key, kind))
                continue
            found = _EXACT.fullmatch(str(kind))
            if found is None:
                hint = ", ".join(get_args(PropertyType)) + ", text, bool, int16, unicode64, ..."
                self.problem(f"{path}.{name}", f"{kind!r} is not a type", hint)
                continue
            scalar = "number" if found[2] else "boolean" if found[5] else "string"
            held.append((key, f"{scalar}{found[9] or ''}"))  # type: ignore[arg-type]
            exact.append((key, str(kind)))
        return tuple(held), tuple(exact)

    def defaults(self, raw: Any, path: str) -> tuple[tuple[str, str | int | float | bool], ...]:
        found = self.mapping(raw, path, None)
        for name, value in found.items():
            if not isinstance(value, str | int | float | bool):
                self.problem(f"{path}.{name}", f"must be a plain value, not {value!r}")
        return tuple(found.items())

    def expression(self, raw: Any, path: str) -> str:
        if isinstance(raw, bool | int | float):
            raw = str(raw).lower()
        sql = self.text(raw, path, required=True)
        fault = expressions.problem(sql) if sql else ""
        if fault:
            self.problem(
                path,
                f"{fault} (in {sql!r})",
                "one SQL expression over the file's columns; a column with spaces goes in double quotes",
            )
        return sql

    def optional(self, found: Mapping[str, Any], name: str, path: str) -> str:
        return self.expression(found[name], f"{path}.{name}") if name in found else ""

    def mapping(self, raw: Any, path: str, known: Sequence[str] | None) -> dict[str, Any]:
        if raw is None:
            return {}
        if not isinstance(raw, Mapping):
            self.problem(path, f"must be a mapping, not {raw!r}")
            return {}
        clean = {}
        for key, value in raw.items():
            if not isinstance(key, str):
                self.problem(path, f"key {key!r} must be text", "put it in quotes")
            elif known is not None and key not in known:
                near = get_close_matches(key, known, 1)
                self.problem(
                    f"{path}.{key}".lstrip("."),
                    "is not known",
                    f"did you mean {near[0]!r}?" if near else ", ".join(known),
                )
            else:
                clean[key] = value
        return clean

    def text(self, raw: Any, path: str, *, required: bool = False) -> str:
        if raw is None or raw == "":
            if required:
                self.problem(path, "is missing")
            return ""
        if not isinstance(raw, str):
            self.problem(path, f"must be text, not {raw!r}", "put it in quotes")
            return ""
        return raw

    def texts(self, raw: Any, path: str) -> tuple[str, ...]:
        values = [raw] if isinstance(raw, str) else raw if raw is not None else []
        if not isinstance(values, list) or not all(isinstance(value, str) and value for value in values):
            self.problem(path, "must be a text or a list of texts")
            return ()
        return tuple(values)


def _constant_types(entities: Sequence[EntityMapping]) -> tuple[str, ...]:
    """Event types written as constants in the mappings: naming them there declares them."""
    found: list[str] = []
    for entity in entities:
        if entity.entity != "events":
            continue
        sql = dict(entity.columns).get("event_type", "")
        if sql and not expressions.problem(sql):
            found.extend(value for value in expressions.constants(sql) if value)
        found.extend(str(value) for name, value in entity.defaults if name == "event_type")
    return tuple(dict.fromkeys(found))


def _type_problem(type_name: str) -> str:
    if not all(character.isalnum() or character in " (),_[]" for character in type_name):
        return f"{type_name!r} is not a type"
    with duckdb.connect() as con:
        try:
            con.execute(f"SELECT CAST(NULL AS {type_name})")
        except duckdb.Error:
            return f"{type_name!r} is not a DuckDB type"
    return ""
