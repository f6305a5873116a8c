"""Nights that learn policies: what is published, held back, rolled back, counted late, and made the same again.

Most of it is seen on the stage alone, over runs that stand in a folder each; whole nights are few.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from contracts.progress import Silent
from contracts.published import TABLE_BY_NAME
from contracts.settings import Pipeline
from decisions.agent import from_document
from flows.desk import open_desk
from flows.night import Order, Outcome, night
from flows.stages.agents import LONG_AGO, AgentDocuments
from flows.stages.policies import CARRIED, TABLES, learn_policies
from store import runs
from store.agent_documents import Reset, put_agent
from store.exports import MONTHLY, export_monthly, export_table
from store.layout import Layout
from store.pack.policies import PolicyBook
from store.pack.policy_tables import write_policies
from store.warehouse import create_schema, open_warehouse
from tests.flows.decision_events import Visits, add_visits
from transforms.decisions import AgentRates

SETTINGS = "[pipeline]\nas_of = 'last_event'\n"
DOCUMENT: dict[str, Any] = {
    "code": "home", "owner": "default",
    "points": [{"code": "point-1", "decisions": [{"code": "decision-1", "choices": [{"code": "a"}, {"code": "b"}]}]}]
}
HOME = from_document(DOCUMENT)
KNOWN = AgentDocuments({"home": HOME}, rates=(AgentRates("home", LONG_AGO, 0.1, 0.2),))
FIRST = datetime(2026, 3, 11)


class Stage:
    """Events of agents, and the runs that were made of them: the tables of each in a folder."""

    def __init__(self, folder: Path, threads: int = 2) -> None:
        self.folder = folder
        self.con = duckdb.connect(config={"threads": threads})
        self.con.execute("SET TimeZone = 'UTC'")
        self.con.execute("ATTACH ':memory:' AS warehouse")
        with self.warehouse() as con:
            create_schema(con)
        self.previous: Path | None = None
        self.documents = KNOWN

    def warehouse(self) -> Warehouse:
        return Warehouse(self.con)

    def add(self, *visits: Visits) -> None:
        with self.warehouse() as con:
            for one in visits:
                add_visits(con, one)

    def sql(self, query: str) -> None:
        """Change the warehouse."""
        with self.warehouse() as con:
            con.execute(query)

    def night(self, as_of: datetime, run_id: str = "") -> PolicyBook:
        """Learn; returns what the endpoint reads."""
        target = self.folder / (run_id or f"r-{as_of:%Y%m%d}")
        for part in ("tables", "pack"):
            (target / part).mkdir(parents=True)
        learn_policies(
            self.con, target, as_of, target.name, "default", self.documents, self.previous, Silent()
        )
        for name in TABLES:
            if name in MONTHLY:
                export_monthly(self.con, name, target, None)
            else:
                export_table(self.con, name, target)
        write_policies(target)
        self.previous = target
        return PolicyBook(target / "pack")

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """What the last run's tables say."""
        assert self.previous is not None
        with duckdb.connect() as con:
            for name in TABLES:
                files = self.previous / "tables" / (f"{name}/*.parquet" if name in MONTHLY else f"{name}.parquet")
                con.execute(f"CREATE VIEW {name} AS FROM read_parquet('{files}')")
            return con.execute(query).fetchall()

    def report(self, agent: str = "home") -> dict[str, Any]:
        (found,) = self.rows(f"SELECT report FROM decision_reports WHERE agent = '{agent}'")
        told: dict[str, Any] = json.loads(found[0])
        return told

    def copy(self, folder: Path) -> Stage:
        """The same, to be changed."""
        other = Stage(folder)
        for name in ("decisions", "goals"):
            rows = self.con.execute(f"FROM warehouse.{name}").to_arrow_table()
            other.con.register("rows_of", rows)
            other.con.execute(f"INSERT INTO warehouse.{name} FROM rows_of")
            other.con.unregister("rows_of")
        other.previous = self.previous
        return other


class Warehouse:
    """The attached warehouse as the place where names are found."""

    def __init__(self, con: duckdb.DuckDBPyConnection) -> None:
        self.con = con

    def __enter__(self) -> duckdb.DuckDBPyConnection:
        self.con.execute("USE warehouse")
        return self.con

    def __exit__(self, *_: object) -> None:
        self.con.execute("USE memory")


@pytest.fixture(scope="session")
def learned(tmp_path_factory: pytest.TempPathFactory) -> Stage:
    """After the night that learned from the first visits; not to be changed."""
    made = Stage(tmp_path_factory.mktemp("learned"))
    made.add(Visits(gold=0.1))
    made.night(FIRST)
    return made


