"""Agents and targeting rules as documents of the journal: every version with who put it and when; and since when an
agent's data counts.

A reset is a document of its own, so that no version of the agent brings back what was reset, also none that a decision
call creates after the agent was deleted.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, func, select

from contracts.errors import DefinitionError, Problem
from decisions.agent import Agent, from_document, to_document
from decisions.agent_check import checked
from decisions.creation import AGENTS
from decisions.targeting import Rule, parse_rule
from store.journal import documents
from store.journal.schema import documents as table

AGENT, RULE, RESET = "agent", "targeting_rule", "agent_reset"


@dataclass(frozen=True, slots=True)
class Reset:
    """What an agent received before ``at`` (naive UTC) counts no more; ``deleted``: the agent was deleted then."""

    at: datetime
    deleted: bool


def read_agents(connection: Connection) -> dict[str, Agent]:
    """Every agent by its code."""
    return {one.name: from_document(json.loads(one.body)) for one in documents.listed(connection, AGENT)}


def read_agent(connection: Connection, code: str) -> Agent | None:
    """One agent as it stands in this transaction."""
    found = documents.get(connection, AGENT, code)
    return None if found is None else from_document(json.loads(found.body))


def put_agent(
    connection: Connection, owner: str, code: str, document: Any, who: str, at: datetime, place: str = ""
) -> Agent:
    """Create an agent or replace its document, inside a write transaction. Code and owner are those given; the moment
    of creation stays. Raises DefinitionError with every problem (``place`` before each JSON path).
    """
    given = {**document, "code": code} if isinstance(document, Mapping) else document
    found, problems = checked(given)
    before = read_agent(connection, code) if not problems else None
    if not problems and before is None and _count(connection) >= AGENTS:
        problems = [Problem("$", f"there are {AGENTS} agents already", "delete one that is no longer used")]
    if problems:
        raise DefinitionError([Problem(f"{place}{one.where}", one.message, one.hint) for one in problems])
    created = before.created if before is not None else found.get("created", seconds(at))
    return store_agent(connection, replace(from_document(found), owner=owner, created=created), who, at)


def store_agent(connection: Connection, agent: Agent, who: str, at: datetime) -> Agent:
    """Store a checked agent as the next version, inside a write transaction; returns it with its time of change."""
    changed = replace(agent, changed=seconds(at))
    body = json.dumps(to_document(changed), ensure_ascii=False, allow_nan=False)
    documents.put(connection, AGENT, changed.code, body, who, at)
    return changed


def reset_agent(connection: Connection, code: str, who: str, at: datetime, *, deleted: bool = False) -> None:
    """From now on nothing counts that the agent received before, inside a write transaction. Its sessions are ended by
    the caller. ``deleted`` deletes the agent too.
    """
    body = json.dumps({"at": at.isoformat(), "deleted": deleted})
    documents.put(connection, RESET, code, body, who, at)
    if deleted:
        documents.delete(connection, AGENT, code, who, at)


def read_resets(connection: Connection) -> dict[str, Reset]:
    """The last reset of each agent that had one."""
    return resets_of(documents.listed(connection, RESET))


def resets_of(found: Iterable[documents.Document]) -> dict[str, Reset]:
    """The same from documents read before."""
    return {one.name: _reset(one.body) for one in found}


def read_deletions(connection: Connection) -> dict[str, datetime]:
    """When each agent was last deleted that ever was: what it received before is to be gone from the warehouse."""
    found: dict[str, datetime] = {}
    for one in documents.history(connection, RESET):
        if not one.deleted and json.loads(one.body)["deleted"]:
            found[one.name] = _reset(one.body).at
    return found


def reset_pins(resets: Mapping[str, Reset], respected: Mapping[str, datetime]) -> dict[str, str]:
    """Agents reset since a run learned, which ``respected`` these resets: each is pinned to the uniform version."""
    return {agent: "0" for agent, reset in resets.items() if respected.get(agent) != reset.at}


def read_rules(connection: Connection) -> tuple[Rule, ...]:
    """The targeting rules in their order: that of creation."""
    bodies = [json.loads(one.body) for one in documents.listed(connection, RULE)]
    found = (parse_rule(body["rule"])[0] for body in sorted(bodies, key=lambda body: int(body["place"])))
    return tuple(rule for rule in found if rule is not None)


def put_rule(connection: Connection, document: Any, who: str, at: datetime, place: str = "") -> Rule:
    """Create a rule or replace the one of its code, which keeps its place, inside a write transaction. Raises
    DefinitionError with every problem.
    """
    rule, faults = parse_rule(document)
    if rule is None:
        raise DefinitionError([Problem(f"{place}$", fault) for fault in faults])
    before = documents.get(connection, RULE, rule.code)
    others = documents.listed(connection, RULE)
    last = max((json.loads(one.body)["place"] for one in others), default=0)
    where = json.loads(before.body)["place"] if before is not None else last + 1
    body = json.dumps({"place": where, "rule": rule.raw}, ensure_ascii=False, allow_nan=False)
    documents.put(connection, RULE, rule.code, body, who, at)
    return rule


def delete_rule(connection: Connection, code: str, who: str, at: datetime) -> bool:
    """Delete a rule inside a write transaction; False if there is none."""
    if documents.get(connection, RULE, code) is None:
        return False
    documents.delete(connection, RULE, code, who, at)
    return True


def seconds(at: datetime) -> int:
    """Seconds since 1970 of a naive UTC moment."""
    return int(at.replace(tzinfo=UTC).timestamp())


def _reset(body: str) -> Reset:
    found = json.loads(body)
    return Reset(datetime.fromisoformat(found["at"]), found["deleted"])


def _count(connection: Connection) -> int:
    newest = (
        select(table.c.name, func.max(table.c.version).label("version")).where(table.c.kind == AGENT)
        .group_by(table.c.name).subquery()
    )
    query = select(func.count()).select_from(table).join(
        newest, (table.c.name == newest.c.name) & (table.c.version == newest.c.version)
    ).where(table.c.kind == AGENT, table.c.deleted.is_(False))
    return connection.scalar(query) or 0
