"""Control documents as the endpoint reads them: property definitions, scenarios and defaults, parsed once a
revision.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import orjson

from scenarios.graph import Graph
from scenarios.spec import PropertyType
from store import scenario_documents
from store.journal import Journal, documents

Noun = Literal["item", "user"]
KINDS: dict[Noun, str] = {"item": scenario_documents.ITEM_PROPERTY, "user": scenario_documents.USER_PROPERTY}


@dataclass(frozen=True, slots=True)
class Property:
    """A property definition. ``name`` as it was declared; ``declared`` is false for one that files brought."""

    name: str
    type: PropertyType
    metadata: Mapping[str, Any] = field(default_factory=dict)
    declared: bool = True


@dataclass(frozen=True, slots=True)
class Documents:
    """All control documents at one moment. ``properties`` by noun and name in lower case."""

    revision: int = -1
    graph: Graph = field(default_factory=Graph)
    properties: Mapping[Noun, Mapping[str, Property]] = field(default_factory=lambda: {"item": {}, "user": {}})


def read_documents(journal: Journal) -> Documents:
    """Read them in one transaction. Raises StorageError for one that cannot be read."""
    with journal.reading() as connection:
        control = scenario_documents.read(connection)
        types: dict[Noun, Mapping[str, PropertyType]] = {"item": control.item_types, "user": control.user_types}
        properties: dict[Noun, dict[str, Property]] = {"item": {}, "user": {}}
        for noun, kind in KINDS.items():
            for document in documents.listed(connection, kind):
                body = orjson.loads(document.body)
                found = types[noun].get(document.name)
                if found is not None:
                    properties[noun][document.name] = Property(
                        body["property_name"], found, body.get("metadata") or {}
                    )
        return Documents(documents.revision(connection), control.graph, properties)
