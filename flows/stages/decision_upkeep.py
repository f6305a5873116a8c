"""What leaves the journal once it is drained: events of agents, and sessions that ended long ago."""

from __future__ import annotations

from datetime import datetime, timedelta

from decisions.agent import DEFAULT_TIMEOUT
from decisions.happenings import DECISIONS, GOALS, SESSIONS
from store.agent_documents import read_agents
from store.journal import Journal, decision_states, writes

KEPT_DAYS = 30
TOGETHER = 5_000
"""Numbers of writes that one transaction goes through: calls wait for no longer one."""


def clear(journal: Journal, drained: int, now: datetime) -> tuple[int, int]:
    """Delete events of agents that are in the warehouse, which has everything up to ``drained``, and sessions whose
    epoch ended 30 days ago; returns how many of each. The last write stays: numbers must not go back.
    """
    kinds = (DECISIONS, GOALS, SESSIONS)
    events = 0
    with journal.reading() as connection:
        agents = read_agents(connection)
        start = writes.first_of(connection, kinds)
    while start is not None and start < drained:
        end = min(start + TOGETHER, drained)
        with journal.writing() as connection:
            events += writes.discard(connection, kinds, start, end)
        start = end
    timeouts = {code: float(agent.settings.timeout) for code, agent in agents.items()}
    with journal.writing() as connection:
        before = now - timedelta(days=KEPT_DAYS)
        return events, decision_states.prune(connection, timeouts, DEFAULT_TIMEOUT, before)