@pytest.fixture
def stage(learned: Stage, tmp_path: Path) -> Iterator[Stage]:
    made = learned.copy(tmp_path)
    yield made
    made.con.close()


def _book(stage: Stage) -> PolicyBook:
    assert stage.previous is not None
    return PolicyBook(stage.previous / "pack")


def test_a_better_arm_gets_more_of_the_exploit_cell_and_explore_stays_uniform(learned: Stage) -> None:
    found = _book(learned).find("home", "point-1", "decision-1", "(none)", "")
    assert found is not None and found[1]["decision-1:b"] > 0.95
    (explored,) = learned.rows(
        "SELECT count(*) FILTER (arm = 'decision-1:b') / count(*) FROM decisions WHERE policy = 'explore'"
    )
    assert abs(explored[0] - 0.5) < 0.06
    weights = learned.rows("SELECT sum(weight) FROM policies GROUP BY segment, pattern")
    assert all(abs(total - 1) < 1e-9 for (total,) in weights)
    report = learned.report()
    assert [gate["gate"] for gate in report["gates"]] == [f"G{at}" for at in range(1, 8)]
    assert all(gate["passed"] for gate in report["gates"][:6])
    assert (report["published"], report["version"], report["servedBefore"]) == (
        True, _book(learned).version("home"), "0"
    )
    assert {one["arm"]: one["thin"] for one in report["arms"]} == {"decision-1:a": False, "decision-1:b": False}


def test_what_differs_by_segment_is_served_by_segment(learned: Stage) -> None:
    gold = _book(learned).find("home", "point-1", "decision-1", "gold", "no such pattern")
    assert gold is not None and gold[0] == "segment"
    assert learned.report()["segments"][0]["segments"] == ["(none)", "gold"]


def test_aggregates_add_up_to_the_exposures_and_goals(learned: Stage) -> None:
    (counted,) = learned.rows(
        "SELECT sum(n), sum(goals), sum(x) FROM decision_aggregates WHERE feature = '(none)' AND goal IS NULL"
    )
    (events,) = learned.rows("SELECT count(*) FILTER (exposure), sum(goals), sum(value) FROM decisions")
    (accepted,) = learned.rows("SELECT count(*) FROM goals")
    assert counted == events and events[0] == 4000 and events[1] == accepted[0]
    (of_goal,) = learned.rows(
        "SELECT sum(goals) FROM decision_aggregates WHERE feature = '(none)' AND goal = 'goal-1'"
    )
    assert of_goal[0] == accepted[0]
    (vip,) = learned.rows("SELECT sum(n) FROM decision_aggregates WHERE feature = 'vip' AND goal IS NULL")
    (with_vip,) = learned.rows("SELECT count(*) FROM decisions WHERE features->>'vip' IS NOT NULL")
    assert vip[0] == with_vip[0] > 0
    (sessions,) = learned.rows("SELECT sum(sessions), sum(goals) FROM decision_days")
    assert sessions == (4000, accepted[0])


def test_a_late_goal_changes_the_day_of_its_decision(stage: Stage) -> None:
    stage.sql(
        "INSERT INTO goals BY NAME SELECT 'late' AS event_id, owner, agent, session, epoch, 'goal-2' AS goal, 2.5 AS "
        "reward_sent, 2.5 AS reward_accepted, '' AS reason, ts + INTERVAL 9 DAY AS ts, received_ts, ts_given, source "
        "FROM decisions ORDER BY ts LIMIT 1"
    )
    late = stage.report()["counts"]["late"]
    stage.night(FIRST + timedelta(days=1))
    assert stage.rows("SELECT date::VARCHAR, x FROM decision_aggregates WHERE goal = 'goal-2' AND feature = '(none)'") \
        == [("2026-03-01", 2.5)]
    assert stage.report()["counts"]["late"] == late + 1
    assert stage.report()["rewardModel"] == "valued"


def test_equal_events_give_equal_tables_in_any_order_and_with_any_threads(
    learned: Stage, tmp_path: Path
) -> None:
    other = Stage(tmp_path, threads=1)
    for name in ("decisions", "goals"):
        rows = learned.con.execute(f"FROM warehouse.{name} ORDER BY hash(event_id, 7)").to_arrow_table()
        other.con.register("rows_of", rows)
        other.con.execute(f"INSERT INTO warehouse.{name} FROM rows_of")
    other.night(FIRST)
    assert learned.previous is not None and other.previous is not None
    compared = 0
    tables = sorted((learned.previous / "tables").rglob("*.parquet"))
    for path in sorted((learned.previous / "pack").iterdir()) + tables:
        compared += 1
        twin = other.previous / path.relative_to(learned.previous)
        assert path.read_bytes() == twin.read_bytes(), path.name
    assert compared >= len(TABLES)
    other.con.close()


