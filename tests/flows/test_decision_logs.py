"""Logs from files: what is loaded, rejected, refused, and that a file loaded twice changes nothing."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from contracts.errors import Problem
from contracts.progress import Silent
from contracts.settings import Ingest, Settings
from decisions.agent import Agent, Choice, Decision, Goal, Point
from flows.stages.decision_logs import take_logs
from flows.stages.deliveries import FileLoad
from store.layout import Layout
from store.warehouse import open_warehouse
from transforms.decision_log_mapping import DecisionLog, parse_log

SETTINGS = Settings(ingest=Ingest(settle_seconds=0.0))
NOW = datetime(2026, 4, 1)


class Place:
    """A workspace to which logs are delivered."""

    def __init__(self, home: Path) -> None:
        self.layout = Layout(home)
        self.layout.create()
        self.agents: list[Agent] = []

    def deliver(self, name: str, text: str) -> None:
        path = self.layout.inbox / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def take(self, *logs: DecisionLog) -> list[FileLoad]:
        return list(take_logs(self.layout, SETTINGS, logs, self.agents, NOW, Silent()))

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with open_warehouse(self.layout, SETTINGS.pipeline, read_only=True) as con:
            return con.execute(query).fetchall()


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def _csv(header: str, *rows: str) -> str:
    return "\n".join([header, *rows]) + "\n"


def test_what_a_row_does_not_say_has_its_default(place: Place) -> None:
    place.deliver("decisions/a.csv", _csv(
        "agent,choice,ts,propensity,reward,features",
        'home,a,2026-03-01T12:00:00,0.5,1,"vip,age:34.00,age:35,cat::1,cat::2,browser:Chrome,browser:Edge,bad token"',
        "home,b,1772366401.5,0.25,0,",
    ))
    (load,) = place.take()
    assert (load.status, load.rows_in, load.rows_loaded, load.rows_quarantined) == ("loaded", 2, 2, 0)
    first, second = place.rows(
        "SELECT owner, point, decision_set, arm, candidates, probs, probability, policy, version, segment, "
        "features, ts::VARCHAR, source, propensity_assumed, session = event_id, epoch, seq, sticky, live, ts_given "
        "FROM decisions ORDER BY ts"
    )
    assert first[:10] == (
        "default", "point-1", "decision-1", "decision-1:a", ["decision-1:a", "decision-1:b"], [0.5, 0.5], 0.5,
        "explore", "file", "(none)",
    )
    assert json.loads(first[10]) == {"vip": 1.0, "age": 35.0, "cat::1": 1.0, "cat::2": 1.0, "browser:Edge": 1.0}
    assert list(json.loads(first[10])) == sorted(json.loads(first[10]))
    assert first[11:] == ("2026-03-01 12:00:00", "file", False, True, 1772366400000, 0, False, True, True)
    assert (second[3], second[5], second[7], second[11]) == (
        "decision-1:b", [], "exploit", "2026-03-01 12:00:01.5"
    )
    assert place.rows("SELECT event_id LIKE 'f%-1', goal, reward FROM decision_rewards") == [(True, "goal-1", 1.0)]


def test_a_file_loaded_twice_changes_nothing(place: Place) -> None:
    text = _csv("agent,choice,ts,event_id", "home,a,2026-03-01,e1", "home,b,2026-03-02,e2", "home,b,2026-03-02,e2")
    place.deliver("decisions/a.csv", text)
    assert [(one.status, one.rows_loaded, one.rows_already) for one in place.take()] == [("loaded", 2, 1)]
    content = "SELECT d.*, s.version FROM decisions AS d, warehouse_state AS s ORDER BY ALL"
    before = place.rows(content)
    place.deliver("decisions/again.csv", text)
    assert [one.status for one in place.take()] == ["duplicate"]
    place.deliver("decisions/more.csv", text.replace("2026-03-02,e2\n", "2026-03-02,e2\nhome,a,2026-03-01,e1\n", 1))
    assert [(one.status, one.rows_loaded) for one in place.take()] == [("loaded", 0)]
    assert place.rows(content) == before


def test_rejected_rows_are_told_and_above_one_percent_nothing_is_loaded(place: Place) -> None:
    good = [f"home,a,2026-03-01,0.5,{at}" for at in range(99)]
    place.deliver("decisions/a.csv", _csv("agent,choice,ts,propensity,event_id", *good, "home,a,2026-03-01,,x"))
    (load,) = place.take()
    assert (load.status, load.rows_loaded, load.rows_quarantined) == ("loaded", 99, 1)
    assert place.rows("SELECT line, reason, raw->>'event_id' FROM decision_rejects") == [
        (100, "propensity is null or outside (0, 1]", "x")
    ]
    for number, fault in enumerate([
        "home,a,2026-03-01,1.5,y", "home,a,2026-03-01,0,y", "home,a,soon,0.5,y", "-,a,2026-03-01,0.5,y",
        "home,a b,2026-03-01,0.5,y",
    ]):
        rows = [row.replace("2026-03-01", f"2026-03-{number + 2:02}") for row in good[:98]]
        place.deliver("decisions/b.csv", _csv("agent,choice,ts,propensity,event_id", *rows, fault))
        (load,) = place.take()
        assert load.status == "refused" and "1 of 99 rows" in load.message, fault
    assert place.rows("SELECT count(*) FROM decisions") == [(99,)]
    assert len(list(place.layout.refused.iterdir())) == 5


def test_without_propensities_they_are_assumed_and_said_to_be(place: Place) -> None:
    place.agents = [Agent("home", "default", points=(
        Point("point-1", (Decision("decision-1", (Choice("z"), Choice("a"), Choice("b"))),)),
    ))]
    place.deliver("decisions/a.csv", _csv("agent,choice,ts", "home,a,2026-03-01", "home,c,2026-03-01"))
    (load,) = place.take()
    assert "1/K was assumed" in load.message
    found = place.rows("SELECT DISTINCT candidates, probability, propensity_assumed, policy FROM decisions")
    arms = [f"decision-1:{choice}" for choice in ("z", "a", "b", "c")]
    assert found == [(arms, 0.25, True, "explore")]


def test_candidates_probs_and_several_decisions_are_read(place: Place) -> None:
    place.deliver("decisions/a.csv", _csv(
        "agent,choice,ts,propensity,candidates,probs,session,point",
        '"home","v:a,w:c",2026-03-01,0.3,"v:a,w:c|v:b,w:c",0.3|0.7,s1,p9',
    ))
    assert [one.status for one in place.take()] == ["loaded"]
    assert place.rows("SELECT decision_set, arm, candidates, probs, policy, session, point FROM decisions") == [
        ("v,w", "v:a,w:c", ["v:a,w:c", "v:b,w:c"], [0.3, 0.7], "exploit", "s1", "p9")
    ]


def test_epochs_are_cut_by_the_time_out(place: Place) -> None:
    place.deliver("decisions/a.csv", _csv(
        "agent,choice,ts,session", "home,a,2026-03-01,s", "home,a,2026-03-12,s", "home,b,2026-03-25,s",
    ))
    place.take()
    epochs = place.rows("SELECT ts::DATE::VARCHAR, epoch_ms(epoch)::DATE::VARCHAR, seq FROM decisions ORDER BY ts")
    assert epochs == [
        ("2026-03-01", "2026-03-01", 0), ("2026-03-12", "2026-03-01", 1), ("2026-03-25", "2026-03-25", 0)
    ]


def test_goals_are_accepted_as_the_endpoint_accepts_them(place: Place) -> None:
    place.agents = [Agent("home", "default", goals=(
        Goal("goal-1"), Goal("many", limit=0, min=1.0, max=9.0), Goal("two", limit=2), Goal("down", min=-5.0),
    ))]
    place.deliver("decisions/a.csv", _csv(
        "agent,choice,ts,session", "home,a,2026-03-01,s", "home,b,2026-03-01,t", "home,b,2026-03-01,u",
    ))
    place.deliver("goals/a.csv", _csv(
        "agent,session,ts,goal,reward,event_id",
        "home,s,2026-03-01T00:00:10,,,1", "home,s,2026-03-01T00:00:20,,,2", "home,t,2026-02-01,,,3",
        "home,t,2026-03-20,,,4", "away,t,2026-03-01,,,5", "home,nobody,2026-03-01,,,6", "home,t,2026-03-01,,-1,7",
        "home,t,2026-03-01,down,-1,8", "home,t,2026-03-01,many,0.5,9", "home,t,2026-03-01,many,10,10",
        "home,t,2026-03-01T00:00:01,many,2,11", "home,t,2026-03-01T00:00:02,many,2,12",
        "home,t,2026-03-01T00:00:03,many,2,13", "home,t,2026-03-01T00:00:03,many,3,14",
        "home,u,2026-03-01T00:00:01,two,1,15", "home,u,2026-03-01T00:00:05,two,1,16",
        "home,u,2026-03-01T00:00:09,two,1,17",
    ))
    assert [(one.status, one.rows_loaded) for one in place.take()] == [("loaded", 3), ("loaded", 17)]
    said = dict(place.rows("SELECT event_id::INTEGER, reason FROM goals"))
    assert said == {
        1: "", 2: "limit", 3: "no_session", 4: "timed_out", 5: "unknown_agent", 6: "no_session", 7: "not_positive",
        8: "", 9: "below_min", 10: "above_max", 11: "", 12: "duplicate", 13: "", 14: "", 15: "", 16: "", 17: "limit",
    }
    assert place.rows("SELECT reward_accepted FROM goals WHERE event_id IN ('2', '8') ORDER BY 1") == [(-1.0,), (0.0,)]


def test_parquet_and_a_mapping_with_constants_and_features(place: Place) -> None:
    log, problems = parse_log({
        "name": "mine", "match": "mine/*", "constants": {"agent": "shop"}, "features": ["plan", "visits"],
        "columns": {"choice": "arm_id", "ts": "moment", "propensity": "p", "candidates": "arms"},
    }, "mine.yaml")
    assert log is not None and not problems
    folder = place.layout.inbox / "mine"
    folder.mkdir(parents=True)
    pq.write_table(pa.table({
        "arm_id": [1, 2], "moment": [datetime(2026, 3, 1), datetime(2026, 3, 2)], "p": [0.5, 0.5],
        "arms": [["1", "2"], ["1", "2"]], "plan": ["gold plus", None], "visits": [3, 4],
    }), folder / "a.parquet")
    assert [(one.status, one.rows_loaded, one.resource) for one in place.take(log)] == [("loaded", 2, "mine")]
    found = place.rows("SELECT agent, arm, features FROM decisions ORDER BY ts")
    assert found[0] == ("shop", "decision-1:1", '{"plan:gold_plus":1.0,"visits":3.0}')
    assert found[1] == ("shop", "decision-1:2", '{"visits":4.0}')


def test_every_problem_of_a_mapping_is_told_at_once() -> None:
    log, problems = parse_log({
        "match": [], "columns": {"chioce": "x", "ts": "1; DROP TABLE x", "agent": "a"}, "constants": {"agent": "b"},
    }, "bad.yaml")
    assert log is None
    told = {str(one.where) for one in problems if isinstance(one, Problem)}
    assert told == {
        "bad.yaml: name", "bad.yaml: match", "bad.yaml: columns.chioce", "bad.yaml: columns.ts",
        "bad.yaml: constants.agent", "bad.yaml: columns",
    }


def test_a_file_without_its_columns_is_set_aside_and_stops_nobody(place: Place) -> None:
    place.deliver("decisions/a.csv", _csv("agent,ts", "home,2026-03-01"))
    place.deliver("decisions/b.csv", _csv("agent,choice,ts", "home,a,2026-03-01"))
    assert [one.status for one in place.take()] == ["refused", "loaded"]
    assert place.rows("SELECT count(*) FROM decisions") == [(1,)]
    assert not list(place.layout.inbox.rglob("*.csv"))


def test_a_load_that_dies_is_made_again_from_the_start(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    place.deliver("decisions/a.csv", _csv("agent,choice,ts,reward", "home,a,2026-03-01,1", "home,b,2026-03-02,0"))

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("flows.stages.decision_logs.record", die)
        with pytest.raises(KeyboardInterrupt):
            place.take()
    assert place.rows("SELECT count(*) FROM decisions") == [(0,)]
    assert [(one.status, one.rows_loaded) for one in place.take()] == [("loaded", 2)]
    assert place.rows("SELECT count(*) FROM decision_rewards") == [(1,)]


def test_names_of_the_warehouse_are_kept_apart(place: Place) -> None:
    """A log's loading leaves no table of its own behind."""
    place.deliver("decisions/a.csv", _csv("agent,choice,ts", "home,a,2026-03-01"))
    place.deliver("goals/a.csv", _csv("agent,session,ts", "home,s,2026-03-01"))
    place.take()
    with duckdb.connect(str(place.layout.warehouse)) as con:
        names = {name for (name,) in con.execute("SELECT table_name FROM duckdb_tables()").fetchall()}
    assert not any(name.startswith("log_") for name in names)
