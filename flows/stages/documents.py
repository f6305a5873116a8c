"""The control documents that a run is made under: scenarios, defaults, types of item properties and an account's
configurations, read once.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field

import duckdb

from contracts.account import Account
from flows.stages import agents
from flows.stages.agents import AgentDocuments, read_agent_documents
from scenarios.graph import Graph
from scenarios.parse import parse
from scenarios.spec import Case, Definition, Problem, PropertyType
from scenarios.value_types import parse_type
from store import account_documents
from store.agent_documents import AGENT
from store.journal import Journal
from store.journal.documents import Document, history, listed
from store.pack.properties import DeclaredTypes

KINDS = ("scenario", "scenario_default", "item_property", *account_documents.KINDS, *agents.KINDS)


@dataclass(frozen=True, slots=True)
class RunDocuments:
    """Scenarios with their defaults, declared types of item properties by lower-case name, what the account of the
    retention dialect configured, the agents, and the SHA-256 of all of it (empty without any). ``unreadable`` says
    which documents this version of the program makes nothing of.
    """

    graph: Graph = field(default_factory=Graph)
    types: Mapping[str, PropertyType] = field(default_factory=dict)
    digest: str = ""
    unreadable: tuple[str, ...] = ()
    account: Account = field(default_factory=Account)
    agents: AgentDocuments = field(default_factory=AgentDocuments)

    @property
    def algorithms(self) -> frozenset[str]:
        """Recommenders that some stored case names."""
        cases = (one.scenario for one in self.graph.definitions.values())
        return frozenset(name for case in cases if isinstance(case, Case) for name in case.rules.algorithms or ())

    @property
    def of_items(self) -> bool:
        """Whether some stored case is for lists that start from neighbours of items."""
        return any(self.graph.cases(reco_type) for reco_type in ("item_to_items", "session_to_items"))

    def declared_types(self, mapped: Mapping[str, str], registered: Mapping[str, str]) -> DeclaredTypes:
        """Types of item properties: those of definitions, below them those of source mappings (``mapped``, words like
        ``unicode64[]`` by lower-case name), below these what deliveries registered.
        """
        exact = {}
        for name, word in mapped.items():
            found = parse_type(word.removesuffix("[]"), word.endswith("[]"))
            if isinstance(found, PropertyType):
                exact[name] = found
        return DeclaredTypes({**exact, **self.types}, {name.lower(): kind for name, kind in registered.items()})


def read_documents(journal: Journal) -> RunDocuments:
    """Everything as it is now, in one reading."""
    with journal.reading() as connection:
        kinds = {kind: listed(connection, kind) for kind in KINDS}
        known_agents = read_agent_documents(kinds, history(connection, AGENT))
    unreadable: list[str] = []
    definitions: dict[tuple[str, str], Definition] = {}
    for document in kinds["scenario"]:
        reco_type, _, name = document.name.partition("/")
        definition, problems = parse(reco_type, name, json.loads(document.body), document.name)
        unreadable.extend(map(str, problems))
        if definition is not None:
            definitions[reco_type, name] = definition
    types = {}
    for document in kinds["item_property"]:
        body = json.loads(document.body)
        found = parse_type(body["value_type"], bool(body.get("repeated", False)), document.name)
        if isinstance(found, Problem):
            unreadable.append(str(found))
        else:
            types[document.name.lower()] = found
    defaults = {document.name: str(json.loads(document.body)["name"]) for document in kinds["scenario_default"]}
    account = account_documents.read_account(kinds)
    return RunDocuments(Graph(definitions, defaults), types, _digest(kinds), tuple(unreadable), account, known_agents)


def registered_types(con: duckdb.DuckDBPyConnection) -> dict[str, str]:
    """The type that deliveries gave each property of items; ``con`` has the warehouse attached."""
    found = con.execute("SELECT key, type FROM warehouse.property_types WHERE entity = 'items' ORDER BY ALL").fetchall()
    return {str(key): str(kind) for key, kind in found}


def value_types(con: duckdb.DuckDBPyConnection) -> list[tuple[str, str, str, str]]:
    """Entity, parent, key and type of the keys of events, and of those of profiles that some profile of the run has;
    a key without any value has no type any more. ``con`` has the warehouse attached.
    """
    found = con.execute(
        "SELECT entity, parent, key, type FROM warehouse.property_types WHERE entity = 'events' OR "
        "(entity = 'profiles' AND lower(key) IN (SELECT lower(unnest(json_keys(profile_data))) FROM profiles UNION "
        "SELECT lower(unnest(json_keys(platform_info))) FROM profiles)) ORDER BY ALL"
    ).fetchall()
    return [(str(entity), str(parent), str(key), str(kind)) for entity, parent, key, kind in found]


def _digest(kinds: Mapping[str, list[Document]]) -> str:
    content = [[document.kind, document.name, document.body] for found in kinds.values() for document in found]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest() if content else ""