def test_a_log_that_lies_is_held_back_alone_and_flagged(stage: Stage, learned: Stage) -> None:
    version = _book(learned).version("home")
    stage.add(Visits(version=version, skew=0.4).later(10), Visits("other", seed=77).later(10))
    book = stage.night(FIRST + timedelta(days=10))
    assert book.version("home") == version
    assert book.version("other") not in ("0", version)
    report = stage.report()
    assert not report["published"] and report["reason"].startswith("G1: ") and report["newVersion"] != version
    assert ("G1", version) in stage.rows("SELECT flag, version FROM agent_flags WHERE agent = 'home'")
    states = dict(stage.rows("SELECT version, state FROM policy_versions WHERE agent = 'home'"))
    assert states == {version: "serving", report["newVersion"]: "held"}
    held = stage.rows(f"SELECT count(*) FROM policy_archive WHERE version = '{report['newVersion']}'")
    assert held[0][0] > 0
    context = ("home", "point-1", "decision-1", "(none)", "")
    assert book.find(*context) == _book(learned).find(*context)
    # The version's exposures stay out, until an operator has looked into it.
    counted = "SELECT sum(n) FROM decision_aggregates WHERE agent = 'home' AND feature = '(none)' AND goal IS NULL"
    stage.add(Visits(version=version, count=400).later(20))
    stage.night(FIRST + timedelta(days=20))
    assert stage.rows(counted) == [(4000,)]
    stage.documents = replace(KNOWN, cleared=frozenset({("home", version)}))
    stage.night(FIRST + timedelta(days=21))
    assert stage.rows(counted) == [(8400,)]


def test_an_agent_is_rolled_back_and_released(stage: Stage, learned: Stage) -> None:
    first = _book(learned).version("home")
    stage.add(Visits(version=first).later(10))
    second = stage.night(FIRST + timedelta(days=10)).version("home")
    assert second != first
    stage.documents = replace(KNOWN, pins={"home": first})
    stage.add(Visits(version=first, count=500).later(20))
    book = stage.night(FIRST + timedelta(days=20))
    assert book.version("home") == first and second in book.versions("home")
    assert stage.rows("SELECT version, pinned FROM policy_versions WHERE state = 'serving'") == [(first, True)]
    assert stage.report()["reason"] == "rolled back by an operator"
    stage.documents = KNOWN
    assert stage.night(FIRST + timedelta(days=21)).version("home") not in (first, second)


def test_a_reset_agent_begins_anew(stage: Stage) -> None:
    at = FIRST + timedelta(hours=1)
    stage.documents = replace(KNOWN, resets={"home": Reset(at, deleted=False)})
    book = stage.night(FIRST + timedelta(days=1))
    assert (book.version("home"), book.respected) == ("0", {"home": at})
    for name in ("policies", "policy_archive", "policy_versions", "decision_aggregates", "decision_days"):
        assert stage.rows(f"SELECT count(*) FROM {name}") == [(0,)], name
    stage.add(Visits(count=500).later(11))
    assert stage.night(FIRST + timedelta(days=15)).version("home") != "0"
    assert stage.rows("SELECT count(*) FROM decisions WHERE exposure") == [(500,)]


def test_only_the_window_is_learned_from(stage: Stage) -> None:
    stage.add(Visits(count=300).later(85))
    stage.night(datetime(2026, 6, 5, 12))
    assert stage.report()["window"] == {"from": "2026-03-08", "to": "2026-06-05"}
    exposures = sum(one["exposures"] for one in stage.report()["exposures"])
    (counted,) = stage.rows("SELECT count(*) FROM decisions WHERE exposure AND ts >= TIMESTAMP '2026-03-08'")
    assert exposures == counted[0] < 4300
    (told,) = stage.rows("SELECT sum(n) FROM decision_aggregates WHERE feature = '(none)' AND goal IS NULL")
    assert told[0] == 4300


