"""Agents, targeting rules and pins of one owner as of one revision of the journal's documents."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection

from decisions.agent import Agent
from decisions.targeting import Rule
from store import agent_documents
from store.agent_documents import Reset
from store.journal import documents

PIN, FLAG = "policy_pin", "agent_flag"


@dataclass(frozen=True, slots=True)
class Roster:
    """``pins``: versions that operators rolled agents back to; ``flags``: agent and flag, told once each."""

    revision: int
    agents: Mapping[str, Agent] = field(default_factory=dict)
    rules: tuple[Rule, ...] = ()
    pins: Mapping[str, str] = field(default_factory=dict)
    resets: Mapping[str, Reset] = field(default_factory=dict)
    flags: frozenset[str] = frozenset()

    def pinned(self, respected: Mapping[str, datetime]) -> dict[str, str]:
        """The version that agents must serve, whatever the run says. ``respected``: the resets that the run knew."""
        return {**self.pins, **agent_documents.reset_pins(self.resets, respected)}


def read_roster(connection: Connection, known: Roster) -> Roster:
    """The roster of this transaction: ``known`` while no document has changed."""
    revision = documents.revision(connection)
    if revision == known.revision:
        return known
    pins = {one.name: str(json.loads(one.body)["version"]) for one in documents.listed(connection, PIN)}
    return Roster(
        revision, agent_documents.read_agents(connection), agent_documents.read_rules(connection), pins,
        agent_documents.read_resets(connection), frozenset(one.name for one in documents.listed(connection, FLAG)),
    )
