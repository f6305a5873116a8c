"""The frozen window over nights: what is copied, what is measured anew, and what it says to the election."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from contracts.account import Account
from contracts.progress import Silent
from contracts.settings import Settings
from flows.stages import frozen, trial
from flows.stages.jobs import records
from flows.stages.publish import insert_rows
from flows.stages.recommend import train
from store.exports import export_table
from tests.flows.taste_shop import AS_OF, SETTINGS, Served, workbench
from transforms import evaluation

Row = dict[str, Any]


@pytest.fixture(autouse=True)
def few_candidates(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trial, "CANDIDATES", ("popular", "neighbours", "ease", "als", "blend"))


def shop(until: datetime) -> duckdb.DuckDBPyConnection:
    """The shop, with nothing of what happened from a date on."""
    con = workbench()
    con.execute("CREATE OR REPLACE VIEW events AS SELECT 'charged' AS event_type, profile_id, item_id, "
                "TIMESTAMP '2024-07-01' - seconds * INTERVAL 1 SECOND AS created_at FROM seen "
                f"WHERE TIMESTAMP '2024-07-01' - seconds * INTERVAL 1 SECOND < TIMESTAMP '{until}'")
    return con


def night(
    folder: Path, as_of: datetime, previous: Path | None = None, con: duckdb.DuckDBPyConnection | None = None,
    settings: Settings = SETTINGS,
) -> tuple[list[Row], Row]:
    """Rows of ``evaluation`` and details of the job; both tables are kept in the folder as a run would keep them."""
    con = con or shop(as_of)
    before = None if previous is None else Served(previous.name, previous)
    outcome = train(con, folder, settings, as_of, before, Silent())
    insert_rows(con, "evaluation", outcome.evaluation)
    if previous is not None:
        con.execute(f"CREATE VIEW last_evaluation AS FROM '{previous}/tables/evaluation.parquet'")
        evaluation.write_last(con)
    insert_rows(con, "training_jobs", records(outcome.jobs, folder.name, as_of, Account(), None, {}).jobs)
    for name in ("evaluation", "training_jobs"):
        export_table(con, name, folder)
    table = con.execute("FROM evaluation ORDER BY ALL").to_arrow_table().to_pylist()
    return table, json.loads(json.dumps(outcome.jobs[0]["details"]))


def of(rows: list[Row], cut: str) -> dict[tuple[str, str, str], Row]:
    return {(row["model"], row["mode"], row["metric"]): row for row in rows if row["cut"] == cut}


def values(rows: list[Row], cut: str) -> dict[tuple[str, str, str], float]:
    return {key: row["value"] for key, row in of(rows, cut).items()}


FIRST, SECOND = AS_OF - timedelta(days=20), AS_OF


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Row], Row, Path]:
    folder = tmp_path_factory.mktemp("nights") / "r-1"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trial, "CANDIDATES", ("popular", "neighbours", "ease", "als", "blend"))
        return *night(folder, FIRST), folder


def test_the_first_window_is_that_of_its_night(first: Any) -> None:
    rows, details, _ = first
    assert values(rows, "frozen") == values(rows, "rolling") != {}
    assert {row["serving"] for row in rows if row["model"] == "popular"} == {False}
    assert {row["cut"] for row in rows if row["serving"]} == {"frozen", "rolling"}
    assert details["frozen"]["to"] == FIRST.isoformat()
    assert details["change"] == {}
    assert all(row["last_value"] is None and row["last_serving"] is None for row in rows)


def test_a_later_night_is_judged_on_the_same_window(
    first: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows, details, folder = first
    copied, later = night(tmp_path / "r-2", SECOND, folder)
    assert values(copied, "frozen") == values(rows, "frozen")
    assert values(copied, "rolling") != values(rows, "rolling")
    assert later["frozen"] == details["frozen"]
    for cut in ("frozen", "rolling"):
        assert {key: row["last_value"] for key, row in of(copied, cut).items()} == values(rows, cut)
        assert {row["model"] for row in of(copied, cut).values() if row["last_serving"]} == {
            row["model"] for row in of(rows, cut).values() if row["serving"]
        }
    # What is copied is what measuring it anew gives.
    monkeypatch.setattr(frozen, "code_version", lambda: "another")
    anew, again = night(tmp_path / "r-3", SECOND, folder)
    assert "measured anew" in again["frozen"]["reason"]
    assert values(anew, "frozen") == pytest.approx(values(rows, "frozen"))
    assert {(row["window_from"], row["window_to"]) for row in of(anew, "frozen").values()} == {
        (row["window_from"], row["window_to"]) for row in of(rows, "frozen").values()
    }


def test_new_profiles_items_and_prices_leave_the_window_alone(first: Any, tmp_path: Path) -> None:
    _, details, folder = first
    con = shop(SECOND)
    con.execute("INSERT INTO profiles VALUES ('p999', 120, 'active')")
    con.execute("INSERT INTO items SELECT 'i999', 60, * EXCLUDE (item_id, item_index) FROM items LIMIT 1")
    con.execute("UPDATE items SET item_price = item_price + 1")
    _, later = night(tmp_path / "r-2", SECOND, folder, con)
    assert later["frozen"] == details["frozen"]


def test_what_arrives_late_is_measured_anew(first: Any, tmp_path: Path) -> None:
    rows, details, folder = first
    con = shop(SECOND)
    late = (SECOND - FIRST).total_seconds() + 86400
    con.executemany("INSERT INTO seen VALUES (?, ?, ?)", [(f"p{n:03d}", "i010", int(late)) for n in range(110)])
    found, later = night(tmp_path / "r-2", SECOND, folder, con)
    assert later["frozen"]["to"] == details["frozen"]["to"]
    assert later["frozen"]["inputs"] != details["frozen"]["inputs"]
    assert values(found, "frozen") != values(rows, "frozen")


@pytest.mark.parametrize("days", [0, 20])
def test_an_old_window_gives_way_to_the_night_s_own(first: Any, tmp_path: Path, days: int) -> None:
    _, _, folder = first
    settings = replace(SETTINGS, recommendations=replace(SETTINGS.recommendations, frozen_days=days))
    found, later = night(tmp_path / "r-2", SECOND, folder, settings=settings)
    assert later["frozen"]["to"] == SECOND.isoformat()
    assert values(found, "frozen") == values(found, "rolling")


def test_a_window_after_tonight_is_not_used(first: Any, tmp_path: Path) -> None:
    _, _, folder = first
    _, earlier = night(tmp_path / "r-0", FIRST - timedelta(days=5), folder)
    assert earlier["frozen"]["to"] == (FIRST - timedelta(days=5)).isoformat()


def test_the_election_hears_the_frozen_window(first: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows, _, folder = first
    served = next(row["model"] for row in rows if row["serving"])
    heard: list[tuple[Any, ...]] = []
    monkeypatch.setattr("flows.stages.recommend.choose", lambda *given: heard.append(given) or choose(*given))
    from models.selection import choose

    night(tmp_path / "r-2", SECOND, folder)
    [(judgements, _, incumbent, headlines)] = heard
    assert incumbent == served
    assert headlines == {
        row["model"]: row["value"] for row in of(rows, "frozen").values()
        if (row["mode"], row["metric"]) == ("new", "ndcg@10")
    }
    assert set(headlines) == set(judgements)
