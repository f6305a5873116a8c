"""The Open Bandit Dataset (women campaign) through the mappings that the project ships, and what a night says of it."""

from __future__ import annotations

import shutil
from datetime import datetime
from pathlib import Path

import pytest

from contracts.progress import Silent
from contracts.settings import Ingest, Settings
from flows.stages.decision_logs import take_logs
from store.definitions import load
from store.layout import Layout
from store.warehouse import open_warehouse
from tests.flows.test_policies_night import KNOWN, Stage

REPOSITORY = Path(__file__).resolve().parents[2]
DATA = REPOSITORY.parent / "shared" / "data" / "open_bandit_women"

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(not (REPOSITORY.parent / "shared").exists(), reason="the data sets are not here"),
]


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> Stage:
    home = tmp_path_factory.mktemp("bandit")
    layout = Layout(home)
    layout.create()
    shutil.copytree(REPOSITORY / "definitions", home / "definitions")
    for log in ("random", "bts"):
        target = layout.inbox / "open_bandit" / log / "women.csv"
        target.parent.mkdir(parents=True)
        shutil.copy(DATA / log / "women.csv", target)
    settings = Settings(ingest=Ingest(settle_seconds=0.0))
    loads = take_logs(layout, settings, load(layout).logs, [], datetime(2026, 4, 1), Silent())
    assert [(one.resource, one.status, one.rows_loaded, one.rows_quarantined) for one in loads] == [
        ("open_bandit_bts", "loaded", 10_000, 0), ("open_bandit", "loaded", 10_000, 0)
    ]
    stage = Stage(home / "runs")
    with open_warehouse(layout, settings.pipeline, read_only=True) as con:
        for name in ("decisions", "decision_rewards"):
            rows = con.execute(f"FROM {name}").to_arrow_table()
            stage.con.register("rows_of", rows)
            stage.con.execute(f"INSERT INTO warehouse.{name} FROM rows_of")
    stage.documents = KNOWN
    stage.night(datetime(2019, 12, 1))
    return stage


def test_the_random_log_is_uniform_and_its_clicks_are_rewards(night: Stage) -> None:
    found = night.rows(
        "SELECT agent, count(*), sum(value), count(DISTINCT point), min(len(candidates)), max(len(candidates)) "
        "FROM decisions GROUP BY agent ORDER BY agent"
    )
    assert [row[:2] + row[3:] for row in found] == [
        ("women-bts", 10_000, 3, 46, 46), ("women-random", 10_000, 3, 46, 46)
    ]
    drawn = "SELECT DISTINCT policy, round(probability * 46, 4) FROM decisions WHERE agent = 'women-random'"
    assert night.rows(drawn) == [("explore", 1.0)]
    (clicks,) = night.rows("SELECT sum(value) FROM decisions WHERE agent = 'women-random'")
    assert night.report("women-random")["offPolicy"]["uniform"]["ips"]["value"] == pytest.approx(clicks[0] / 10_000)


def test_the_thompson_log_cannot_value_a_uniform_policy_and_says_so(night: Stage) -> None:
    uniform = night.report("women-bts")["offPolicy"]["uniform"]
    assert uniform["exposures"] == 10_000 and uniform["unreliable"]
    assert uniform["ess"] == pytest.approx(2.1, abs=0.05)
    assert uniform["meanWeight"] == pytest.approx(3.13, abs=0.005)
    assert uniform["largestWeight"] == pytest.approx(21_739, abs=1)
    assert uniform["snips"]["value"] == pytest.approx(0.00237, abs=5e-6)
    assert uniform["snips"]["low"] is None


def test_the_random_log_values_what_was_learned_from_it(night: Stage) -> None:
    report = night.report("women-random")
    new = report["offPolicy"]["new"]
    assert not new["unreliable"] and new["ess"] > 500
    assert new["dr"]["low"] < new["dr"]["value"] < new["dr"]["high"]
    assert [gate["gate"] for gate in report["gates"] if not gate["passed"]] in ([], ["G7"])
