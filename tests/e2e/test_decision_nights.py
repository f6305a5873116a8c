"""Agents over real nights through a real endpoint, small: they learn who wants what, take up a new choice, credit late
goals, and forget on request.
"""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest

from benchmarks.decision_simulation import OWNER, Agent, Page, configure, sleep_over
from benchmarks.decision_world import World
from contracts.settings import Settings
from serving.app import Endpoint
from store.journal import Journal
from store.journal.keys import create_agent_key
from store.layout import Layout
from tests.serving.served import serving

pytestmark = [pytest.mark.slow]

# Whoever is a vip wants b, all others c; from the third night on there is something better for everybody.
WORLD = World(
    arms=("a", "b", "c", "new"), rates=np.array([[0.05, 0.1, 0.5, 0.85], [0.05, 0.6, 0.1, 0.85]]), opens=(0, 0, 0, 2),
    features=(("vip", 0.5),), late=0.4, latest=2,
)
NIGHTS, VISITS = 5, 520


def rows(layout: Layout, query: str) -> list[tuple[Any, ...]]:
    with duckdb.connect(str(layout.warehouse), read_only=True) as con:
        return con.execute(query).fetchall()


def published(layout: Layout, run_id: str, query: str) -> list[tuple[Any, ...]]:
    """Rows of a query over ``{table}`` placeholders of a run's tables."""
    tables = layout.run(run_id) / "tables"
    with duckdb.connect() as con:
        return con.execute(query.replace("{", f"'{tables}/").replace("}", ".parquet'")).fetchall()


def shares(agent: Agent, night: int, context: int) -> Counter[str]:
    """How often each arm was shown in a night to visitors of one context."""
    mine = agent.visits.contexts[night] == context
    return Counter(agent.world.arms[arm] for arm in agent.shown[night][mine].tolist())


def test_agents_over_nights(tmp_path: Path) -> None:
    layout, settings = Layout(tmp_path), Settings()
    (tmp_path / "definitions").mkdir()
    layout.create()
    today = datetime.now(UTC).replace(tzinfo=None, hour=0, minute=0, second=0, microsecond=0)
    midnights = [today - timedelta(days=NIGHTS + 1 - number) for number in range(NIGHTS + 2)]
    with Journal.open(layout, settings) as journal, journal.writing() as connection:
        key = create_agent_key(connection, "admin", "test", journal.clock())
    with (
        serving(Endpoint(layout, settings)) as url, Page(url.removeprefix("http://"), key) as page,
        ThreadPoolExecutor(4) as pool,
    ):
        agent = Agent("front", WORLD, WORLD.visits(NIGHTS, VISITS, 3))
        configure(page, "front", explore=0.2, control=0.1)
        page.ask("GET", "other/decision/x,y", session="o", ts=midnights[0].replace(tzinfo=UTC).timestamp())
        for number in range(NIGHTS):
            agent.play(page, pool, number, midnights[number].replace(tzinfo=UTC).timestamp())
            run_id = sleep_over(tmp_path, page, midnights[number + 1])
        learned(layout, run_id, agent)
        forgotten(tmp_path, layout, page, midnights)


def learned(layout: Layout, run_id: str, agent: Agent) -> None:
    """What came of the nights."""
    last = agent.visits.contexts[-1]
    alike = np.mean([WORLD.regret(NIGHTS - 1, last, np.full_like(last, arm)).sum() for arm in range(4)])
    assert agent.regret[-1] < 0.5 * alike
    # Two nights of data tell vips from others.
    assert shares(agent, 2, 1)["b"] > shares(agent, 2, 1)["c"]
    assert shares(agent, 2, 0)["c"] > 2 * shares(agent, 2, 0)["b"]
    # The new choice had its share of exploration at once, and much more after the first night that knew it.
    fresh = [sum(shares(agent, night, context)["new"] for context in (0, 1)) for night in (2, 3, 4)]
    assert 10 < fresh[0] < VISITS // 8 and fresh[1] > 2 * fresh[0] and fresh[2] > VISITS // 2
    # Every decision is in the warehouse once, with what it was drawn from; draws are as probable as logged.
    where = "agent = 'front' AND NOT sticky"
    counted = rows(layout, f"SELECT count(*), count(DISTINCT event_id), min(probability) FROM decisions WHERE {where}")
    assert counted[0][:2] == (NIGHTS * VISITS, NIGHTS * VISITS) and counted[0][2] > 0
    weighted = rows(layout, f"SELECT avg(1 / (len(probs) * probability)), stddev(1 / (len(probs) * probability)) / "
                            f"sqrt(count(*)) FROM decisions WHERE {where}")[0]
    assert abs(weighted[0] - 1) < 4 * weighted[1]
    explored = f"FROM decisions WHERE {where} AND policy = 'explore'"
    expected = f"SELECT unnest(candidates), 0, 1.0 / len(candidates) {explored}"
    both = f"SELECT arm, 1 AS n, 0 AS e {explored} UNION ALL {expected}"
    uniform = rows(layout, f"SELECT arm, sum(n), sum(e) FROM ({both}) GROUP BY arm")
    assert sum((seen - expected) ** 2 / expected for _, seen, expected in uniform) < 16.3  # p = 0.001 at 3 df
    # Late goals are credited, each once.
    taken = rows(layout, "SELECT count(*) FROM goals WHERE agent = 'front' AND reward_accepted > 0")[0][0]
    assert taken == agent.goals > NIGHTS * VISITS // 8
    days = published(layout, run_id, "SELECT sum(sessions), sum(goals) FROM {decision_days} WHERE agent = 'front'")
    assert days == [(NIGHTS * VISITS, agent.goals)]
    served = published(layout, run_id, "SELECT published, reason FROM {decision_reports} WHERE agent = 'front'")
    assert served == [(True, "")]


def forgotten(home: Path, layout: Layout, page: Page, midnights: list[datetime]) -> None:
    """A reset agent is uniform at once and learns from what comes after it; a deleted one is gone."""
    calls = 300
    page.ask("DELETE", "front/data")
    page.ask("DELETE", "other")
    began = midnights[-2].replace(tzinfo=UTC).timestamp()
    items = [
        {"agent": "front", "type": "decisions", "choices": "a,b,c,new",
         "query": {"session": f"after-{number}", "ts": f"{began + number}"}}
        for number in range(calls)
    ]
    shown: Counter[str] = Counter()
    for at in range(0, calls, 100):
        replies = page.ask("POST", "-/batch", items[at : at + 100])
        shown += Counter(one["data"]["decisions"]["decision-1"]["code"] for one in replies)
    assert len(shown) == 4 and max(shown.values()) < calls // 2
    run_id = sleep_over(home, page, midnights[-1])
    assert rows(layout, "SELECT count(*) FROM decisions WHERE agent = 'other'") == [(0,)]
    after = published(layout, run_id, "SELECT agent, exposures FROM {decision_reports} ORDER BY agent")
    assert after == [("front", calls)]
    assert published(layout, run_id, "SELECT sum(n) FROM {decision_aggregates} WHERE agent = 'front' AND "
                                     "feature = '(none)' AND goal IS NULL") == [(calls,)]
    versions = rows(layout, "SELECT DISTINCT version FROM decisions WHERE agent = 'front' AND session LIKE 'after-%'")
    assert versions == [("0",)]
    listed = page.ask("GET", "list-agents")["data"]["agents"]
    assert [one["code"] for one in listed] == ["front"] and OWNER == "default"