def test_an_agent_that_mixes_times_learns_no_more_and_says_so(stage: Stage, learned: Stage) -> None:
    before = stage.rows("SELECT sum(n), sum(goals) FROM decision_aggregates")
    stage.add(Visits(count=100).later(11))
    stage.sql("UPDATE decisions SET ts_given = true WHERE ts > TIMESTAMP '2026-03-12'")
    book = stage.night(FIRST + timedelta(days=14))
    assert book.version("home") == _book(learned).version("home")
    assert ("mixed_ts",) in stage.rows("SELECT flag FROM agent_flags")
    assert stage.rows("SELECT sum(n), sum(goals) FROM decision_aggregates") == before
    assert "mixed_ts" in {one["flag"] for one in stage.report()["flags"]} and stage.report()["gates"]


def test_at_most_thirty_versions_are_kept(stage: Stage, tmp_path: Path) -> None:
    """From thirty-five earlier versions that a run has, the night keeps so many that there are thirty."""
    assert stage.previous is not None
    folder = tmp_path / "many"
    shutil.copytree(stage.previous, folder)
    with duckdb.connect() as con:
        for name, source in (("policy_versions", "policy_versions"), ("policy_archive", "policies")):
            state = ", 'earlier' AS state" if name == "policy_versions" else ""
            columns = ", ".join(column.name for column in TABLE_BY_NAME[name].columns)
            con.execute(
                f"CREATE TABLE made AS SELECT {columns} FROM (SELECT * EXCLUDE (i) REPLACE ('old-' || i AS version, "
                f"valid_from - to_days(i::INTEGER) AS valid_from{state}) FROM "
                f"read_parquet('{folder}/tables/{source}.parquet'), range(1, 36) AS old(i)) "
                f"UNION ALL FROM read_parquet('{folder}/tables/{name}.parquet')"
            )
            con.execute(f"COPY made TO '{folder}/tables/{name}.parquet' (FORMAT parquet)")
            con.execute("DROP TABLE made")
    stage.previous = folder
    stage.add(Visits(count=200).later(10))
    stage.night(FIRST + timedelta(days=20))
    versions = stage.rows("SELECT version, state FROM policy_versions ORDER BY valid_from DESC")
    assert len(versions) == 30 and versions[0][1] == "serving"
    assert [version for version, _ in versions[2:4]] == ["old-1", "old-2"]
    assert stage.rows("SELECT count(DISTINCT version) FROM policy_archive") == [(29,)]


def test_a_dead_day_is_flagged(stage: Stage) -> None:
    stage.add(Visits(count=20, days=1).later(12))
    stage.night(datetime(2026, 3, 14, 1))
    assert ("gap",) in stage.rows("SELECT flag FROM agent_flags")


def test_flags_of_the_endpoint_stand_beside_those_of_the_night(stage: Stage) -> None:
    stage.documents = replace(KNOWN, flags={"home": {"segment_cap": FIRST}})
    stage.night(FIRST + timedelta(days=1))
    assert ("home", "segment_cap") in stage.rows("SELECT agent, flag FROM agent_flags")
    assert "segment_cap" in {one["flag"] for one in stage.report()["flags"]}


def test_nights_publish_and_a_night_that_dies_while_learning_leaves_the_last_policies_serving(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "definitions").mkdir()
    (tmp_path / "definitions" / "settings.toml").write_text(SETTINGS)
    layout = Layout(tmp_path)
    layout.create()
    with open_warehouse(layout, Pipeline()) as con:
        add_visits(con, Visits(count=600))
    with open_desk(tmp_path) as desk, desk.journal.writing() as connection:
        put_agent(connection, "default", "home", DOCUMENT, "test", desk.journal.clock())
    first = _night(tmp_path)
    assert first.made and _served(tmp_path) == first.run_id
    assert set(CARRIED) <= {one.name for one in runs.read_manifest(layout.run(first.run_id)).tables}
    assert not _night(tmp_path).made
    with open_warehouse(layout, Pipeline()) as con:
        add_visits(con, Visits(count=600).later(10))

    def die(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("flows.stages.policies.review_agent", die)
        with pytest.raises(KeyboardInterrupt):
            _night(tmp_path)
    assert _served(tmp_path) == first.run_id
    second = _night(tmp_path)
    assert _served(tmp_path) == second.run_id
    with duckdb.connect(str(layout.analytics), read_only=True) as con:
        assert con.execute("SELECT count(*) FROM decisions").fetchone() == (1200,)
        assert con.execute("SELECT count(DISTINCT run_id) FROM history.policies").fetchone() == (2,)


def _night(home: Path) -> Outcome:
    with open_desk(home) as desk:
        return night(desk, Order())


def _served(home: Path) -> str:
    with open_desk(home) as desk:
        pointer = desk.journal.pointer()
    assert pointer is not None
    return pointer.run_id
