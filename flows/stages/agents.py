"""What a night knows of agents from the journal: configuration, resets, and what operators said of policies."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from decisions.agent import Agent, Point, from_document
from decisions.assignment import Rates
from store.agent_documents import AGENT, RESET, Reset, resets_of
from store.journal.documents import Document
from store.policy_documents import CLEARED, FLAG, PIN, cleared_of, flags_of, pins_of
from transforms.decisions import AgentRates, AgentTerms

KINDS = (AGENT, RESET, PIN, CLEARED, FLAG)
LONG_AGO = datetime(1, 1, 1)


@dataclass(frozen=True, slots=True)
class AgentDocuments:
    """Agents by code, their last resets, the versions they were rolled back to, the (agent, version) whose exposures
    count although their sample-ratio test failed, the shares that visits were split by over time, and by agent the
    flags that the endpoint raised with their time.
    """

    agents: Mapping[str, Agent] = field(default_factory=dict)
    resets: Mapping[str, Reset] = field(default_factory=dict)
    pins: Mapping[str, str] = field(default_factory=dict)
    cleared: frozenset[tuple[str, str]] = frozenset()
    rates: tuple[AgentRates, ...] = ()
    flags: Mapping[str, Mapping[str, datetime]] = field(default_factory=dict)

    def terms(self) -> list[AgentTerms]:
        """What of each agent counts."""
        found = []
        for code in sorted(self.agents.keys() | self.resets.keys()):
            agent, reset = self.agents.get(code, Agent(code, "")), self.resets.get(code)
            found.append(AgentTerms(
                code, agent.owner or None, agent.learning.window_days, agent.learning.reward_model,
                reset.at if reset else None,
            ))
        return found

    def point(self, agent: str, point: str) -> Point | None:
        """A stored point."""
        known = self.agents.get(agent)
        return known.point(point) if known is not None else None


def read_agent_documents(kinds: Mapping[str, Sequence[Document]], history: Iterable[Document]) -> AgentDocuments:
    """From documents read in one transaction: the newest of each kind, and every version of the agents."""
    agents = {one.name: from_document(json.loads(one.body)) for one in kinds[AGENT]}
    return AgentDocuments(
        agents, resets_of(kinds[RESET]), pins_of(kinds[PIN]), cleared_of(kinds[CLEARED]), _rates(history),
        flags_of(kinds[FLAG]),
    )


def _rates(history: Iterable[Document]) -> tuple[AgentRates, ...]:
    """The shares of every agent from each of its versions on; the first ones hold before it too."""
    found: list[AgentRates] = []
    for one in history:
        if one.deleted:
            continue
        learning = from_document(json.loads(one.body)).learning
        rates = Rates(learning.control_rate, learning.exploration_rate)
        known = found and found[-1].agent == one.name
        if known and (found[-1].control, found[-1].explore) == (rates.control, rates.explore):
            continue
        found.append(AgentRates(one.name, one.at if known else LONG_AGO, rates.control, rates.explore))
    return tuple(found)
