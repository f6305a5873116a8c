"""What is said of policies beside the nights, as documents of the journal: agents rolled back to a version, versions
whose failed sample-ratio test an operator looked into, flags that the endpoint raised.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import Connection

from store.journal import documents
from store.journal.documents import Document

PIN, CLEARED, FLAG = "policy_pin", "policy_cleared", "agent_flag"


def pin_policy(connection: Connection, agent: str, version: str, who: str, at: datetime) -> None:
    """Roll an agent back to a version, inside a write transaction; it serves it until it is released."""
    documents.put(connection, PIN, agent, json.dumps({"version": version}), who, at)


def release_policy(connection: Connection, agent: str, who: str, at: datetime) -> bool:
    """Let an agent serve what nights publish again, inside a write transaction; False if it was not rolled back."""
    if documents.get(connection, PIN, agent) is None:
        return False
    documents.delete(connection, PIN, agent, who, at)
    return True


def read_pins(connection: Connection) -> dict[str, str]:
    """The version that each agent was rolled back to."""
    return pins_of(documents.listed(connection, PIN))


def pins_of(found: Iterable[Document]) -> dict[str, str]:
    """The same from documents read before."""
    return {one.name: str(json.loads(one.body)["version"]) for one in found}


def clear_version(connection: Connection, agent: str, version: str, who: str, at: datetime) -> None:
    """Let exposures of a version count again whose sample-ratio test failed, inside a write transaction."""
    before = documents.get(connection, CLEARED, agent)
    versions = set(json.loads(before.body)["versions"]) if before is not None else set()
    documents.put(connection, CLEARED, agent, json.dumps({"versions": sorted(versions | {version})}), who, at)


def cleared_of(found: Iterable[Document]) -> frozenset[tuple[str, str]]:
    """Agents and versions whose exposures count again."""
    return frozenset((one.name, str(version)) for one in found for version in json.loads(one.body)["versions"])


def flags_of(found: Iterable[Document]) -> dict[str, dict[str, datetime]]:
    """Flags that the endpoint raised, with their time, by agent."""
    flags: dict[str, dict[str, datetime]] = {}
    for one in found:
        agent, _, flag = one.name.partition(":")
        flags.setdefault(agent, {})[flag] = datetime.fromisoformat(json.loads(one.body)["at"])
    return flags
