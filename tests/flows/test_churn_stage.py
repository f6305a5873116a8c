"""The churn stage on made-up workbenches: enough data, too little, explicit churners, an earlier model."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest

from contracts.progress import Silent
from contracts.published import TABLE_BY_NAME
from contracts.settings import Churn, Settings
from flows.stages import churn as stage
from models.churn import select
from store.models import load_arrays

AS_OF = datetime(2024, 7, 1)
SETTINGS = Settings(churn=Churn(definition="inactivity", horizon_days=30, profile_features=("plan", "age")))


@dataclass(frozen=True)
class Previous:
    """As much of the previous run as the stage looks at."""

    folder: Path


def fill(
    con: duckdb.DuckDBPyConnection, profiles: int, *, explicit: bool = False, order: str = "event_id", days: int = 360
) -> None:
    """Profiles with a rhythm each, who may stop for good; drawn by hashing, so the same at every call."""
    con.execute("""
        CREATE SCHEMA warehouse;
        CREATE TABLE warehouse.property_types AS
        SELECT 'profiles' AS entity, 'profile_data' AS parent, unnest(['plan', 'age']) AS key,
               unnest(['string', 'number']) AS type;
        CREATE MACRO draw(key, salt) AS (md5_number_lower(key || salt) % 1000000) / 1000000.0;
    """)
    con.execute(
        """
        CREATE TABLE made AS SELECT profile_id, 2 + floor(24 * draw(profile_id, 'rhythm')) AS rhythm,
               CASE WHEN draw(profile_id, 'stops') < 0.6 THEN floor($days * draw(profile_id, 'stop'))
                    ELSE 9999 END AS stop
        FROM (SELECT printf('profile_%05d', n) AS profile_id FROM range($count) AS r (n))
    """,
        {"count": profiles, "days": days},
    )
    con.execute(f"""
        CREATE TABLE profiles AS SELECT profile_id, false AS has_charged, 'active' AS status,
               json_object('plan', CASE WHEN draw(profile_id, 'plan') < 0.5 THEN 'free' ELSE 'paid' END,
                           'age', floor(20 + 50 * draw(profile_id, 'age'))) AS profile_data,
               '{{}}'::JSON AS platform_info,
               TIMESTAMP '{AS_OF}' - to_days({days}) AS created_at
        FROM made ORDER BY {"profile_id" if order == "event_id" else "hash(profile_id)"};
        CREATE TABLE warehouse.profiles AS SELECT profile_id, status, NULL::TIMESTAMP AS status_at FROM profiles;
        CREATE TABLE items AS SELECT 'i' || n AS item_id, n * 10 AS item_price FROM range(20) AS r (n);
        CREATE TABLE events AS FROM (
        SELECT md5(profile_id || day) AS event_id, 'charged' AS event_type, profile_id,
               'i' || (md5_number_lower(profile_id || day) % 20) AS item_id,
               TIMESTAMP '{AS_OF}' - to_days({days}) + to_days(day::INTEGER)
               + to_seconds(floor(86000 * draw(profile_id || day, 's'))) AS created_at,
               '{{}}'::JSON AS properties
        FROM made, range({days}) AS d (day) WHERE day < stop AND draw(profile_id || day, 'happens') < 1 / rhythm
        UNION ALL
        SELECT md5(profile_id), 'churned', profile_id, NULL,
               TIMESTAMP '{AS_OF}' - to_days({days}) + to_days(stop::INTEGER + 1), '{{}}'::JSON
        FROM made WHERE {explicit} AND stop < {days} - 2)
        ORDER BY {order};
    """)


@pytest.fixture
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        yield connection


def train(
    con: duckdb.DuckDBPyConnection, target: Path, settings: Settings = SETTINGS, previous: Previous | None = None
) -> stage.ChurnOutcome:
    target.mkdir()
    return stage.train_churn(con, target, settings, AS_OF, previous, Silent())  # type: ignore[arg-type]


def rows(con: duckdb.DuckDBPyConnection, table: str = "churn") -> list[dict[str, Any]]:
    found = con.execute(f"SELECT * FROM {table} ORDER BY profile_id")
    names = [column[0] for column in found.description]
    return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


def test_a_whole_training(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    fill(con, 400)
    outcome = train(con, tmp_path / "r-1")
    (job,) = outcome.jobs
    assert (job["status"], job["reason"], job["trained_by_run"]) == ("Completed", "", "r-1")
    found = rows(con)
    assert len(found) == outcome.scored == job["details"]["profiles_scored"] > 300
    described = [(row[0], row[1].replace('"', "")) for row in con.execute("DESCRIBE churn").fetchall()]
    assert described == [(column.name, column.type) for column in TABLE_BY_NAME["churn"].columns]
    for row in found:
        p = row["churn_score"]
        assert 0 < p < 1
        assert row["churn_probability"] == (
            "low" if p < 0.25 else "mid" if p < 0.5 else "high" if p < 0.75 else "very-high"
        )
        assert len(row["survival"]) == len(SETTINGS.churn.curve_days)
        assert row["survival"][SETTINGS.churn.curve_days.index(30)] == pytest.approx(1 - p)
        assert row["survival"] == sorted(row["survival"], reverse=True)
        sizes = [abs(reason["contribution"]) for reason in row["churn_reasons"]]
        assert len(sizes) == 3
        assert sizes == sorted(sizes, reverse=True)
        assert all((reason["contribution"] > 0) == (reason["effect"] == "raises") for reason in row["churn_reasons"])
    # silent for a horizon is not the same as certain, but the long silent must look worse than the lively
    recency = dict(con.execute("SELECT profile_id, recency_days FROM churn_features").fetchall())
    silent = [row["churn_score"] for row in found if recency[row["profile_id"]] > 90]
    lively = [row["churn_score"] for row in found if recency[row["profile_id"]] < 5]
    assert np.mean(silent) > 0.9
    assert np.mean(lively) < 0.4
    json.dumps(job["details"])
    assert {row["model"] for row in outcome.evaluation} >= {"hazard", "cox", "log_normal", "blend", "recency"}
    assert {row["metric"] for row in outcome.evaluation} >= {"auc", "brier", "log_loss", "calibration_error", "c_index"}
    report = outcome.report
    assert (report["churn_percentage_difference"], report["churn_direction_indication"]) == (0.0, "stalled")
    acted = [value for value in recency.values() if value is not None]
    assert report["current_churn_percentage"] == round(100 * sum(value > 30 for value in acted) / len(acted), 1)


def test_shuffled_rows_and_threads_give_the_same_bits(tmp_path: Path) -> None:
    results = []
    for number, (threads, order) in enumerate(((1, "event_id"), (2, "hash(event_id)"))):
        with duckdb.connect(config={"threads": threads}) as connection:
            fill(connection, 250, order=order)
            train(connection, tmp_path / str(number))
            folder = tmp_path / str(number) / "models" / "churn"
            files = {path.name: path.read_bytes() for path in folder.iterdir() if path.suffix == ".npy"}
            results.append((rows(connection), files))
    assert results[0] == results[1]


def test_explicit_churners_are_certain_and_the_rest_is_scored(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    fill(con, 500, explicit=True)
    outcome = train(con, tmp_path / "r-1", replace(SETTINGS, churn=replace(SETTINGS.churn, definition="auto")))
    assert outcome.report["churn_definition"] == "explicit"
    gone = {row[0] for row in con.execute("SELECT profile_id FROM made WHERE stop < 358").fetchall()}
    for row in rows(con):
        assert (row["churn_score"] == 1) == (row["profile_id"] in gone)
        if row["profile_id"] in gone:
            assert (row["churn_probability"], row["expected_days_to_churn"]) == ("very-high", 0)
            assert [reason["feature"] for reason in row["churn_reasons"]] == ["explicit_churn"]
            assert row["survival"] == [0.0] * len(SETTINGS.churn.curve_days)
    assert {row["metric"] for row in outcome.evaluation} >= {"integrated_brier"}


def test_a_model_of_whole_lives_is_published_explained_and_scores_the_next_night(
    con: duckdb.DuckDBPyConnection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(select, "CANDIDATES", (select.LIVES,))
    monkeypatch.setattr(select, "_FEWEST_ENDED", 30)
    fill(con, 300, explicit=True)
    settings = replace(SETTINGS, churn=replace(SETTINGS.churn, definition="auto"))
    outcome = train(con, tmp_path / "r-1", settings)
    assert [(job["model"], job["status"]) for job in outcome.jobs] == [("lives", "Completed")]
    card, arrays = load_arrays(tmp_path / "r-1" / "models" / "churn")
    published = [row for row in rows(con) if row["churn_score"] < 1]
    assert len(published) > 100
    for row in published:
        days = dict(zip(SETTINGS.churn.curve_days, row["survival"], strict=True))
        assert days[30] == pytest.approx(1 - row["churn_score"])
        assert row["survival"] == sorted(row["survival"], reverse=True)
        assert len(row["churn_reasons"]) == 3
    told = stage.explain_profile(con, AS_OF, card, arrays, settings.churn, published[0]["profile_id"])
    assert told is not None
    assert told["churn_score"] == pytest.approx(published[0]["churn_score"], rel=1e-9)
    with duckdb.connect() as later:
        fill(later, 300, explicit=True)
        (tmp_path / "r-2").mkdir()
        previous: Any = Previous(tmp_path / "r-1")
        carried = stage.train_churn(later, tmp_path / "r-2", settings, AS_OF, previous, Silent(), skip="disabled")
        assert carried.jobs[0]["trained_by_run"] == "r-1"
        assert rows(later) == rows(con)


def test_contributions_of_a_profile_sum_to_its_published_score(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    fill(con, 300)
    train(con, tmp_path / "r-1")
    card, arrays = load_arrays(tmp_path / "r-1" / "models" / "churn")
    row = rows(con)[7]
    told = stage.explain_profile(con, AS_OF, card, arrays, SETTINGS.churn, row["profile_id"])
    assert told is not None
    assert told["churn_score"] == pytest.approx(row["churn_score"], rel=1e-9)
    total = told["base_log_odds"] + sum(one["contribution"] for one in told["contributions"])
    assert 1 / (1 + np.exp(-total)) == pytest.approx(row["churn_score"], rel=1e-9)
    top = [(one["feature"], pytest.approx(one["contribution"])) for one in told["contributions"][:3]]
    assert [(reason["feature"], reason["contribution"]) for reason in row["churn_reasons"]] == top
    assert stage.explain_profile(con, AS_OF, card, arrays, SETTINGS.churn, "nobody") is None


@pytest.mark.parametrize(
    ("profiles", "days", "settings", "reason"),
    [
        (9, 360, SETTINGS, "inadequate_data"),
        (0, 360, SETTINGS, "inadequate_data"),
        (40, 50, SETTINGS, "insufficient_history"),
        (40, 360, replace(SETTINGS, churn=replace(SETTINGS.churn, min_rows=5000)), "inadequate_data"),
        (40, 360, replace(SETTINGS, churn=replace(SETTINGS.churn, definition="explicit")), "inadequate_data"),
    ],
)
def test_too_little_data_is_skipped_with_its_reason(
    con: duckdb.DuckDBPyConnection, tmp_path: Path, profiles: int, days: int, settings: Settings, reason: str
) -> None:
    fill(con, profiles, days=days)
    outcome = train(con, tmp_path / "r-1", settings)
    assert (outcome.jobs[0]["status"], outcome.jobs[0]["reason"]) == ("Skipped", reason)
    assert outcome.jobs[0]["details"]["figures"]
    assert rows(con) == []
    assert not (tmp_path / "r-1" / "models").exists()


def test_thirty_profiles_train(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    fill(con, 30)
    outcome = train(con, tmp_path / "r-1")
    assert outcome.jobs[0]["status"] in {"Completed", "Failed"}
    assert outcome.jobs[0]["details"]["metrics"]


def test_a_rejected_model_leaves_the_last_one_scoring(
    con: duckdb.DuckDBPyConnection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(con, 300)
    first = train(con, tmp_path / "r-1")
    before = rows(con)
    monkeypatch.setattr(
        stage.select, "choose", lambda *_, **__: stage.select.Choice(None, "", notes={"hazard": "refused"})
    )
    outcome = train(con, tmp_path / "r-2", previous=Previous(tmp_path / "r-1"))
    (job,) = outcome.jobs
    assert (job["status"], job["trained_by_run"], job["model"]) == ("Failed", "r-1", first.jobs[0]["model"])
    assert rows(con) == before
    card, _ = load_arrays(tmp_path / "r-2" / "models" / "churn")
    assert card["trained_by_run"] == "r-1"
    assert outcome.report["current_churn_percentage"] == first.report["current_churn_percentage"]


def test_the_report_compares_with_the_last_one(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    fill(con, 300)
    train(con, tmp_path / "r-1")
    path = tmp_path / "r-1" / "models" / "churn" / "card.json"
    card = json.loads(path.read_text())
    now = card["report"]["current_churn_percentage"]
    card["report"]["current_churn_percentage"] = round(now - 1.2, 1)
    path.write_text(json.dumps(card))
    outcome = train(con, tmp_path / "r-2", previous=Previous(tmp_path / "r-1"))
    report = outcome.report
    assert (report["churn_percentage_difference"], report["churn_direction_indication"]) == (-1.2, "negative")


def test_excluded_profiles_have_no_score(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    fill(con, 300)
    con.execute("UPDATE profiles SET status = 'inactive' WHERE profile_id = 'profile_00003'")
    con.execute(
        """UPDATE profiles SET profile_data = '{"plan": "null", "age": 3}' WHERE profile_id = 'profile_00004'"""
    )
    con.execute("CREATE TABLE quarantined_profiles AS SELECT 'profile_00005' AS profile_id")
    outcome = train(con, tmp_path / "r-1")
    scored = {row["profile_id"] for row in rows(con)}
    assert not scored & {"profile_00003", "profile_00004", "profile_00005"}
    listed = {
        (row["profile_id"], row["reason"]) for row in rows(con, outcome.exclusions) if row["reason"] != "no_activity"
    }
    assert listed == {
        ("profile_00003", "status"),
        ("profile_00004", "missing_profile_feature"),
        ("profile_00005", "check"),
    }
    described = [(row[0], row[1]) for row in con.execute(f"DESCRIBE {outcome.exclusions}").fetchall()]
    assert described == [(column.name, column.type) for column in TABLE_BY_NAME["training_exclusions"].columns]
    assert outcome.jobs[0]["details"]["excluded_profiles"]["status"] == 1


def test_blocks_and_samples_do_not_change_what_a_profile_gets(
    con: duckdb.DuckDBPyConnection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(con, 300)
    monkeypatch.setattr(stage, "MOST_ROWS", 700)
    outcome = train(con, tmp_path / "r-1")
    details = outcome.jobs[0]["details"]
    assert 0 < details["sample_share"] < 1
    assert details["row_counts"]["fitted_rows"] == pytest.approx(700, rel=0.15)
    whole = rows(con)
    monkeypatch.setattr(stage, "BLOCK_ROWS", 7)
    card, arrays = load_arrays(tmp_path / "r-1" / "models" / "churn")
    stage.score(con, AS_OF, card, arrays, SETTINGS.churn)
    blocks = rows(con)
    assert [row["profile_id"] for row in blocks] == [row["profile_id"] for row in whole]
    assert [row["churn_score"] for row in blocks] == pytest.approx([row["churn_score"] for row in whole], rel=1e-12)
