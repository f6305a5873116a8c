"""Scenarios and their defaults as documents of the journal: every version with who put it and when."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from contracts.errors import StorageError
from scenarios.graph import Graph, Key
from scenarios.parse import parse
from scenarios.spec import Definition, PropertyType, RecoType
from scenarios.value_types import parse_type
from store.journal import documents
from store.journal.documents import Document

SCENARIO, DEFAULT = "scenario", "scenario_default"
ITEM_PROPERTY, USER_PROPERTY = "item_property", "user_property"
KINDS = (SCENARIO, DEFAULT, ITEM_PROPERTY, USER_PROPERTY)


@dataclass(frozen=True, slots=True)
class Control:
    """All control documents of a workspace at one moment.

    ``item_types``, ``user_types``: declared properties by lower-case name.
    """

    graph: Graph = field(default_factory=Graph)
    item_types: Mapping[str, PropertyType] = field(default_factory=dict)
    user_types: Mapping[str, PropertyType] = field(default_factory=dict)


def key_of(name: str) -> Key:
    """Reco type and scenario of a document's name."""
    reco_type, _, scenario = name.partition("/")
    return reco_type, scenario


def name_of(reco_type: RecoType, name: str) -> str:
    """The document's name of a scenario."""
    return f"{reco_type}/{name}"


def read(connection: Connection) -> Control:
    """Everything as it stands in this transaction. Raises StorageError for a document that cannot be read."""
    listed = {kind: documents.listed(connection, kind) for kind in KINDS}
    graph = Graph(
        {key_of(one.name): definition_of(one) for one in listed[SCENARIO]},
        {one.name: str(_body(one)["name"]) for one in listed[DEFAULT]},
    )
    return Control(graph, _types(listed[ITEM_PROPERTY]), _types(listed[USER_PROPERTY]))


def definition_of(document: Document) -> Definition:
    """A stored scenario; what was stored was checked, so a fault is a broken document (StorageError)."""
    reco_type, name = key_of(document.name)
    definition, problems = parse(reco_type, name, _body(document), f"scenario {document.name}")
    if definition is None:
        raise StorageError(f"a stored scenario cannot be read: {problems[0]}", hint="put it again")
    return definition


def put(connection: Connection, definition: Definition, who: str, at: datetime) -> int:
    """Store a checked definition as the next version, inside a write transaction; ``raw`` is kept as it is."""
    body = json.dumps(definition.raw, ensure_ascii=False, allow_nan=False)
    return documents.put(connection, SCENARIO, name_of(definition.reco_type, definition.name), body, who, at)


def delete(connection: Connection, reco_type: RecoType, name: str, who: str, at: datetime) -> bool:
    """Delete a scenario inside a write transaction, and the default that points to it; False if there is none."""
    document = name_of(reco_type, name)
    if documents.get(connection, SCENARIO, document) is None:
        return False
    documents.delete(connection, SCENARIO, document, who, at)
    default = documents.get(connection, DEFAULT, reco_type)
    if default is not None and _body(default).get("name") == name:
        documents.delete(connection, DEFAULT, reco_type, who, at)
    return True


def put_default(connection: Connection, reco_type: RecoType, name: str, who: str, at: datetime) -> int:
    """Make a scenario the default of its reco type, inside a write transaction."""
    return documents.put(connection, DEFAULT, reco_type, json.dumps({"name": name}), who, at)


def delete_default(connection: Connection, reco_type: RecoType, who: str, at: datetime) -> bool:
    """Clear a default inside a write transaction; False if none was set."""
    if documents.get(connection, DEFAULT, reco_type) is None:
        return False
    documents.delete(connection, DEFAULT, reco_type, who, at)
    return True


def _types(listed: list[Document]) -> dict[str, PropertyType]:
    types: dict[str, PropertyType] = {}
    for one in listed:
        body = _body(one)
        found = parse_type(body.get("value_type"), bool(body.get("repeated", False)))
        if isinstance(found, PropertyType):
            types[one.name.lower()] = found
    return types


def _body(document: Document) -> dict[str, Any]:
    body = json.loads(document.body)
    if not isinstance(body, dict):
        raise StorageError(f"{document.kind} {document.name} is not an object", hint="put it again")
    return body

