"""Drained events of agents and sessions that ended long ago leave the journal; nothing else does."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from contracts.settings import Settings
from decisions.epochs import SessionState
from flows.stages import decision_upkeep
from store.agent_documents import put_agent
from store.journal import Journal, Write, decision_states
from store.layout import Layout

NOW = datetime(2026, 6, 1)
DAY = 86_400.0


def write(entity: str) -> Write:
    return Write(entity, "k", "create", "{}")


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    layout = Layout(tmp_path)
    layout.create()
    return Journal.open(layout, Settings())


def test_only_drained_events_of_agents_go(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decision_upkeep, "TOGETHER", 3)
    kinds = ["events", "decisions", "goals", "items", "decision_sessions", "decisions", "decisions", "events", "goals"]
    journal.append([write(kind) for kind in kinds])
    assert decision_upkeep.clear(journal, 7, NOW) == (4, 0)
    left = [(one.seq, one.entity) for batch in journal.writes_between(0, 99) for one in batch]
    assert left == [(1, "events"), (4, "items"), (7, "decisions"), (8, "events"), (9, "goals")]
    assert decision_upkeep.clear(journal, 9, NOW)[0] == 1
    assert journal.last_seq() == 9
    assert decision_upkeep.clear(journal, 9, NOW) == (0, 0) == decision_upkeep.clear(journal, 0, NOW)
    assert journal.append([write("events")]) == [10]


def test_sessions_go_thirty_days_after_their_epoch(journal: Journal) -> None:
    at = NOW.replace(tzinfo=UTC).timestamp()
    with journal.writing() as connection:
        for code, timeout in (("quick", 60), ("slow", 1_080_000)):
            put_agent(connection, "default", code, {"settings": {"sessions": {"timeout": timeout}}}, "test", NOW)
        for days, ended in ((29.9, True), (30.1, True), (30.1, False), (42.4, False), (42.6, False)):
            for agent in ("quick", "slow", "gone"):
                state = SessionState(1, 0.0, at - days * DAY, ended)
                decision_states.write(connection, {(agent, f"{days}-{ended}"): state})
    assert decision_upkeep.clear(journal, 0, NOW)[1] == 4 + 2 + 2
    with journal.reading() as connection:
        keys = [(agent, f"{days}-{ended}") for agent in ("quick", "slow", "gone")
                for days, ended in ((29.9, True), (30.1, True), (30.1, False), (42.4, False), (42.6, False))]
        left = set(decision_states.read(connection, keys))
    assert left == {
        ("quick", "29.9-True"), ("slow", "29.9-True"), ("slow", "30.1-False"), ("slow", "42.4-False"),
        ("gone", "29.9-True"), ("gone", "30.1-False"), ("gone", "42.4-False"),
    }
