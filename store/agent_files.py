"""Agents that an operator wrote: ``agents/<code>.yaml`` among the definitions, and how they come into the journal.

A file is put when it differs from the last version that came from files, so what came through the API meanwhile, by
hand or because a call named a new choice, stands until the file changes. A file that goes away changes nothing: an
agent has a history, and only who deletes it means that.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from contracts.errors import DefinitionError, Problem
from decisions.agent import from_document, to_document
from decisions.agent_check import CODE_RULE, checked
from decisions.codes import CODE
from scenarios.metadata_filter import same_json
from store.agent_documents import AGENT, put_agent
from store.journal import documents
from store.journal.documents import Document
from store.layout import Layout
from store.scenario_files import WHO
from store.yaml_lines import LinedDocument, read_lined

OWN = ("owner", "created", "ts")
"""Members that the journal sets."""


@dataclass(frozen=True, slots=True)
class AgentFiles:
    """What stands in the files: checked documents by code, and the file that each is from."""

    documents: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    origins: Mapping[str, LinedDocument] = field(default_factory=dict)


def read_agent_files(layout: Layout, problems: list[Problem]) -> AgentFiles:
    """Read and check every file; each fault is added to ``problems`` with file and line. OSError is the caller's."""
    folder = layout.definitions / "agents"
    found: dict[str, Mapping[str, Any]] = {}
    origins: dict[str, LinedDocument] = {}
    for path in sorted(folder.iterdir()) if folder.exists() else ():
        if path.suffix not in (".yaml", ".yml") or path.name.startswith("."):
            continue
        document = read_lined(path, f"agents/{path.name}")
        problems.extend(document.problems)
        if document.problems:
            continue
        faults = list(_faults(document, path.stem, origins))
        given = document.value
        full, more = checked({**given, "code": path.stem} if isinstance(given, dict) else given)
        problems.extend(faults)
        problems.extend(Problem(document.place(one.where), one.message, one.hint) for one in more)
        if not faults and not more:
            found[path.stem], origins[path.stem] = full, document
    return AgentFiles(found, origins)


def _faults(document: LinedDocument, code: str, origins: Mapping[str, LinedDocument]) -> Iterator[Problem]:
    given = document.value.get("code", code) if isinstance(document.value, dict) else code
    if str(given) != code:
        yield Problem(document.place("$.code"), f"{given!r} is in the file of {code!r}", "an agent's file has its name")
    if not CODE.fullmatch(code):
        yield Problem(document.name, "the name of the file is the agent's code", CODE_RULE)
    if code in origins:
        yield Problem(document.name, f"agent {code!r} is also in {origins[code].name}")


def changed_agents(files: AgentFiles, connection: Connection | None) -> tuple[str, ...]:
    """Codes of the agents whose files differ from what last came from them; without a journal all."""
    versions = documents.history(connection, AGENT) if connection is not None else []
    from_files: dict[str, Document] = {one.name: one for one in versions if one.who == WHO}

    def differs(code: str, document: Mapping[str, Any]) -> bool:
        last = from_files.get(code)
        return last is None or not same_json(_own(json.loads(last.body)), _full(document))

    return tuple(code for code, document in sorted(files.documents.items()) if differs(code, document))


def apply_agents(connection: Connection, files: AgentFiles, owner: str, at: datetime) -> tuple[str, ...]:
    """Bring what changed in the files into the journal, inside a write transaction; returns the codes."""
    codes = changed_agents(files, connection)
    problems: list[Problem] = []
    for code in codes:
        try:
            put_agent(connection, owner, code, files.documents[code], WHO, at)
        except DefinitionError as error:
            place = files.origins[code].place
            problems.extend(Problem(place(one.where), one.message, one.hint) for one in error.problems)
    if problems:
        raise DefinitionError(problems)
    return codes


def _full(document: Mapping[str, Any]) -> dict[str, Any]:
    return _own(to_document(from_document(document)))


def _own(document: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in document.items() if name not in OWN}
